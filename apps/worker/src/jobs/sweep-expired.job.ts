/** Removes what time has ended: done outbox entries, expired notices, revocations, flows, grants and evidence; closes streams that nobody listens to, and ends event streams beyond their bounds. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { countDeliveriesAcrossTenants, giveUpOldDeliveriesAcrossTenants } from '@drawbridge/store/deliveries'
import {
  briefBatch,
  briefEventKeepSeconds,
  eventKeepSeconds as defaultEventKeepSeconds,
  receiversKeepSeconds as defaultReceiversKeepSeconds,
  deleteBriefEventsAcrossTenants,
  deleteFoldedEventsAcrossTenants,
  foldBatch,
  foldReceiptsAcrossTenants,
} from '@drawbridge/store/event-retention'
import { lookedForDeathSeconds, markEventsDead, markSweptDeadAcrossTenants, type SweptPosition } from '@drawbridge/store/notice-receipts'
import { closeLapsedStreamsAcrossTenants, streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { deleteExpiredNoticesAcrossTenants } from '@drawbridge/store/notices'
import { deleteDoneAcrossTenants } from '@drawbridge/store/outbox-relay'
import { eraseFormerSecretsAcrossTenants } from '@drawbridge/store/plan-webhooks'
import { deleteExpiredRevocationsAcrossTenants } from '@drawbridge/store/revocations'
import { goneGroupKeepSeconds, sweepGroupsAcrossTenants, sweepMembersAcrossTenants } from '@drawbridge/store/scim-group-members'
import { deleteExpiredAcrossTenants, eraseLogoutHintsAcrossTenants, sweptTableNames, sweptTables } from '@drawbridge/store/sweeps'
import { type AcrossDb, acrossTenants } from '@drawbridge/store/transaction'
import { boundEventStreams } from '../bound-event-streams.js'
import type { JobDeps } from '../deps.js'

/** Done entries are kept this long, so that an admin sees what happened. */
export const keepDoneSeconds = 86_400
/** Rows per statement, so that no sweep holds locks for long. */
export const sweepBatch = 5000
/** Of groups fewer: for each the nestings of its tenant are looked through. */
const groupBatch = 500
/** Statements per table and run, 1,666 rows a second: a long pause of the worker is made up for in several runs, not in one. */
export const mostBatches = 20

/** A run of the job. */
type Run = { readonly deps: JobDeps; readonly now: Instant; readonly faults: unknown[] }

/** Each part is tried, whatever became of those before it. Where one failed the run has failed, and is tried again. */
export async function sweepExpired(deps: JobDeps): Promise<void> {
  const run: Run = { deps, now: deps.clock.now(), faults: [] }
  const { now } = run
  const removed = await batches(run, 'outbox', (db) => deleteDoneAcrossTenants(db, addSeconds(now, -keepDoneSeconds), sweepBatch))
  const ended = await part(run, 'event streams', () => boundEventStreams(deps))
  // Streams that would miss what goes then have been told so, or nothing goes.
  const notices = ended === undefined ? 0 : await batches(run, 'notices', (db) => deleteExpiredNoticesAcrossTenants(db, now, sweepBatch))
  const revocations = await batches(run, 'revocations', (db) => deleteExpiredRevocationsAcrossTenants(db, now, sweepBatch))
  const closed = await part(run, 'streams of guards', () => closeStreams(deps, now))
  await part(run, 'events that are not dead everywhere', () => lookForDeath(deps, now))
  await part(run, 'deliveries', () => giveUpOldDeliveries(deps))
  await part(run, 'former secrets', () => acrossTenants(deps.database, (db) => eraseFormerSecretsAcrossTenants(db, now)))
  await batches(run, 'hints of logout', (db) => eraseLogoutHintsAcrossTenants(db, now, sweepBatch))
  const rows = (await sweepRows(run)) + (await endEvents(run))
  const swept = { removed, notices, revocations, closed, ended, rows }
  if (Object.values(swept).some((count = 0) => count > 0)) deps.log.info(swept, 'swept what had expired')
  if (run.faults.length > 0) throw new AggregateError(run.faults, `${run.faults.length} parts of the sweep failed`)
}

