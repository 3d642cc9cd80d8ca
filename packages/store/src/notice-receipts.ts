/**
 * Receipts: which guard instances and event streams had to hear of an event, what became of it at each, and since when everything of its target is dead
 * everywhere. They belong to the tenant of the event, also where the resource is the vendor's, and outlive the notices; how long: `event-retention.ts`.
 *
 * `insertNotices` makes them, one for each stream that lives then. An instance that opens its stream later finds the barrier in its snapshot.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { WebhookEvent } from '@drawbridge/core/revocation/webhook'
import { type DeprovisioningEventId, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import type { Database } from './database.js'
import { deliveriesChannel } from './deliveries.js'
import { keptStatement } from './kept-statements.js'
import { type AcrossDb, acrossTenantsInOneStatement, asUuid, type Db, judged, toTimestamp } from './transaction.js'

const deadEverywhere = 'access.dead_everywhere' satisfies WebhookEvent

/** Nothing more is awaited: it has acknowledged, or was silent for so long that it refuses by itself. */
const isSettled = '(r.acknowledged_at IS NOT NULL OR r.lapsed_at IS NOT NULL)'

/** An event, and whose it is: at the front, those of many tenants are answered at once. */
export type DeprovisioningOfTenant = { readonly tenant: TenantId; readonly id: string }

/**
 * Marks those events dead, whose last receipt may have come just now, of which no instance is awaited any more, at the time of the last answer; answers how long each took since its barrier,
 * without those that nobody had to hear: they say nothing of how fast guards are.
 *
 * After the transaction that recorded the answers, never in it: of receivers that answer at once, each would see the others still missing. Whoever commits
 * last sees all of them. For one that dies in between the sweep marks it, with the same time (`markSweptDeadAcrossTenants`). Events are locked in the order of their ids.
 */
export async function markEventsDead(database: Database, answered: readonly DeprovisioningOfTenant[]): Promise<readonly number[]> {
  if (answered.length === 0) return []
  return acrossTenantsInOneStatement(database, (db) => markDead(db, answered))
}

/**
 * Whose last answer came, with nobody left to mark it, is looked for so long after the sweep. What one receiver never answers (a stream that was ended, say)
 * is not dead for as long as it is kept, and would else be looked at every minute.
 */
export const lookedForDeathSeconds = 7 * 86_400

/** `before`: where the look before this one ended. */
export type LookForDeath = { readonly since: Instant; readonly before: SweptPosition | undefined; readonly limit: number }
export type SweptPosition = { readonly sweptAt: Instant; readonly id: string }
/** `next`: undefined where that was the last. */
export type LookedForDeath = { readonly seconds: readonly number[]; readonly next: SweptPosition | undefined }

/** The same for what was swept since then: of `limit` events that are not dead, the newest first. */
export async function markSweptDeadAcrossTenants(db: AcrossDb, { since, before, limit }: LookForDeath): Promise<LookedForDeath> {
  const { rows } = await db.query<DeprovisioningOfTenant & SweptPosition>(undead, [
    ...[toTimestamp(since), before === undefined ? null : toTimestamp(before.sweptAt), before?.id ?? null, limit],
  ])
  if (rows.length === 0) return { seconds: [], next: undefined }
  const seconds = await markDead(db, rows)
  return { seconds, next: rows.length < limit ? undefined : rows.at(-1) }
}

/**
 * Within the sweep that has written who has to hear of these: what nobody has to is dead with it, for no answer will come to say so. A resource server
 * without a guard believes a token until it expires; that is why news of it says how many were due.
 */
export async function markUnheardDead(db: AcrossDb, events: readonly DeprovisioningOfTenant[]): Promise<void> {
  await markDead(db, events)
}

const undead = keptStatement(
  `SELECT tenant_id AS tenant, id, swept_at AS "sweptAt" FROM deprovisioning_events
    WHERE dead_at IS NULL AND swept_at IS NOT NULL AND receivers_folded_at IS NULL AND swept_at > $1
      AND (swept_at, id) < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    ORDER BY swept_at DESC, id DESC LIMIT $4`,
)

