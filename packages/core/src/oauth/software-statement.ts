/**
 * Software statements: what the publisher of a piece of software has signed about it, and what a registration is that brings one.
 *
 * Whoever has the software has its statement, so it proves nobody: it says what may be registered, never by whom. RFC 7591 §2.3
 */
import { err, ok, type Result } from '../result.js'
import type { OAuthError } from './error.js'
import { registrationMembers } from './registration-request.js'

/** Characters. Those of Open Banking have about 3000; a registration has 32 KB. */
export const longestSoftwareStatement = 16_384

/** What is kept of a statement that held. */
export type StatedSoftware = {
  /** Unmodified, as the client is told again. */
  readonly text: string
  readonly issuer: string
  readonly softwareId: string | undefined
}

export type StatementRefusal = OAuthError<
  | 'registration_statement_missing'
  | 'registration_statement_invalid'
  | 'registration_statement_unapproved'
  | 'registration_statement_of_other_software'
  | 'registration_statement_keys_awaited'
>

/** What the registration brings; `undefined`: none. */
export function statementIn(body: unknown): Result<string | undefined, 'malformed'> {
  const given = membersOf(body)['software_statement']
  if (given === undefined) return ok(undefined)
  return typeof given === 'string' && given.length <= longestSoftwareStatement ? ok(given) : err('malformed')
}

export type StatedRegistration = {
  readonly body: Readonly<Record<string, unknown>>
  /** Of the registration, those that the statement says. */
  readonly stated: ReadonlySet<string>
  /** Everything that an admin judges of a client is the publisher's word, its redirect URIs first of all: a copy of the statement opens nothing else. */
  readonly isVouchedFor: boolean
}

/** RFC 8705 §2.1.2. Where clients cannot prove themselves by a certificate, nothing comes of them. */
const certificateNames: readonly string[] = ['subject_dn', 'san_dns', 'san_uri', 'san_ip', 'san_email'].map(
  (kind) => `tls_client_auth_${kind}`,
)
const statable: readonly string[] = [...new Set([...registrationMembers, ...certificateNames])]

/** Of each of these a client has one: where that is stated, no other is registered beside it. */
const oneOf: readonly (readonly string[])[] = [['jwks', 'jwks_uri'], certificateNames]

/** What an admin judges of a client, by its names on the wire: `judgedMembers`. */
const judgedOnTheWire: readonly string[] = [
  'client_name',
  'redirect_uris',
  'grant_types',
  'token_endpoint_auth_method',
  'dpop_bound_access_tokens',
  'jwks',
  'jwks_uri',
  'backchannel_logout_uri',
  'post_logout_redirect_uris',
  ...certificateNames,
]

/** @spec RFC 7591 §2.3, §3.1.1 values of the statement take precedence over plain ones */
export function withStatement(body: unknown, claims: ReadonlyMap<string, unknown>): StatedRegistration {
  const said = statable.filter((name) => claims.has(name))
  const replaced = oneOf.filter((members) => members.some((name) => said.includes(name))).flat()
  const plain = Object.entries(membersOf(body)).filter(([name]) => name !== 'software_statement' && !replaced.includes(name))
  const stated = new Set(said)
  return {
    body: Object.fromEntries([...plain, ...said.map((name) => [name, claims.get(name)] as const)]),
    stated,
    isVouchedFor: stated.has('redirect_uris') && plain.every(([name]) => !judgedOnTheWire.includes(name) || stated.has(name)),
  }
}

/** Whether it says anything about a client at all: another token of the same keys does not. */
export const saysSomething = (claims: ReadonlyMap<string, unknown>): boolean =>
  registrationMembers.some((name) => claims.has(name)) || claims.has('software_id')

const membersOf = (body: unknown): Readonly<Record<string, unknown>> =>
  typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as Record<string, unknown>) : {}
