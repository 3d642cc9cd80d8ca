/** `drawbridge reseal`: seals everything that lasts under the current master key while brokers run, and says when older keys may go. */
import { authorizationRequestTtlSeconds } from '@drawbridge/broker/authorize/flow'
import { graceSeconds } from '@drawbridge/core/oauth/refresh-token'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import type { Settings } from '@drawbridge/runtime/env'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { retireMasterKeysBefore } from '@drawbridge/store/master-keys'
import {
  findOlderKeyUsesAcrossTenants,
  type LastingSealedColumn,
  lastingSealedColumns,
  listSealedBeforeVersionAcrossTenants,
  type OlderKeyUse,
  replaceSealed,
  type SealedRow,
} from '@drawbridge/store/sealed-values'
import { inTenant } from '@drawbridge/store/transaction'
import { openEmbeddedDatabase } from './embedded-database.js'
import { openPlatform, type Platform } from './platform.js'

/** So many values are read at a time; each is written in a transaction of its own, so no lock is held for long. */
const batchSize = 100
/** How long a page shown before the change may still be answered: the life of an authorization request. */
const waitMinutes = authorizationRequestTtlSeconds / 60

export type Resealed = {
  readonly resealed: Readonly<Record<string, number>>
  /** Somebody else replaced these meanwhile; a new run looks at them again. */
  readonly overtaken: number
  /** Values that no given key opens, as table/tenant/row. */
  readonly unopened: readonly string[]
  readonly uses: readonly OlderKeyUse[]
}

/** Exit code 0: no stored value needs an older key any more. 1: something does; what, and until when, was printed. */
export async function runReseal(settings: Settings): Promise<number> {
  const embedded = settings.databaseUrl ? undefined : await openEmbeddedDatabase(settings)
  try {
    const kind = settings.lab ? 'lab' : embedded ? 'demo' : 'production'
    const platform = await openPlatform(embedded?.settings ?? settings, { kind })
    try {
      const done = await reseal(platform)
      for (const line of reportOf(done, platform.sealer.currentVersion)) console.log(line)
      return done.uses.length === 0 ? 0 : 1
    } finally {
      await platform.close()
    }
  } finally {
    await embedded?.stopIfOurs()
  }
}

type ResealDeps = Pick<Platform, 'database' | 'sealer' | 'installation' | 'clock'>

export async function reseal(deps: ResealDeps): Promise<Resealed> {
  const resealed: Record<string, number> = {}
  const unopened: string[] = []
  let overtaken = 0
  const version = deps.sealer.currentVersion
  for (const at of lastingSealedColumns) {
    const name = `${at.table}.${at.column}`
    resealed[name] = 0
    let batch: readonly SealedRow[] = []
    do {
      batch = await listSealedBeforeVersionAcrossTenants(deps.database, at, { version, after: batch.at(-1), limit: batchSize })
      for (const row of batch) {
        const outcome = await resealOne(deps, at, row)
        if (outcome === 'resealed') resealed[name] += 1
        else if (outcome === 'overtaken') overtaken += 1
        else unopened.push(`${name} of tenant ${row.tenant}, row ${row.id}`)
      }
    } while (batch.length === batchSize)
  }
  const uses = await findOlderKeyUsesAcrossTenants(deps.database, version, deps.clock.now())
  const done = { resealed, overtaken, unopened, uses }
  await writeDown(deps, done)
  return done
}

/** To the vendor's trail; and where nothing needs the older keys any more, processes may start without them from now on. */
async function writeDown({ database, sealer, clock }: ResealDeps, { resealed, overtaken, unopened, uses }: Resealed): Promise<void> {
  const now = clock.now()
  const version = sealer.currentVersion
  const detail = { version, resealed, overtaken, unopened: unopened.length, stillInUse: uses.map(({ what, count }) => ({ what, count })) }
  await inTenant(database, vendorTenantId, (db) => insertAuditEvent(db, vendorTenantId, { at: now, kind: 'master_key.resealed', detail }))
  if (uses.length === 0) await retireMasterKeysBefore(database, version, now)
}

async function resealOne(deps: ResealDeps, at: LastingSealedColumn, row: SealedRow): Promise<'resealed' | 'overtaken' | 'unopened'> {
  const context = { installation: deps.installation.installationId, tenant: row.tenant, table: at.table, column: at.column, row: row.id }
  const plain = deps.sealer.open(row.sealed, context)
  if (!plain.ok) return 'unopened'
  const resealed = deps.sealer.seal(plain.value, context)
  plain.value.fill(0)
  return (await inTenant(deps.database, row.tenant, (db) => replaceSealed(db, at, { ...row, resealed }))) ? 'resealed' : 'overtaken'
}

export function reportOf(done: Resealed, version: number): readonly string[] {
  const lines = Object.entries(done.resealed).map(([name, count]) => `${name}: ${count} sealed anew under version ${version}`)
  if (done.overtaken > 0) lines.push(`${done.overtaken} changed while this ran and were left as they are; run this again`)
  for (const name of done.unopened) lines.push(`no master key of this process opens ${name}`)
  for (const { what, count, until } of done.uses)
    lines.push(`still in use: ${count} of ${what}${until === undefined ? '' : `, until ${new Date(until).toISOString()} at the latest`}`)
  lines.push(
    done.uses.length > 0
      ? `Keep every master key older than version ${version}: run "drawbridge reseal" again after the times above.`
      : `No stored value needs a master key older than version ${version}. Remove older keys once every broker and worker has sealed under version ${version} for ${waitMinutes} minutes: pages shown and tokens rotated before that (grace ${graceSeconds} s) still count on them.`,
  )
  return lines
}
