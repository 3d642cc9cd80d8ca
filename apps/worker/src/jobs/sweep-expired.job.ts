/** Removes what time has ended: done outbox entries, expired notices and revocations; closes streams that nobody listens to. */
import { addSeconds } from '@drawbridge/core/instant'
import { closeLapsedStreamsAcrossTenants, streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { deleteExpiredNoticesAcrossTenants } from '@drawbridge/store/notices'
import { countUndoneAcrossTenants, deleteDoneAcrossTenants } from '@drawbridge/store/outbox-relay'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

/** Done entries are kept this long, so that an admin sees what happened. */
export const keepDoneSeconds = 86_400
/** Rows per statement, so that no sweep holds locks for long. What is left waits for the next run. */
export const sweepBatch = 5000

export async function sweepExpired(deps: JobDeps): Promise<void> {
  const now = deps.clock.now()
  const removed = await acrossTenants(deps.database, (db) => deleteDoneAcrossTenants(db, addSeconds(now, -keepDoneSeconds), sweepBatch))
  const expired = await acrossTenants(deps.database, (db) => deleteExpiredNoticesAcrossTenants(db, now, sweepBatch))
  const closed = await acrossTenants(deps.database, (db) => closeLapsedStreamsAcrossTenants(db, now, addSeconds(now, -streamLapseSeconds)))
  deps.metrics.set('drawbridge_outbox_waiting', await acrossTenants(deps.database, countUndoneAcrossTenants))
  if (removed + expired + closed > 0) deps.log.info({ removed, expired, closed }, 'swept what had expired')
}
