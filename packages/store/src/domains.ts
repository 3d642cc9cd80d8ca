/** E-mail domains. Each has one owner in the installation; only a verified one chooses a connection. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

export type StoredDomain = {
  readonly domain: string
  readonly connectionId: ConnectionId | undefined
  readonly verifiedAt: Instant | undefined
}

type Row = { domain: string; connection_id: ConnectionId | null; verified_at: Instant | null }

/** Fails on a domain that another tenant owns: unique violation. */
export async function insertDomain(
  db: Db,
  tenant: TenantId,
  draft: {
    readonly domain: string
    readonly connectionId?: ConnectionId | undefined
    readonly verifiedAt?: Instant | undefined
    readonly now: Instant
  },
): Promise<void> {
  await db.query('INSERT INTO domains (tenant_id, domain, connection_id, verified_at, created_at) VALUES ($1, $2, $3, $4, $5)', [
    tenant,
    draft.domain.toLowerCase(),
    draft.connectionId ?? null,
    draft.verifiedAt === undefined ? null : toTimestamp(draft.verifiedAt),
    toTimestamp(draft.now),
  ])
}

const toDomain = (row: Row): StoredDomain => ({
  domain: row.domain,
  connectionId: row.connection_id ?? undefined,
  verifiedAt: row.verified_at ?? undefined,
})

/** By name. */
export async function listDomains(db: Db, tenant: TenantId, page: Page<string>): Promise<readonly StoredDomain[]> {
  const { rows } = await db.query<Row>(
    'SELECT domain, connection_id, verified_at FROM domains WHERE tenant_id = $1 AND domain > $2 ORDER BY domain LIMIT $3',
    [tenant, page.from ?? '', page.limit],
  )
  return rows.map(toDomain)
}

/** Whether a host is a proven domain of the tenant, or lies below one. */
export async function isUnderProvenDomain(db: Db, tenant: TenantId, host: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT 1 FROM domains WHERE tenant_id = $1 AND verified_at IS NOT NULL AND ($2 = domain OR right($2, length(domain) + 1) = '.' || domain) LIMIT 1`,
    [tenant, host],
  )
  return rowCount > 0
}

/** `null`: of no connection, or proven no more. What is left out stays. */
export type DomainChange = { readonly connectionId?: ConnectionId | null | undefined; readonly verifiedAt?: Instant | null | undefined }

/** Binds a domain of the tenant to another of its connections, or notes and withdraws the proof. A first proof keeps its time. */
export async function updateDomain(db: Db, tenant: TenantId, domain: string, change: DomainChange): Promise<StoredDomain | undefined> {
  const { rows } = await db.query<Row>(
    `UPDATE domains SET connection_id = CASE WHEN $3::boolean THEN $4::uuid ELSE connection_id END,
       verified_at = CASE WHEN NOT $5::boolean THEN verified_at WHEN $6::timestamptz IS NULL THEN NULL ELSE coalesce(verified_at, $6) END
     WHERE tenant_id = $1 AND domain = $2 RETURNING domain, connection_id, verified_at`,
    [
      tenant,
      domain,
      change.connectionId !== undefined,
      change.connectionId ?? null,
      change.verifiedAt !== undefined,
      change.verifiedAt == null ? null : toTimestamp(change.verifiedAt),
    ],
  )
  return rows[0] && toDomain(rows[0])
}

/** From then on whoever proves the domain may own it. Subjects never move with it. Answers whether the tenant had it. */
export async function deleteDomain(db: Db, tenant: TenantId, domain: string): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM domains WHERE tenant_id = $1 AND domain = $2', [tenant, domain])
  return rowCount === 1
}
