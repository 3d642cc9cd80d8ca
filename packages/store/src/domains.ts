/** E-mail domains. Each has one owner in the installation; only a verified one chooses a connection. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
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

export async function listDomains(db: Db, tenant: TenantId): Promise<readonly StoredDomain[]> {
  const { rows } = await db.query<Row>('SELECT domain, connection_id, verified_at FROM domains WHERE tenant_id = $1 ORDER BY domain', [
    tenant,
  ])
  return rows.map((row) => ({ domain: row.domain, connectionId: row.connection_id ?? undefined, verifiedAt: row.verified_at ?? undefined }))
}
