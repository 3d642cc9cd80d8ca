/** Every sealed value in the database, and under which version of the master key it rests: what rotating that key needs to know. */
import { type Instant, instant } from '@drawbridge/core/instant'
import { graceSeconds } from '@drawbridge/core/oauth/refresh-token'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { Database } from './database.js'
import { acrossTenants, type Db, toTimestamp } from './transaction.js'

/** Columns whose values stay until they are replaced: these are sealed anew. Each table's key is tenant and `id`. */
export const lastingSealedColumns = [
  { table: 'signing_keys', column: 'sealed_private_key' },
  { table: 'connections', column: 'sealed_secret' },
  { table: 'connection_keys', column: 'sealed_private_key' },
  { table: 'login_traces', column: 'sealed' },
  { table: 'factors', column: 'sealed_secret' },
  { table: 'pairwise_keys', column: 'sealed_key' },
  { table: 'webhook_endpoints', column: 'sealed_secret' },
  { table: 'webhook_endpoints', column: 'sealed_former_secret' },
  { table: 'recorded_logins', column: 'sealed' },
  { table: 'event_streams', column: 'sealed_authorization' },
  { table: 'signal_streams', column: 'sealed_credential' },
  // One that waits for an approval waits for weeks, and whoever has the link renews that.
  { table: 'connection_drafts', column: 'sealed_secret' },
] as const
export type LastingSealedColumn = (typeof lastingSealedColumns)[number]

/** Columns whose values expire by themselves: these are waited for. */
export const expiringSealedColumns = [
  { table: 'login_requests', column: 'sealed_state' },
  { table: 'parked_messages', column: 'sealed' },
  { table: 'browser_sessions', column: 'sealed_logout_hint' },
  { table: 'test_logins', column: 'sealed' },
] as const

export type SealedRow = { readonly tenant: TenantId; readonly id: string; readonly sealed: Buffer }

/**
 * The version of the key follows one octet of format, big-endian, so octets compare as numbers do (`crypto/seal`). What was destroyed is empty,
 * and has none.
 */
const versionOf = (column: string) => `NULLIF(substring(${column} FROM 2 FOR 4), ''::bytea)`
const octetsOf = (version: number): Buffer => {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(version)
  return octets
}

const beforeEvery = { tenant: '00000000-0000-0000-0000-000000000000' as TenantId, id: '' }

/** At most `limit` values sealed under a version older than `version`, in the order of their keys, beyond `after`. */
export async function listSealedBeforeVersionAcrossTenants(
  database: Database,
  { table, column }: LastingSealedColumn,
  asked: { readonly version: number; readonly after: Pick<SealedRow, 'tenant' | 'id'> | undefined; readonly limit: number },
): Promise<readonly SealedRow[]> {
  const after = asked.after ?? beforeEvery
  const { rows } = await acrossTenants(database, (db) =>
    db.query<SealedRow>(
      `SELECT tenant_id AS tenant, id::text, ${column} AS sealed FROM ${table}
       WHERE ${versionOf(column)} < $1 AND (tenant_id, id::text) > ($2::uuid, $3) ORDER BY tenant_id, id::text LIMIT $4`,
      [octetsOf(asked.version), after.tenant, after.id, asked.limit],
    ),
  )
  return rows
}

/** Compare-and-set: a value that somebody else has replaced meanwhile stays theirs. Answers whether this one was put. */
export async function replaceSealed(
  db: Db,
  { table, column }: LastingSealedColumn,
  row: SealedRow & { readonly resealed: Buffer },
): Promise<boolean> {
  const { rowCount } = await db.query(`UPDATE ${table} SET ${column} = $4 WHERE tenant_id = $1 AND id::text = $2 AND ${column} = $3`, [
    row.tenant,
    row.id,
    row.sealed,
    row.resealed,
  ])
  return rowCount === 1
}

/** What still needs a version older than asked. `until`: when the last of it has ended by itself; undefined: never. */
export type OlderKeyUse = { readonly what: string; readonly count: number; readonly until: Instant | undefined }

const lastingUses = lastingSealedColumns.map(
  ({ table, column }) =>
    `SELECT '${table}' AS what, count(*)::int AS count, NULL::timestamptz AS until FROM ${table} WHERE ${versionOf(column)} < $2`,
)
const expiringUses = expiringSealedColumns.map(
  ({ table, column }) =>
    `SELECT '${table}' AS what, count(*)::int AS count, max(expires_at) AS until FROM ${table} WHERE expires_at > $1 AND ${versionOf(column)} < $2`,
)
/** A successor is derived with the key that rotated its predecessor for as long as a repeated request gets it again: the grace, no longer. */
const graceUses = `SELECT 'refresh_tokens' AS what, count(*)::int AS count, max(rotated_at) + interval '${graceSeconds} seconds' AS until
  FROM refresh_tokens AS token WHERE rotated_at > $1 - interval '${graceSeconds} seconds' AND expires_at > $1 AND successor_key_version < $3
    AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS heir WHERE heir.tenant_id = token.tenant_id AND heir.token_hash = token.successor_hash AND heir.rotated_at IS NOT NULL)`

/** Everything that would stop working if every version older than `version` went now; what is not in use is left out. */
export async function findOlderKeyUsesAcrossTenants(database: Database, version: number, now: Instant): Promise<readonly OlderKeyUse[]> {
  const text = [...lastingUses, ...expiringUses, graceUses].join(' UNION ALL ')
  const { rows } = await acrossTenants(database, (db) =>
    db.query<{ what: string; count: number; until: Instant | null }>(`SELECT * FROM (${text}) AS uses WHERE count > 0 ORDER BY what`, [
      toTimestamp(now),
      octetsOf(version),
      version,
    ]),
  )
  return rows.map(({ what, count, until }) => ({ what, count, until: until === null ? undefined : instant(Number(until)) }))
}

/** One value that lasts, of each kind: enough to tell whether a key of a database that has recorded none is the right one. */
export async function listSealedSamplesAcrossTenants(database: Database): Promise<readonly (SealedRow & LastingSealedColumn)[]> {
  const samples = lastingSealedColumns.map(async ({ table, column }) => {
    const text = `SELECT '${table}' AS table, '${column}' AS column, tenant_id AS tenant, id::text, ${column} AS sealed
      FROM ${table} WHERE octet_length(${column}) > 0 ORDER BY tenant_id, id LIMIT 1`
    return (await acrossTenants(database, (db) => db.query<SealedRow & LastingSealedColumn>(text))).rows
  })
  return (await Promise.all(samples)).flat()
}
