/** The relay's side of the outbox: what must be handed to the queue, and what is done. The write side is in `outbox.ts`. */
import type { Instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type AcrossDb, toTimestamp } from './transaction.js'

export type WaitingEntry = {
  readonly tenantId: TenantId
  readonly id: number
  readonly kind: string
  readonly payload: unknown
  /** Null: never relayed. */
  readonly relayedAt: Instant | null
}
export type Claim = { readonly limit: number; readonly relayedBefore: Instant }

/**
 * Locks entries that nobody has relayed, or that were relayed so long ago that the queue must have lost them. Two relays never get the
 * same entry at the same time; an entry whose relay dies before its commit is simply claimed again.
 */
export async function claimOutboxAcrossTenants(db: AcrossDb, claim: Claim): Promise<readonly WaitingEntry[]> {
  const { rows } = await db.query<WaitingEntry>(
    `SELECT tenant_id AS "tenantId", id, kind, payload, relayed_at AS "relayedAt" FROM outbox
      WHERE done_at IS NULL AND (relayed_at IS NULL OR relayed_at < $1)
      ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED`,
    [toTimestamp(claim.relayedBefore), claim.limit],
  )
  return rows
}

export async function markRelayedAcrossTenants(db: AcrossDb, entries: readonly WaitingEntry[], now: Instant): Promise<void> {
  await db.query(
    `UPDATE outbox SET relayed_at = $1
       FROM unnest($2::uuid[], $3::bigint[]) AS relayed (tenant_id, id)
      WHERE outbox.tenant_id = relayed.tenant_id AND outbox.id = relayed.id`,
    [toTimestamp(now), entries.map((entry) => entry.tenantId), entries.map((entry) => entry.id)],
  )
}

/** True for exactly one transaction that commits: a second run of the same job waits for the first and then finds it done. */
export async function lockUndoneEntry(db: AcrossDb, tenant: TenantId, id: number): Promise<boolean> {
  const { rowCount } = await db.query('SELECT 1 FROM outbox WHERE tenant_id = $1 AND id = $2 AND done_at IS NULL FOR UPDATE', [tenant, id])
  return rowCount === 1
}

/** Belongs into the handler's own transaction, so that the work and the mark commit together. */
export async function markDone(db: AcrossDb, tenant: TenantId, id: number, now: Instant): Promise<void> {
  await db.query('UPDATE outbox SET done_at = $3 WHERE tenant_id = $1 AND id = $2', [tenant, id, toTimestamp(now)])
}

export async function countUndoneAcrossTenants(db: AcrossDb): Promise<number> {
  const { rows } = await db.query<{ count: number }>('SELECT count(*) AS count FROM outbox WHERE done_at IS NULL')
  return rows[0]?.count ?? 0
}

/** Only what is done is ever swept. */
export async function deleteDoneAcrossTenants(db: AcrossDb, doneBefore: Instant, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `DELETE FROM outbox WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM outbox WHERE done_at < $1 ORDER BY done_at LIMIT $2)`,
    [toTimestamp(doneBefore), limit],
  )
  return rowCount
}
