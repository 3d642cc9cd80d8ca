/** From an event to what must be told: one revocation per issuer whose tokens a resource server may have seen. */
import { addSeconds, type Instant } from '../instant.js'
import { defaultTierLimits } from '../policy/tier.js'
import type { RevokePayload } from './deprovisioning-event.js'

export type PlannedRevocation<Issuer> = RevokePayload & {
  readonly issuer: Issuer
  readonly at: Instant
  /** Until then a token from before the barrier could still be alive somewhere, so a guard that starts must hear of it. */
  readonly expiresAt: Instant
}

export type RevocationPlan<Issuer> = { readonly eventId: string; readonly revocations: readonly PlannedRevocation<Issuer>[] }

/** No access token can live longer, for the tiers are an outer wall that a tenant may only tighten. */
export const longestAccessTokenSeconds = Math.max(...Object.values(defaultTierLimits).map((limit) => limit.accessTokenSeconds))
/** Clocks that differ, and a sweep that came late. */
const marginSeconds = 1800
export const revocationKeepSeconds = longestAccessTokenSeconds + marginSeconds

/**
 * Every issuer of the tenant, not only the one through which the event came, so that no token of another outlives the kill. Planning
 * twice gives the same rows: they are keyed by event, issuer and target.
 */
export const planRevocation = <Issuer>(payload: RevokePayload, issuers: readonly Issuer[], at: Instant): RevocationPlan<Issuer> => ({
  eventId: payload.eventId,
  revocations: issuers.map((issuer) => ({
    eventId: payload.eventId,
    target: payload.target,
    targetId: payload.targetId,
    epoch: payload.epoch,
    issuer,
    at,
    expiresAt: addSeconds(at, revocationKeepSeconds),
  })),
})
