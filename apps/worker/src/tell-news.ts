/** The news of an end of access, to the endpoints that hear it, inside the transaction of its sweep. */
import type { Instant } from '@drawbridge/core/instant'
import { newsOfEnd } from '@drawbridge/core/revocation/webhook'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { findToldEnd, holdNewsOf, isAnybodyListening, planWebhooks } from '@drawbridge/store/plan-webhooks'
import type { AcrossDb } from '@drawbridge/store/transaction'

export type EndedEvent = {
  readonly tenant: TenantId
  readonly eventId: string
  /** The outbox entry of the sweep. */
  readonly sequence: number
  readonly isDeactivated: boolean
  readonly now: Instant
}

/** Answers how many endpoints' deliveries were written. */
export async function tellNewsOfEnd(db: AcrossDb, { tenant, eventId, sequence, isDeactivated, now }: EndedEvent): Promise<number> {
  if (!(await isAnybodyListening(db, tenant))) return 0
  const end = await findToldEnd(db, tenant, { id: eventId, sequence, isDeactivated })
  if (end === undefined) return 0
  if (end.subject !== undefined) await holdNewsOf(db, tenant, end.subject)
  return planWebhooks(db, { tenant, eventId, orderKey: end.subject ?? end.targetId, sequence, now, messages: newsOfEnd(end) })
}
