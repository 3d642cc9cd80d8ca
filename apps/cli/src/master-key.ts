/**
 * `drawbridge master-key create` and `rewrap`: master keys in the custody of a KMS. Neither shows a key, and neither needs to open one.
 *
 * What is printed is for the settings of every process; on standard output there is that alone.
 */
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { createKms, type WrappedMasterKey } from '@drawbridge/crypto/kms-custody'
import { sayKmsRefusal } from '@drawbridge/crypto/kms-refusal'
import { systemRandom } from '@drawbridge/crypto/random'
import { systemClock } from '@drawbridge/runtime/clock'
import { type KmsKeySetting, kmsKeyArn, type Settings } from '@drawbridge/runtime/env'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { createDatabase, type Database } from '@drawbridge/store/database'
import { ensureInstallation } from '@drawbridge/store/installation'
import { listMasterKeys } from '@drawbridge/store/master-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { refuseOtherKind } from './platform.js'

const connectionBudget = 4

export async function createMasterKeyCommand(settings: Settings): Promise<number> {
  const { printed, isFirst } = await createMasterKey(settings)
  console.log(printed)
  console.error(
    isFirst
      ? 'Give it to every process as DRAWBRIDGE_WRAPPED_MASTER_KEYS.'
      : 'Add it to DRAWBRIDGE_WRAPPED_MASTER_KEYS of every process, with DRAWBRIDGE_CURRENT_MASTER_KEY at the old version until all have it.',
  )
  return 0
}

export async function rewrapMasterKeysCommand(settings: Settings, rest: readonly string[]): Promise<number> {
  const { printed, to } = await rewrapMasterKeys(settings, rest)
  console.log(printed)
  const also = to === settings.kmsKey?.arn ? '' : `, together with DRAWBRIDGE_KMS_KEY=${to}`
  console.error(`Give it to every process as DRAWBRIDGE_WRAPPED_MASTER_KEYS${also}. The keys are the same: nothing is sealed anew.`)
  return 0
}

/** A new key under the version after the highest that is known. Nothing uses it yet. Throws, with a remedy, where the KMS refuses. */
export const createMasterKey = (settings: Settings): Promise<{ readonly printed: string; readonly isFirst: boolean }> =>
  withInstallation(settings, 'create', async ({ database, installationId, key }) => {
    const known = [...(await listMasterKeys(database)), ...settings.masterKeys, ...settings.wrappedMasterKeys]
    const version = Math.max(0, ...known.map((one) => one.version)) + 1
    const made = await createKms(key).create(version, installationId)
    if (!made.ok) throw new Error(sayKmsRefusal(made.error))
    await writeDown(database, { versions: [version], key: key.arn, how: 'created' })
    return { printed: textOf([made.value]), isFirst: known.length === 0 }
  })

/** The same keys under the newest material of the KMS key, or under another one in the same region. Throws as above; then nothing has changed. */
export const rewrapMasterKeys = (settings: Settings, rest: readonly string[]): Promise<{ readonly printed: string; readonly to: string }> =>
  withInstallation(settings, 'rewrap', async ({ database, installationId, key }) => {
    const to = targetOf(rest, key)
    if (settings.wrappedMasterKeys.length === 0) throw new Error('DRAWBRIDGE_WRAPPED_MASTER_KEYS is empty: there is nothing to wrap anew')
    const wrapped = await createKms(key).rewrap(settings.wrappedMasterKeys, installationId, to)
    if (!wrapped.ok) throw new Error(sayKmsRefusal(wrapped.error))
    await writeDown(database, { versions: wrapped.value.map(({ version }) => version), key: to.arn, how: 'rewrapped' })
    return { printed: textOf(wrapped.value), to: to.arn }
  })

function targetOf(rest: readonly string[], key: KmsKeySetting): KmsKeySetting {
  const [word, text, ...more] = rest
  if (word === undefined) return key
  if (word !== '--to' || text === undefined || more.length > 0)
    throw new Error('"drawbridge master-key rewrap" takes --to <arn> and nothing else')
  const to = kmsKeyArn(text)
  if (!to.ok) throw new Error(`--to ${to.error}`)
  if (to.value.region !== key.region)
    throw new Error('a KMS wraps anew within one region: for another one rotate the master key, or use a multi-Region key')
  return to.value
}

const textOf = (keys: readonly WrappedMasterKey[]): string =>
  keys.map(({ version, wrapped }) => `${version}:${wrapped.toString('base64')}`).join(',')

type Standing = { readonly database: Database; readonly installationId: string; readonly key: KmsKeySetting }

/** The installation is part of what a key is wrapped for, so the database comes first, and is told what it is if it does not know yet. */
async function withInstallation<T>(settings: Settings, command: string, run: (standing: Standing) => Promise<T>): Promise<T> {
  const { databaseUrl, kmsKey: key } = settings
  if (!databaseUrl || !key)
    throw new Error(
      `"drawbridge master-key ${command}" needs DATABASE_URL (migrated) and DRAWBRIDGE_KMS_KEY: a key is wrapped for one installation`,
    )
  const database = createDatabase({ url: databaseUrl.reveal(), connectionBudget, onError: () => undefined })
  try {
    const kind = settings.lab ? 'lab' : 'production'
    const installation = await ensureInstallation(database, { kind, installationId: systemRandom().uuid(), now: systemClock().now() })
    refuseOtherKind(installation.kind, kind)
    return await run({ database, installationId: installation.installationId, key })
  } finally {
    await database.close()
  }
}

type Wrapped = { readonly versions: readonly number[]; readonly key: string; readonly how: 'created' | 'rewrapped' }

async function writeDown(database: Database, { versions, key, how }: Wrapped): Promise<void> {
  const detail = { versions, key, how, by: 'command line' }
  await inTenant(database, vendorTenantId, (db) =>
    insertAuditEvent(db, vendorTenantId, { at: systemClock().now(), kind: 'master_key.wrapped', detail }),
  )
}
