/**
 * Calls that must arrive: what is due is claimed, tried by the worker, and marked.
 *
 * A claim is a lease, fenced by the number of the try: a worker that dies leaves its messages to the next one, so a receiver may hear twice,
 * and never not at all; a worker that comes back late writes over nothing. Of one destination and key only the oldest message is ever claimed, which is
 * what keeps the order; of tenants, hosts and destinations each gets its share, tenants in turn.
 */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { type DeliveryKind, deliveryLimits } from '@drawbridge/core/revocation/delivery'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { ChangeChannel } from './changes.js'
import { keptStatement } from './kept-statements.js'
import { type AcrossDb, judged, toTimestamp } from './transaction.js'

/** NOTIFY channel: something is due. */
export const deliveriesChannel = 'drawbridge_deliveries' satisfies ChangeChannel

export type ClaimedDelivery = {
  readonly tenantId: TenantId
  readonly id: string
  readonly destinationId: string
  readonly kind: DeliveryKind
  readonly part: string
  readonly payload: Readonly<Record<string, unknown>>
  /** This try included. */
  readonly attempts: number
  readonly begunAt: Instant
  readonly origin: string
  /** In a row, of the destination, before this try. */
  readonly failures: number
}

const undone = 'expires_at IS NULL'
const shares = [deliveryLimits.perDestination, deliveryLimits.perTenant, deliveryLimits.perOrigin] as const

/**
 * How it finds them: hop from destination to destination that has something undone (`busy`), leave out those that are paused, take of each the
 * oldest due heads (`heads`: each is the first undone of its key; asked so, and not by "none lies before it", the planner cannot hash the table), number them per destination, tenant and host beside what is already
 * under way, and lock the first of all tenants before the second of any. A backlog of a hundred thousand costs no more than its destinations.
 */
const claimed = keptStatement(`
  WITH RECURSIVE busy AS (
    (SELECT tenant_id, destination_id FROM deliveries WHERE ${undone} ORDER BY tenant_id, destination_id LIMIT 1)
    UNION ALL
    SELECT further.tenant_id, further.destination_id FROM busy CROSS JOIN LATERAL (
      SELECT tenant_id, destination_id FROM deliveries d WHERE ${undone} AND (d.tenant_id, d.destination_id) > (busy.tenant_id, busy.destination_id)
      ORDER BY tenant_id, destination_id LIMIT 1) further
  ), flying AS MATERIALIZED (
    SELECT f.tenant_id, f.destination_id, t.origin, count(*)::int AS count FROM deliveries f
      JOIN delivery_destinations t ON t.tenant_id = f.tenant_id AND t.id = f.destination_id
     WHERE f.${undone} AND f.leased_until > $1 GROUP BY 1, 2, 3
  ), heads AS (
    SELECT h.id, h.due_at, t.tenant_id, t.id AS destination_id, t.origin, t.failures,
      row_number() OVER (PARTITION BY t.tenant_id, t.id ORDER BY h.due_at, h.id)
        + coalesce((SELECT sum(count) FROM flying f WHERE f.tenant_id = t.tenant_id AND f.destination_id = t.id), 0) AS place
    FROM busy JOIN delivery_destinations t ON t.tenant_id = busy.tenant_id AND t.id = busy.destination_id AND (t.paused_until IS NULL OR t.paused_until <= $1) AND t.held_at IS NULL
    CROSS JOIN LATERAL (
      SELECT d.id, d.due_at FROM deliveries d
       WHERE d.tenant_id = t.tenant_id AND d.destination_id = t.id AND d.${undone} AND d.due_at <= $1 AND (d.leased_until IS NULL OR d.leased_until <= $1)
         AND d.id = (SELECT e.id FROM deliveries e WHERE e.tenant_id = d.tenant_id AND e.destination_id = d.destination_id AND e.order_key = d.order_key
           AND e.${undone} ORDER BY e.sequence, e.ordinal LIMIT 1)
       ORDER BY d.due_at, d.id LIMIT ${deliveryLimits.perDestination}) h
  ), turns AS (
    SELECT *, row_number() OVER (PARTITION BY tenant_id ORDER BY place, due_at, id)
        + coalesce((SELECT sum(count) FROM flying f WHERE f.tenant_id = heads.tenant_id), 0) AS turn
    FROM heads WHERE place <= CASE WHEN failures > 0 THEN 1 ELSE ${shares[0]} END
  ), shared AS (
    SELECT *, row_number() OVER (PARTITION BY origin ORDER BY turn, due_at, id)
        + coalesce((SELECT sum(count) FROM flying f WHERE f.origin = turns.origin), 0) AS at_origin
    FROM turns WHERE turn <= ${shares[1]}
  ), picked AS MATERIALIZED (
    SELECT tenant_id, id FROM shared WHERE at_origin <= ${shares[2]} ORDER BY turn, due_at, id LIMIT $3
  ), locked AS MATERIALIZED (
    SELECT d.tenant_id, d.id FROM deliveries d JOIN picked ON picked.tenant_id = d.tenant_id AND picked.id = d.id
     WHERE ${judged(`d.${undone} AND d.due_at <= $1 AND (d.leased_until IS NULL OR d.leased_until <= $1)`)} FOR UPDATE OF d SKIP LOCKED
  )
  UPDATE deliveries d SET attempts = d.attempts + 1, leased_until = $2 FROM locked, delivery_destinations t
   WHERE d.tenant_id = locked.tenant_id AND d.id = locked.id AND t.tenant_id = d.tenant_id AND t.id = d.destination_id
  RETURNING d.tenant_id AS "tenantId", d.id, d.destination_id AS "destinationId", t.kind, d.part, d.payload, d.attempts, d.begun_at AS "begunAt", t.origin, t.failures`)