const iso = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** To the endpoints that hear it; behind what was said of the same person before. */
const newsOfDeath = `
  INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, due_at, created_at, begun_at)
  SELECT w.tenant_id, gen_random_uuid(), w.id, coalesce(person.id, dead.target_id), nextval('outbox_id_seq'), dead.id, '${deadEverywhere}',
    jsonb_build_object('type', '${deadEverywhere}', 'timestamp', ${iso('dead.dead_at')}, 'data', jsonb_strip_nulls(jsonb_build_object(
      'tenant', t.slug, 'eventId', dead.id, 'target', dead.target, 'targetId', dead.target_id, 'subject', person.id,
      'barrierAt', ${iso('dead.barrier_at')}, 'deadAt', ${iso('dead.dead_at')}, 'due', dead.receipts))), dead.dead_at, dead.dead_at, dead.dead_at
    FROM dead JOIN tenants t ON t.id = dead.tenant_id
    JOIN webhook_endpoints w ON w.tenant_id = ANY (ARRAY[dead.tenant_id, '${vendorTenantId}'::uuid]) AND w.disabled_at IS NULL AND '${deadEverywhere}' = ANY (w.events)
    LEFT JOIN LATERAL (
      SELECT dead.target_id AS id WHERE dead.target = 'subject'
      UNION ALL SELECT g.subject_id::text FROM grants g WHERE dead.target = 'grant' AND g.tenant_id = dead.tenant_id AND g.id = ${asUuid('dead.target_id')}) person ON true
  ON CONFLICT (tenant_id, event_id, destination_id, order_key, part) DO NOTHING RETURNING id`

// Found by the key of each event: the indexes of what is pending would be read whole, as long as little is known of the tables.
const markedDead = keptStatement(
  `WITH due AS MATERIALIZED (
     SELECT tenant_id, id FROM deprovisioning_events WHERE dead_at IS NULL AND (tenant_id, id) IN (
        SELECT e.tenant_id, e.id FROM deprovisioning_events e
         WHERE ${judged('e.dead_at IS NULL AND e.swept_at IS NOT NULL AND e.receivers_folded_at IS NULL')}
           AND NOT EXISTS (SELECT 1 FROM notice_receipts r WHERE r.tenant_id = e.tenant_id AND r.event_id = e.id AND ${judged(`NOT ${isSettled}`)})
           AND (e.tenant_id, e.id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[])))
      ORDER BY tenant_id, id FOR NO KEY UPDATE
   ), dead AS (
     UPDATE deprovisioning_events SET dead_at = greatest(swept_at, heard.last)
       FROM due CROSS JOIN LATERAL (SELECT count(*)::int AS receipts, max(coalesce(acknowledged_at, lapsed_at)) AS last FROM notice_receipts r
                                     WHERE r.tenant_id = due.tenant_id AND r.event_id = due.id) heard
      WHERE deprovisioning_events.tenant_id = due.tenant_id AND deprovisioning_events.id = due.id
      RETURNING deprovisioning_events.tenant_id, deprovisioning_events.id, target, target_id, barrier_at, dead_at, receipts
   ), told AS (${newsOfDeath})
   SELECT extract(epoch FROM dead_at - barrier_at)::float8 AS seconds, receipts, (SELECT pg_notify('${deliveriesChannel}', '') FROM told LIMIT 1)::text AS notified
     FROM dead`,
)

async function markDead(db: AcrossDb, events: readonly DeprovisioningOfTenant[]): Promise<readonly number[]> {
  const { rows } = await db.query<{ seconds: number; receipts: number }>(markedDead, [
    events.map(({ tenant }) => tenant),
    events.map(({ id }) => id),
  ])
  return rows.filter(({ receipts }) => receipts > 0).map(({ seconds }) => seconds)
}

export type Receiver = {
  readonly resource: string
  readonly instance: string
  readonly dueAt: string
  readonly notifiedAt: string | null
  readonly acknowledgedAt: string | null
  readonly refusedAt: string | null
  /** By which word of RFC 8935 §2.4 it said that it cannot believe the notice. */
  readonly refusal: string | null
  /** When it was given up as silent: by then it refuses, or asks about each token, by its own setting. */
  readonly lapsedAt: string | null
  /** Since when its stream is paused, so that it has not been told. */
  readonly pausedAt: string | null
}

