/** `drawbridge recover`: after a restore of the database, or a promotion with possible loss, and before anything is served from it. */

import { assert } from '@drawbridge/core/assert'
import type { Instant } from '@drawbridge/core/instant'
import { type DeprovisioningEventId, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { generateTokenKey } from '@drawbridge/crypto/signing-keys'
import type { Settings } from '@drawbridge/runtime/env'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { listTenantsAcrossTenants, recoverTenant } from '@drawbridge/store/recovery'
import type { KeyReplacement } from '@drawbridge/store/signing-keys'
import { findStanding, recordHistory } from '@drawbridge/store/timeline'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { openEmbeddedDatabase } from './embedded-database.js'
import { openPlatform, type Platform } from './platform.js'
import { acceptHistory } from './timeline.js'

/** `lastKnownAt`: of the last request, of any tenant, of which this copy has a trace. `samlTenants`: how many have keys for SAML. */
export type Recovered = {
  readonly tenants: number
  readonly connections: number
  readonly keys: number
  readonly samlTenants: number
  readonly lastKnownAt: Instant | undefined
}
type Recovering = Pick<Platform, 'database' | 'clock' | 'random' | 'sealer' | 'installation'>

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
export async function recover(platform: Recovering): Promise<Recovered> {
  const { database, clock, random } = platform
  const { history, known } = await findStanding(database)
  const tenants = await acrossTenants(database, listTenantsAcrossTenants)
  let done: Recovered = { tenants: tenants.length, connections: 0, keys: 0, samlTenants: 0, lastKnownAt: undefined }
  for (const tenant of tenants) {
    const recovery = { tenant, eventId: random.uuid() as DeprovisioningEventId, ...keysOf(platform, tenant) }
    const { connections, keys, hasSamlKeys, lastKnownAt } = await inTenant(database, tenant, (db) => recoverTenant(db, recovery))
    done = {
      ...done,
      connections: done.connections + connections.length,
      keys: done.keys + keys,
      samlTenants: done.samlTenants + (hasSamlKeys ? 1 : 0),
      lastKnownAt: later(done.lastKnownAt, lastKnownAt),
    }
  }
  const { connections, keys } = done
  const detail = { before: known, after: history, tenants: tenants.length, connections, keys }
  await inTenant(database, vendorTenantId, (db) =>
    insertAuditEvent(db, vendorTenantId, { at: clock.now(), kind: 'installation.recovered', detail }),
  )
  await acrossTenants(database, (db) => recordHistory(db, history))
  return done
}

const later = (one: Instant | undefined, other: Instant | undefined): Instant | undefined =>
  one !== undefined && other !== undefined && one > other ? one : (other ?? one)

/** Made and sealed in the transaction that stores them. */
function keysOf({ clock, random, sealer, installation }: Recovering, tenant: TenantId): KeyReplacement {
  const now = clock.now()
  return {
    now,
    newEventId: () => random.uuid(),
    makeKey: async (issuerId, purpose, state, algorithm) => {
      assert(purpose !== 'saml', 'keys for SAML are not replaced by a recovery')
      const { privateKey, ...key } = await generateTokenKey(random, purpose, algorithm)
      const place = { installation: installation.installationId, tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
      return { ...key, issuerId, state, now, sealedPrivateKey: sealer.seal(privateKey, place) }
    },
  }
}

const reportOf = ({ tenants, connections, keys, samlTenants, lastKnownAt }: Recovered): readonly string[] => [
  `Everything that was issued before is dead: sessions, grants, codes and tokens of ${tenants} tenants. People sign in anew.`,
  `${keys} signing keys were condemned and replaced: one that was condemned in what was lost would sign again.`,
  ...(connections === 0
    ? []
    : [
        `${connections} connections have a directory that may have told of leavers in what was lost. Nobody comes in through them but whom it has created since.`,
        'Their tenants restart the provisioning at their directory, wait for the whole cycle, and say so: drawbridge connection resynced <tenant> <connection>',
        'Afterwards whom the directory has not named stays out, and is listed.',
      ]),
  ...handiwork({ samlTenants, lastKnownAt }),
  'Start workers and brokers where only you reach them, do that, and then let everybody in.',
]

/** What this copy cannot know. Nothing of it is guessed: who shut it shuts it again. */
const handiwork = ({ samlTenants, lastKnownAt }: Pick<Recovered, 'samlTenants' | 'lastKnownAt'>): readonly string[] => [
  '',
  `OPEN AGAIN is what was shut after ${lastKnownAt === undefined ? 'this copy was made' : new Date(lastKnownAt).toISOString()}, the last request that this copy knows of. Do again by hand, by your SIEM (webhooks, exported trail) and tickets of that time:`,
  '- people whom an admin, a signal or an IdP shut out, and signals that matched nobody',
  '- clients that were blocked or deleted; connections, trusts and resource servers that were disabled or deleted; suspended tenants',
  '- SCIM tokens, resource credentials, client secrets, invitations, set-up links and admin keys that were revoked or replaced',
  '- policies, mappings, scopes and domains that were changed to allow less; second factors that were reset',
  ...(samlTenants === 0 ? [] : [`- keys for SAML that were condemned: ${samlTenants} tenants have such keys, and they are as before`]),
  'docs/how-to/recover-after-a-restore.md says where each of them is found, and by which command it is done.',
  '',
]
