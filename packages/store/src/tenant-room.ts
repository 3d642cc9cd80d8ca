/** Whether a tenant has room for one more, or for a larger one, of what every broker holds in memory for it. Asked in the transaction that writes. */
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type CountedOfTenant, tenantLimits } from '@drawbridge/core/tenant/tenant-limits'
import type { Db } from './transaction.js'

const counts: Readonly<Record<CountedOfTenant, string>> = {
  connections: `SELECT count(*)::int AS n FROM connections WHERE tenant_id = $1 AND kind <> 'assertion'`,
  assertionTrusts: `SELECT count(*)::int AS n FROM connections WHERE tenant_id = $1 AND kind = 'assertion'`,
  resources: 'SELECT count(*)::int AS n FROM resources WHERE tenant_id = $1',
  domains: 'SELECT count(*)::int AS n FROM domains WHERE tenant_id = $1',
}

/** Whoever asks the same of the tenant waits until this transaction ends, so that two do not take the last place. */
export async function hasRoomFor(db: Db, tenant: TenantId, what: CountedOfTenant): Promise<boolean> {
  await takeTurn(db, tenant, what)
  const { rows } = await db.query<{ n: number }>(counts[what], [tenant])
  return (rows[0]?.n ?? 0) < tenantLimits[what]
}

/** Whether this configuration, new or in place of what the connection or trust has, fits beside all others of the tenant. */
export async function fitsBesideOthers(
  db: Db,
  tenant: TenantId,
  { id, configuration }: { readonly id: ConnectionId; readonly configuration: unknown },
): Promise<boolean> {
  await takeTurn(db, tenant, 'configurationBytes')
  const { rows } = await db.query<{ n: string }>(
    'SELECT coalesce(sum(octet_length(configuration::text)), 0) AS n FROM connections WHERE tenant_id = $1 AND id <> $2',
    [tenant, id],
  )
  return Number(rows[0]?.n ?? 0) + Buffer.byteLength(JSON.stringify(configuration)) <= tenantLimits.configurationBytes
}

const takeTurn = (db: Db, tenant: TenantId, what: keyof typeof tenantLimits) =>
  db.query(`SELECT pg_advisory_xact_lock(hashtextextended('room ' || $2::text || ' ' || $1::uuid::text, 0))`, [tenant, what])
