/** Event streams that hold back more than they may, and what an admin sees of the streams of a resource. */
import type { Instant } from '@drawbridge/core/instant'
import { eventStreamLimits, type StatusReason } from '@drawbridge/core/signals/event-stream'
import type { IssuerKind, ResourceId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type EventStream, type OwnEvent, streamColumns } from './event-streams.js'
import { noticesChannel } from './notices.js'
import { firstOwedAt, hasLivingCredential, owed } from './owed-notices.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type BoundsAt = { readonly now: Instant; readonly oldest: Instant; readonly silentSince: Instant; readonly limit: number }

const held = eventStreamLimits.heldNotices

/** Streams to be ended or held, locked, each with the reason. Those that somebody else looks at are left to him. */
export async function listStreamsBeyondBoundsAcrossTenants(
  db: AcrossDb,
  { now, oldest, silentSince, limit }: BoundsAt,
): Promise<readonly (EventStream & { readonly beyond: StatusReason })[]> {
  const { rows } = await db.query<EventStream & { readonly beyond: StatusReason }>(
    `SELECT ${streamColumns}, beyond FROM event_streams s CROSS JOIN LATERAL (SELECT CASE
         WHEN ${firstOwedAt} < $2 THEN 'backlog_too_old'
         WHEN (SELECT r.notice_position FROM resources r WHERE r.tenant_id = s.tenant_id AND r.id = s.resource_id) - s.position > ${held}
           AND (SELECT count(*) FROM (SELECT 1 FROM notices n WHERE ${owed} ORDER BY n.position LIMIT ${held + 1}) counted) > ${held}
           THEN 'backlog_too_long'
         WHEN s.method = 'poll' AND s.heard_at < $3 THEN 'inactive'
         WHEN s.method = 'push' AND s.status = 'enabled' AND NOT ${hasLivingCredential('$1')} THEN 'credential_ended' END AS beyond) judged
      WHERE s.status <> 'disabled' AND beyond IS NOT NULL ORDER BY s.created_at, s.id LIMIT $4 FOR UPDATE OF s SKIP LOCKED`,
    [toTimestamp(now), toTimestamp(oldest), toTimestamp(silentSince), limit],
  )
  return rows
}

/**
 * Streams that owe nothing move past what they do not carry: whoever looks for what they owe reads on from there, and not from the last event that
 * they wanted. What commits later has a higher position.
 */
export async function moveIdleStreamsAcrossTenants(db: AcrossDb): Promise<void> {
  await db.query(
    `WITH idle AS MATERIALIZED (
       SELECT s.tenant_id, s.id, r.notice_position FROM event_streams s JOIN resources r ON r.tenant_id = s.tenant_id AND r.id = s.resource_id
        WHERE s.status <> 'disabled' AND s.position < r.notice_position AND ${firstOwedAt} IS NULL FOR UPDATE OF s SKIP LOCKED)
     UPDATE event_streams s SET position = idle.notice_position, delivered_to = greatest(s.delivered_to, idle.notice_position), answered = '{}'
       FROM idle WHERE s.tenant_id = idle.tenant_id AND s.id = idle.id`,
  )
}

