/** `drawbridge migrate`: brings a database up to date as its owner and opens it to the runtime role of DATABASE_URL. */
import type { Settings } from '@drawbridge/runtime/env'
import { ensureRuntimeRole, migrateDatabase } from '@drawbridge/store/migrate'
import { migrateQueue } from '@drawbridge/worker/worker'
import { refuseForeignMasterKeys } from './master-keys.js'

export async function runMigrate(settings: Settings): Promise<number> {
  const { databaseUrl, databaseOwnerUrl } = settings
  if (!databaseUrl || !databaseOwnerUrl)
    throw new Error('"drawbridge migrate" needs DATABASE_OWNER_URL (the owner) and DATABASE_URL (the role that broker and worker use)')
  await refuseForeignMasterKeys(settings, databaseOwnerUrl.reveal())
  const applied = await migrate(databaseOwnerUrl.reveal(), databaseUrl.reveal())
  console.log(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`)
  return 0
}

/** Safe to run from several places at once. */
export async function migrate(ownerUrl: string, runtimeUrl: string): Promise<readonly string[]> {
  const runtime = new URL(runtimeUrl)
  if (runtime.username === new URL(ownerUrl).username)
    throw new Error('DATABASE_URL must not be the owner: row-level security would not hold for it')
  const applied = await migrateDatabase(ownerUrl)
  await ensureRuntimeRole(ownerUrl, { name: decodeURIComponent(runtime.username), password: decodeURIComponent(runtime.password) })
  await migrateQueue(ownerUrl, runtimeUrl)
  return applied
}
