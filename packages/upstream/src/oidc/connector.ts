/** The OpenID Connect side of the port: authorization code with PKCE and nonce, around openid-client. */

import type { IdToken } from '@drawbridge/core/identity/identity-assertion'
import { addSeconds, fromSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import { buildAuthorizationUrl } from 'openid-client'
import { z } from 'zod'
import type { RefusedAnswer, Shown } from '../answer-outline.js'
import type { OidcConnection } from '../connection-configuration.js'
import type { Connector, ConnectorDeps, ExpectedLogin, StartedLogin, StartLogin, UpstreamMessage } from '../connector.js'
import type { UpstreamRefusal } from '../error.js'
import { readAnswer } from './authorization-answer.js'
import { authorizationParameters, demandOf, wishOf } from './authorization-request.js'
import type { ClientKey, FindClientKey } from './client-authentication.js'
import { type Discovery, discoveryOf } from './discovery.js'
import { finishLogout, keptHint, startLogout } from './end-session.js'
import { graphGroups, hasGroupsOverage, withGroups } from './graph-groups.js'
import { type IdTokenClaims, verifyIdToken } from './id-token.js'
import { instantOf, mergeUserinfo, oidcTimeLimits } from './id-token-rules.js'
import { type IssuerKeys, issuerKeysOf } from './issuer-keys.js'
import { outlineIdToken } from './outline-id-token.js'
import { createProviderClient, fetchUserinfo, type ProviderClient, type ProviderClientDeps, redeemCode } from './provider-client.js'

const stateSchema = z.strictObject({
  verifier: z.string(),
  nonce: z.string(),
  startedAt: z.number(),
  /** A sign-in that began before this request does not count. */
  fresh: z.boolean(),
  stepUp: z.boolean(),
  /** What a client's wish had the provider asked for. Absent: nothing. */
  wished: z.array(z.string()).optional(),
})
type LoginState = z.infer<typeof stateSchema>
type Parts = {
  readonly deps: ConnectorDeps
  readonly connectionId: ConnectionId
  readonly connection: OidcConnection
  readonly secret: Secret | undefined
  readonly findKey: FindClientKey
  readonly discovery: Discovery
  readonly keys: IssuerKeys
}

export function oidcConnector(
  deps: ConnectorDeps,
  connectionId: ConnectionId,
  connection: OidcConnection,
  { secret, findKey }: { readonly secret: Secret | undefined; readonly findKey: FindClientKey | undefined },
): Connector {
  const discovery = discoveryOf(deps.fetchSafely, connection)
  const keys = issuerKeysOf(deps.fetchSafely, connection)
  const parts: Parts = { deps, connectionId, connection, secret, findKey: keptKey(findKey), discovery, keys }
  return {
    start: (request) => start(parts, request),
    finish: (message, expected) => finish(parts, message, expected),
    startLogout: (request) => startLogout(parts, request),
    finishLogout: async (message, expected) => finishLogout(message, expected),
  }
}

/** Opened once: a connector lives as long as one version of its configuration. What is missing, or fails, is asked for again. */
function keptKey(findKey: FindClientKey = async () => undefined): FindClientKey {
  let kept: ClientKey | undefined
  return async () => {
    kept ??= await findKey()
    return kept
  }
}

/** What this login speaks with: the provider as it describes itself now, and our credentials there. */
async function reach(parts: Parts, now: Instant): Promise<Result<Reached, UpstreamRefusal>> {
  const provider = await parts.discovery(now)
  if (!provider.ok) return provider
  const { connection, secret, deps } = parts
  const key = connection.clientAuthentication === 'private_key_jwt' ? await parts.findKey() : undefined
  const reached = { connection, credential: { secret, key }, ...deps, provider: provider.value, now }
  const client = createProviderClient(reached)
  return client.ok ? ok({ ...reached, client: client.value }) : client
}
type Reached = ProviderClientDeps & { readonly client: ProviderClient }

/** @spec OIDC Core §3.1.2.1 */
async function start(parts: Parts, request: StartLogin): Promise<Result<StartedLogin, UpstreamRefusal>> {
  const { deps, connection } = parts
  const reached = await reach(parts, request.now)
  if (!reached.ok) return reached
  const stepUp = request.stepUpAcr !== undefined
  const fresh = request.forceAuthn || stepUp
  const wished = wishOf(connection, request)
  const secrets = { verifier: deps.random.token(), nonce: deps.random.token() }
  const state: LoginState = { ...secrets, startedAt: request.now, fresh, stepUp, ...(wished.length > 0 && { wished }) }
  const codeChallenge = sha256Base64url(state.verifier)
  const parameters = authorizationParameters(connection, { ...request, nonce: state.nonce, codeChallenge, fresh })
  return ok({
    answer: { kind: 'redirect', url: buildAuthorizationUrl(reached.value.client.configuration, { ...parameters }).href },
    upstreamId: sha256Base64url(request.relayState),
    state: new Secret(JSON.stringify(state)),
  })
}

async function finish(parts: Parts, message: UpstreamMessage, expected: ExpectedLogin): Promise<Result<IdToken, RefusedAnswer>> {
  const state = readState(expected.state)
  if (!state.ok) return state
  const reached = await reach(parts, expected.now)
  if (!reached.ok) return reached
  const { connection } = parts
  const { client, provider } = reached.value
  const code = readAnswer(message, { connection, provider, upstreamId: expected.upstreamId })
  if (!code.ok) return code
  const tokens = await redeemCode(client, code.value, { callbackUrl: expected.callbackUrl, verifier: state.value.verifier })
  if (!tokens.ok) return tokens
  const idToken = await verifyIdToken(tokens.value.idToken, {
    connection,
    keys: parts.keys,
    jwksUri: provider.jwksUri,
    expected: expectedOf(connection, state.value),
    now: expected.now,
  })
  const awaited = { connection, nonce: state.value.nonce, now: expected.now }
  const refused = (refusal: UpstreamRefusal) =>
    err({ ...refusal, outline: (shown: Shown) => outlineIdToken(tokens.value.idToken, awaited, refusal, shown) })
  if (!idToken.ok) return refused(idToken.error)
  const claims = await withUserinfo(reached.value, tokens.value.accessToken, idToken.value)
  if (!claims.ok) return refused(claims.error)
  const complete = await withResolvedGroups(parts, reached.value, claims.value)
  return ok({ ...toIdToken(parts, state.value, idToken.value, complete), logoutHint: keptHint(connection, provider, tokens.value.idToken) })
}

const expectedOf = (connection: OidcConnection, state: LoginState) => ({
  nonce: state.nonce,
  freshSince: state.fresh ? (state.startedAt as Instant) : undefined,
  demanded: demandOf(connection, state.stepUp ? 'mfa' : undefined),
})

async function withUserinfo(
  { connection, provider, client }: Reached,
  accessToken: string,
  claims: IdTokenClaims,
): Promise<Result<IdTokenClaims, UpstreamRefusal>> {
  if (!connection.userinfo || provider.userinfoEndpoint === undefined) return ok(claims)
  const userinfo = await fetchUserinfo(client, accessToken, String(claims.get('sub')))
  return userinfo === undefined ? err({ reason: 'oidc_userinfo_refused', proven: true }) : ok(mergeUserinfo(claims, userinfo))
}

/** Too many groups for a token stay unknown unless Graph tells them all. */
async function withResolvedGroups({ deps, connectionId }: Parts, reached: Reached, claims: IdTokenClaims): Promise<IdTokenClaims> {
  const { graph } = reached.connection
  if (graph === undefined || !hasGroupsOverage(claims)) return claims
  const groups = await graphGroups(reached, graph)({ tenantId: claims.get('tid'), objectId: claims.get('oid') })
  if (groups.ok) return withGroups(claims, groups.value)
  deps.report?.({ what: 'groups_unresolved', connectionId, why: groups.error })
  return claims
}

function readState(state: Secret): Result<LoginState, UpstreamRefusal> {
  try {
    const parsed = stateSchema.safeParse(JSON.parse(state.reveal()))
    return parsed.success ? ok(parsed.data) : err({ reason: 'login_state_invalid' })
  } catch {
    return err({ reason: 'login_state_invalid' })
  }
}

/** What is about the login itself comes from the signed token alone. */
function toIdToken({ connectionId, connection }: Parts, state: LoginState, idToken: IdTokenClaims, claims: IdTokenClaims): IdToken {
  const textOf = (name: string): string | undefined => {
    const value = idToken.get(name)
    return typeof value === 'string' ? value : undefined
  }
  const amr = idToken.get('amr')
  return {
    kind: 'oidc',
    connectionId,
    issuer: String(idToken.get('iss')),
    sub: String(idToken.get('sub')),
    claims,
    acr: provenContext(connection, state, idToken) ?? textOf('acr'),
    amr: Array.isArray(amr) ? amr.filter((each) => typeof each === 'string') : typeof amr === 'string' ? [amr] : [],
    authTime: instantOf(idToken.get('auth_time')) ?? issuedAfterPrompt(connection, state, idToken),
    sid: textOf('sid'),
    issuedAt: instantOf(idToken.get('iat')) ?? fromSeconds(0),
    expiresAt: instantOf(idToken.get('exp')) ?? fromSeconds(0),
  }
}

/** Entra says nothing in `acr`: the authentication context that was demanded or wished for, and is found in `acrs`, stands for it. */
function provenContext(connection: OidcConnection, state: LoginState, idToken: IdTokenClaims): string | undefined {
  const demanded = demandOf(connection, state.stepUp ? 'mfa' : undefined)
  if (demanded?.claim === 'acrs') return demanded.values[0]
  if (connection.stepUpAsk !== 'claims_acrs') return undefined
  const acrs = idToken.get('acrs')
  const proven: readonly unknown[] = Array.isArray(acrs) ? acrs : [acrs]
  return state.wished?.find((each) => proven.includes(each))
}

/**
 * What an admin may have accepted in place of a missing `auth_time`: that the token was made in answer to a prompt of ours.
 * docs/adr/0016
 */
function issuedAfterPrompt(connection: OidcConnection, state: LoginState, idToken: IdTokenClaims): Instant | undefined {
  const isAccepted = connection.freshnessEvidence === 'issued_at_after_prompt' && state.fresh && connection.promptOnForce !== null
  const issuedAt = instantOf(idToken.get('iat'))
  if (!isAccepted || issuedAt === undefined || idToken.has('auth_time')) return undefined
  return issuedAt >= addSeconds(state.startedAt as Instant, -oidcTimeLimits.skewSeconds) ? issuedAt : undefined
}
