/** Deliveries as an admin sees them: what waits, what arrived, what was given up and is tried again because she says so. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { type DeliveryKind, deliveryLimits } from '@drawbridge/core/revocation/delivery'
import type { WebhookEvent } from '@drawbridge/core/revocation/webhook'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { deliveriesChannel } from './deliveries.js'
import { type Db, toTimestamp } from './transaction.js'

export const deliveryStates = ['waiting', 'delivered', 'dead'] as const
export type DeliveryState = (typeof deliveryStates)[number]

export type DeliveryRecord = {
  readonly id: string
  readonly kind: DeliveryKind
  readonly destinationId: string
  /** Of a client. */
  readonly clientId: string | null
  readonly eventId: string
  readonly orderKey: string
  readonly state: DeliveryState
  readonly attempts: number
  readonly reason: string | null
  readonly createdAt: Instant
  readonly dueAt: Instant
  readonly deliveredAt: Instant | null
  readonly deadAt: Instant | null
  /** Nothing is tried there before. */
  readonly pausedUntil: Instant | null
  readonly failingSince: Instant | null
}

const state = `CASE WHEN d.expires_at IS NULL THEN 'waiting' WHEN d.dead_at IS NULL THEN 'delivered' ELSE 'dead' END`

/** Newest first. */
export async function listDeliveries(
  db: Db,
  tenant: TenantId,
  filter: { readonly state: DeliveryState | undefined; readonly destinationId: string | undefined },
  page: Page<MomentPosition>,
): Promise<readonly DeliveryRecord[]> {
  const { rows } = await db.query<DeliveryRecord>(
    `SELECT d.id, t.kind, t.id AS "destinationId", t.client_id AS "clientId", d.event_id AS "eventId", d.order_key AS "orderKey", ${state} AS state,
       d.attempts, d.reason, d.created_at AS "createdAt", d.due_at AS "dueAt", d.delivered_at AS "deliveredAt", d.dead_at AS "deadAt",
       t.paused_until AS "pausedUntil", t.failing_since AS "failingSince"
     FROM deliveries d JOIN delivery_destinations t ON t.tenant_id = d.tenant_id AND t.id = d.destination_id
     WHERE d.tenant_id = $1 AND ($2::timestamptz IS NULL OR (d.created_at, d.id) < ($2, $3::uuid)) AND ($5::text IS NULL OR ${state} = $5)
       AND ($6::uuid IS NULL OR d.destination_id = $6)
     ORDER BY d.created_at DESC, d.id DESC LIMIT $4`,
    [tenant, ...momentParameters(page), filter.state ?? null, filter.destinationId ?? null],
  )
  return rows
}

/** Of one call. Whoever has more calls again. */
export const mostReplayed = 1000

/** By its own id, or whatever is dead (of one destination). */
export type WhichDead = { readonly id: string } | { readonly destinationId: string | undefined }

/**
 * What was given up is due again now, under the id it had, with as many tries as a new one; its destination is tried at once. Answers how many. It
 * takes its old place in the order: what came after it and has arrived is not taken back. So that somebody is back is left dead where its receiver was
 * to hear afterwards that she is gone: it would be the last word. What arrived is forgotten after a week; older than that, nobody knows any more.
 */
export async function replayDead(db: Db, tenant: TenantId, which: WhichDead, now: Instant): Promise<number> {
  const [id, destination] = 'id' in which ? [which.id, null] : [null, which.destinationId ?? null]
  const { rows } = await db.query<{ count: number }>(
    `WITH gone AS MATERIALIZED (
       SELECT destination_id, order_key, max(sequence) AS sequence FROM deliveries
        WHERE tenant_id = $1 AND part = '${'subject.deactivated' satisfies WebhookEvent}' GROUP BY destination_id, order_key
     ), chosen AS (
       SELECT d.id FROM deliveries d LEFT JOIN gone ON gone.destination_id = d.destination_id AND gone.order_key = d.order_key
        WHERE d.tenant_id = $1 AND d.dead_at IS NOT NULL AND ($2::uuid IS NULL OR d.id = $2) AND ($3::uuid IS NULL OR d.destination_id = $3)
          AND (d.part <> '${'subject.reinstated' satisfies WebhookEvent}' OR (d.created_at > $5 AND d.sequence > coalesce(gone.sequence, 0)))
       ORDER BY d.sequence, d.ordinal LIMIT ${mostReplayed} FOR UPDATE OF d SKIP LOCKED
     ), again AS (
       UPDATE deliveries d SET dead_at = NULL, expires_at = NULL, attempts = 0, due_at = $4, begun_at = $4, leased_until = NULL
         FROM chosen WHERE d.tenant_id = $1 AND d.id = chosen.id RETURNING d.destination_id
     ), opened AS (
       UPDATE delivery_destinations SET paused_until = NULL WHERE tenant_id = $1 AND id IN (SELECT destination_id FROM again) AND paused_until IS NOT NULL
     )
     SELECT count(*)::int AS count, (SELECT pg_notify('${deliveriesChannel}', '') FROM again LIMIT 1)::text AS notified FROM again`,
    [tenant, id, destination, toTimestamp(now), toTimestamp(addSeconds(now, -deliveryLimits.keepDeliveredSeconds))],
  )
  return rows[0]?.count ?? 0
}

/** Whether there is such a delivery of the tenant, in whatever state. */
export async function isDelivery(db: Db, tenant: TenantId, id: string): Promise<boolean> {
  return (await db.query('SELECT 1 FROM deliveries WHERE tenant_id = $1 AND id = $2', [tenant, id])).rowCount === 1
}
