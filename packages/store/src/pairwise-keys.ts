/** The key behind the pairwise `sub`s of a tenant: one, made when it is first needed and never replaced. */
import type { Instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type SealedPairwiseKey = { readonly id: string; readonly sealed: Buffer }

/** Of two that make it at once one wins, and both are answered that one. */
export async function insertPairwiseKey(
  db: Db,
  tenant: TenantId,
  { id, sealed, now }: SealedPairwiseKey & { readonly now: Instant },
): Promise<SealedPairwiseKey> {
  await db.query(
    'INSERT INTO pairwise_keys (tenant_id, id, sealed_key, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id) DO NOTHING',
    [tenant, id, sealed, toTimestamp(now)],
  )
  const kept = await findPairwiseKey(db, tenant)
  if (!kept) throw new Error('invariant broken: a pairwise key is never taken away')
  return kept
}

export async function findPairwiseKey(db: Db | AcrossDb, tenant: TenantId): Promise<SealedPairwiseKey | undefined> {
  const { rows } = await db.query<SealedPairwiseKey>('SELECT id, sealed_key AS sealed FROM pairwise_keys WHERE tenant_id = $1', [tenant])
  return rows[0]
}
