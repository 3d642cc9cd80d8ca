/** The news of an end of access, to the endpoints that hear it, inside the transaction of its sweep. */
import type { Instant } from '@drawbridge/core/instant'
import { newsOfEnd } from '@drawbridge/core/revocation/webhook'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { findToldEnd, holdNewsOf, isAnybodyListening, planWebhooks } from '@drawbridge/store/plan-webhooks'
import type { AcrossDb } from '@drawbridge/store/transaction'

export type EndedEvent = {
  readonly eventId: string
  /** The outbox entry of the sweep. */
  readonly sequence: number
  readonly isDeactivated: boolean
  /** Who lost something by it; undefined: nobody, or many. */
  readonly subject: string | undefined
}

/**
 * One person after the other in an order that all jobs share, because each is held until the commit; of one person in the order of her entries.
 */
const inOrder = (events: readonly EndedEvent[]): readonly EndedEvent[] =>
  events.toSorted((one, other) => compare(one.subject ?? '', other.subject ?? '') || one.sequence - other.sequence)
const compare = (one: string, other: string): number => Number(one > other) - Number(one < other)

export async function tellNewsOfEnds(db: AcrossDb, tenant: TenantId, events: readonly EndedEvent[], now: Instant): Promise<void> {
  if (events.length === 0 || !(await isAnybodyListening(db, tenant))) return
  for (const { eventId, sequence, isDeactivated } of inOrder(events)) {
    const end = await findToldEnd(db, tenant, { id: eventId, sequence, isDeactivated })
    if (end === undefined) continue
    if (end.subject !== undefined) await holdNewsOf(db, tenant, end.subject)
    await planWebhooks(db, { tenant, eventId, orderKey: end.subject ?? end.targetId, sequence, now, messages: newsOfEnd(end) })
  }
}
