/**
 * The streams of guard instances: opened with a snapshot and the position at which the stream goes on, so that nothing lies between.
 *
 * The job that revokes locks the resource's row before it writes. Opening takes the same lock in share mode first and reads the
 * revocations after it: whatever committed earlier is in the snapshot, whatever commits later gets a higher position.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { CredentialHash, ResourceId, ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import type { StoredNotice } from './notices.js'
import type { RevocationTarget } from './revocations.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

/** A guard polls at least every 25 s; one that is silent for this long has stopped, and must take a new snapshot. */
export const streamLapseSeconds = 90

export type ProvenResource = { readonly tenantId: TenantId; readonly resourceId: ResourceId; readonly identifier: ResourceIdentifier }
export type SnapshotEntry = {
  readonly issuer: string
  readonly target: RevocationTarget
  readonly targetId: string
  readonly epoch: number
}
export type OpenedStream = { readonly position: number; readonly snapshot: readonly SnapshotEntry[] }
export type NewStream = { readonly id: string; readonly resource: ProvenResource; readonly instance: string; readonly now: Instant }
export type StreamKey = { readonly id: string; readonly resource: ProvenResource }

/**
 * The resource of a credential, as seen from one tenant's issuer: a resource that all tenants share belongs to the vendor, so the look-up
 * crosses tenants and asks instead whether this tenant's issuer may mint for it.
 */
export async function findResourceCredentialAcrossTenants(
  db: AcrossDb,
  asked: { readonly issuerTenant: TenantId; readonly credentialId: string; readonly now: Instant },
): Promise<(ProvenResource & { readonly secretHash: CredentialHash }) | undefined> {
  const { rows } = await db.query<ProvenResource & { readonly secretHash: CredentialHash }>(
    `SELECT r.tenant_id AS "tenantId", r.id AS "resourceId", r.identifier, c.secret_hash AS "secretHash"
       FROM resource_credentials c JOIN resources r ON r.tenant_id = c.tenant_id AND r.id = c.resource_id
      WHERE c.id = $2 AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > $3)
        AND EXISTS (SELECT 1 FROM resource_issuers i
                     WHERE i.tenant_id = r.tenant_id AND i.resource_id = r.id AND i.issuer_tenant_id = $1)`,
    [asked.issuerTenant, asked.credentialId, toTimestamp(asked.now)],
  )
  return rows[0]
}

/** Opens a stream. The snapshot holds barriers that the worker has not swept yet as well. It names no earlier stream of the instance closed: two issuers may each serve one to the same instance. */
export async function openStreamAcrossTenants(db: AcrossDb, stream: NewStream): Promise<OpenedStream> {
  const { tenantId, resourceId } = stream.resource
  const at = toTimestamp(stream.now)
  const locked = await db.query<{ position: number }>(
    'SELECT notice_position AS position FROM resources WHERE tenant_id = $1 AND id = $2 FOR SHARE',
    [tenantId, resourceId],
  )
  const position = locked.rows[0]?.position ?? 0
  const { rows } = await db.query<SnapshotEntry>(
    `SELECT issuers.url AS issuer, v.target, v.target_id AS "targetId", max(v.epoch) AS epoch
       FROM (SELECT tenant_id, issuer_id, target, target_id, epoch FROM revocations WHERE expires_at > $3
             UNION ALL SELECT o.tenant_id, i.id, o.payload ->> 'target', o.payload ->> 'targetId', (o.payload ->> 'epoch')::int
               FROM outbox o JOIN issuers i ON i.tenant_id = o.tenant_id WHERE o.done_at IS NULL AND o.kind = 'revoke') v
       JOIN issuers ON issuers.tenant_id = v.tenant_id AND issuers.id = v.issuer_id
      WHERE (v.tenant_id, v.issuer_id) IN (
              SELECT issuer_tenant_id, issuer_id FROM resource_issuers WHERE tenant_id = $1 AND resource_id = $2
              UNION SELECT tenant_id, issuer_id FROM grants WHERE resource_tenant_id = $1 AND resource_id = $2 AND expires_at > $3)
      GROUP BY issuers.url, v.target, v.target_id`,
    [tenantId, resourceId, at],
  )
  await db.query(
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, acknowledged, opened_at, heard_at)
     VALUES ($1, $2, $3, $4, $5, $6, $6)`,
    [tenantId, stream.id, resourceId, stream.instance, position, at],
  )
  return { position, snapshot: rows }
}

/** Keeps the stream alive; false when it is unknown, closed, another resource's, or has not been heard since `lapsedBefore`. */
export async function hearStream(db: AcrossDb, stream: StreamKey, now: Instant, lapsedBefore: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE notice_streams SET heard_at = $4
      WHERE tenant_id = $1 AND id = $2 AND resource_id = $3 AND closed_at IS NULL AND heard_at >= $5`,
    [stream.resource.tenantId, stream.id, stream.resource.resourceId, toTimestamp(now), toTimestamp(lapsedBefore)],
  )
  return rowCount === 1
}

