/**
 * Event streams of receivers that speak the standard: made, changed, held and ended. What they carry is read in `event-stream-delivery`.
 *
 * Each belongs to a resource and to the issuer at whose address it was made. It begins with what may still matter: the notices that are younger
 * than a guard's snapshot reaches back, which is the longest life of a token and a margin. So it does when it was disabled in between.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { revocationKeepSeconds } from '@drawbridge/core/revocation/revocation-plan'
import {
  type DeliveryMethod,
  eventStreamLimits,
  noticeHoldSeconds,
  type StatusSetter,
  type StreamStatus,
} from '@drawbridge/core/signals/event-stream'
import type { Issuer, IssuerId, ResourceId, TenantId } from '@drawbridge/core/tenant/ids'
import type { ProvenResource, StreamIssuer } from './notice-streams.js'
import { noticesChannel } from './notices.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

export type EventStream = {
  /** Of the resource's owner. */
  readonly tenantId: TenantId
  readonly id: string
  readonly resourceId: ResourceId
  readonly issuerTenantId: TenantId
  readonly issuerId: IssuerId
  readonly description: string | null
  readonly method: DeliveryMethod
  readonly endpointUrl: string | null
  readonly sealedAuthorization: Buffer | null
  readonly eventsRequested: readonly string[] | null
  readonly status: StreamStatus
  readonly statusReason: string | null
  readonly statusBy: StatusSetter
}

/** What a receiver sets. */
export type EventStreamConfiguration = Pick<
  EventStream,
  'description' | 'method' | 'endpointUrl' | 'sealedAuthorization' | 'eventsRequested'
>

/** Of `event_streams` alone. */
export const streamColumns = `tenant_id AS "tenantId", id, resource_id AS "resourceId", issuer_tenant_id AS "issuerTenantId", issuer_id AS "issuerId", description, method,
  endpoint_url AS "endpointUrl", sealed_authorization AS "sealedAuthorization", events_requested AS "eventsRequested", status, status_reason AS "statusReason",
  status_by AS "statusBy"`

/** Streams of one resource at one issuer: no caller sees those of another. */
export type StreamsOf = { readonly resource: Pick<ProvenResource, 'tenantId' | 'resourceId'>; readonly issuer: StreamIssuer }

const keyOf = ({ resource, issuer }: StreamsOf) => [resource.tenantId, resource.resourceId, issuer.tenantId, issuer.id]
const ofThese = 'tenant_id = $1 AND resource_id = $2 AND issuer_tenant_id = $3 AND issuer_id = $4'

export async function listEventStreams(db: AcrossDb, of: StreamsOf): Promise<readonly EventStream[]> {
  const { rows } = await db.query<EventStream>(
    `SELECT ${streamColumns} FROM event_streams WHERE ${ofThese} ORDER BY created_at, id`,
    keyOf(of),
  )
  return rows
}

/** The stream, locked, and marked as heard of: a receiver has named it. */
export async function findEventStreamHeard(db: AcrossDb, of: StreamsOf, id: string, now: Instant): Promise<EventStream | undefined> {
  const { rows } = await db.query<EventStream>(
    `UPDATE event_streams SET heard_at = $6 WHERE ${ofThese} AND id = $5 RETURNING ${streamColumns}`,
    [...keyOf(of), id, toTimestamp(now)],
  )
  return rows[0]
}

export type NewEventStream = StreamsOf &
  EventStreamConfiguration & { readonly id: string; readonly credentialId: string; readonly now: Instant }

/** False: there are as many as there may be. */
export async function insertEventStream(db: AcrossDb, stream: NewEventStream): Promise<boolean> {
  const { tenantId, resourceId } = stream.resource
  // Whatever commits earlier is at a position that is seen here, whatever commits later gets a higher one.
  await db.query('SELECT 1 FROM resources WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE', [tenantId, resourceId])
  if ((await listEventStreams(db, stream)).length >= eventStreamLimits.streams) return false
  const position = await holdWhatLives(db, stream, stream.now)
  await db.query(
    `INSERT INTO event_streams (tenant_id, resource_id, issuer_tenant_id, issuer_id, id, credential_id, description, method, endpoint_url, sealed_authorization,
       events_requested, status, status_by, status_at, position, delivered_to, created_at, heard_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'enabled', 'receiver', $12, $13, $13, $12, $12)`,
    [...keyOf(stream), stream.id, stream.credentialId, ...configurationOf(stream), toTimestamp(stream.now), position],
  )
  await wake(db, resourceId)
  return true
}

const configurationOf = (set: EventStreamConfiguration) => [
  set.description,
  set.method,
  set.endpointUrl,
  set.sealedAuthorization,
  set.eventsRequested,
]

/** Where a stream begins, and that nothing from there on goes before the stream may have been away for its longest. */
async function holdWhatLives(db: AcrossDb, of: StreamsOf, now: Instant): Promise<number> {
  const since = toTimestamp(addSeconds(now, -revocationKeepSeconds))
  const { rows } = await db.query<{ position: number }>(
    `SELECT coalesce((SELECT min(position) - 1 FROM notices WHERE ${ofThese} AND created_at > $5), notice_position) AS position
       FROM resources WHERE tenant_id = $1 AND id = $2`,
    [...keyOf(of), since],
  )
  const position = rows[0]?.position ?? 0
  await db.query(
    `UPDATE notices SET expires_at = created_at + interval '${noticeHoldSeconds} seconds'
      WHERE ${ofThese} AND position > $5 AND expires_at < created_at + interval '${noticeHoldSeconds} seconds'`,
    [...keyOf(of), position],
  )
  return position
}

/** Who pushes it now has no say any more: at most the one event that is under way still goes to where the stream pointed before. */
const letGo = 'lease_id = NULL, lease_until = NULL, failures = 0, disbelieved = 0, trouble = NULL, try_at = NULL'