/** Undefined: it failed, and the run knows. */
async function part<Value>({ deps, faults }: Run, name: string, sweep: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await sweep()
  } catch (cause) {
    faults.push(cause)
    deps.log.error({ part: name, cause: cause instanceof Error ? cause.message : String(cause) }, 'a part of the sweep failed')
    return undefined
  }
}

/** A part of its own that removes rows; answers how many, and none where it failed. */
async function batches(run: Run, name: string, sweep: (db: AcrossDb) => Promise<number>, full = sweepBatch): Promise<number> {
  return (await part(run, name, () => inBatches(run.deps, sweep, full))) ?? 0
}

/** Until a batch is not full: each is a transaction of its own. Answers how many rows all of them were. */
async function inBatches(deps: JobDeps, sweep: (db: AcrossDb) => Promise<number>, full: number): Promise<number> {
  let rows = 0
  for (let batch = 0; batch < mostBatches; batch++) {
    const swept = await acrossTenants(deps.database, sweep)
    rows += swept
    if (swept < full) break
  }
  return rows
}

async function sweepRows(run: Run): Promise<number> {
  let rows = (await part(run, 'members of groups', () => sweepMembers(run.deps))) ?? 0
  const goneBefore = addSeconds(run.now, -goneGroupKeepSeconds)
  rows += await batches(run, 'groups', (db) => sweepGroupsAcrossTenants(db, goneBefore, groupBatch), groupBatch)
  for (const table of sweptTableNames) {
    const before = addSeconds(run.now, -sweptTables[table].keepSeconds)
    rows += await batches(run, table, (db) => deleteExpiredAcrossTenants(db, table, before, sweepBatch))
  }
  return rows
}

/**
 * After what refers to them: the evidence shrinks to counts, and goes when nobody asks for it any more. A batch of events with many receipts is shorter than
 * asked for, so only an empty one is the last.
 */
async function endEvents(run: Run): Promise<number> {
  const before = (seconds: number) => addSeconds(run.now, -seconds)
  const { receiversKeepSeconds = defaultReceiversKeepSeconds, eventKeepSeconds = defaultEventKeepSeconds } = run.deps
  const untilEmpty = (name: string, sweep: (db: AcrossDb) => Promise<number>) => batches(run, name, sweep, 1)
  const brief = await untilEmpty('events kept briefly', (db) =>
    deleteBriefEventsAcrossTenants(db, before(briefEventKeepSeconds), { events: briefBatch }),
  )
  const folded = await untilEmpty('receipts', (db) =>
    foldReceiptsAcrossTenants(db, before(receiversKeepSeconds), run.now, { events: foldBatch }),
  )
  const removed = await untilEmpty('events', (db) => deleteFoldedEventsAcrossTenants(db, before(eventKeepSeconds), { events: sweepBatch }))
  return brief + folded + removed
}

/** Of what they were awaited for, some may be dead everywhere by it. */
async function closeStreams(deps: JobDeps, now: Instant): Promise<number> {
  const lapsedBefore = addSeconds(now, -streamLapseSeconds)
  const { closed, events } = await acrossTenants(deps.database, (db) => closeLapsedStreamsAcrossTenants(db, now, lapsedBefore))
  for (let first = 0; first < events.length; first += sweepBatch)
    observeDeaths(deps, await markEventsDead(deps.database, events.slice(first, first + sweepBatch)))
  return closed
}

/** For whoever recorded a last answer and went before it could say what that meant. Answers how many it found. */
async function lookForDeath(deps: JobDeps, now: Instant): Promise<number> {
  const look = { since: addSeconds(now, -lookedForDeathSeconds), limit: sweepBatch }
  let found = 0
  let before: SweptPosition | undefined
  for (let batch = 0; batch < mostBatches; batch++) {
    const { seconds, next } = await acrossTenants(deps.database, (db) => markSweptDeadAcrossTenants(db, { ...look, before }))
    found += observeDeaths(deps, seconds)
    if (next === undefined) break
    before = next
  }
  return found
}

function observeDeaths(deps: JobDeps, times: readonly number[]): number {
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
