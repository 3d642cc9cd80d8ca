/**
 * The one place where a logout token is believed: its form, its signature by a key of this connection's issuer, and every claim.
 *
 * It comes from nobody's browser and answers nothing that we asked, so anybody may send one: what its text shows to be wrong is refused
 * before the network is touched, and an issuer that could not be reached is not asked again at once. It can take sessions away, of this
 * connection's people alone, and nothing else.
 *
 * @spec OIDC Back-Channel Logout §2.6
 * @spec RFC 8725 §3.11 kept apart from ID tokens, which the same keys sign, by typ, by the event and by the nonce that it must not have
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { IdpSessionEnd } from '@drawbridge/core/logout/idp-session'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ReadJwt, readForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import type { OidcConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { isTemplate } from './configuration.js'
import { discoveryOf } from './discovery.js'
import { instantOf } from './id-token-rules.js'
import { issuerKeysOf } from './issuer-keys.js'
import { issuerOf, verifyIssuerSignature } from './issuer-signature.js'

export const logoutTokenLimits = {
  skewSeconds: 180,
  /** However late it is delivered: an issuer that tries again makes a new one. */
  ageSeconds: 600,
  /** Its few claims have less than a thousand; keys and certificates have no business in it. */
  length: 16_384,
  idLength: 1024,
  /** After a fetch that failed no other is begun for so long. */
  fetchPauseSeconds: 5,
} as const

export const backchannelLogoutEvent = 'http://schemas.openid.net/event/backchannel-logout'

export type LogoutToken = {
  readonly ended: IdpSessionEnd
  /** Once per issuer of the connection: believed in the transaction that ends what is named. */
  readonly id: string
  /** After this the token is refused for its age alone. */
  readonly replayableUntil: Instant
}

type Checked<T = undefined> = Result<T, UpstreamRefusal>
const refuse = (rule: string): { readonly ok: false; readonly error: UpstreamRefusal } =>
  err({ reason: 'oidc_logout_token_refused', detail: { rule } })

/** When an issuer was last found unreachable; with the configuration value, so a new version starts anew. */
const failures = new WeakMap<OidcConnection, Instant>()

export async function verifyLogoutToken(
  fetchSafely: FetchSafely,
  connection: OidcConnection,
  given: { readonly token: string; readonly now: Instant },
): Promise<Checked<LogoutToken>> {
  const { token, now } = given
  const jwt = token.length > logoutTokenLimits.length ? err('malformed') : readForeignJwt(token, connection.idTokenAlgorithms)
  if (!jwt.ok) return refuse(jwt.error)
  const said = readClaims(jwt.value, connection, now)
  if (!said.ok) return said
  const failedAt = failures.get(connection)
  if (failedAt !== undefined && now < addSeconds(failedAt, logoutTokenLimits.fetchPauseSeconds))
    return err({ reason: 'upstream_fetch_failed' })
  const signed = await verifySignature(fetchSafely, connection, jwt.value, now)
  return signed.ok ? said : signed
}

async function verifySignature(fetchSafely: FetchSafely, connection: OidcConnection, jwt: ReadJwt, now: Instant): Promise<Checked> {
  const provider = await discoveryOf(fetchSafely, connection)(now)
  const keys = issuerKeysOf(fetchSafely, connection)
  const signed = provider.ok
    ? await verifyIssuerSignature(jwt, { connection, keys, jwksUri: provider.value.jwksUri, now }, 'anybody')
    : provider
  if (signed.ok) return signed
  if (typeof signed.error === 'string') return refuse(signed.error)
  // Nobody was asked: other tokens, of keys that we know, are judged meanwhile.
  if (signed.error.reason === 'oidc_keys_awaited') return err(signed.error)
  failures.set(connection, now)
  return err(signed.error)
}

