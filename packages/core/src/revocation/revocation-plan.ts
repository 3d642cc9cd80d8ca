/** From an event to what must be told: one revocation per issuer that may have signed for the target, one notice per resource. */
import { addSeconds, type Instant } from '../instant.js'
import { defaultTierLimits } from '../policy/tier.js'
import type { Issuer, IssuerId, ResourceId, ResourceIdentifier, TenantId } from '../tenant/ids.js'
import type { RevokePayload } from './deprovisioning-event.js'

export type MintingIssuer = { readonly issuerId: IssuerId; readonly issuer: Issuer }
/** A resource for which that issuer may mint tokens. */
export type Receiver = {
  readonly issuerId: IssuerId
  readonly resourceTenantId: TenantId
  readonly resourceId: ResourceId
  readonly audience: ResourceIdentifier
}

export type PlannedRevocation = MintingIssuer & {
  readonly target: RevokePayload['target']
  readonly targetId: string
  readonly epoch: number
  readonly at: Instant
  /** Until then a token issued before the barrier could still be alive somewhere. */
  readonly expiresAt: Instant
  readonly receivers: readonly Receiver[]
}

export type RevocationPlan = { readonly eventId: string; readonly revocations: readonly PlannedRevocation[] }

/** The longest that an access token can live, with clock skew on both sides: a revocation older than that has nothing left to say. */
export const longestAccessTokenSeconds = Math.max(...Object.values(defaultTierLimits).map((limit) => limit.accessTokenSeconds))
const skewSeconds = 300

/**
 * Plans once per issuer that the receivers may have seen, so that no token of a front issuer outlives a kill at the tenant's.
 * Planning twice gives the same plan: rows are keyed by event, issuer and target.
 */
export function planRevocation(
  payload: RevokePayload,
  issuers: readonly MintingIssuer[],
  receivers: readonly Receiver[],
  at: Instant,
): RevocationPlan {
  return {
    eventId: payload.eventId,
    revocations: issuers.map((issuer) => ({
      ...issuer,
      target: payload.target,
      targetId: payload.targetId,
      epoch: payload.epoch,
      at,
      expiresAt: addSeconds(at, longestAccessTokenSeconds + skewSeconds),
      receivers: receivers.filter((receiver) => receiver.issuerId === issuer.issuerId),
    })),
  }
}
