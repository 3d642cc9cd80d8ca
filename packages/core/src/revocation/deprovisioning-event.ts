/** "This person, client, connection, tenant or grant loses something, because": the one shape of every source of bad news. */
import type { Instant } from '../instant.js'
import type { DeprovisioningEventId, TenantId } from '../tenant/ids.js'

export const deprovisioningTargets = ['subject', 'grant', 'client', 'connection', 'tenant'] as const
export type DeprovisioningTarget = (typeof deprovisioningTargets)[number]

/** Who said so. */
export type DeprovisioningSource =
  | 'scim'
  | 'admin'
  | 'token_theft'
  | 'code_replay'
  | 'revocation_endpoint'
  | 'registration'
  | 'logout'
  | 'signal'
  | 'policy'
  | 'recovery'

export type InitiatingEntity = 'admin' | 'user' | 'policy' | 'system'

/**
 * Whom a notice names as the one who began it. A directory acts for the tenant's administrators; what we find out ourselves is the
 * system's; a client that hands its token back does so for its user, and one
 * that ends or changes its registration for nobody but itself.
 *
 * @spec CAEP 1.0 §2 initiating_entity
 */
export const initiatingEntities: Readonly<Record<DeprovisioningSource, InitiatingEntity>> = {
  scim: 'admin',
  admin: 'admin',
  token_theft: 'system',
  code_replay: 'system',
  revocation_endpoint: 'user',
  registration: 'system',
  logout: 'user',
  signal: 'system',
  policy: 'policy',
  recovery: 'system',
}

export type DeprovisioningEvent = {
  readonly tenant: TenantId
  readonly eventId: DeprovisioningEventId
  readonly source: DeprovisioningSource
  readonly target: DeprovisioningTarget
  /** UUID of the row; of a client its `client_id`. */
  readonly targetId: string
  readonly reason: string
  /** When the source says it happened. For receipts only: the barrier is our commit. */
  readonly toldAt: Instant | undefined
}

/** What the outbox carries: enough to plan without asking what the event was. */
export type RevokePayload = {
  readonly eventId: string
  readonly target: DeprovisioningTarget
  readonly targetId: string
  /** Everything of the target below it is dead. */
  readonly epoch: number
  /** The door was shut, too. Absent: an earlier version wrote it, or it was not. */
  readonly deactivated?: boolean | undefined
}