/** Records what the instance has taken, then moves the stream to the last position before which nothing is missing. */
export async function acknowledgeNotices(db: AcrossDb, stream: StreamKey, jtis: readonly string[], now: Instant): Promise<void> {
  if (jtis.length === 0) return
  const { tenantId, resourceId } = stream.resource
  await db.query(
    `UPDATE notice_deliveries SET acknowledged_at = $4 FROM notices
      WHERE notice_deliveries.tenant_id = $1 AND notice_deliveries.stream_id = $2 AND notice_deliveries.acknowledged_at IS NULL
        AND notices.tenant_id = $1 AND notices.resource_id = $3 AND notices.position = notice_deliveries.position
        AND notices.jti::text = ANY ($5::text[])`,
    [tenantId, stream.id, resourceId, toTimestamp(now), jtis],
  )
  await db.query(
    `UPDATE notice_streams SET acknowledged = greatest(acknowledged, coalesce(
       (SELECT min(position) - 1 FROM notice_deliveries WHERE tenant_id = $1 AND stream_id = $2 AND acknowledged_at IS NULL),
       (SELECT max(position) FROM notice_deliveries WHERE tenant_id = $1 AND stream_id = $2), 0))
     WHERE tenant_id = $1 AND id = $2`,
    [tenantId, stream.id],
  )
}

/** What the instance has not acknowledged, oldest first. What was delivered but not acknowledged comes again: RFC 8936 §2.4. */
export async function takeNotices(db: AcrossDb, stream: StreamKey, now: Instant, limit: number): Promise<readonly StoredNotice[]> {
  const { rows } = await db.query<StoredNotice>(
    `WITH taken AS (
       SELECT n.position, n.jti::text AS jti, n.token FROM notice_streams s
         JOIN notices n ON n.tenant_id = s.tenant_id AND n.resource_id = s.resource_id AND n.position > s.acknowledged
         LEFT JOIN notice_deliveries d ON d.tenant_id = s.tenant_id AND d.stream_id = s.id AND d.position = n.position
        WHERE s.tenant_id = $1 AND s.id = $2 AND d.acknowledged_at IS NULL
        ORDER BY n.position LIMIT $5
     ), recorded AS (
       INSERT INTO notice_deliveries (tenant_id, stream_id, resource_id, position, delivered_at)
       SELECT $1, $2, $3, position, $4 FROM taken ON CONFLICT DO NOTHING
     )
     SELECT position, jti, token FROM taken ORDER BY position`,
    [stream.resource.tenantId, stream.id, stream.resource.resourceId, toTimestamp(now), limit],
  )
  return rows
}

/**
 * Whether a revocation that concerns this resource has waited for the worker since `before`: then there is more to hear than the table of
 * notices holds, and an empty answer is no sign that nothing was revoked.
 */
export async function hasLateRevocation(db: AcrossDb, resource: ProvenResource, before: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT 1 FROM outbox WHERE done_at IS NULL AND kind = 'revoke' AND created_at < $3
        AND tenant_id IN (SELECT issuer_tenant_id FROM resource_issuers WHERE tenant_id = $1 AND resource_id = $2) LIMIT 1`,
    [resource.tenantId, resource.resourceId, toTimestamp(before)],
  )
  return rowCount > 0
}

/** Streams that have stopped listening are closed: "dead everywhere" waits only for those that live. */
export async function closeLapsedStreamsAcrossTenants(db: AcrossDb, now: Instant, lapsedBefore: Instant): Promise<number> {
  const { rowCount } = await db.query('UPDATE notice_streams SET closed_at = $1 WHERE closed_at IS NULL AND heard_at < $2', [
    toTimestamp(now),
    toTimestamp(lapsedBefore),
  ])
  return rowCount
}
