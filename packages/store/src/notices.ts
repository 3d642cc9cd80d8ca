/** Signed news to resource servers, at gapless positions, and who has had it. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { eventTypeOf, noticeHoldSeconds } from '@drawbridge/core/signals/event-stream'
import type { IssuerId, ResourceId, TenantId } from '@drawbridge/core/tenant/ids'
import type { ChangeChannel } from './changes.js'
import { keptStatement } from './kept-statements.js'
import { owed } from './owed-notices.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

/** NOTIFY channel; its payload is the resource's id. */
export const noticesChannel = 'drawbridge_notices' satisfies ChangeChannel

export type StoredNotice = { readonly position: number; readonly jti: string; readonly token: string }
export type NoticesFor = {
  readonly tenantId: TenantId
  readonly resourceId: ResourceId
  /** Who signed them: streams opened elsewhere do not carry them. */
  readonly issuer: { readonly tenant: TenantId; readonly id: IssuerId }
  /** Whose events are told, where that is not the tenant of the issuer that signed them: those of a member of the front. */
  readonly eventTenant?: TenantId | undefined
  readonly createdAt: Instant
  readonly expiresAt: Instant
}
export type NewNotice = { readonly eventId: string; readonly jti: string; readonly token: string }

const insertedNotices = keptStatement(`WITH raised AS (
     UPDATE resources SET notice_position = notice_position + $10 WHERE tenant_id = $1 AND id = $2
       RETURNING notice_position - $10 AS before, identifier
   ), given AS (
     SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::text[], $11::text[]) WITH ORDINALITY AS n (jti, event_id, token, event_type, ordinal)
   ), receivers AS (
     SELECT id, instance, NULL::text[] AS wanted, NULL::timestamptz AS paused_at, false AS is_ended FROM notice_streams
      WHERE tenant_id = $1 AND resource_id = $2 AND closed_at IS NULL AND issuer_tenant_id = $8 AND issuer_id = $9
     UNION ALL
     SELECT id, 'event stream ' || id, events_requested, CASE WHEN status = 'paused' THEN $6::timestamptz END, status = 'disabled' FROM event_streams
      WHERE tenant_id = $1 AND resource_id = $2 AND (status <> 'disabled' OR status_by <> 'receiver') AND issuer_tenant_id = $8 AND issuer_id = $9
   ), due AS (
     INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at, paused_at, refused_at, refusal)
     SELECT e.tenant_id, e.id, r.id, raised.identifier, r.instance, $6, r.paused_at, CASE WHEN r.is_ended THEN $6::timestamptz END,
         CASE WHEN r.is_ended THEN 'stream_disabled' END
       FROM raised, given, receivers r, deprovisioning_events e
      WHERE e.tenant_id = $13 AND e.id = given.event_id AND (r.wanted IS NULL OR given.event_type = ANY (r.wanted))
     ON CONFLICT DO NOTHING
   ), written AS (
     INSERT INTO notices (tenant_id, resource_id, position, jti, event_id, token, created_at, expires_at, issuer_tenant_id, issuer_id, event_tenant_id, event_type)
     SELECT $1, $2, before + n.ordinal, n.jti, n.event_id, n.token, $6,
       CASE WHEN EXISTS (SELECT 1 FROM event_streams WHERE tenant_id = $1 AND resource_id = $2 AND status <> 'disabled'
                            AND issuer_tenant_id = $8 AND issuer_id = $9) THEN greatest($7::timestamptz, $12) ELSE $7 END,
       $8, $9, $13, n.event_type
     FROM raised, given n RETURNING resource_id
   )
   SELECT pg_notify('${noticesChannel}', resource_id::text) FROM written LIMIT 1`)

/**
 * Writes notices at the resource's next positions and wakes brokers and workers at commit. The row lock makes positions gapless. Each stream that
 * is owed one owes a receipt from here on, for every notice that tells a deprovisioning event; one that we have ended will not hear it, goes on believing,
 * and so nothing is called dead everywhere. Where a receiver may be away for long, what it is
 * owed is kept for longer than that.
 */
export async function insertNotices(db: AcrossDb, to: NoticesFor, notices: readonly NewNotice[]): Promise<void> {
  await db.query(insertedNotices, [
    ...[
      to.tenantId,
      to.resourceId,
      notices.map(({ jti }) => jti),
      notices.map(({ eventId }) => eventId),
      notices.map(({ token }) => token),
    ],
    ...[toTimestamp(to.createdAt), toTimestamp(to.expiresAt), to.issuer.tenant, to.issuer.id, notices.length],
    ...[notices.map(({ token }) => eventTypeOf(token) ?? null), toTimestamp(addSeconds(to.createdAt, noticeHoldSeconds))],
    to.eventTenant ?? to.issuer.tenant,
  ])
}

export type SealedKey = { readonly id: string; readonly algorithm: string; readonly sealedPrivateKey: Buffer }

const activeKey = keptStatement(`SELECT id, algorithm, sealed_private_key AS "sealedPrivateKey" FROM signing_keys
    WHERE tenant_id = $1 AND issuer_id = $2 AND purpose = $3 AND state = 'active'
    ORDER BY activated_at DESC NULLS LAST LIMIT 1`)

/** The key that signs for this issuer now, sealed. */
export async function findActiveKey(
  db: AcrossDb,
  tenant: TenantId,
  { issuerId, purpose }: { readonly issuerId: IssuerId; readonly purpose: 'tokens' | 'notices' },
): Promise<SealedKey | undefined> {
  const { rows } = await db.query<SealedKey>(activeKey, [tenant, issuerId, purpose])
  return rows[0]
}

/** At most `limit` notices that have expired, with their delivery records; answers how many notices. What an event stream still owes stays. */
export async function deleteExpiredNoticesAcrossTenants(db: AcrossDb, now: Instant, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `WITH gone AS (
       DELETE FROM notices WHERE ctid = ANY (ARRAY(
         SELECT n.ctid FROM notices n
           WHERE n.expires_at < $1 AND NOT EXISTS (SELECT 1 FROM event_streams s WHERE s.status <> 'disabled' AND ${owed}) ORDER BY n.expires_at LIMIT $2)) RETURNING tenant_id, resource_id, position
     ), records AS (
       DELETE FROM notice_deliveries USING gone WHERE notice_deliveries.tenant_id = gone.tenant_id
          AND notice_deliveries.resource_id = gone.resource_id AND notice_deliveries.position = gone.position
     ) SELECT 1 FROM gone`,
    [toTimestamp(now), limit],
  )
  return rowCount
}
