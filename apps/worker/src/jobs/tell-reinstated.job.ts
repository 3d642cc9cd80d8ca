/**
 * That a person may come in again, to the endpoints that hear it.
 *
 * Never ahead of the news that she was gone, and never behind the news that she is gone again: it waits for the sweeps of what was before it, and says nothing
 * where she has been shut out since, by whichever word or date.
 */
import type { TellReinstatedPayload } from '@drawbridge/core/revocation/webhook'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { lockUndoneEntry, markDone } from '@drawbridge/store/outbox-relay'
import { findReinstated, holdNewsOf, planWebhooks } from '@drawbridge/store/plan-webhooks'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

export type TellReinstatedJob = TellReinstatedPayload & { readonly tenant: string; readonly entry: number }

/** Runs as often as it likes; has its effect once. Throws while something earlier is untold, so that the queue tries again. */
export async function tellReinstated(deps: JobDeps, { tenant: id, entry, eventId, subjectId, at }: TellReinstatedJob): Promise<void> {
  const tenant = id as TenantId
  const now = deps.clock.now()
  await acrossTenants(deps.database, async (db) => {
    if (!(await lockUndoneEntry(db, tenant, entry))) return
    await holdNewsOf(db, tenant, subjectId)
    const person = await findReinstated(db, tenant, { id: subjectId, entry, now })
    if (person?.isEarlierUntold) throw new Error('an earlier end of this person has not been told yet')
    if (person?.isBack) {
      const data = { tenant: person.tenant, eventId, subject: subjectId, sequence: entry }
      const messages = [{ type: 'subject.reinstated' as const, timestamp: at, data }]
      await planWebhooks(db, { tenant, eventId, orderKey: subjectId, sequence: entry, now, messages })
    }
    await markDone(db, tenant, entry, now)
  })
}
