/**
 * How long deprovisioning events are kept as evidence, and the receipts of those who had to hear of them.
 *
 * First the receipts are *folded*: the event says from then on how many had to hear and what became of it, and no longer of each. An event goes later,
 * with what is left of it; the audit trail keeps that it was. Times count from when it was swept: one that still has work (a dead letter, say) is neither folded
 * nor removed, and of one that was swept late, the receivers were told late, too. An alarm is swept never, and counts from when it was received.
 */
import type { Instant } from '@drawbridge/core/instant'
import { keptStatement } from './kept-statements.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

const day = 86_400

/** A quarter: by then whoever looks at one replica has looked. An event has a receipt for each of them. */
export const receiversKeepSeconds = 90 * day
/** What an audit of a year looks at, and a month to do it in. */
export const eventKeepSeconds = 400 * day
/**
 * Of events that somebody outside can cause at any rate and that took nothing from anybody against her will: alarms, which named nobody, and tokens that
 * clients gave back.
 */
export const briefEventKeepSeconds = 30 * day

/** Events whose receipts one statement folds. */
export const foldBatch = 100
/** Events that one statement removes that may still have receipts: those of each are counted first. */
export const briefBatch = 500
/** Receipts that one statement removes, but for those of a single event: each event may have one for every replica of every guard. */
export const mostReceiptsEnded = 50_000

/** SQL: of the events `old`, the oldest that together have no more receipts than `most`; one at least. */
const bounded = (most: string) => `
   bounded AS MATERIALIZED (
     SELECT tenant_id, id FROM (
       SELECT old.tenant_id, old.id, sum(r.count) OVER (ORDER BY old.at, old.id ROWS UNBOUNDED PRECEDING) - r.count AS older
         FROM old CROSS JOIN LATERAL (SELECT count(*) FROM notice_receipts WHERE tenant_id = old.tenant_id AND event_id = old.id) r) added
      WHERE older < ${most}
   )`

const folded = keptStatement(`WITH old AS MATERIALIZED (
     SELECT tenant_id, id, swept_at AS at FROM deprovisioning_events
      WHERE receivers_folded_at IS NULL AND swept_at IS NOT NULL AND swept_at < $1 ORDER BY swept_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
   ), ${bounded('$4')}, gone AS (
     DELETE FROM notice_receipts r USING bounded WHERE r.tenant_id = bounded.tenant_id AND r.event_id = bounded.id
     RETURNING r.tenant_id, r.event_id, r.notified_at, r.acknowledged_at, r.refused_at, r.lapsed_at, r.paused_at
   ), counted AS (
     SELECT bounded.tenant_id, bounded.id, jsonb_build_object('due', count(gone.event_id), 'notified', count(notified_at), 'acknowledged', count(acknowledged_at),
         'refused', count(refused_at), 'lapsed', count(lapsed_at), 'paused', count(paused_at) FILTER (WHERE refused_at IS NULL)) AS receipts
       FROM bounded LEFT JOIN gone ON gone.tenant_id = bounded.tenant_id AND gone.event_id = bounded.id GROUP BY bounded.tenant_id, bounded.id
   )
   UPDATE deprovisioning_events e SET receivers_folded_at = $3, folded_receipts = counted.receipts FROM counted
    WHERE e.tenant_id = counted.tenant_id AND e.id = counted.id`)

/** Of one statement. Where their receipts are too many for it, fewer events are ended than there are: only an answer of 0 says that none is left. */
export type EndBatch = { readonly events: number; readonly receipts?: number }

/** Folds the receipts of events that were swept before then, the oldest first; answers of how many. */
export async function foldReceiptsAcrossTenants(db: AcrossDb, before: Instant, now: Instant, limit: EndBatch): Promise<number> {
  return (await db.query(folded, [toTimestamp(before), limit.events, toTimestamp(now), limit.receipts ?? mostReceiptsEnded])).rowCount
}

/** What refers to an event goes before it: a revocation by its own time, a receipt with it. */
const deleted = (which: string, since: 'swept_at' | 'received_at') =>
  keptStatement(`WITH old AS MATERIALIZED (
     SELECT tenant_id, id, ${since} AS at FROM deprovisioning_events e
      WHERE ${which} AND ${since} < $1 AND NOT EXISTS (SELECT 1 FROM revocations v WHERE v.tenant_id = e.tenant_id AND v.event_id = e.id)
      ORDER BY ${since} LIMIT $2 FOR UPDATE SKIP LOCKED
   ), ${bounded('$3')}, receipts AS (
     DELETE FROM notice_receipts r USING bounded WHERE r.tenant_id = bounded.tenant_id AND r.event_id = bounded.id
   )
   DELETE FROM deprovisioning_events e USING bounded WHERE e.tenant_id = bounded.tenant_id AND e.id = bounded.id`)

const deletedFolded = deleted('receivers_folded_at IS NOT NULL', 'swept_at')
const deletedBrief = deleted(`(NOT matched OR source = 'revocation_endpoint') AND (NOT matched OR swept_at < $1)`, 'received_at')

/** Removes events whose receipts are folded and that were swept before then, the oldest first; answers how many. */
export async function deleteFoldedEventsAcrossTenants(db: AcrossDb, before: Instant, limit: EndBatch): Promise<number> {
  return (await db.query(deletedFolded, [toTimestamp(before), limit.events, limit.receipts ?? mostReceiptsEnded])).rowCount
}

/** The same of those that are kept for `briefEventKeepSeconds`, folded or not; alarms that were received before then. */
export async function deleteBriefEventsAcrossTenants(db: AcrossDb, before: Instant, limit: EndBatch): Promise<number> {
  return (await db.query(deletedBrief, [toTimestamp(before), limit.events, limit.receipts ?? mostReceiptsEnded])).rowCount
}
