/**
 * What follows the kill of a client, a connection or a whole tenant: clients hear of the logouts, and lists show what died.
 *
 * Such a kill may end a hundred thousand grants. Nobody's safety waits for this, for the barrier holds and resource servers are told before it; so it
 * is done piece by piece, each in a transaction of its own.
 */
import type { DeprovisioningTarget } from './deprovisioning-event.js'

export const killsOfMany = ['client', 'connection', 'tenant'] as const satisfies readonly DeprovisioningTarget[]
export type KillOfMany = (typeof killsOfMany)[number]

export const isKillOfMany = (target: DeprovisioningTarget): target is KillOfMany => (killsOfMany as readonly string[]).includes(target)

/** The kind of the outbox entry by which a worker does a piece of it, and its payload. */
export const followKillEntry = 'follow-kill'
export type FollowKillPayload = {
  readonly eventId: string
  readonly target: KillOfMany
  readonly targetId: string
  readonly epoch: number
  /** The outbox entry of the kill itself: what is told of one person goes by it. */
  readonly sequence: number
  /** The last person, by id, whose clients were told; absent: begin with the first. */
  readonly after?: string | undefined
  /** Everybody's clients were told, and grants are marked. */
  readonly isTold?: boolean | undefined
  /** The last grant, by id, that was looked at to be marked; absent: begin with the first. */
  readonly afterGrant?: string | undefined
  /** Somebody held one of those before it, so there is a last look that waits for whoever does. */
  readonly isLeftOut?: boolean | undefined
  readonly isLastLook?: boolean | undefined
}
