/**
 * When a sign-in at the IdP is recent enough. After a barrier a session there proves nothing any more: whoever was thrown out must show that
 * she has signed in again. A client may want the same, or a sign-in that is no older than so many seconds.
 */
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
  /** She was sent there before the barrier of her own was raised, by the order of the database, in which no clock has a say. */
  readonly beganBeforeBarrier?: boolean
}

/** `fresh_login_required`: ask once more, with the demand. `login_not_fresh`: the demand was made and not met, so asking again is useless. */
export type Freshness = 'fresh' | 'fresh_login_required' | 'login_not_fresh'

/**
 * Says whether a login counts after the barrier of the person, her connection or her tenant, whichever is latest.
 *
 * Whole seconds, because the IdPs tell no finer time; the second of the barrier itself is before it. An IdP whose clock is ahead dates after the barrier
 * what was before it: so whoever was under way when it was raised is asked once more, whatever the answer says.
 *
 * @spec SAML Core §2.7.2 AuthnInstant, §3.4.1 ForceAuthn
 * @spec OIDC Core §2 auth_time, §3.1.2.1 prompt and max_age
 */
export function judgeFreshness(barrierAt: Instant | undefined, login: LoginInstants): Freshness {
  if (login.beganBeforeBarrier === true) return 'fresh_login_required'
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

/** What a client asked of the sign-in: `prompt=login`, `prompt=select_account`, `max_age`. */
export type ClientDemand = { readonly prompt: readonly string[]; readonly selectAccount: boolean; readonly maxAge: number | undefined }

/** The client wants to hear of a sign-in that is recent; only one whose time the IdP tells is. */
export const demandsRecentLogin = ({ prompt, maxAge }: Pick<ClientDemand, 'prompt' | 'maxAge'>): boolean =>
  prompt.includes('login') || maxAge !== undefined

/** No more than so many seconds ago. What the IdP does not say is no. */
const isNoOlder = (authenticatedAt: Instant | undefined, maxAge: number | undefined, now: Instant): boolean =>
  maxAge === undefined || (authenticatedAt !== undefined && addSeconds(authenticatedAt, maxAge) > now)

/** Whether a session that was there before answers the client's request: never one that asks for a sign-in, or a choice, of its own. */
export const satisfiesClient = (asked: ClientDemand, authenticatedAt: Instant | undefined, now: Instant): boolean =>
  !asked.prompt.includes('login') && !asked.selectAccount && isNoOlder(authenticatedAt, asked.maxAge, now)

/**
 * Whether the sign-in that has come home for this very request does: she was asked again since the request began, whatever time has gone by
 * on our pages, or, where an age was all that was asked for, she is recent enough as it is. That we asked the IdP for it proves nothing.
 *
 * @spec OIDC Core §3.1.2.1 prompt=login, max_age: without re-authentication an error
 */
export function cameHomeAsAsked(
  asked: Pick<ClientDemand, 'prompt' | 'maxAge'>,
  login: { readonly authenticatedAt: Instant | undefined; readonly requestedAt: Instant },
  now: Instant,
): boolean {
  if (!demandsRecentLogin(asked) || meetsDemand(login.authenticatedAt, login.requestedAt)) return true
  return !asked.prompt.includes('login') && isNoOlder(login.authenticatedAt, asked.maxAge, now)
}

const isAfter = (at: Instant, barrierAt: Instant): boolean => toSeconds(at) > toSeconds(barrierAt)
