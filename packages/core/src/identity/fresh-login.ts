/** After a barrier a session at the IdP proves nothing any more: whoever was thrown out must show that she has signed in there again. */
import { addSeconds, type Instant, toSeconds } from '../instant.js'

/**
 * How far the IdP's clock may be behind ours where we ourselves have demanded the fresh login, and therefore know when it began.
 * Nowhere else: an instant that merely was close to the barrier is not after it.
 */
export const freshLoginSkewSeconds = 180

export type LoginInstants = {
  /** SAML AuthnInstant, OIDC auth_time. What the IdP does not say is not fresh. */
  readonly authenticatedAt: Instant | undefined
  /** When the person was sent to the IdP with the demand to ask her again; undefined: she was sent without it. */
  readonly freshDemandedAt: Instant | undefined
}

/** `fresh_login_required`: ask once more, with the demand. `login_not_fresh`: the demand was made and not met, so asking again is useless. */
export type Freshness = 'fresh' | 'fresh_login_required' | 'login_not_fresh'

/**
 * Says whether a login counts after the barrier of the person, her connection or her tenant, whichever is latest.
 *
 * Whole seconds, because the IdPs tell no finer time; the second of the barrier itself is before it.
 *
 * @spec SAML Core §2.7.2 AuthnInstant, §3.4.1 ForceAuthn
 * @spec OIDC Core §2 auth_time, §3.1.2.1 prompt and max_age
 */
export function judgeFreshness(barrierAt: Instant | undefined, login: LoginInstants): Freshness {
  if (barrierAt === undefined) return 'fresh'
  const { authenticatedAt, freshDemandedAt } = login
  const wasDemanded = freshDemandedAt !== undefined && isAfter(freshDemandedAt, barrierAt)
  if (authenticatedAt !== undefined) {
    if (isAfter(authenticatedAt, barrierAt)) return 'fresh'
    if (wasDemanded && meetsDemand(authenticatedAt, freshDemandedAt)) return 'fresh'
  }
  return wasDemanded ? 'login_not_fresh' : 'fresh_login_required'
}

/** She has signed in there since we demanded it. What the IdP does not say is no. */
export const meetsDemand = (authenticatedAt: Instant | undefined, freshDemandedAt: Instant): boolean =>
  authenticatedAt !== undefined && authenticatedAt >= addSeconds(freshDemandedAt, -freshLoginSkewSeconds)

const isAfter = (at: Instant, barrierAt: Instant): boolean => toSeconds(at) > toSeconds(barrierAt)
