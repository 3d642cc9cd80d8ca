/**
 * Issuers of tokens: one per tenant, and the vendor's front issuer, at which every tenant is a member: the database makes those, with a tenant and with
 * the front (ADR 75). URLs are never changed and never reused.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Issuer, IssuerId, IssuerKind, TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

export type StoredIssuer = { readonly id: IssuerId; readonly url: Issuer; readonly kind: IssuerKind; readonly createdAt: Instant }

/** Condition: the issuer `signer` signs for the issuer `spoken`. The front does for its members, who have no keys of their own. */
export const signs = (signer: string, spoken: string): string =>
  `CASE ${spoken}.kind WHEN 'front_member' THEN ${signer}.kind = 'front' ELSE ${signer}.tenant_id = ${spoken}.tenant_id AND ${signer}.id = ${spoken}.id END`

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
