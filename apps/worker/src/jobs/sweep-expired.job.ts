/** Removes what time has ended: done outbox entries, expired notices, revocations, flows and grants; closes streams that nobody listens to, and ends event streams beyond their bounds. */
import { addSeconds } from '@drawbridge/core/instant'
import { countDeliveriesAcrossTenants, giveUpOldDeliveriesAcrossTenants } from '@drawbridge/store/deliveries'
import { markEventsDeadAcrossTenants } from '@drawbridge/store/notice-receipts'
import { closeLapsedStreamsAcrossTenants, streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { deleteExpiredNoticesAcrossTenants } from '@drawbridge/store/notices'
import { deleteDoneAcrossTenants } from '@drawbridge/store/outbox-relay'
import { eraseFormerSecretsAcrossTenants } from '@drawbridge/store/plan-webhooks'
import { sweepMembersAcrossTenants } from '@drawbridge/store/scim-group-members'
import {
  deleteExpiredAcrossTenants,
  eraseLogoutHintsAcrossTenants,
  type SweptTable,
  sweptTableNames,
  sweptTables,
} from '@drawbridge/store/sweeps'
import { acrossTenants } from '@drawbridge/store/transaction'
import { boundEventStreams } from '../bound-event-streams.js'
import type { JobDeps } from '../deps.js'

/** Done entries are kept this long, so that an admin sees what happened. */
export const keepDoneSeconds = 86_400
/** Rows per statement, so that no sweep holds locks for long. What is left waits for the next run. */
export const sweepBatch = 5000
/** Statements per table and run: a long pause of the worker is made up for in several runs, not in one. */
export const mostBatches = 20

export async function sweepExpired(deps: JobDeps): Promise<void> {
  const now = deps.clock.now()
  const removed = await acrossTenants(deps.database, (db) => deleteDoneAcrossTenants(db, addSeconds(now, -keepDoneSeconds), sweepBatch))
  // First the streams that would miss what goes then: they are told so.
  const ended = await boundEventStreams(deps)
  const expired = await acrossTenants(deps.database, (db) => deleteExpiredNoticesAcrossTenants(db, now, sweepBatch))
  const closed = await acrossTenants(deps.database, (db) => closeLapsedStreamsAcrossTenants(db, now, addSeconds(now, -streamLapseSeconds)))
  for (const seconds of await acrossTenants(deps.database, (db) => markEventsDeadAcrossTenants(db, sweepBatch)))
    deps.metrics.observe('drawbridge_time_to_dead_seconds', {}, seconds)
  await giveUpOldDeliveries(deps)
  await acrossTenants(deps.database, (db) => eraseFormerSecretsAcrossTenants(db, now))
  await acrossTenants(deps.database, (db) => eraseLogoutHintsAcrossTenants(db, now, sweepBatch))
  let rows = await sweepMembers(deps)
  for (const table of sweptTableNames) rows += await sweepTable(deps, table)
  if (removed + expired + closed + ended + rows > 0) deps.log.info({ removed, expired, closed, ended, rows }, 'swept what had expired')
}

/** What no destination has taken in days. It is an alarm, and counted. */
async function giveUpOldDeliveries(deps: JobDeps): Promise<void> {
  const given = await acrossTenants(deps.database, (db) => giveUpOldDeliveriesAcrossTenants(db, deps.clock.now(), sweepBatch))
  for (const { kind, count } of given) {
    deps.metrics.count('drawbridge_deliveries_total', { kind, outcome: 'dead' }, count)
    deps.log.error({ kind, count }, 'deliveries were given up')
  }
  const { waiting, dead } = await acrossTenants(deps.database, countDeliveriesAcrossTenants)
  deps.metrics.set('drawbridge_deliveries_waiting', waiting)
  deps.metrics.set('drawbridge_deliveries_dead', dead)
}

/** Of groups that were emptied or deleted: one group at a time, so a batch may be short and there is more. */
async function sweepMembers(deps: JobDeps): Promise<number> {
  let rows = 0
  for (let batch = 0; batch < mostBatches; batch++)
    rows += await acrossTenants(deps.database, (db) => sweepMembersAcrossTenants(db, sweepBatch))
  return rows
}

/** Each batch is a transaction of its own. */
async function sweepTable(deps: JobDeps, table: SweptTable): Promise<number> {
  const before = addSeconds(deps.clock.now(), -sweptTables[table].keepSeconds)
  let rows = 0
  for (let batch = 0; batch < mostBatches; batch++) {
    const removed = await acrossTenants(deps.database, (db) => deleteExpiredAcrossTenants(db, table, before, sweepBatch))
    rows += removed
    if (removed < sweepBatch) break
  }
  return rows
}
