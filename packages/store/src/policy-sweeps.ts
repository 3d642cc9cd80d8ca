/** How far the grants of a tenant have been decided again, after a policy that was published with effect at once. */
import type { Instant } from '@drawbridge/core/instant'
import { lastLookSeconds, type SettleGrantsPayload, settleGrantsEntry } from '@drawbridge/core/revocation/settled-grants'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

export type PolicySweep = {
  readonly version: number
  readonly demandedAt: Instant
  /** When every grant that there was had been decided again. */
  readonly settledAt: Instant | null
  readonly lookedAt: number
  readonly shrunk: number
  /** Their tokens are dead, and what is left is decided when they are refreshed. */
  readonly deferred: number
  readonly ended: number
}

/**
 * Belongs into the transaction that publishes. From its commit on nothing is said or issued of a grant that was decided under a lower version,
 * whatever has become of the worker.
 */
export async function demandPolicySweep(db: Db, tenant: TenantId, version: number, now: Instant): Promise<void> {
  await db.query(
    `WITH barred AS (UPDATE tenants SET policy_barrier = $2 WHERE id = $1),
     demanded AS (INSERT INTO policy_sweeps (tenant_id, version, demanded_at, progressed_at) VALUES ($1, $2, $3, $3)),
     queued AS (
       INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, '${settleGrantsEntry}', jsonb_build_object('version', $2::int), $3))
     SELECT pg_notify('drawbridge_outbox', $1::uuid::text)`,
    [tenant, version, toTimestamp(now)],
  )
}

/** The same for every tenant, by a policy of the vendor. The schema refuses it to every other tenant's transaction. */
export async function demandPolicySweepsEverywhere(db: Db, now: Instant): Promise<void> {
  await db.query('SELECT demand_policy_sweeps_everywhere($1)', [toTimestamp(now)])
}

/** `undefined`: that version demanded none. */
export async function findPolicySweep(db: Db, tenant: TenantId, version: number): Promise<PolicySweep | undefined> {
  const { rows } = await db.query<PolicySweep>(
    `SELECT version, demanded_at AS "demandedAt", settled_at AS "settledAt", looked_at AS "lookedAt", shrunk, deferred, ended
     FROM policy_sweeps WHERE tenant_id = $1 AND version = $2::bigint`,
    [tenant, version],
  )
  return rows[0]
}

export type SweepEntry = { readonly id: number; readonly payload: SettleGrantsPayload }
/** What comes after this piece of the work. One that waits comes a last look's pause later; a version without `due_at` takes it for handed over. */
export type NextPiece = { readonly payload: SettleGrantsPayload; readonly waits: boolean }

/**
 * Ends this piece and, in the same statement, begins the next: at the end of the queue, so that one large tenant holds up no other. Of a piece
 * that runs twice one run alone does it. Before a piece that waits, every grant that could be seen has been settled.
 */
export async function endSweepPiece(db: Db, tenant: TenantId, entry: SweepEntry, next: NextPiece | undefined, now: Instant): Promise<void> {
  await db.query(
    `WITH done AS (UPDATE outbox SET done_at = $3 WHERE tenant_id = $1 AND id = $2 AND done_at IS NULL RETURNING id),
     settled AS (
       UPDATE policy_sweeps SET settled_at = COALESCE(settled_at, $3), progressed_at = $3
       WHERE tenant_id = $1 AND version <= $4 AND settled_at IS NULL AND $6 AND EXISTS (SELECT 1 FROM done)),
     queued AS (
       INSERT INTO outbox (tenant_id, kind, payload, created_at, relayed_at, due_at)
       SELECT $1, '${settleGrantsEntry}', $5::jsonb, $3, CASE WHEN $6 THEN $3::timestamptz END, CASE WHEN $6 THEN $3::timestamptz + interval '${lastLookSeconds} seconds' ELSE '-infinity' END FROM done WHERE $5::jsonb IS NOT NULL RETURNING id)
     SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM queued WHERE NOT $6`,
    [
      ...[tenant, entry.id, toTimestamp(now), entry.payload.version],
      ...[next === undefined ? null : JSON.stringify(next.payload), next === undefined || next.waits],
    ],
  )
}
