/**
 * After sessions here ended: each client that their person went to from them is to be told. What was granted from them, where it ended too, is told to
 * resource servers by events of its own.
 */
import type { TellSessionEndedPayload } from '@drawbridge/core/logout/session-ended'
import type { DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import { lockUndoneEntry, markDone } from '@drawbridge/store/outbox-relay'
import { planSessionLogouts } from '@drawbridge/store/plan-logouts'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

export type TellSessionEndedJob = TellSessionEndedPayload & { readonly tenant: string; readonly entry: number }

/** Runs as often as it likes; has its effect once. */
export async function tellSessionEnded(deps: JobDeps, { tenant: id, entry, eventId, sessions }: TellSessionEndedJob): Promise<void> {
  const tenant = id as TenantId
  const now = deps.clock.now()
  await acrossTenants(deps.database, async (db) => {
    if (!(await lockUndoneEntry(db, tenant, entry))) return
    await planSessionLogouts(db, { tenant, eventId: eventId as DeprovisioningEventId, sequence: entry, now, sessions })
    await markDone(db, tenant, entry, now)
  })
}
