/**
 * Whether a process holds the master keys of its database: told at start, not at the first value that does not open.
 *
 * The database keeps for each version a value derived from the key and the installation's id (HKDF, so it gives nothing of the key away and
 * two installations with the same key do not show it). A version counts as in use from the first process that sealed under it until
 * `drawbridge reseal` has found that nothing needs it any more.
 */
import { timingSafeEqual } from 'node:crypto'
import type { Sealer } from './seal.js'

export type RecordedMasterKey = {
  readonly version: number
  readonly checkValue: Buffer
  /** Values have been sealed under it. One that was only given out may be missing here and there: that is how a rotation begins. */
  readonly isUsed: boolean
  /** Nothing needs it any more. */
  readonly isRetired: boolean
}
export type HeldMasterKeys = { readonly current: number; readonly checkValues: ReadonlyMap<number, Buffer> }

export type MasterKeyFault =
  | { readonly fault: 'other_key'; readonly version: number }
  | { readonly fault: 'none_known'; readonly versions: readonly number[] }
  | { readonly fault: 'retired_is_current'; readonly version: number }
  | { readonly fault: 'missing'; readonly version: number }

export const checkValuesOf = (sealer: Sealer, installation: string): HeldMasterKeys => ({
  current: sealer.currentVersion,
  checkValues: new Map(sealer.versions.map((version) => [version, sealer.derive(`master-key-check/${installation}`, version)])),
})

const isSame = (left: Buffer, right: Buffer): boolean => left.length === right.length && timingSafeEqual(left, right)

/** Undefined: these keys may serve this database. A database that knows none yet takes any; whoever asks looks at what is sealed in it. */
export function judgeMasterKeys(recorded: readonly RecordedMasterKey[], held: HeldMasterKeys): MasterKeyFault | undefined {
  const other = recorded.find(({ version, checkValue }) => {
    const given = held.checkValues.get(version)
    return given !== undefined && !isSame(given, checkValue)
  })
  if (other) return { fault: 'other_key', version: other.version }
  const isKnown = recorded.length === 0 || recorded.some(({ version }) => held.checkValues.has(version))
  if (!isKnown) return { fault: 'none_known', versions: recorded.map(({ version }) => version) }
  if (recorded.some(({ version, isRetired }) => isRetired && version === held.current))
    return { fault: 'retired_is_current', version: held.current }
  const missing = recorded.find(({ version, isUsed, isRetired }) => isUsed && !isRetired && !held.checkValues.has(version))
  return missing && { fault: 'missing', version: missing.version }
}
