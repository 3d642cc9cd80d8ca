/** `drawbridge recover`: after a restore of the database, or a promotion with possible loss, and before anything is served from it. */

import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import type { Settings } from '@drawbridge/runtime/env'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { listTenantsAcrossTenants, recoverTenant } from '@drawbridge/store/recovery'
import { findStanding, recordHistory } from '@drawbridge/store/timeline'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { openEmbeddedDatabase } from './embedded-database.js'
import { openPlatform, type Platform } from './platform.js'
import { acceptHistory } from './timeline.js'

export type Recovered = { readonly tenants: number; readonly connections: number }

/** Exit code 0: done, and processes start again. `--nothing-lost`: the operator knows that no commit was lost. */
export async function runRecover(settings: Settings, rest: readonly string[]): Promise<number> {
  const unknown = rest.find((word) => word !== '--nothing-lost' && word !== '--lab')
  if (unknown !== undefined) throw new Error(`"drawbridge recover" does not know ${unknown}: it takes --nothing-lost`)
  const embedded = settings.databaseUrl ? undefined : await openEmbeddedDatabase(settings)
  try {
    const kind = settings.lab ? 'lab' : embedded ? 'demo' : 'production'
    const platform = await openPlatform(embedded?.settings ?? settings, { kind, isRecovering: true })
    try {
      if (rest.includes('--nothing-lost')) {
        await acceptHistory(platform, await findStanding(platform.database), 'drawbridge recover --nothing-lost')
        console.log('Written down: nothing was lost. Everything issued before goes on working.')
        return 0
      }
      for (const line of reportOf(await recover(platform))) console.log(line)
      return 0
    } finally {
      await platform.close()
    }
  } finally {
    await embedded?.stopIfOurs()
  }
}

/** Each tenant in a transaction of its own. The history is written last: a run that was cut off is demanded again. */
export async function recover({ database, clock, random }: Pick<Platform, 'database' | 'clock' | 'random'>): Promise<Recovered> {
  const { history, known } = await findStanding(database)
  const tenants = await acrossTenants(database, listTenantsAcrossTenants)
  let connections = 0
  for (const tenant of tenants) {
    const recovery = { tenant, eventId: random.uuid() as DeprovisioningEventId, now: clock.now() }
    connections += (await inTenant(database, tenant, (db) => recoverTenant(db, recovery))).length
  }
  const detail = { before: known, after: history, tenants: tenants.length, connections }
  await inTenant(database, vendorTenantId, (db) =>
    insertAuditEvent(db, vendorTenantId, { at: clock.now(), kind: 'installation.recovered', detail }),
  )
  await acrossTenants(database, (db) => recordHistory(db, history))
  return { tenants: tenants.length, connections }
}

const reportOf = ({ tenants, connections }: Recovered): readonly string[] => [
  `Everything that was issued before is dead: sessions, grants, codes and tokens of ${tenants} tenants. People sign in anew.`,
  ...(connections === 0
    ? []
    : [
        `${connections} connections have a directory that may have told of leavers in what was lost. Nobody comes in through them but whom it has created since.`,
        'Their tenants restart the provisioning at their directory, wait for the whole cycle, and say so: drawbridge connection resynced <tenant> <connection>',
      ]),
  'Start brokers and workers now.',
]
