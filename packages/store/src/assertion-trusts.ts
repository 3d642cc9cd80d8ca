/**
 * Whose assertions a tenant accepts at its token endpoint: connections of kind `assertion`. No login, choice, set-up page or list of connections
 * sees them; what hangs on a connection (people, epochs, barrier, tombstones, kills) does not tell them apart. docs/adr/0070
 */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import type { Database } from './database.js'
import { acrossTenants, type Db, toTimestamp } from './transaction.js'

export type StoredAssertionTrust = {
  readonly id: ConnectionId
  readonly name: string
  readonly configuration: unknown
  readonly barrierAt: Instant | undefined
  readonly disabledAt: Instant | undefined
  readonly createdAt: Instant
}

type Row = {
  id: ConnectionId
  name: string
  configuration: unknown
  barrier_at: Instant | null
  disabled_at: Instant | null
  created_at: Instant
}
const columns = 'id, name, configuration, barrier_at, disabled_at, created_at'

const toTrust = (row: Row): StoredAssertionTrust => ({
  id: row.id,
  name: row.name,
  configuration: row.configuration,
  barrierAt: row.barrier_at ?? undefined,
  disabledAt: row.disabled_at ?? undefined,
  createdAt: row.created_at,
})

export async function insertAssertionTrust(
  db: Db,
  tenant: TenantId,
  trust: { readonly id: ConnectionId; readonly name: string; readonly configuration: unknown; readonly now: Instant },
): Promise<void> {
  await db.query(
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'assertion', $3, $4, $5)`,
    [tenant, trust.id, trust.name, JSON.stringify(trust.configuration), toTimestamp(trust.now)],
  )
}

export async function updateAssertionTrust(
  db: Db,
  tenant: TenantId,
  id: ConnectionId,
  change: { readonly name: string; readonly configuration: unknown },
): Promise<void> {
  await db.query(`UPDATE connections SET name = $3, configuration = $4 WHERE tenant_id = $1 AND id = $2 AND kind = 'assertion'`, [
    ...[tenant, id, change.name, JSON.stringify(change.configuration)],
  ])
}

/** Answers whether there is such a trust. */
export async function enableAssertionTrust(db: Db, tenant: TenantId, id: ConnectionId): Promise<boolean> {
  const text = `UPDATE connections SET disabled_at = NULL WHERE tenant_id = $1 AND id = $2 AND kind = 'assertion'`
  return (await db.query(text, [tenant, id])).rowCount === 1
}

export async function findAssertionTrust(db: Db, tenant: TenantId, id: ConnectionId): Promise<StoredAssertionTrust | undefined> {
  const text = `SELECT ${columns} FROM connections WHERE tenant_id = $1 AND id = $2 AND kind = 'assertion'`
  const { rows } = await db.query<Row>(text, [tenant, id])
  return rows[0] && toTrust(rows[0])
}

/** All trusts of the tenant, and nobody changes one, or adds another, before this transaction ends: what is saved is held against them. */
export async function lockAssertionTrusts(db: Db, tenant: TenantId): Promise<readonly StoredAssertionTrust[]> {
  await db.query(`SELECT pg_advisory_xact_lock(hashtextextended('trusts:' || $1::uuid::text, 0))`, [tenant])
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM connections WHERE tenant_id = $1 AND kind = 'assertion' FOR UPDATE`, [
    tenant,
  ])
  return rows.map(toTrust)
}

/** Oldest first. */
export async function listAssertionTrusts(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly StoredAssertionTrust[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM connections WHERE tenant_id = $1 AND kind = 'assertion' AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
     ORDER BY created_at, id LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows.map(toTrust)
}

/** Removes a trust by which nobody came in; answers whether there was one. The schema refuses any other: a kill ends it. */
export async function deleteAssertionTrust(db: Db, tenant: TenantId, id: ConnectionId): Promise<boolean> {
  const { rowCount } = await db.query(`DELETE FROM connections WHERE tenant_id = $1 AND id = $2 AND kind = 'assertion'`, [tenant, id])
  return rowCount === 1
}

/** Whether a trust speaks of the people of this connection, or believes its keys. */
export async function isNamedByTrust(db: Db, tenant: TenantId, connection: ConnectionId): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT 1 FROM connections WHERE tenant_id = $1 AND kind = 'assertion'
       AND $2::uuid::text IN (configuration -> 'peopleOf' ->> 'connection', configuration ->> 'keysOf') LIMIT 1`,
    [tenant, connection],
  )
  return rowCount > 0
}

/**
 * Whether an issuer of this installation has, or ever had, one of these keys, or is called by one of these names. `keys`: RFC 7638 thumbprints,
 * which are the ids of our keys. security.md §11
 */
export async function isOfThisInstallationAcrossTenants(
  database: Database,
  { keys, issuers }: { readonly keys: readonly string[]; readonly issuers: readonly string[] },
): Promise<boolean> {
  const { rows } = await acrossTenants(database, (db) =>
    db.query<{ ours: boolean }>(
      `SELECT EXISTS (SELECT 1 FROM signing_keys WHERE id = ANY ($1::text[]))
         OR EXISTS (SELECT 1 FROM issuers WHERE lower(rtrim(url, '/')) = ANY (SELECT lower(rtrim(name, '/')) FROM unnest($2::text[]) AS given (name))) AS ours`,
      [keys, issuers],
    ),
  )
  return rows[0]?.ours ?? true
}
