/** Ends lines of the audit trail whose time is over, of tenants whose admin chose that it ends. */
import { type AuditEnd, endAuditEventsAcrossTenants, listAuditEndsAcrossTenants } from '@drawbridge/store/audit-retention'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

/** Lines that one statement looks at. */
export const auditBatch = 5000
/** Statements of a run for one tenant, of each class; what is left waits for the next run, an hour later. */
export const mostAuditBatches = 100

export async function endAuditEvents(deps: JobDeps): Promise<void> {
  const now = deps.clock.now()
  const ends = await acrossTenants(deps.database, (db) => listAuditEndsAcrossTenants(db, now))
  const faults: unknown[] = []
  let ended = 0
  for (const end of ends) {
    try {
      ended += await endClass(deps, end)
    } catch (cause) {
      // The next tenant has done nothing for it.
      faults.push(cause)
    }
  }
  if (ended > 0) deps.log.info({ ended }, 'lines of audit trails have ended')
  if (faults.length > 0) throw new AggregateError(faults, `the trails of ${faults.length} tenants were not ended`)
}

async function endClass(deps: JobDeps, end: AuditEnd): Promise<number> {
  let ended = 0
  for (let batch = 0; batch < mostAuditBatches; batch += 1) {
    const at = { now: deps.clock.now(), limit: auditBatch }
    const done = await acrossTenants(deps.database, (db) => endAuditEventsAcrossTenants(db, end, at))
    ended += done.ended
    if (done.looked < auditBatch) break
  }
  return ended
}
