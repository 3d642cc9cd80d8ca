/** When a session that begins now ends at the latest, and when the IdP said that it does. */
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { policyLimits } from '@drawbridge/core/policy/error'

/** No policy gives a session more; the IdP may set an earlier end. */
const outerEnd = (startedAt: Instant): Instant => addSeconds(startedAt, policyLimits.sessionSeconds)

export function sessionEndOf({ sessionExpiresAt }: Pick<NormalizedIdentity, 'sessionExpiresAt'>, now: Instant): Instant {
  const outer = outerEnd(now)
  return sessionExpiresAt !== undefined && sessionExpiresAt < outer ? sessionExpiresAt : outer
}

/**
 * The end that the IdP set, of a session as it is kept. `undefined`: none, or one so late that policy ends it before; a row that ends by our own
 * limit says nothing of the IdP.
 */
export const idpEndOf = ({ createdAt, expiresAt }: { readonly createdAt: Instant; readonly expiresAt: Instant }): Instant | undefined =>
  expiresAt < outerEnd(createdAt) ? expiresAt : undefined