/** Leases what is due, at most `limit`; no two workers get the same one within the lease. */
export async function claimDeliveriesAcrossTenants(db: AcrossDb, now: Instant, limit: number): Promise<readonly ClaimedDelivery[]> {
  const { rows } = await db.query<ClaimedDelivery>(claimed, [
    toTimestamp(now),
    toTimestamp(addSeconds(now, deliveryLimits.leaseSeconds)),
    limit,
  ])
  return rows.map((row) => ({ ...row, begunAt: instant(Number(row.begunAt)) }))
}

type Claimed = Pick<ClaimedDelivery, 'tenantId' | 'id' | 'destinationId' | 'attempts'>
const fence = `tenant_id = $1 AND id = $2 AND attempts = $3 AND ${undone}`

/** It arrived, and its destination is well. False: another worker has claimed it since, and will say what became of it. */
export async function markDelivered(db: AcrossDb, { tenantId, id, destinationId, attempts }: Claimed, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE deliveries SET delivered_at = $4, leased_until = NULL, reason = NULL, expires_at = $5 WHERE ${fence}`,
    [tenantId, id, attempts, toTimestamp(now), toTimestamp(addSeconds(now, deliveryLimits.keepDeliveredSeconds))],
  )
  await markDestinationWell(db, { tenantId, destinationId })
  return rowCount === 1
}

type Destination = Pick<Claimed, 'tenantId' | 'destinationId'>

/** Its next message need not wait any more. */
async function markDestinationWell(db: AcrossDb, { tenantId, destinationId }: Destination): Promise<void> {
  await db.query(
    `UPDATE delivery_destinations SET failures = 0, failing_since = NULL, paused_until = NULL
     WHERE tenant_id = $1 AND id = $2 AND (failures > 0 OR failing_since IS NOT NULL)`,
    [tenantId, destinationId],
  )
}

/** The same, but it did not want what it was sent. Answers since when it has taken nothing. */
export async function markDestinationAnswers(
  db: AcrossDb,
  { tenantId, destinationId }: Destination,
  now: Instant,
): Promise<Instant | undefined> {
  const { rows } = await db.query<{ since: Instant }>(
    `UPDATE delivery_destinations SET failures = 0, paused_until = NULL, failing_since = coalesce(failing_since, $3)
     WHERE tenant_id = $1 AND id = $2 RETURNING failing_since AS since`,
    [tenantId, destinationId, toTimestamp(now)],
  )
  return rows[0] && instant(Number(rows[0].since))
}

/** A dead letter: given up, kept for a replay, and no longer in the way of what comes after it. */
export async function markDead(
  db: AcrossDb,
  { tenantId, id, attempts }: Claimed,
  { now, reason }: { now: Instant; reason: string },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE deliveries SET dead_at = $4, leased_until = NULL, reason = $5, expires_at = $6 WHERE ${fence}`,
    [...[tenantId, id, attempts, toTimestamp(now), reason, toTimestamp(addSeconds(now, deliveryLimits.keepDeadSeconds))]],
  )
  return rowCount === 1
}

