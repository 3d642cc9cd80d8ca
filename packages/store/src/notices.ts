/** Signed news to resource servers, at gapless positions, and who has had it. */
import type { Instant } from '@drawbridge/core/instant'
import type { IssuerId, ResourceId, TenantId } from '@drawbridge/core/tenant/ids'
import { type AcrossDb, toTimestamp } from './transaction.js'

/** NOTIFY channel; its payload is the resource's id. */
export const noticesChannel = 'drawbridge_notices'

export type StoredNotice = { readonly position: number; readonly jti: string; readonly token: string }
export type NoticesFor = {
  readonly tenantId: TenantId
  readonly resourceId: ResourceId
  /** Who signed them: streams opened elsewhere do not carry them. */
  readonly issuer: { readonly tenant: TenantId; readonly id: IssuerId }
  readonly createdAt: Instant
  readonly expiresAt: Instant
}
export type NewNotice = { readonly eventId: string; readonly jti: string; readonly token: string }

/**
 * Writes notices at the resource's next positions and wakes the brokers at commit. The row lock makes positions gapless. Each stream that lives
 * owes a receipt from here on, for every notice that tells a deprovisioning event.
 */
export async function insertNotices(db: AcrossDb, to: NoticesFor, notices: readonly NewNotice[]): Promise<void> {
  await db.query(
    `WITH raised AS (
       UPDATE resources SET notice_position = notice_position + $10 WHERE tenant_id = $1 AND id = $2
         RETURNING notice_position - $10 AS before, identifier
     ), due AS (
       INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at)
       SELECT e.tenant_id, e.id, s.id, raised.identifier, s.instance, $6
         FROM raised, deprovisioning_events e, notice_streams s
        WHERE e.tenant_id = $8 AND e.id = ANY ($4::uuid[])
          AND s.tenant_id = $1 AND s.resource_id = $2 AND s.closed_at IS NULL AND s.issuer_tenant_id = $8 AND s.issuer_id = $9
       ON CONFLICT DO NOTHING
     ), written AS (
       INSERT INTO notices (tenant_id, resource_id, position, jti, event_id, token, created_at, expires_at, issuer_tenant_id, issuer_id)
       SELECT $1, $2, before + n.ordinal, n.jti, n.event_id, n.token, $6, $7, $8, $9
       FROM raised, unnest($3::uuid[], $4::uuid[], $5::text[]) WITH ORDINALITY AS n (jti, event_id, token, ordinal) RETURNING resource_id
     )
     SELECT pg_notify('${noticesChannel}', resource_id::text) FROM written LIMIT 1`,
    [
      ...[
        to.tenantId,
        to.resourceId,
        notices.map(({ jti }) => jti),
        notices.map(({ eventId }) => eventId),
        notices.map(({ token }) => token),
      ],
      ...[toTimestamp(to.createdAt), toTimestamp(to.expiresAt), to.issuer.tenant, to.issuer.id, notices.length],
    ],
  )
}

export type SealedNoticeKey = { readonly id: string; readonly sealedPrivateKey: Buffer }

/** The key that signs this issuer's notices now, sealed. */
export async function findActiveNoticeKey(db: AcrossDb, tenant: TenantId, issuerId: IssuerId): Promise<SealedNoticeKey | undefined> {
  const { rows } = await db.query<SealedNoticeKey>(
    `SELECT id, sealed_private_key AS "sealedPrivateKey" FROM signing_keys
      WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = 'notices' AND state = 'active'
      ORDER BY activated_at DESC NULLS LAST LIMIT 1`,
    [tenant, issuerId],
  )
  return rows[0]
}

/** What expires by time: notices, their delivery records, revocations. Each at most `limit` rows per call. */
export async function deleteExpiredNoticesAcrossTenants(db: AcrossDb, now: Instant, limit: number): Promise<number> {
  const at = toTimestamp(now)
  const notices = await db.query(
    `WITH gone AS (
       DELETE FROM notices WHERE (tenant_id, resource_id, position) IN
         (SELECT tenant_id, resource_id, position FROM notices WHERE expires_at < $1 LIMIT $2) RETURNING tenant_id, resource_id, position
     ), records AS (
       DELETE FROM notice_deliveries USING gone WHERE notice_deliveries.tenant_id = gone.tenant_id
          AND notice_deliveries.resource_id = gone.resource_id AND notice_deliveries.position = gone.position
     ) SELECT 1 FROM gone`,
    [at, limit],
  )
  const revocations = await db.query(
    'DELETE FROM revocations WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM revocations WHERE expires_at < $1 LIMIT $2)',
    [at, limit],
  )
  return notices.rowCount + revocations.rowCount
}
