/** MCP servers and APIs with their scopes. Who may mint for them is in `minters`, what they prove themselves with in `resource-credentials`. */
import type { Instant } from '@drawbridge/core/instant'
import type { SensitivityTier } from '@drawbridge/core/policy/decision'
import type { IssuerId, ResourceId, ResourceIdentifier, Scope, TenantId } from '@drawbridge/core/tenant/ids'
import type { Page } from './admin-page.js'
import { shareResource } from './minters.js'
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
  /** What it asks to be told of people; read and checked by `core/oauth/userinfo`. */
  readonly toldOfPeople: unknown
  /** Since when it asks what it asks now, as far as that is known. */
  readonly toldOfPeopleAt: Instant | undefined
  readonly scopes: readonly StoredScope[]
  /** Of the tenant's own that may mint for it. Its membership at the front is none of them. */
  readonly issuerIds: readonly IssuerId[]
  readonly createdAt: Instant
}

type Row = {
  tenant_id: TenantId
  id: ResourceId
  identifier: ResourceIdentifier
  name: string
  access_token_ttl_seconds: number | null
  told_of_people: unknown
  told_of_people_at: Instant | null
  scopes: StoredScope[]
  issuer_ids: IssuerId[]
  created_at: Instant
}

const select = `SELECT r.tenant_id, r.id, r.identifier, r.name, r.access_token_ttl_seconds, r.told_of_people, r.told_of_people_at, r.created_at,
  (SELECT COALESCE(json_agg(json_build_object('name', s.name, 'description', s.description, 'tier', s.tier, 'isDefault', s.is_default) ORDER BY s.name), '[]')
     FROM resource_scopes AS s WHERE s.tenant_id = r.tenant_id AND s.resource_id = r.id) AS scopes,
  (SELECT COALESCE(json_agg(m.issuer_id ORDER BY m.issuer_id), '[]')
     FROM resource_issuers AS m JOIN issuers AS i ON i.tenant_id = m.issuer_tenant_id AND i.id = m.issuer_id
    WHERE m.tenant_id = r.tenant_id AND m.resource_id = r.id AND m.issuer_tenant_id = $1 AND i.kind = 'tenant') AS issuer_ids
  FROM resources AS r`

const mintable = `(r.tenant_id = $1 OR EXISTS (SELECT 1 FROM resource_issuers AS m
  WHERE m.tenant_id = r.tenant_id AND m.resource_id = r.id AND m.issuer_tenant_id = $1))`

const toResource = (row: Row): StoredResource => ({
  tenantId: row.tenant_id,
  id: row.id,
  identifier: row.identifier,
  name: row.name,
  accessTokenTtlSeconds: row.access_token_ttl_seconds ?? undefined,
  toldOfPeople: row.told_of_people ?? undefined,
  toldOfPeopleAt: row.told_of_people_at ?? undefined,
  scopes: row.scopes,
  issuerIds: row.issuer_ids,
  createdAt: row.created_at,
})

/** The tenant's own and the vendor's shared ones that its issuers may mint for, by identifier. */
export async function listResources(db: Db, tenant: TenantId, page: Page<string>): Promise<readonly StoredResource[]> {
  const { rows } = await db.query<Row>(`${select} WHERE ${mintable} AND r.identifier > $2 ORDER BY r.identifier LIMIT $3`, [
    tenant,
    page.from ?? '',
    page.limit,
  ])
  return rows.map(toResource)
}

/** A resource that the tenant owns: what is only shared with it is not its to change. */
export async function findOwnResource(db: Db, tenant: TenantId, id: ResourceId): Promise<StoredResource | undefined> {
  const { rows } = await db.query<Row>(`${select} WHERE r.tenant_id = $1 AND r.id = $2`, [tenant, id])
  return rows[0] && toResource(rows[0])
}

/** What is left out stays; `null`: no limit of its own. The identifier is for ever. Answers whether the tenant owns it. */
export async function updateResource(
  db: Db,
  tenant: TenantId,
  id: ResourceId,
  change: {
    readonly name?: string | undefined
    readonly accessTokenTtlSeconds?: number | null | undefined
    readonly toldOfPeople?: unknown
    readonly now: Instant
  },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE resources SET name = coalesce($3, name), access_token_ttl_seconds = CASE WHEN $4::boolean THEN $5::int ELSE access_token_ttl_seconds END,
       told_of_people = coalesce($6, told_of_people),
       told_of_people_at = CASE WHEN $6::jsonb IS DISTINCT FROM told_of_people AND $6 IS NOT NULL THEN $7 ELSE told_of_people_at END
     WHERE tenant_id = $1 AND id = $2`,
    [
      ...[tenant, id, change.name ?? null, change.accessTokenTtlSeconds !== undefined, change.accessTokenTtlSeconds ?? null],
      change.toldOfPeople === undefined ? null : JSON.stringify(change.toldOfPeople),
      toTimestamp(change.now),
    ],
  )
  return rowCount === 1
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
  readonly toldOfPeople?: unknown
  readonly scopes: readonly StoredScope[]
  /** Issuers of the same tenant that may mint for it; sharing with others is the vendor's act, `shareResource`. */
  readonly issuerIds: readonly IssuerId[]
  readonly now: Instant
}

/** Fails on an identifier that any tenant owns: unique violation. */
export async function insertResource(db: Db, tenant: TenantId, draft: ResourceDraft): Promise<void> {
  await db.query(
    `INSERT INTO resources (tenant_id, id, identifier, name, access_token_ttl_seconds, told_of_people, created_at, told_of_people_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $6::jsonb IS NOT NULL THEN $7::timestamptz END)`,
    [
      ...[tenant, draft.id, draft.identifier, draft.name, draft.accessTokenTtlSeconds ?? null],
      ...[draft.toldOfPeople === undefined ? null : JSON.stringify(draft.toldOfPeople), toTimestamp(draft.now)],
    ],
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
