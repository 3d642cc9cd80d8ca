/** MCP servers and APIs, their scopes, who may mint for them and what they prove themselves with. */
import type { Instant } from '@drawbridge/core/instant'
import type { SensitivityTier } from '@drawbridge/core/policy/decision'
import type { CredentialHash, IssuerId, ResourceId, ResourceIdentifier, Scope, TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

export type StoredScope = {
  readonly name: Scope
  readonly description: string
  readonly tier: SensitivityTier
  readonly isDefault: boolean
}

export type StoredResource = {
  /** The owner: another tenant than the reader's when the vendor shares it. */
  readonly tenantId: TenantId
  readonly id: ResourceId
  readonly identifier: ResourceIdentifier
  readonly name: string
  readonly accessTokenTtlSeconds: number | undefined
  readonly scopes: readonly StoredScope[]
  readonly issuerIds: readonly IssuerId[]
  readonly createdAt: Instant
}

type Row = {
  tenant_id: TenantId
  id: ResourceId
  identifier: ResourceIdentifier
  name: string
  access_token_ttl_seconds: number | null
  scopes: StoredScope[]
  issuer_ids: IssuerId[]
  created_at: Instant
}

const select = `SELECT r.tenant_id, r.id, r.identifier, r.name, r.access_token_ttl_seconds, r.created_at,
  (SELECT COALESCE(json_agg(json_build_object('name', s.name, 'description', s.description, 'tier', s.tier, 'isDefault', s.is_default) ORDER BY s.name), '[]')
     FROM resource_scopes AS s WHERE s.tenant_id = r.tenant_id AND s.resource_id = r.id) AS scopes,
  (SELECT COALESCE(json_agg(m.issuer_id ORDER BY m.issuer_id), '[]')
     FROM resource_issuers AS m WHERE m.tenant_id = r.tenant_id AND m.resource_id = r.id AND m.issuer_tenant_id = $1) AS issuer_ids
  FROM resources AS r`

const mintable = `(r.tenant_id = $1 OR EXISTS (SELECT 1 FROM resource_issuers AS m
  WHERE m.tenant_id = r.tenant_id AND m.resource_id = r.id AND m.issuer_tenant_id = $1))`

const toResource = (row: Row): StoredResource => ({
  tenantId: row.tenant_id,
  id: row.id,
  identifier: row.identifier,
  name: row.name,
  accessTokenTtlSeconds: row.access_token_ttl_seconds ?? undefined,
  scopes: row.scopes,
  issuerIds: row.issuer_ids,
  createdAt: row.created_at,
})

/** The tenant's own and the vendor's shared ones that its issuers may mint for. */
export async function listResources(db: Db, tenant: TenantId): Promise<readonly StoredResource[]> {
  const { rows } = await db.query<Row>(`${select} WHERE ${mintable} ORDER BY r.identifier`, [tenant])
  return rows.map(toResource)
}

/** Compared byte for byte, RFC 8707 §2. */
export async function findResourceByIdentifier(db: Db, tenant: TenantId, identifier: string): Promise<StoredResource | undefined> {
  const { rows } = await db.query<Row>(`${select} WHERE r.identifier = $2 AND ${mintable}`, [tenant, identifier])
  return rows[0] && toResource(rows[0])
}

export type ResourceDraft = {
  readonly id: ResourceId
  readonly identifier: ResourceIdentifier
  readonly name: string
  readonly accessTokenTtlSeconds?: number | undefined
  readonly scopes: readonly StoredScope[]
  /** Issuers of the same tenant that may mint for it; sharing with others is the vendor's act, `shareResource`. */
  readonly issuerIds: readonly IssuerId[]
  readonly now: Instant
}

/** Fails on an identifier that any tenant owns: unique violation. */
export async function insertResource(db: Db, tenant: TenantId, draft: ResourceDraft): Promise<void> {
  await db.query(
    'INSERT INTO resources (tenant_id, id, identifier, name, access_token_ttl_seconds, created_at) VALUES ($1, $2, $3, $4, $5, $6)',
    [tenant, draft.id, draft.identifier, draft.name, draft.accessTokenTtlSeconds ?? null, toTimestamp(draft.now)],
  )
  await replaceScopes(db, tenant, draft.id, draft.scopes)
  for (const issuerId of draft.issuerIds) await shareResource(db, tenant, { resourceId: draft.id, issuerTenantId: tenant, issuerId })
}

/** The scopes become exactly these. Grants keep the names that they hold; a name that is gone is no longer granted anew. */
export async function replaceScopes(db: Db, tenant: TenantId, resource: ResourceId, scopes: readonly StoredScope[]): Promise<void> {
  await db.query('DELETE FROM resource_scopes WHERE tenant_id = $1 AND resource_id = $2', [tenant, resource])
  for (const scope of scopes) {
    await db.query(
      'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, $3, $4, $5, $6)',
      [tenant, resource, scope.name, scope.description, scope.tier, scope.isDefault],
    )
  }
}

/** Lets an issuer mint for a resource. Only the vendor's resources may name another tenant's issuer: a CHECK refuses the rest. */
export async function shareResource(
  db: Db,
  owner: TenantId,
  share: { readonly resourceId: ResourceId; readonly issuerTenantId: TenantId; readonly issuerId: IssuerId },
): Promise<void> {
  await db.query(
    'INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
    [owner, share.resourceId, share.issuerTenantId, share.issuerId],
  )
}

export type StoredResourceCredential = {
  readonly id: string
  readonly resourceId: ResourceId
  readonly secretHash: CredentialHash
  readonly createdAt: Instant
  readonly expiresAt: Instant | undefined
  readonly revokedAt: Instant | undefined
}

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

type CredentialRow = {
  id: string
  resource_id: ResourceId
  secret_hash: CredentialHash
  created_at: Instant
  expires_at: Instant | null
  revoked_at: Instant | null
}

export async function findResourceCredential(db: Db, tenant: TenantId, id: string): Promise<StoredResourceCredential | undefined> {
  const { rows } = await db.query<CredentialRow>(
    'SELECT id, resource_id, secret_hash, created_at, expires_at, revoked_at FROM resource_credentials WHERE tenant_id = $1 AND id = $2',
    [tenant, id],
  )
  const row = rows[0]
  return (
    row && {
      id: row.id,
      resourceId: row.resource_id,
      secretHash: row.secret_hash,
      createdAt: row.created_at,
      expiresAt: row.expires_at ?? undefined,
      revokedAt: row.revoked_at ?? undefined,
    }
  )
}
