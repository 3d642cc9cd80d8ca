/** The barrier of many grants at once: for what ends grants one by one because no epoch of their subject, client or connection may move. */
import type { Instant } from '@drawbridge/core/instant'
import type { DeprovisioningSource } from '@drawbridge/core/revocation/deprovisioning-event'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { mayBeHeld } from './grants.js'
import { type Db, toTimestamp } from './transaction.js'

export type EndGrants = {
  /** A condition on `grants` and its parameters, `$6` and on. Ours, never input. */
  readonly which: { readonly sql: string; readonly parameters: readonly unknown[] }
  readonly source: DeprovisioningSource
  readonly reason: string
  readonly now: Instant
  readonly requestId: string | undefined
}

/**
 * Kills every living grant that is selected: raises its epoch, and lets every guard hear of it. Answers how many there were. One statement,
 * whatever their number; an event and a notice for each, because a guard knows grants and no sets of them.
 */
export async function endGrants(db: Db, tenant: TenantId, { which, source, reason, now, requestId }: EndGrants): Promise<number> {
  const { rows } = await db.query<{ ended: number }>(
    `WITH killed AS (
       UPDATE grants SET epoch = epoch + 1, revoked_at = $2, revoked_reason = $4
       WHERE tenant_id = $1 AND ${which.sql} AND revoked_at IS NULL AND ${mayBeHeld('grants', '$2')}
       RETURNING id, epoch, issuer_id, subject_id, client_id, connection_id, gen_random_uuid() AS event_id),
     told AS (
       INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
       SELECT $1, event_id, $5, 'grant', id::text, $4, $2, $2 FROM killed),
     audited AS (
       INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id)
       SELECT $1, $2, 'grant.deprovisioned', issuer_id, subject_id, client_id, connection_id, id, '{}', $4,
         jsonb_build_object('eventId', event_id, 'source', $5::text, 'matched', true, 'epoch', epoch), $3 FROM killed),
     queued AS (
       INSERT INTO outbox (tenant_id, kind, payload, created_at)
       SELECT $1, 'revoke', jsonb_build_object('eventId', event_id, 'target', 'grant', 'targetId', id, 'epoch', epoch), $2 FROM killed)
     SELECT count(*)::int AS ended, (SELECT pg_notify('drawbridge_outbox', $1::uuid::text) FROM killed LIMIT 1)::text AS notified FROM killed`,
    [tenant, toTimestamp(now), requestId ?? null, reason, source, ...which.parameters],
  )
  return rows[0]?.ended ?? 0
}
