/** What the outbox carries when more grants have ended in one transaction than can be told in it: they are dead, and nobody was told yet. */
import type { DeprovisioningSource } from './deprovisioning-event.js'

/** The kind of the outbox entry. */
export const tellEndedEntry = 'tell-ended-grants'

/** Of one transaction so many are told in it; of more all are left to entries of so many each. A second's work, in which the tenant's rows are held. */
export const endedTogether = 2_000

/** Of a kind of entry: as long as it is not done, resource servers are not told of something that has ended. Its dead letter is an emergency. */
export const tellsOfAnEnd = (kind: string): boolean => kind === 'revoke' || kind === tellEndedEntry

export type TellEndedPayload = {
  /** With the epoch below which nothing of it is worth anything. */
  readonly grants: readonly { readonly grantId: string; readonly epoch: number }[]
  readonly source: DeprovisioningSource
  readonly reason: string
  readonly requestId: string | null
  /** When they ended. */
  readonly at: string
}
