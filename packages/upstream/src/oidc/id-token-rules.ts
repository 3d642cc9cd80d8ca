/** What the claims of an ID token must say, as a pure rule with our clock. The signature is `id-token`'s business. */
import { addSeconds, fromSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '../error.js'

export const oidcTimeLimits = {
  skewSeconds: 180,
  /** An ID token is made for this answer, so it is young whatever its `exp` says. */
  ageSeconds: 600,
} as const

export type ExpectedIdToken = {
  readonly issuer: string
  readonly clientId: string
  readonly nonce: string
  /** Set when a fresh login was asked for: the moment of asking. */
  readonly freshSince: Instant | undefined
  /** What the answer must prove, because it was asked for as essential. */
  readonly demanded?: Demanded | undefined
  readonly now: Instant
}

/** One of these values, as `acr` or among the authentication contexts of Entra (`acrs`). */
export type Demanded = { readonly claim: 'acr' | 'acrs'; readonly values: readonly string[] }

type Checked = Result<undefined, UpstreamRefusal>
const refuse = (rule: string): Checked => err({ reason: 'oidc_id_token_refused', detail: { rule } })

/** @spec OIDC Core §3.1.3.7 */
export function checkIdTokenClaims(claims: ReadonlyMap<string, unknown>, expected: ExpectedIdToken): Checked {
  if (claims.get('iss') !== expected.issuer) return err({ reason: 'oidc_issuer_mismatch' })
  const sub = claims.get('sub')
  if (typeof sub !== 'string' || sub === '' || sub.length > 255) return refuse('sub')
  const audience = claims.get('aud')
  const audiences: readonly unknown[] = Array.isArray(audience) ? audience : [audience]
  if (!audiences.includes(expected.clientId)) return refuse('aud')
  const azp = claims.get('azp')
  if ((audiences.length > 1 || azp !== undefined) && azp !== expected.clientId) return refuse('azp')
  if (claims.get('nonce') !== expected.nonce) return refuse('nonce')
  const times = checkTimes(claims, expected)
  return times.ok ? checkDemand(claims, expected.demanded) : times
}

/**
 * An IdP that ignores an essential request, or answers it with less, has not done what was asked.
 *
 * @spec OIDC Core §5.5.1.1 an essential acr that cannot be met is a failed authentication
 */
function checkDemand(claims: ReadonlyMap<string, unknown>, demanded: Demanded | undefined): Checked {
  if (demanded === undefined) return ok(undefined)
  const value = claims.get(demanded.claim)
  const proven: readonly unknown[] = Array.isArray(value) ? value : [value]
  return proven.some((each) => typeof each === 'string' && demanded.values.includes(each))
    ? ok(undefined)
    : err({ reason: 'oidc_step_up_unmet', detail: { claim: demanded.claim } })
}

function checkTimes(claims: ReadonlyMap<string, unknown>, { now, freshSince }: ExpectedIdToken): Checked {
  const exp = instantOf(claims.get('exp'))
  const iat = instantOf(claims.get('iat'))
  if (exp === undefined || now >= addSeconds(exp, oidcTimeLimits.skewSeconds)) return refuse('exp')
  if (iat === undefined || iat > addSeconds(now, oidcTimeLimits.skewSeconds)) return refuse('iat')
  if (now > addSeconds(iat, oidcTimeLimits.ageSeconds + oidcTimeLimits.skewSeconds)) return refuse('iat')
  const nbf = claims.get('nbf')
  const notBefore = instantOf(nbf)
  if (nbf !== undefined && (notBefore === undefined || notBefore > addSeconds(now, oidcTimeLimits.skewSeconds))) return refuse('nbf')
  const sessionEnd = claims.get('session_expiry')
  if (sessionEnd !== undefined && now >= (instantOf(sessionEnd) ?? now)) return err({ reason: 'oidc_session_over' })
  // Most IdPs send no auth_time, so its absence proves nothing; an old one proves that the login was not fresh. One ahead of us would be
  // newer than any barrier to come.
  const authTime = instantOf(claims.get('auth_time'))
  if (authTime !== undefined && authTime > addSeconds(now, oidcTimeLimits.skewSeconds)) return refuse('auth_time')
  const isStale = freshSince !== undefined && authTime !== undefined && authTime < addSeconds(freshSince, -oidcTimeLimits.skewSeconds)
  return isStale ? err({ reason: 'oidc_authn_not_fresh' }) : ok(undefined)
}

/** NumericDate, or undefined for anything that is none. RFC 7519 §2. */
export const instantOf = (claim: unknown): Instant | undefined =>
  typeof claim === 'number' && Number.isFinite(claim) && claim >= 0 && claim < 1e11 ? fromSeconds(claim) : undefined

/** What only the signed ID token may say, never userinfo. */
const idTokenOnly: readonly string[] = [
  'iss',
  'sub',
  'aud',
  'azp',
  'exp',
  'iat',
  'nbf',
  'nonce',
  'acr',
  'amr',
  'auth_time',
  'sid',
  'at_hash',
  'c_hash',
  'jti',
  // Whose tenant it is, when its session ends and what was stepped up to.
  'tid',
  'oid',
  'hd',
  'acrs',
  'session_expiry',
]

/**
 * The ID token's claims and, beside them, those of userinfo that it lacks. The signed value wins.
 *
 * @spec OIDC Core §5.3.2 the caller has compared `sub`
 */
export function mergeUserinfo(
  idToken: ReadonlyMap<string, unknown>,
  userinfo: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, unknown> {
  const added = Object.entries(userinfo).filter(([name, value]) => !idToken.has(name) && !idTokenOnly.includes(name) && value !== null)
  return new Map([...idToken, ...added])
}
