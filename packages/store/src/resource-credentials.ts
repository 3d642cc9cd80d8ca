/** What resource servers prove themselves with at introspection and notices: kept as hashes, asked for anew at every call. */
import type { Instant } from '@drawbridge/core/instant'
import type { CredentialHash, ResourceId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

export type StoredResourceCredential = {
  readonly id: string
  readonly createdAt: Instant
  readonly expiresAt: Instant | undefined
  readonly revokedAt: Instant | undefined
}

type Row = { id: string; created_at: Instant; expires_at: Instant | null; revoked_at: Instant | null }

const toCredential = (row: Row): StoredResourceCredential => ({
  id: row.id,
  createdAt: row.created_at,
  expiresAt: row.expires_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined,
})

export async function insertResourceCredential(
  db: Db,
  tenant: TenantId,
  credential: { id: string; resourceId: ResourceId; secretHash: CredentialHash; now: Instant; expiresAt?: Instant | undefined },
): Promise<void> {
  await db.query(
    'INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)',
    [
      tenant,
      credential.id,
      credential.resourceId,
      credential.secretHash,
      toTimestamp(credential.now),
      credential.expiresAt === undefined ? null : toTimestamp(credential.expiresAt),
    ],
  )
}

/** Of one resource of the tenant, oldest first, revoked and expired ones too. */
export async function listResourceCredentials(
  db: Db,
  tenant: TenantId,
  resource: ResourceId,
  page: Page<MomentPosition>,
): Promise<readonly StoredResourceCredential[]> {
  const { rows } = await db.query<Row>(
    `SELECT id, created_at, expires_at, revoked_at FROM resource_credentials
     WHERE tenant_id = $1 AND resource_id = $2 AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4::uuid))
     ORDER BY created_at, id LIMIT $5`,
    [tenant, resource, ...momentParameters(page)],
  )
  return rows.map(toCredential)
}

export type WhichCredential = { readonly resourceId: ResourceId; readonly id: string }

/** From this commit on nobody is believed with it. Answers whether a living one was revoked. */
export async function markResourceCredentialRevoked(db: Db, tenant: TenantId, which: WhichCredential, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE resource_credentials SET revoked_at = $4 WHERE tenant_id = $1 AND resource_id = $2 AND id = $3 AND revoked_at IS NULL',
    [tenant, which.resourceId, which.id, toTimestamp(now)],
  )
  return rowCount === 1
}