export async function markDelayed(
  db: AcrossDb,
  { tenantId, id, attempts }: Claimed,
  { dueAt, reason }: { dueAt: Instant; reason: string },
): Promise<void> {
  await db.query(`UPDATE deliveries SET due_at = $4, leased_until = NULL, reason = $5 WHERE ${fence}`, [
    ...[tenantId, id, attempts, toTimestamp(dueAt), reason],
  ])
}

/** Nothing of this destination is tried before `until`. Tries that were under way together fail as one. Answers since when it has been failing. */
export async function pauseDestination(
  db: AcrossDb,
  { tenantId, destinationId, failures }: Pick<ClaimedDelivery, 'tenantId' | 'destinationId' | 'failures'>,
  { now, until }: { readonly now: Instant; readonly until: Instant },
): Promise<Instant | undefined> {
  const { rows } = await db.query<{ since: Instant }>(
    `UPDATE delivery_destinations SET failures = greatest(failures, $5 + 1), failing_since = coalesce(failing_since, $3), paused_until = greatest(paused_until, $4)
     WHERE tenant_id = $1 AND id = $2 RETURNING failing_since AS since`,
    [tenantId, destinationId, toTimestamp(now), toTimestamp(until), failures],
  )
  return rows[0] && instant(Number(rows[0].since))
}

/** Where it was called last, for the share of its host. */
export async function markOrigin(db: AcrossDb, { tenantId, destinationId }: Destination, origin: string): Promise<void> {
  await db.query('UPDATE delivery_destinations SET origin = $3 WHERE tenant_id = $1 AND id = $2 AND origin <> $3', [
    tenantId,
    destinationId,
    origin,
  ])
}

/** What waited for a destination that never came back is given up without a further try; answers how many of each kind. */
export async function giveUpOldDeliveriesAcrossTenants(
  db: AcrossDb,
  now: Instant,
  limit: number,
): Promise<readonly { readonly kind: DeliveryKind; readonly count: number }[]> {
  const { rows } = await db.query<{ kind: DeliveryKind; count: number }>(
    `WITH old AS (
       SELECT tenant_id, id FROM deliveries WHERE ${undone} AND begun_at <= $1 AND (leased_until IS NULL OR leased_until <= $2)
       ORDER BY begun_at LIMIT $4 FOR UPDATE SKIP LOCKED
     ), dead AS (
       UPDATE deliveries d SET dead_at = $2, leased_until = NULL, reason = coalesce(d.reason, 'its destination was paused for too long'), expires_at = $3
         FROM old WHERE d.tenant_id = old.tenant_id AND d.id = old.id RETURNING d.tenant_id, d.destination_id
     )
     SELECT t.kind, count(*)::int AS count FROM dead JOIN delivery_destinations t ON t.tenant_id = dead.tenant_id AND t.id = dead.destination_id GROUP BY 1`,
    [
      toTimestamp(addSeconds(now, -deliveryLimits.ageSeconds)),
      toTimestamp(now),
      toTimestamp(addSeconds(now, deliveryLimits.keepDeadSeconds)),
      limit,
    ],
  )
  return rows
}

export type DeliveryCounts = { readonly waiting: number; readonly dead: number }

/** For the alarms: what waits, and what was given up and not yet replayed or forgotten. */
export async function countDeliveriesAcrossTenants(db: AcrossDb): Promise<DeliveryCounts> {
  const { rows } = await db.query<DeliveryCounts>(
    `SELECT count(*) FILTER (WHERE ${undone})::int AS waiting, count(*) FILTER (WHERE dead_at IS NOT NULL)::int AS dead FROM deliveries
      WHERE ${undone} OR dead_at IS NOT NULL`,
  )
  return rows[0] ?? { waiting: 0, dead: 0 }
}
