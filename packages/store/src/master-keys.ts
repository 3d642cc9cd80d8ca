/** Which master keys the installation knows. It belongs to no tenant; only the role that crosses tenants may look. */
import type { Instant } from '@drawbridge/core/instant'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import type { RecordedMasterKey } from '@drawbridge/crypto/master-key-check'
import type { Database } from './database.js'
import { asDatabaseOwner } from './owner-connection.js'
import { acrossTenants, toTimestamp } from './transaction.js'

const listText = `SELECT version, check_value AS "checkValue", used_at IS NOT NULL AS "isUsed", retired_at IS NOT NULL AS "isRetired"
  FROM master_keys ORDER BY version`

export async function listMasterKeys(database: Database): Promise<readonly RecordedMasterKey[]> {
  return (await acrossTenants(database, (db) => db.query<RecordedMasterKey>(listText))).rows
}

/** Writes those that are not there yet; of several that write one version at once the first wins, so read again afterwards. */
export async function recordMasterKeys(database: Database, checkValues: ReadonlyMap<number, Buffer>, now: Instant): Promise<void> {
  await acrossTenants(database, (db) =>
    db.query(
      `INSERT INTO master_keys (version, check_value, first_seen_at)
       SELECT version, check_value, $3 FROM unnest($1::int[], $2::bytea[]) AS given (version, check_value) ON CONFLICT DO NOTHING`,
      [[...checkValues.keys()], [...checkValues.values()], toTimestamp(now)],
    ),
  )
}

/** From this commit on every process that starts needs that version. */
export async function markMasterKeyUsed(database: Database, version: number, now: Instant): Promise<void> {
  await acrossTenants(database, (db) =>
    db.query('UPDATE master_keys SET used_at = $2 WHERE version = $1 AND used_at IS NULL', [version, toTimestamp(now)]),
  )
}

/** Lets processes start without the versions older than `version`, and writes so to the vendor's trail in the same statement. */
export async function retireMasterKeysBefore(database: Database, version: number, now: Instant): Promise<void> {
  await acrossTenants(database, (db) =>
    db.query(
      `WITH retired AS (UPDATE master_keys SET retired_at = $2 WHERE version < $1 AND retired_at IS NULL RETURNING version)
       INSERT INTO audit_events (tenant_id, at, kind, scopes, detail)
       SELECT $3, $2, 'master_key.retired', '{}', jsonb_build_object('versions', jsonb_agg(version ORDER BY version)) FROM retired HAVING count(*) > 0`,
      [version, toTimestamp(now), vendorTenantId],
    ),
  )
}

export type KnownToDatabase = { readonly installationId: string; readonly masterKeys: readonly RecordedMasterKey[] }

/** For the migration, which runs as the owner and before anything is sure to exist. Undefined: nothing is known yet. */
export async function findMasterKeysAsOwner(ownerUrl: string): Promise<KnownToDatabase | undefined> {
  try {
    return await asDatabaseOwner(ownerUrl, async (session) => {
      const { rows } = await session.query(`SELECT to_regclass('public.master_keys') IS NOT NULL AS found`)
      if ((rows[0] as { found: boolean }).found !== true) return undefined
      const installation = (await session.query('SELECT installation_id FROM installation')).rows[0]
      const { rows: masterKeys } = await session.query(listText)
      const found = installation as { installation_id: string } | undefined
      return found && { installationId: found.installation_id, masterKeys: masterKeys as readonly RecordedMasterKey[] }
    })
  } catch (error) {
    if ((error as { code?: string }).code === '3D000') return undefined // there is no such database yet
    throw error
  }
}
