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
import { acrossTenants, type Db, toTimestamp } from './transaction.js'

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

/** With whom a resource is shared, by slug: for its owner, who alone may see that list. */
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
       WHERE m.tenant_id = $1 AND m.resource_id = $2 AND t.slug > $3 ORDER BY t.slug, i.id LIMIT $4`,
      [owner, resource, page.from ?? '', page.limit],
    ),
  )
  return rows
}

export type EndGrants = {
  readonly resourceTenantId: TenantId
  readonly resourceId: ResourceId
  readonly issuerId: IssuerId
  readonly now: Instant
  readonly requestId: string
}

/**
 * Kills every living grant of one issuer for one resource: raises its epoch, and lets every guard hear of it. Answers how many there were.
 * One statement, whatever their number; a notice for each, because a guard knows no barrier of a resource.
 */
export async function endGrantsOfMinter(db: Db, tenant: TenantId, end: EndGrants): Promise<number> {
  const { rows } = await db.query<{ ended: number }>(
    `WITH killed AS (
       UPDATE grants SET epoch = epoch + 1, revoked_at = $2, revoked_reason = 'resource_withdrawn'
       WHERE tenant_id = $1 AND resource_tenant_id = $3 AND resource_id = $4 AND issuer_id = $5 AND revoked_at IS NULL AND expires_at > $2
       RETURNING id, epoch, issuer_id, subject_id, client_id, connection_id, gen_random_uuid() AS event_id),
     told AS (
       INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
       SELECT $1, event_id, 'admin', 'grant', id::text, 'resource_withdrawn', $2, $2 FROM killed),
     audited AS (
       INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id)
       SELECT $1, $2, 'grant.deprovisioned', issuer_id, subject_id, client_id, connection_id, id, '{}', 'resource_withdrawn',
         jsonb_build_object('eventId', event_id, 'source', 'admin', 'matched', true, 'epoch', epoch), $6 FROM killed),
     queued AS (
       INSERT INTO outbox (tenant_id, kind, payload, created_at)
       SELECT $1, 'revoke', jsonb_build_object('eventId', event_id, 'target', 'grant', 'targetId', id, 'epoch', epoch), $2 FROM killed)
     SELECT count(*)::int AS ended, (SELECT pg_notify('drawbridge_outbox', $1::uuid::text) FROM killed LIMIT 1)::text AS notified FROM killed`,
    [tenant, toTimestamp(end.now), end.resourceTenantId, end.resourceId, end.issuerId, end.requestId],
  )
  return rows[0]?.ended ?? 0
}
