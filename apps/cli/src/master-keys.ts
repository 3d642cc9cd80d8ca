/** Every process holds the master keys of its database or does not start: half an installation that cannot open what the other half seals is worse than none. */
import type { Instant } from '@drawbridge/core/instant'
import { joinCustodies, type KeyCustody, localCustody } from '@drawbridge/crypto/key-custody'
import { createKms, kmsCustody } from '@drawbridge/crypto/kms-custody'
import { sayKmsRefusal } from '@drawbridge/crypto/kms-refusal'
import { checkValuesOf, judgeMasterKeys, type MasterKeyFault } from '@drawbridge/crypto/master-key-check'
import { type Random, systemRandom } from '@drawbridge/crypto/random'
import { createSealer, type Sealer } from '@drawbridge/crypto/seal'
import type { Settings } from '@drawbridge/runtime/env'
import type { Database } from '@drawbridge/store/database'
import { findMasterKeysAsOwner, listMasterKeys, markMasterKeyUsed, recordMasterKeys } from '@drawbridge/store/master-keys'
import { listSealedSamplesAcrossTenants } from '@drawbridge/store/sealed-values'

type KeySettings = Pick<Settings, 'masterKeys' | 'wrappedMasterKeys' | 'kmsKey' | 'currentMasterKey'>

/** The keys of the environment, and those that the KMS has to unwrap first. */
export function custodyOf({ masterKeys, wrappedMasterKeys, kmsKey }: KeySettings): KeyCustody {
  const local = localCustody(masterKeys.map(({ version, key }) => ({ version, key: Buffer.from(key.reveal(), 'base64') })))
  if (kmsKey === undefined || wrappedMasterKeys.length === 0) return local
  return joinCustodies([local, kmsCustody(createKms(kmsKey), wrappedMasterKeys)])
}

/** Throws, with a remedy, where there is no key or one cannot be had. From here on nobody is asked for a key again. */
export async function openSealer(settings: KeySettings, installationId: string, random: Random = systemRandom()): Promise<Sealer> {
  if (settings.masterKeys.length + settings.wrappedMasterKeys.length === 0)
    throw new Error(
      'there is no master key: make one with "drawbridge master-key create" and give every process what it prints, as DRAWBRIDGE_WRAPPED_MASTER_KEYS',
    )
  const opened = await custodyOf(settings).open(installationId)
  if (!opened.ok) throw new Error(sayKmsRefusal(opened.error))
  return createSealer(opened.value, random, settings.currentMasterKey)
}

type Holding = { readonly database: Database; readonly sealer: Sealer; readonly installationId: string; readonly now: Instant }

/**
 * Compares this process's keys with those that the database knows, makes new ones known, and throws with a remedy where they do not fit.
 * The first process of a database decides; a database from before keys were recorded is asked for something that they must open.
 */
export async function holdToMasterKeys({ database, sealer, installationId, now }: Holding): Promise<void> {
  const held = checkValuesOf(sealer, installationId)
  const recorded = await listMasterKeys(database)
  refuseFault(judgeMasterKeys(recorded, held))
  if (recorded.length === 0) await refuseUnopened(database, sealer, installationId)
  await recordMasterKeys(database, held.checkValues, now)
  // Another process may have written the same version first.
  refuseFault(judgeMasterKeys(await listMasterKeys(database), held))
  await markMasterKeyUsed(database, sealer.currentVersion, now)
}

/** The migration's part: it may come before there is a database, and makes nothing known. */
export async function refuseForeignMasterKeys(settings: Settings, ownerUrl: string): Promise<void> {
  const given = settings.masterKeys.length + settings.wrappedMasterKeys.length
  const known = given > 0 ? await findMasterKeysAsOwner(ownerUrl) : undefined
  if (!known) return
  const sealer = await openSealer(settings, known.installationId)
  refuseFault(judgeMasterKeys(known.masterKeys, checkValuesOf(sealer, known.installationId)))
}

async function refuseUnopened(database: Database, sealer: Sealer, installation: string): Promise<void> {
  const samples = await listSealedSamplesAcrossTenants(database)
  const unopened = samples.find(
    ({ tenant, table, column, id, sealed }) => !sealer.open(sealed, { installation, tenant, table, column, row: id }).ok,
  )
  if (unopened)
    throw new Error(
      `no key in ${whereKeysAre} opens what is sealed in this database (${unopened.table}.${unopened.column}): give this process the keys with which the database was made, or choose another DATABASE_URL`,
    )
}

const whereKeysAre = 'DRAWBRIDGE_MASTER_KEYS or DRAWBRIDGE_WRAPPED_MASTER_KEYS'

function refuseFault(found: MasterKeyFault | undefined): void {
  if (found) throw new Error(sayFault(found))
}

function sayFault(found: MasterKeyFault): string {
  switch (found.fault) {
    case 'other_key':
      return `version ${found.version} in ${whereKeysAre} is not the key that this database knows as version ${found.version}: give every process the same keys; a new key takes a version that no other had`
    case 'none_known':
      return `this database knows none of the keys in ${whereKeysAre}, only version ${found.versions.join(', ')}: give this process the keys that the others have, or choose another DATABASE_URL`
    case 'retired_is_current':
      return `version ${found.version} of the master key was retired by "drawbridge reseal" and must not seal again: set DRAWBRIDGE_CURRENT_MASTER_KEY to a newer version, or remove it`
    case 'missing':
      return `version ${found.version} is missing from ${whereKeysAre}, and values of this database are sealed under it: put it back; "drawbridge reseal" says when an old one may go`
  }
}