/** The stream must be locked. Whoever sets it up vouches for it with his credential from now on. */
export async function updateEventStream(
  db: AcrossDb,
  { tenantId, id, resourceId }: EventStream,
  set: EventStreamConfiguration & { readonly credentialId: string },
): Promise<void> {
  await db.query(
    `UPDATE event_streams SET credential_id = $3, description = $4, method = $5, endpoint_url = $6, sealed_authorization = $7, events_requested = $8, ${letGo}
      WHERE tenant_id = $1 AND id = $2`,
    [tenantId, id, set.credentialId, ...configurationOf(set)],
  )
  await wake(db, resourceId)
}

export type StatusChange = {
  readonly status: StreamStatus
  readonly reason: string | undefined
  readonly by: StatusSetter
  readonly now: Instant
  /** Of the receiver who asks for it. */
  readonly credentialId?: string
  /** What the receiver is told of it over the stream; nothing, where it asked for it. */
  readonly event?: OwnEvent
}
export type OwnEvent = { readonly jti: string; readonly kind: 'verification' | 'stream-updated'; readonly token: string }

/** The stream must be locked. A disabled one that is enabled begins anew; a paused one goes on where it stood. */
export async function changeEventStreamStatus(db: AcrossDb, stream: EventStream, change: StatusChange): Promise<void> {
  const { tenantId, id, resourceId } = stream
  if (stream.status === 'disabled' && change.status !== 'disabled') await beginAnew(db, stream, change.now)
  await db.query(
    `UPDATE event_streams SET status = $3, status_reason = $4, status_by = $5, status_at = $6, credential_id = coalesce($7, credential_id), own_events = $8, ${letGo}
      WHERE tenant_id = $1 AND id = $2`,
    [
      ...[tenantId, id, change.status, change.reason ?? null, change.by, toTimestamp(change.now), change.credentialId ?? null],
      JSON.stringify(change.event === undefined ? [] : [change.event]),
    ],
  )
  await tellReceipts(db, id, change)
  await wake(db, resourceId)
}

async function beginAnew(db: AcrossDb, stream: EventStream, now: Instant): Promise<void> {
  const { tenantId, id, resourceId, issuerTenantId, issuerId } = stream
  await db.query('SELECT 1 FROM resources WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE', [tenantId, resourceId])
  const of = { resource: { tenantId, resourceId }, issuer: { tenantId: issuerTenantId, id: issuerId } }
  const position = await holdWhatLives(db, of, now)
  await db.query(`UPDATE event_streams SET position = $3, delivered_to = $3, answered = '{}' WHERE tenant_id = $1 AND id = $2`, [
    tenantId,
    id,
    position,
  ])
}

/** Whom a stream that ended still owed something has not heard, and is never called to have. At the front, the receipts are of many tenants. */
export async function tellReceipts(
  db: AcrossDb,
  streamId: string,
  { status, now }: { readonly status: StreamStatus | 'deleted'; readonly now: Instant },
): Promise<void> {
  const change = {
    enabled: 'paused_at = NULL',
    paused: 'paused_at = coalesce(paused_at, $2)',
    disabled: `refused_at = $2, refusal = 'stream_disabled'`,
    deleted: `refused_at = $2, refusal = 'stream_deleted'`,
  }[status]
  await db.query(
    `UPDATE notice_receipts SET ${change}
      WHERE stream_id = $1 AND acknowledged_at IS NULL AND lapsed_at IS NULL AND refused_at IS NULL AND $2::timestamptz IS NOT NULL`,
    [streamId, toTimestamp(now)],
  )
}

export async function deleteEventStream(db: AcrossDb, stream: EventStream, now: Instant): Promise<void> {
  await db.query('DELETE FROM event_streams WHERE tenant_id = $1 AND id = $2', [stream.tenantId, stream.id])
  await tellReceipts(db, stream.id, { status: 'deleted', now })
}

/** False: one was asked for since `notSince`. The newest replaces one that has not been taken yet. */
export async function askForVerification(
  db: AcrossDb,
  { tenantId, id, resourceId }: EventStream,
  asked: { readonly event: OwnEvent; readonly credentialId: string; readonly now: Instant; readonly notSince: Instant },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE event_streams SET verified_at = $3, credential_id = $4, try_at = NULL,
       own_events = coalesce((SELECT jsonb_agg(e) FROM jsonb_array_elements(own_events) e WHERE e ->> 'kind' <> 'verification'), '[]') || $5::jsonb
      WHERE tenant_id = $1 AND id = $2 AND status = 'enabled' AND (verified_at IS NULL OR verified_at <= $6)`,
    [tenantId, id, toTimestamp(asked.now), asked.credentialId, JSON.stringify([asked.event]), toTimestamp(asked.notSince)],
  )
  if (rowCount === 1) await wake(db, resourceId)
  return rowCount === 1
}

/** Polls that wait, and workers that push. */
async function wake(db: AcrossDb, resourceId: ResourceId): Promise<void> {
  await db.query('SELECT pg_notify($1, $2)', [noticesChannel, resourceId])
}

/** Who signs what a stream is told of itself, and for whom. */
export async function findStreamIssuer(
  db: AcrossDb,
  { tenantId, resourceId, issuerTenantId, issuerId }: EventStream,
): Promise<{ readonly url: Issuer; readonly audience: string } | undefined> {
  const { rows } = await db.query<{ url: Issuer; audience: string }>(
    `SELECT i.url, r.identifier AS audience FROM issuers i, resources r WHERE i.tenant_id = $1 AND i.id = $2 AND r.tenant_id = $3 AND r.id = $4`,
    [issuerTenantId, issuerId, tenantId, resourceId],
  )
  return rows[0]
}
