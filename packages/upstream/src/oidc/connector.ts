/** The OpenID Connect side of the port: authorization code with PKCE and nonce, around openid-client. */

import type { IdToken } from '@drawbridge/core/identity/identity-assertion'
import { fromSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import * as client from 'openid-client'
import { z } from 'zod'
import type { OidcConnection } from '../connection-configuration.js'
import type { Connector, ConnectorDeps, ExpectedLogin, StartedLogin, StartLogin, UpstreamMessage } from '../connector.js'
import type { UpstreamRefusal } from '../error.js'
import { type Discovery, discoveryOf, FetchFailed } from './discovery.js'
import { checkIdTokenClaims, instantOf, mergeUserinfo } from './id-token-rules.js'

const stateSchema = z.strictObject({ verifier: z.string(), nonce: z.string(), startedAt: z.number(), fresh: z.boolean() })
type LoginState = z.infer<typeof stateSchema>
type Parts = {
  readonly deps: ConnectorDeps
  readonly connectionId: ConnectionId
  readonly connection: OidcConnection
  readonly discovery: Discovery
}

export function oidcConnector(
  deps: ConnectorDeps,
  connectionId: ConnectionId,
  connection: OidcConnection,
  secret: Secret | undefined,
): Connector {
  const parts: Parts = { deps, connectionId, connection, discovery: discoveryOf(deps.fetchSafely, connection, secret) }
  return {
    start: (request) => start(parts, request),
    finish: (message, expected) => finish(parts, message, expected),
  }
}

/** @spec OIDC Core §3.1.2.1 */
async function start({ deps, connection, discovery }: Parts, request: StartLogin): Promise<Result<StartedLogin, UpstreamRefusal>> {
  const configuration = await discovery(request.now)
  if (!configuration.ok) return configuration
  const fresh = request.forceAuthn || request.stepUpAcr !== undefined
  const state: LoginState = { verifier: deps.random.token(), nonce: deps.random.token(), startedAt: request.now, fresh }
  const url = client.buildAuthorizationUrl(configuration.value, {
    redirect_uri: request.callbackUrl,
    scope: connection.scopes.join(' '),
    state: request.relayState,
    nonce: state.nonce,
    code_challenge: sha256Base64url(state.verifier),
    code_challenge_method: 'S256',
    ...(fresh && connection.promptOnForce !== null && { prompt: connection.promptOnForce }),
    // Asks for the same, and obliges the provider to say when she signed in: OIDC Core §2, auth_time.
    ...(fresh && { max_age: '0' }),
    ...(request.stepUpAcr !== undefined && connection.stepUpAcr !== null && { acr_values: connection.stepUpAcr }),
    ...(request.loginHint !== undefined && { login_hint: request.loginHint }),
  })
  return ok({
    answer: { kind: 'redirect', url: url.href },
    upstreamId: sha256Base64url(request.relayState),
    state: new Secret(JSON.stringify(state)),
  })
}

async function finish(parts: Parts, message: UpstreamMessage, expected: ExpectedLogin): Promise<Result<IdToken, UpstreamRefusal>> {
  const state = readState(expected.state)
  if (!state.ok) return state
  const configuration = await parts.discovery(expected.now)
  if (!configuration.ok) return configuration
  const answer = checkAnswer(message, parts.connection, expected.upstreamId)
  if (!answer.ok) return answer
  const tokens = await redeem(configuration.value, message, expected, state.value)
  if (!tokens.ok) return tokens
  const claims = new Map<string, unknown>(Object.entries(tokens.value.claims() ?? {}))
  const checked = checkIdTokenClaims(claims, {
    issuer: parts.connection.issuer,
    clientId: parts.connection.clientId,
    nonce: state.value.nonce,
    freshSince: state.value.fresh ? (state.value.startedAt as Instant) : undefined,
    now: expected.now,
  })
  if (!checked.ok) return checked
  const merged = await withUserinfo(parts.connection, configuration.value, tokens.value.access_token, claims)
  return merged.ok ? ok(toIdToken(parts.connectionId, claims, merged.value)) : merged
}

/**
 * Our own look at the answer before the library's: whose it is first, then from whom, and only then what it says.
 *
 * @spec RFC 9207 §2.4 `iss` must be the issuer that was asked; the library refuses its absence where the issuer promises it
 */
function checkAnswer({ parameters }: UpstreamMessage, connection: OidcConnection, upstreamId: string): Result<undefined, UpstreamRefusal> {
  const state = parameters.get('state')
  if (state === undefined) return err({ reason: 'oidc_answer_malformed' })
  if (sha256Base64url(state) !== upstreamId) return err({ reason: 'oidc_state_mismatch' })
  const issuer = parameters.get('iss')
  if (issuer !== undefined && issuer !== connection.issuer) return err({ reason: 'oidc_issuer_mismatch' })
  const error = parameters.get('error')
  if (error !== undefined)
    return err({
      reason: error === 'unmet_authentication_requirements' ? 'oidc_step_up_unmet' : 'oidc_login_refused',
      detail: { error: plainCode(error) },
    })
  return parameters.get('code') === undefined ? err({ reason: 'oidc_answer_malformed' }) : ok(undefined)
}

/** Only words of our alphabet reach the log: the code is the IdP's text. */
const plainCode = (code: unknown): string => (typeof code === 'string' && /^[A-Za-z_]{1,60}$/.test(code) ? code : 'other')

type Tokens = client.TokenEndpointResponse & client.TokenEndpointResponseHelpers

async function redeem(
  configuration: client.Configuration,
  message: UpstreamMessage,
  expected: ExpectedLogin,
  state: LoginState,
): Promise<Result<Tokens, UpstreamRefusal>> {
  const current = new URL(expected.callbackUrl)
  for (const [name, value] of message.parameters) current.searchParams.set(name, value)
  try {
    return ok(
      await client.authorizationCodeGrant(configuration, current, {
        pkceCodeVerifier: state.verifier,
        expectedNonce: state.nonce,
        expectedState: message.parameters.get('state') ?? '',
        idTokenExpected: true,
      }),
    )
  } catch (cause) {
    return err(refusalOf(cause))
  }
}

/** The library throws; what it threw becomes a line of our catalogue. */
function refusalOf(cause: unknown): UpstreamRefusal {
  if (cause instanceof FetchFailed || (cause instanceof Error && cause.cause instanceof FetchFailed))
    return { reason: 'upstream_fetch_failed' }
  if (cause instanceof client.ResponseBodyError)
    return { reason: 'oidc_code_refused', detail: { error: plainCode(cause.error), status: cause.status } }
  if (cause instanceof client.WWWAuthenticateChallengeError) return { reason: 'oidc_code_refused', detail: { status: cause.status } }
  const code = cause instanceof Error && 'code' in cause ? plainCode(cause.code) : 'other'
  return { reason: 'oidc_id_token_refused', detail: { rule: code } }
}

async function withUserinfo(
  connection: OidcConnection,
  configuration: client.Configuration,
  accessToken: string,
  claims: ReadonlyMap<string, unknown>,
): Promise<Result<ReadonlyMap<string, unknown>, UpstreamRefusal>> {
  if (!connection.userinfo || configuration.serverMetadata().userinfo_endpoint === undefined) return ok(claims)
  try {
    const userinfo = await client.fetchUserInfo(configuration, accessToken, String(claims.get('sub')))
    return ok(mergeUserinfo(claims, userinfo))
  } catch {
    return err({ reason: 'oidc_userinfo_refused' })
  }
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
function toIdToken(connectionId: ConnectionId, idToken: ReadonlyMap<string, unknown>, claims: ReadonlyMap<string, unknown>): IdToken {
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
    acr: textOf('acr'),
    amr: Array.isArray(amr) ? amr.filter((each) => typeof each === 'string') : typeof amr === 'string' ? [amr] : [],
    authTime: instantOf(idToken.get('auth_time')),
    sid: textOf('sid'),
    issuedAt: instantOf(idToken.get('iat')) ?? fromSeconds(0),
    expiresAt: instantOf(idToken.get('exp')) ?? fromSeconds(0),
  }
}
