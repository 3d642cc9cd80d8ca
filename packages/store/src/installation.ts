/** The installation's one row: what kind it is, for ever, and how far a lab has moved its clock. */
import type { Instant } from '@drawbridge/core/instant'
import { vendorSlug, vendorTenantId } from '@drawbridge/core/tenant/ids'
import type { Database } from './database.js'
import { acrossTenants, inTenant, toTimestamp } from './transaction.js'

export type InstallationKind = 'production' | 'demo' | 'lab'

export type Installation = {
  readonly kind: InstallationKind
  readonly installationId: string
  readonly labClockOffsetMs: number
}

type Row = { kind: InstallationKind; installation_id: string; lab_clock_offset_ms: number }

export async function findInstallation(database: Database): Promise<Installation | undefined> {
  const { rows } = await acrossTenants(database, (db) =>
    db.query<Row>('SELECT kind, installation_id, lab_clock_offset_ms FROM installation'),
  )
  const row = rows[0]
  return row && { kind: row.kind, installationId: row.installation_id, labClockOffsetMs: row.lab_clock_offset_ms }
}

/**
 * Writes what this database is, and the vendor's own tenant. Of several that start at once the first wins; all get what it wrote.
 * The kind can never be changed afterwards: a trigger refuses, the owner too.
 */
export async function ensureInstallation(
  database: Database,
  wanted: { readonly kind: InstallationKind; readonly installationId: string; readonly now: Instant },
): Promise<Installation> {
  await acrossTenants(database, (db) =>
    db.query('INSERT INTO installation (id, kind, installation_id, created_at) VALUES (1, $1, $2, $3) ON CONFLICT DO NOTHING', [
      wanted.kind,
      wanted.installationId,
      toTimestamp(wanted.now),
    ]),
  )
  await inTenant(database, vendorTenantId, (db) =>
    db.query("INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $3, 'Vendor', $2) ON CONFLICT DO NOTHING", [
      vendorTenantId,
      toTimestamp(wanted.now),
      vendorSlug,
    ]),
  )
  const installation = await findInstallation(database)
  if (!installation) throw new Error('the installation row has vanished')
  return installation
}

/** Moves the clock of every process of a lab. The database refuses it elsewhere. */
export async function moveLabClock(database: Database, offsetMs: number): Promise<void> {
  await acrossTenants(database, (db) => db.query('UPDATE installation SET lab_clock_offset_ms = $1 WHERE id = 1', [Math.trunc(offsetMs)]))
}
