/** `drawbridge admin-key create`: a key of the vendor to the admin API, printed once. */
import { adminPermissionNames } from '@drawbridge/broker/admin/permission'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import type { Settings } from '@drawbridge/runtime/env'
import { insertAdminKey } from '@drawbridge/store/admin-keys'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { inTenant } from '@drawbridge/store/transaction'
import { openEmbeddedDatabase } from './embedded-database.js'
import { openPlatform, type Platform } from './platform.js'

export async function createAdminKeyCommand(settings: Settings, rest: readonly string[]): Promise<number> {
  const at = rest.indexOf('--name')
  const name = (at >= 0 ? rest[at + 1] : undefined) ?? 'made by drawbridge admin-key create'
  const embedded = settings.databaseUrl ? undefined : await openEmbeddedDatabase(settings)
  try {
    const kind = settings.lab ? 'lab' : embedded ? 'demo' : 'production'
    const platform = await openPlatform(embedded?.settings ?? settings, { kind })
    try {
      console.log(await createAdminKey(platform, name))
    } finally {
      await platform.close()
    }
  } finally {
    await embedded?.stopIfOurs()
  }
  return 0
}

/** Answers the key itself; only its hash is kept. Keys of a lab or demonstration are marked, and refused by any other installation. */
export async function createAdminKey(platform: Platform, name: string): Promise<string> {
  const key = newAdminKey(platform)
  await keepAdminKey(platform, name, key)
  return key
}

export const newAdminKey = (platform: Platform): string => `dba_${platform.random.token()}`

export async function keepAdminKey(platform: Platform, name: string, key: string): Promise<void> {
  const { kind } = platform.installation
  const now = platform.clock.now()
  const id = platform.random.uuid()
  await inTenant(platform.database, vendorTenantId, async (db) => {
    await insertAdminKey(db, vendorTenantId, {
      id,
      name,
      secretHash: hashCredential(key),
      permissions: adminPermissionNames, // everything: the vendor's first key makes the narrower ones
      ...(kind === 'production' ? {} : { marked: kind }),
      now,
    })
    await insertAuditEvent(db, vendorTenantId, { at: now, kind: 'admin_key.created', detail: { id, name, by: 'command line' } })
  })
}