export type RevocationReceipt = {
  readonly eventId: DeprovisioningEventId
  readonly source: string
  readonly target: string
  readonly targetId: string
  readonly reason: string
  /** False: it named nobody that we know; an alarm. */
  readonly matched: boolean
  /** As the source says it; null: it did not. */
  readonly toldAt: Instant | null
  readonly receivedAt: Instant
  readonly barrierAt: Instant
  readonly sweptAt: Instant | null
  readonly deadAt: Instant | null
  readonly secondsToDead: number | null
  /** How many instances had to hear of it, and what became of it. */
  readonly due: number
  readonly notified: number
  readonly acknowledged: number
  readonly refused: number
  readonly lapsed: number
  readonly paused: number
  /** Since when only the counts are left of the receipts. */
  readonly receiversFoldedAt: Instant | null
  /** Null: nobody asked for them, or they are folded. */
  readonly receivers: readonly Receiver[] | null
}

export type ReceiptFilter = {
  readonly since: Instant | undefined
  readonly until: Instant | undefined
  readonly matched: boolean | undefined
  readonly withReceivers: boolean
  /** Whose receivers alone are listed. The counts are of all. */
  readonly resource?: string | undefined
}

const counts = ['due', 'notified', 'acknowledged', 'refused', 'lapsed', 'paused'] as const

/** Of one event. Whoever runs more replicas than this sees by `due` that some are not listed; of one resource those are listed first that have acknowledged. */
export const mostReceiversListed = 1000

/** Newest first: what was taken away, and how far the news has come. `since` and `until` are times at which the event was received. */
export async function listRevocationReceipts(
  db: Db,
  tenant: TenantId,
  filter: ReceiptFilter,
  page: Page<MomentPosition>,
): Promise<readonly RevocationReceipt[]> {
  const { rows } = await db.query<RevocationReceipt>(
    `SELECT e.id AS "eventId", e.source, e.target, e.target_id AS "targetId", e.reason, e.matched, e.told_at AS "toldAt",
       e.received_at AS "receivedAt", e.barrier_at AS "barrierAt", e.swept_at AS "sweptAt", e.dead_at AS "deadAt",
       extract(epoch FROM e.dead_at - e.barrier_at)::float8 AS "secondsToDead",
       e.receivers_folded_at AS "receiversFoldedAt", ${counts.map((count) => `coalesce((e.folded_receipts ->> '${count}')::int, r.${count}) AS ${count}`).join(', ')},
       CASE WHEN e.receivers_folded_at IS NULL THEN l.receivers END AS receivers
     FROM (SELECT * FROM deprovisioning_events
            WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (received_at, id) < ($2, $3::uuid))
              AND ($5::timestamptz IS NULL OR received_at >= $5) AND ($6::timestamptz IS NULL OR received_at < $6) AND ($7::boolean IS NULL OR matched = $7)
            ORDER BY received_at DESC, id DESC LIMIT $4) e
     CROSS JOIN LATERAL (
       SELECT count(*)::int AS due, count(notified_at)::int AS notified, count(acknowledged_at)::int AS acknowledged,
         count(refused_at)::int AS refused, count(lapsed_at)::int AS lapsed, count(paused_at) FILTER (WHERE refused_at IS NULL)::int AS paused
         FROM notice_receipts WHERE tenant_id = $1 AND event_id = e.id) r
     LEFT JOIN LATERAL (
       SELECT coalesce(jsonb_agg(receiver ORDER BY resource, instance), '[]') AS receivers FROM (
         SELECT resource, instance, jsonb_build_object('resource', resource, 'instance', instance, 'dueAt', ${iso('due_at')}, 'notifiedAt', ${iso('notified_at')},
             'acknowledgedAt', ${iso('acknowledged_at')}, 'refusedAt', ${iso('refused_at')}, 'refusal', refusal, 'lapsedAt', ${iso('lapsed_at')},
             'pausedAt', ${iso('paused_at')}) AS receiver
           FROM notice_receipts WHERE tenant_id = $1 AND event_id = e.id AND ($9::text IS NULL OR resource = $9)
          ORDER BY resource, $9 IS NOT NULL AND acknowledged_at IS NULL, instance LIMIT ${mostReceiversListed}) listed) l ON $8
     ORDER BY e.received_at DESC, e.id DESC`,
    [
      tenant,
      ...momentParameters(page),
      filter.since === undefined ? null : toTimestamp(filter.since),
      filter.until === undefined ? null : toTimestamp(filter.until),
      filter.matched ?? null,
      filter.withReceivers,
      filter.resource ?? null,
    ],
  )
  return rows
}
