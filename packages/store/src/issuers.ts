/**
 * Issuers of tokens: one per tenant, and the vendor's front issuer, at which every tenant is a member: the database makes those, with a tenant and with
 * the front (ADR 75). URLs are never changed and never reused.
 */
import type { Instant } from '@drawbridge/core/instant'
import { type Issuer, type IssuerId, type IssuerKind, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

export type StoredIssuer = { readonly id: IssuerId; readonly url: Issuer; readonly kind: IssuerKind; readonly createdAt: Instant }

/**
 * Condition: the issuer `signer` signs for the issuer `spoken`. The front does for its members, who have no keys of their own. It is the vendor's only issuer:
 * so the signer is found by its key, and nobody reads the issuers of all tenants for it.
 */
export const signs = (signer: string, spoken: string): string =>
  `${signer}.tenant_id = CASE ${spoken}.kind WHEN 'front_member' THEN '${vendorTenantId}' ELSE ${spoken}.tenant_id END
     AND (${signer}.id = ${spoken}.id OR ${spoken}.kind = 'front_member')`

/** The issuers for which one signs, read from it: itself, and the front's members. `tenant` and `id` name the parameters that say which one. */
export const spokenFor = (tenant: string, id: string): string =>
  `SELECT own.tenant_id, own.id, own.url FROM issuers AS own WHERE own.tenant_id = ${tenant} AND own.id = ${id}
   UNION ALL SELECT member.tenant_id, member.id, member.url FROM issuers AS front JOIN issuers AS member ON member.kind = 'front_member'
     WHERE front.tenant_id = ${tenant} AND front.id = ${id} AND front.kind = 'front'`

type Row = { id: IssuerId; url: Issuer; kind: IssuerKind; created_at: Instant }

export async function insertIssuer(
  db: Db,
  tenant: TenantId,
  issuer: { readonly id: IssuerId; readonly url: Issuer; readonly kind: 'tenant' | 'front'; readonly now: Instant },
): Promise<void> {
  await db.query('INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, $3, $4, $5)', [
    tenant,
    issuer.id,
    issuer.url,
    issuer.kind,
    toTimestamp(issuer.now),
  ])
}

export async function listIssuers(db: Db, tenant: TenantId): Promise<readonly StoredIssuer[]> {
  const { rows } = await db.query<Row>('SELECT id, url, kind, created_at FROM issuers WHERE tenant_id = $1 ORDER BY created_at, id', [
    tenant,
  ])
  return rows.map((row) => ({ id: row.id, url: row.url, kind: row.kind, createdAt: row.created_at }))
}