/** Everything that the text alone can show. Nothing of it is believed before the signature holds. */
function readClaims(jwt: ReadJwt, connection: OidcConnection, now: Instant): Checked<LogoutToken> {
  const { claims } = jwt
  const kind = checkKind(jwt, connection)
  if (!kind.ok) return kind
  const issuer = issuerOf(connection, claims)
  if (claims.get('iss') !== issuer) return refuse('iss')
  if (!namesOurTenant(claims, connection)) return refuse('tenant')
  const audience = claims.get('aud')
  if (!(Array.isArray(audience) ? audience : [audience]).includes(connection.clientId)) return refuse('aud')
  const times = checkTimes(claims, connection, now)
  if (!times.ok) return times
  const jti = textOf(claims, 'jti')
  if (jti === undefined || jti === 'malformed') return refuse('jti')
  const ended = readEnd(claims, issuer)
  return ended.ok ? ok({ ended: ended.value, id: JSON.stringify([issuer, jti.text]), replayableUntil: times.value }) : ended
}

/**
 * What it is. The exception is for providers that say `JWT` or nothing, which is the same; what says that it is something else is never one.
 *
 * @spec OIDC Back-Channel Logout §2.4 typ, events; nonce is forbidden so that no ID token can pass for one
 */
function checkKind({ typ, claims }: ReadJwt, { logoutTokens }: OidcConnection): Checked {
  const isUntyped = typ === undefined || typ === 'jwt'
  if (typ !== 'logout+jwt' && !(isUntyped && logoutTokens === 'untyped')) return refuse('typ')
  const events = claims.get('events')
  const event = isObject(events) && Object.hasOwn(events, backchannelLogoutEvent) ? events[backchannelLogoutEvent] : undefined
  if (!isObject(event)) return refuse('events')
  return claims.has('nonce') ? refuse('nonce') : ok(undefined)
}

/** Answers when it will be too old. */
function checkTimes(claims: ReadJwt['claims'], { logoutTokens }: OidcConnection, now: Instant): Checked<Instant> {
  const { skewSeconds, ageSeconds } = logoutTokenLimits
  const iat = instantOf(claims.get('iat'))
  const tooOldAt = iat === undefined ? now : addSeconds(iat, ageSeconds + skewSeconds)
  if (iat === undefined || iat > addSeconds(now, skewSeconds) || now >= tooOldAt) return refuse('iat')
  const exp = instantOf(claims.get('exp'))
  const mayLackExp = logoutTokens === 'untyped' && !claims.has('exp')
  if (!mayLackExp && (exp === undefined || now >= addSeconds(exp, skewSeconds))) return refuse('exp')
  const nbf = instantOf(claims.get('nbf'))
  if (claims.has('nbf') && (nbf === undefined || nbf > addSeconds(now, skewSeconds))) return refuse('nbf')
  return ok(tooOldAt)
}

/** @spec OIDC Back-Channel Logout §2.4 sub, sid or both */
function readEnd(claims: ReadJwt['claims'], issuer: string): Checked<IdpSessionEnd> {
  const [sid, sub] = [textOf(claims, 'sid'), textOf(claims, 'sub')]
  if (sid === 'malformed') return refuse('sid')
  if (sub === 'malformed') return refuse('sub')
  if (sid !== undefined) return ok({ protocol: 'oidc', issuer, sid: sid.text, sub: sub?.text })
  return sub === undefined ? refuse('sub_or_sid') : ok({ protocol: 'oidc', issuer, sid: undefined, sub: sub.text })
}

/** Where it names a tenant, it must be one of ours, and an issuer of many tenants must name one. */
function namesOurTenant(claims: ReadJwt['claims'], { issuer, tenantIds, hostedDomains }: OidcConnection): boolean {
  const fits = (claim: string, allowed: readonly string[] | undefined): boolean => {
    const value = claims.get(claim)
    return allowed === undefined || value === undefined || (typeof value === 'string' && allowed.includes(value.toLowerCase()))
  }
  return (claims.has('tid') || !isTemplate(issuer)) && fits('tid', tenantIds) && fits('hd', hostedDomains)
}

function textOf(claims: ReadJwt['claims'], name: string): { readonly text: string } | 'malformed' | undefined {
  const value = claims.get(name)
  if (value === undefined) return undefined
  const isUsable = typeof value === 'string' && value !== '' && value.length <= logoutTokenLimits.idLength
  return isUsable ? { text: value } : 'malformed'
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
