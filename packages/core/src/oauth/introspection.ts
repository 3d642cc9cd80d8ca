/** Introspection: what a resource server is told about an access token that was sent to it. */
import { err, ok, type Result } from '../result.js'
import { type Epochs, parseEpochs } from '../revocation/epochs.js'
import { Secret } from '../secret.js'
import { longestRevocableToken } from './revocation-request.js'
import type { TokenRequestRefusal } from './token-request.js'

export type IntrospectionRequest = { readonly token: Secret }

/** @spec RFC 7662 §2.1 */
export function parseIntrospectionRequest(form: Readonly<Record<string, string>>): Result<IntrospectionRequest, TokenRequestRefusal> {
  const token = form['token']
  if (token === undefined || token === '' || token.length > longestRevocableToken)
    return err({ reason: 'token_request_malformed', detail: { field: 'token' } })
  return ok({ token: new Secret(token) })
}

/** The claims of a verified access token that the barrier is asked about. */
export type IntrospectedToken = {
  readonly claims: Readonly<Record<string, unknown>>
  readonly grantId: string
  readonly audience: string
  readonly epochs: Epochs
  readonly scopes: readonly string[]
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Reads a token whose signature has held; anything that we did not put there makes it `undefined`, hence inactive. */
export function readIntrospectedToken(claims: Readonly<Record<string, unknown>>): IntrospectedToken | undefined {
  const { gid, aud, scope } = claims
  const epochs = parseEpochs(claims['epochs'])
  if (typeof gid !== 'string' || !uuid.test(gid) || typeof aud !== 'string' || typeof scope !== 'string' || !epochs.ok) return undefined
  return { claims, grantId: gid, audience: aud, epochs: epochs.value, scopes: scope === '' ? [] : scope.split(' ') }
}

export const inactive = { active: false } as const

const told = [
  'iss',
  'sub',
  'aud',
  'exp',
  'iat',
  'jti',
  'client_id',
  'tenant',
  'sid',
  'gid',
  'epochs',
  'auth_time',
  'acr',
  'amr',
  'cnf',
  'act',
  'parents',
] as const

/**
 * Builds the answer about a living token. Its scopes are those that the grant still has: a shrunk grant shrinks what every older
 * token may do. A token that has none left is inactive.
 *
 * `person`: what the resource server is told of her beside. A token never holds it, because its client can read that.
 *
 * @spec RFC 7662 §2.2
 * @spec RFC 9449 §6.2 cnf and token_type
 * @spec RFC 8693 §4.1 act
 */
export function buildIntrospection(
  token: IntrospectedToken,
  grantScopes: readonly string[],
  person: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const scopes = token.scopes.filter((scope) => grantScopes.includes(scope))
  if (scopes.length === 0 && token.scopes.length > 0) return inactive
  const claims = Object.fromEntries(told.filter((name) => token.claims[name] !== undefined).map((name) => [name, token.claims[name]]))
  return { ...person, active: true, token_type: token.claims['cnf'] === undefined ? 'Bearer' : 'DPoP', ...claims, scope: scopes.join(' ') }
}
