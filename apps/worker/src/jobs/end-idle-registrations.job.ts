/** Removes clients that once registered or described themselves, that nobody uses and that nothing refers to: strangers may register what they like. */
import { deleteIdleClientsAcrossTenants } from '@drawbridge/store/idle-clients'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

/** Clients per transaction, so that none holds locks for long. */
export const idleBatch = 500
/** Batches of one run; what is left waits for the next. */
export const mostIdleBatches = 100

export async function endIdleRegistrations(deps: JobDeps): Promise<void> {
  const now = deps.clock.now()
  let ended = 0
  for (let batch = 0; batch < mostIdleBatches; batch++) {
    const removed = await acrossTenants(deps.database, (db) => deleteIdleClientsAcrossTenants(db, now, idleBatch))
    ended += removed
    if (removed === 0) break
  }
  if (ended > 0) deps.log.info({ ended }, 'registrations that nobody used have ended')
}
