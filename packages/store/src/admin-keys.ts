/** Keys to the admin API: kept as hashes, bound to the vendor or to one tenant. */
import type { Instant } from '@drawbridge/core/instant'
import type { CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import type { Database } from './database.js'
import { acrossTenants, type Db, toTimestamp } from './transaction.js'

export type StoredAdminKey = {
  readonly tenantId: TenantId
  readonly id: string
  readonly name: string
  readonly permissions: readonly string[]
  readonly createdAt: Instant
  readonly expiresAt: Instant | undefined
  readonly revokedAt: Instant | undefined
  /** Made by a lab or demonstration: refused by an installation of another kind. */
  readonly marked: 'lab' | 'demo' | undefined
}

type Row = {
  tenant_id: TenantId
  id: string
  name: string
  permissions: string[]
  created_at: Instant
  expires_at: Instant | null
  revoked_at: Instant | null
  marked: 'lab' | 'demo' | null
}

const columns = 'tenant_id, id, name, permissions, created_at, expires_at, revoked_at, marked'
const toKey = (row: Row): StoredAdminKey => ({
  tenantId: row.tenant_id,
  id: row.id,
  name: row.name,
  permissions: row.permissions,
  createdAt: row.created_at,
  expiresAt: row.expires_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined,
  marked: row.marked ?? undefined,
})

export async function insertAdminKey(
  db: Db,
  tenant: TenantId,
  key: {
    readonly id: string
    readonly name: string
    readonly secretHash: CredentialHash
    readonly permissions: readonly string[]
    readonly marked?: 'lab' | 'demo' | undefined
    readonly expiresAt?: Instant | undefined
    readonly now: Instant
  },
): Promise<void> {
  await db.query(
    'INSERT INTO admin_keys (tenant_id, id, name, secret_hash, permissions, created_at, expires_at, marked) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
    [
      tenant,
      key.id,
      key.name,
      key.secretHash,
      [...key.permissions],
      toTimestamp(key.now),
      key.expiresAt === undefined ? null : toTimestamp(key.expiresAt),
      key.marked ?? null,
    ],
  )
}

/** The key presented names its tenant, so this look-up comes before the tenant is known. Whether it still holds is the caller's to judge. */
export async function findAdminKeyAcrossTenants(database: Database, hash: CredentialHash): Promise<StoredAdminKey | undefined> {
  const { rows } = await acrossTenants(database, (db) => db.query<Row>(`SELECT ${columns} FROM admin_keys WHERE secret_hash = $1`, [hash]))
  return rows[0] && toKey(rows[0])
}

/** Oldest first. */
export async function listAdminKeys(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly StoredAdminKey[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM admin_keys WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
     ORDER BY created_at, id LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows.map(toKey)
}

/** Answers whether a living key was revoked. */
export async function markAdminKeyRevoked(db: Db, tenant: TenantId, id: string, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query('UPDATE admin_keys SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL', [
    tenant,
    id,
    toTimestamp(now),
  ])
  return rowCount === 1
}
