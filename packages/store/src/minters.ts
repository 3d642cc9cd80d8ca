/**
 * Who may mint for a resource: the list that its owner keeps, and what becomes of the grants when an issuer is taken off it.
 *
 * A grant holds its issuer's line of the list while it is opened (trigger `minter_held`), so whoever deletes the line and then ends the
 * grants in a later statement finds every one. Until then a refresh refuses and no new grant is opened.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { IssuerId, ResourceId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Page } from './admin-page.js'
import type { Database } from './database.js'
import { endGrants } from './end-grants.js'
import { acrossTenants, type Db } from './transaction.js'

export type Minter = { readonly resourceId: ResourceId; readonly issuerTenantId: TenantId; readonly issuerId: IssuerId }

/** Lets an issuer mint for a resource. Only the vendor's resources may name another tenant's issuer: a CHECK refuses the rest. */
export async function shareResource(db: Db, owner: TenantId, share: Minter): Promise<void> {
  await db.query(
    'INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
    [owner, share.resourceId, share.issuerTenantId, share.issuerId],
  )
}

/** Takes an issuer off the list. Follow it with `endGrantsOfMinter` in the issuer's tenant, in the same transaction: see `inTenantAndThen`. */
export async function unshareResource(db: Db, owner: TenantId, share: Minter): Promise<void> {
  await db.query('DELETE FROM resource_issuers WHERE tenant_id = $1 AND resource_id = $2 AND issuer_tenant_id = $3 AND issuer_id = $4', [
    owner,
    share.resourceId,
    share.issuerTenantId,
    share.issuerId,
  ])
}

export type ListedMinter = { readonly tenantId: TenantId; readonly slug: string; readonly issuerId: IssuerId; readonly issuer: string }

/** With whose own issuers a resource is shared, by slug: for its owner, who alone may see that list. What is shared with the front is with all. */
export async function listMintersAcrossTenants(
  database: Database,
  owner: TenantId,
  resource: ResourceId,
  page: Page<string>,
): Promise<readonly ListedMinter[]> {
  const { rows } = await acrossTenants(database, (db) =>
    db.query<ListedMinter>(
      `SELECT t.id AS "tenantId", t.slug, i.id AS "issuerId", i.url AS issuer FROM resource_issuers AS m
       JOIN tenants AS t ON t.id = m.issuer_tenant_id JOIN issuers AS i ON i.tenant_id = m.issuer_tenant_id AND i.id = m.issuer_id
       WHERE m.tenant_id = $1 AND m.resource_id = $2 AND i.kind = 'tenant' AND t.slug > $3 ORDER BY t.slug, i.id LIMIT $4`,
      [owner, resource, page.from ?? '', page.limit],
    ),
  )
  return rows
}

/** The memberships at the front issuer that may mint for a resource: as many as there are tenants. */
export async function listFrontMintersAcrossTenants(
  database: Database,
  owner: TenantId,
  resource: ResourceId,
): Promise<readonly Omit<Minter, 'resourceId'>[]> {
  const { rows } = await acrossTenants(database, (db) =>
    db.query<Omit<Minter, 'resourceId'>>(
      `SELECT m.issuer_tenant_id AS "issuerTenantId", m.issuer_id AS "issuerId" FROM resource_issuers AS m
       JOIN issuers AS i ON i.tenant_id = m.issuer_tenant_id AND i.id = m.issuer_id
       WHERE m.tenant_id = $1 AND m.resource_id = $2 AND i.kind = 'front_member' ORDER BY m.issuer_tenant_id`,
      [owner, resource],
    ),
  )
  return rows
}

export type EndGrantsOfMinter = {
  readonly resourceTenantId: TenantId
  readonly resourceId: ResourceId
  readonly issuerId: IssuerId
  readonly now: Instant
  readonly requestId: string
}

/** Kills every living grant of one issuer for one resource; answers how many there were. A guard knows no barrier of a resource. */
export const endGrantsOfMinter = (db: Db, tenant: TenantId, end: EndGrantsOfMinter): Promise<number> =>
  endGrants(db, tenant, {
    which: {
      sql: 'resource_tenant_id = $6 AND resource_id = $7 AND issuer_id = $8',
      parameters: [end.resourceTenantId, end.resourceId, end.issuerId],
    },
    source: 'admin',
    reason: 'resource_withdrawn',
    now: end.now,
    requestId: end.requestId,
  })
