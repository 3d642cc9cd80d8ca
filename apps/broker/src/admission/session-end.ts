/** When a session that begins now ends at the latest. */
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import { addSeconds, type Instant } from '@drawbridge/core/instant'

/** The row's outer limit; policy sets the real one, and the IdP may set an earlier one. */
const sessionTtlSeconds = 12 * 3600

export function sessionEndOf({ sessionExpiresAt }: Pick<NormalizedIdentity, 'sessionExpiresAt'>, now: Instant): Instant {
  const outer = addSeconds(now, sessionTtlSeconds)
  return sessionExpiresAt !== undefined && sessionExpiresAt < outer ? sessionExpiresAt : outer
}
