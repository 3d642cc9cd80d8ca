/**
 * How long deprovisioning events are kept as evidence, and the receipts of those who had to hear of them.
 *
 * First the receipts are *folded*: the event says from then on how many had to hear and what became of it, and no longer of each. An event goes later,
 * with what is left of it; the audit trail keeps that it was. One that still has work (it was not swept: a dead letter, say) is neither folded nor removed.
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

/** Events of one statement: each may have a receipt for every replica of every guard. */
export const foldBatch = 1000

const folded = keptStatement(`WITH old AS MATERIALIZED (
     SELECT tenant_id, id FROM deprovisioning_events
      WHERE receivers_folded_at IS NULL AND swept_at IS NOT NULL AND received_at < $1 ORDER BY received_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
   ), gone AS (
     DELETE FROM notice_receipts r USING old WHERE r.tenant_id = old.tenant_id AND r.event_id = old.id
     RETURNING r.tenant_id, r.event_id, r.notified_at, r.acknowledged_at, r.refused_at, r.lapsed_at, r.paused_at
   ), counted AS (
     SELECT old.tenant_id, old.id, jsonb_build_object('due', count(gone.event_id), 'notified', count(notified_at), 'acknowledged', count(acknowledged_at),
         'refused', count(refused_at), 'lapsed', count(lapsed_at), 'paused', count(paused_at) FILTER (WHERE refused_at IS NULL)) AS receipts
       FROM old LEFT JOIN gone ON gone.tenant_id = old.tenant_id AND gone.event_id = old.id GROUP BY old.tenant_id, old.id
   )
   UPDATE deprovisioning_events e SET receivers_folded_at = $3, folded_receipts = counted.receipts FROM counted
    WHERE e.tenant_id = counted.tenant_id AND e.id = counted.id`)

/** Folds the receipts of at most `limit` events that were received before then, the oldest first; answers of how many. */
export async function foldReceiptsAcrossTenants(db: AcrossDb, before: Instant, now: Instant, limit: number): Promise<number> {
  return (await db.query(folded, [toTimestamp(before), limit, toTimestamp(now)])).rowCount
}

/** What refers to an event goes before it: a revocation by its own time, a receipt with it. */
const deleted = (which: string) =>
  keptStatement(`WITH old AS MATERIALIZED (
     SELECT tenant_id, id FROM deprovisioning_events e
      WHERE ${which} AND received_at < $1 AND NOT EXISTS (SELECT 1 FROM revocations v WHERE v.tenant_id = e.tenant_id AND v.event_id = e.id)
      ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED
   ), receipts AS (
     DELETE FROM notice_receipts r USING old WHERE r.tenant_id = old.tenant_id AND r.event_id = old.id
   )
   DELETE FROM deprovisioning_events e USING old WHERE e.tenant_id = old.tenant_id AND e.id = old.id`)

const deletedFolded = deleted('receivers_folded_at IS NOT NULL')
const deletedBrief = deleted(`(NOT matched OR source = 'revocation_endpoint') AND (NOT matched OR swept_at IS NOT NULL)`)

/** Removes at most `limit` events whose receipts are folded and that were received before then, the oldest first; answers how many. */
export async function deleteFoldedEventsAcrossTenants(db: AcrossDb, before: Instant, limit: number): Promise<number> {
  return (await db.query(deletedFolded, [toTimestamp(before), limit])).rowCount
}

/** The same of those that are kept for `briefEventKeepSeconds`, folded or not. */
export async function deleteBriefEventsAcrossTenants(db: AcrossDb, before: Instant, limit: number): Promise<number> {
  return (await db.query(deletedBrief, [toTimestamp(before), limit])).rowCount
}
