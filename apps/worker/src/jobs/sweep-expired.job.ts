/** Removes what time has ended: done outbox entries, expired notices, revocations, flows, grants and evidence; closes streams that nobody listens to, and ends event streams beyond their bounds. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { countDeliveriesAcrossTenants, giveUpOldDeliveriesAcrossTenants } from '@drawbridge/store/deliveries'
import {
  briefEventKeepSeconds,
  deleteBriefEventsAcrossTenants,
  deleteFoldedEventsAcrossTenants,
  eventKeepSeconds,
  foldBatch,
  foldReceiptsAcrossTenants,
  receiversKeepSeconds,
} from '@drawbridge/store/event-retention'
import { markEventsDeadAcrossTenants } from '@drawbridge/store/notice-receipts'
import { closeLapsedStreamsAcrossTenants, streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { deleteExpiredNoticesAcrossTenants } from '@drawbridge/store/notices'
import { deleteDoneAcrossTenants } from '@drawbridge/store/outbox-relay'
import { eraseFormerSecretsAcrossTenants } from '@drawbridge/store/plan-webhooks'
import { deleteExpiredRevocationsAcrossTenants } from '@drawbridge/store/revocations'
import { sweepMembersAcrossTenants } from '@drawbridge/store/scim-group-members'
import {
  deleteExpiredAcrossTenants,
  eraseLogoutHintsAcrossTenants,
  type SweptTable,
  sweptTableNames,
  sweptTables,
} from '@drawbridge/store/sweeps'
import { type AcrossDb, acrossTenants } from '@drawbridge/store/transaction'
import { boundEventStreams } from '../bound-event-streams.js'
import type { JobDeps } from '../deps.js'

/** Done entries are kept this long, so that an admin sees what happened. */
export const keepDoneSeconds = 86_400
/** Rows per statement, so that no sweep holds locks for long. */
export const sweepBatch = 5000
/** Statements per table and run, 1,666 rows a second: a long pause of the worker is made up for in several runs, not in one. */
export const mostBatches = 20

export async function sweepExpired(deps: JobDeps): Promise<void> {
  const now = deps.clock.now()
  const removed = await inBatches(deps, (db) => deleteDoneAcrossTenants(db, addSeconds(now, -keepDoneSeconds), sweepBatch))
  // First the streams that would miss what goes then: they are told so.
  const ended = await boundEventStreams(deps)
  const notices = await inBatches(deps, (db) => deleteExpiredNoticesAcrossTenants(db, now, sweepBatch))
  const revocations = await inBatches(deps, (db) => deleteExpiredRevocationsAcrossTenants(db, now, sweepBatch))
  const closed = await acrossTenants(deps.database, (db) => closeLapsedStreamsAcrossTenants(db, now, addSeconds(now, -streamLapseSeconds)))
  await inBatches(deps, (db) => markDead(deps, db))
  await giveUpOldDeliveries(deps)
  await acrossTenants(deps.database, (db) => eraseFormerSecretsAcrossTenants(db, now))
  await inBatches(deps, (db) => eraseLogoutHintsAcrossTenants(db, now, sweepBatch))
  let rows = (await sweepMembers(deps)) + (await endEvents(deps, now))
  for (const table of sweptTableNames) rows += await sweepTable(deps, table)
  const swept = { removed, notices, revocations, closed, ended, rows }
  if (Object.values(swept).some((count) => count > 0)) deps.log.info(swept, 'swept what had expired')
}

/** Until a batch is not full: each is a transaction of its own. Answers how many rows all of them were. */
async function inBatches(deps: JobDeps, sweep: (db: AcrossDb) => Promise<number>, full = sweepBatch): Promise<number> {
  let rows = 0
  for (let batch = 0; batch < mostBatches; batch++) {
    const swept = await acrossTenants(deps.database, sweep)
    rows += swept
    if (swept < full) break
  }
  return rows
}

/** After what refers to them: the evidence shrinks to counts, and goes when nobody asks for it any more. */
async function endEvents(deps: JobDeps, now: Instant): Promise<number> {
  const before = (seconds: number) => addSeconds(now, -seconds)
  const brief = await inBatches(deps, (db) => deleteBriefEventsAcrossTenants(db, before(briefEventKeepSeconds), sweepBatch))
  const folded = await inBatches(deps, (db) => foldReceiptsAcrossTenants(db, before(receiversKeepSeconds), now, foldBatch), foldBatch)
  return brief + folded + (await inBatches(deps, (db) => deleteFoldedEventsAcrossTenants(db, before(eventKeepSeconds), sweepBatch)))
}

async function markDead(deps: JobDeps, db: AcrossDb): Promise<number> {
  const times = await markEventsDeadAcrossTenants(db, sweepBatch)
  for (const seconds of times) deps.metrics.observe('drawbridge_time_to_dead_seconds', {}, seconds)
  return times.length
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

function sweepTable(deps: JobDeps, table: SweptTable): Promise<number> {
  const before = addSeconds(deps.clock.now(), -sweptTables[table].keepSeconds)
  return inBatches(deps, (db) => deleteExpiredAcrossTenants(db, table, before, sweepBatch))
}
