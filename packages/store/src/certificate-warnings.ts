/** Which ends of certificates were told, and the certificates of every SAML connection, a page at a time. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type ConnectionCertificates = {
  readonly tenantId: TenantId
  readonly connectionId: ConnectionId
  readonly name: string
  /** As configured: PEM or bare base64. */
  readonly certificates: readonly string[]
}

/** Enabled SAML connections, and trusts in SAML assertions with certificates of their own, in the order of their keys, those behind `after`. Nothing else of a tenant is read. */
export async function listConnectionCertificatesAcrossTenants(
  db: AcrossDb,
  { after, limit }: { readonly after: Pick<ConnectionCertificates, 'tenantId' | 'connectionId'> | undefined; readonly limit: number },
): Promise<readonly ConnectionCertificates[]> {
  const { rows } = await db.query<{ tenant_id: TenantId; id: ConnectionId; name: string; certificates: unknown }>(
    `SELECT tenant_id, id, name, configuration -> 'certificates' AS certificates FROM connections
     WHERE (kind = 'saml' OR kind = 'assertion' AND configuration ? 'certificates') AND disabled_at IS NULL AND ($1::uuid IS NULL OR (tenant_id, id) > ($1, $2::uuid)) ORDER BY tenant_id, id LIMIT $3`,
    [after?.tenantId ?? null, after?.connectionId ?? null, limit],
  )
  return rows.map(({ tenant_id, id, name, certificates }) => ({
    ...{ tenantId: tenant_id, connectionId: id, name },
    certificates: Array.isArray(certificates) ? certificates.filter((each) => typeof each === 'string') : [],
  }))
}

export type CertificateWarning = {
  readonly connectionId: ConnectionId
  readonly fingerprint: string
  /** Every threshold that has been crossed; the last one is the one that is told. */
  readonly crossed: readonly number[]
  readonly now: Instant
}

/** Answers whether the tightest threshold is new: then, and only in this transaction, it is told. At most one caller gets `true`. */
export async function recordCertificateWarning(db: Db, tenant: TenantId, warning: CertificateWarning): Promise<boolean> {
  const { rows } = await db.query<{ days: number }>(
    `INSERT INTO certificate_warnings (tenant_id, connection_id, fingerprint, days, warned_at)
     SELECT $1, $2, $3, days, $5 FROM unnest($4::int[]) AS days ON CONFLICT DO NOTHING RETURNING days`,
    [tenant, warning.connectionId, warning.fingerprint, [...warning.crossed], toTimestamp(warning.now)],
  )
  return rows.some(({ days }) => days === Math.min(...warning.crossed))
}