/** That a stream was disabled is tried to be told for so long, and no longer. */
export async function forgetOwnEventsAcrossTenants(db: AcrossDb, disabledBefore: Instant): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE event_streams SET own_events = '[]' WHERE status = 'disabled' AND own_events <> '[]' AND status_at < $1`,
    [toTimestamp(disabledBefore)],
  )
  return rowCount
}

export type ListedStream = Pick<
  EventStream,
  'id' | 'description' | 'method' | 'endpointUrl' | 'eventsRequested' | 'status' | 'statusReason' | 'statusBy'
> & {
  readonly issuer: string
  readonly statusAt: Instant
  readonly createdAt: Instant
  readonly heardAt: Instant
  /** Counted up to `mostWaitingCounted`. */
  readonly waiting: number
  readonly oldestWaitingAt: Instant | null
  readonly refusals: number
  readonly failures: number
  readonly trouble: string | null
  readonly tryAt: Instant | null
}
export const mostWaitingCounted = 10_000

/** Of one resource of the owner, oldest first. The issuers may be other tenants'. */
export async function listStreamsOfResourceAcrossTenants(
  db: AcrossDb,
  owner: TenantId,
  resource: ResourceId,
  page: Page<MomentPosition>,
): Promise<readonly ListedStream[]> {
  const { rows } = await db.query<ListedStream>(
    `SELECT s.id, s.description, s.method, s.endpoint_url AS "endpointUrl", s.events_requested AS "eventsRequested", s.status, s.status_reason AS "statusReason",
       s.status_by AS "statusBy", s.status_at AS "statusAt", s.created_at AS "createdAt", s.heard_at AS "heardAt", s.refusals, s.failures, s.trouble,
       s.try_at AS "tryAt", i.url AS issuer, w.waiting, w.oldest AS "oldestWaitingAt"
     FROM event_streams s JOIN issuers i ON i.tenant_id = s.issuer_tenant_id AND i.id = s.issuer_id
     CROSS JOIN LATERAL (SELECT count(*)::int AS waiting, min(created_at) AS oldest FROM
       (SELECT n.created_at FROM notices n WHERE ${owed} AND s.status <> 'disabled' ORDER BY n.position LIMIT ${mostWaitingCounted}) counted) w
     WHERE s.tenant_id = $1 AND s.resource_id = $2 AND ($3::timestamptz IS NULL OR (s.created_at, s.id) > ($3, $4::uuid))
     ORDER BY s.created_at, s.id LIMIT $5`,
    [owner, resource, ...momentParameters(page)],
  )
  return rows
}

export type StreamOfOwner = { readonly owner: TenantId; readonly resourceId: ResourceId; readonly id: string }
/** Whose news it carries, and who signs what it is told of itself. */
export type CarriedFor = { readonly slug: string; readonly kind: IssuerKind; readonly audience: string }

export async function findCarriedForAcrossTenants(db: AcrossDb, { owner, resourceId, id }: StreamOfOwner): Promise<CarriedFor | undefined> {
  const { rows } = await db.query<CarriedFor>(
    `SELECT t.slug, i.kind, r.identifier AS audience
       FROM event_streams s JOIN tenants t ON t.id = s.issuer_tenant_id JOIN issuers i ON i.tenant_id = s.issuer_tenant_id AND i.id = s.issuer_id
       JOIN resources r ON r.tenant_id = s.tenant_id AND r.id = s.resource_id
      WHERE s.tenant_id = $1 AND s.resource_id = $2 AND s.id = $3`,
    [owner, resourceId, id],
  )
  return rows[0]
}

export type Hold = { readonly reason: string | undefined; readonly now: Instant; readonly event: OwnEvent }

/** An operator holds a stream, whoever had paused it. False: there is none that could be held. */
export async function holdStream(db: Db, stream: StreamOfOwner, hold: Hold): Promise<boolean> {
  const { owner, resourceId, id } = stream
  const { rowCount } = await db.query(
    `UPDATE event_streams SET status = 'paused', status_reason = $4, status_by = 'operator', status_at = $5, own_events = $6, ${noLease}
      WHERE tenant_id = $1 AND resource_id = $2 AND id = $3 AND status <> 'disabled'`,
    [owner, resourceId, id, hold.reason ?? null, toTimestamp(hold.now), JSON.stringify([hold.event])],
  )
  return tellIf(db, rowCount === 1, stream, { became: 'paused', now: hold.now })
}

/** Lets go what an operator holds. One that went beyond its bounds meanwhile stays disabled, and is its receiver's to enable. False: nobody holds it. */
export async function letStreamGo(db: Db, stream: StreamOfOwner, { now, event }: Omit<Hold, 'reason'>): Promise<boolean> {
  const { owner, resourceId, id } = stream
  const { rowCount } = await db.query(
    `UPDATE event_streams SET status_by = 'receiver', status_at = $4, status_reason = CASE status WHEN 'paused' THEN NULL ELSE status_reason END,
       own_events = CASE status WHEN 'paused' THEN $5::jsonb ELSE own_events END, status = CASE status WHEN 'paused' THEN 'enabled' ELSE status END, ${noLease}
      WHERE tenant_id = $1 AND resource_id = $2 AND id = $3 AND status_by = 'operator'`,
    [owner, resourceId, id, toTimestamp(now), JSON.stringify([event])],
  )
  return tellIf(db, rowCount === 1, stream, { became: 'enabled', now })
}

const noLease = 'lease_id = NULL, lease_until = NULL, try_at = NULL'
type Became = { readonly became: 'paused' | 'enabled' | 'deleted'; readonly now: Instant }

/** The stream rests with the resource's owner, the receipts with the tenants whose news it carried: one transaction for both (migration 0118). */
async function tellReceiptsOfOwnStream(db: Db, { id }: StreamOfOwner, { became, now }: Became): Promise<void> {
  await db.query('SELECT tell_receipts_of_own_stream($1, $2, $3)', [id, became, toTimestamp(now)])
}

async function tellIf(db: Db, isDone: boolean, stream: StreamOfOwner, became: Became): Promise<boolean> {
  if (!isDone) return false
  await tellReceiptsOfOwnStream(db, stream, became)
  await db.query('SELECT pg_notify($1, $2)', [noticesChannel, stream.resourceId])
  return true
}

/** What it still owed is not told, and its receipts say so. False: there is none. */
export async function deleteStreamOfResource(db: Db, stream: StreamOfOwner, now: Instant): Promise<boolean> {
  const key = [stream.owner, stream.resourceId, stream.id]
  const ofKey = 'event_streams WHERE tenant_id = $1 AND resource_id = $2 AND id = $3'
  const { rowCount } = await db.query(`SELECT 1 FROM ${ofKey} FOR UPDATE`, key)
  if (rowCount === 0) return false
  await tellReceiptsOfOwnStream(db, stream, { became: 'deleted', now })
  await db.query(`DELETE FROM ${ofKey}`, key)
  return true
}
