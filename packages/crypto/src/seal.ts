/**
 * Sealing: everything secret that must rest in the database is encrypted under the installation's master key.
 *
 * AES-256-GCM. The key of each kind of cell (table and column) is derived from the master key with HKDF, so that no two kinds share
 * a nonce space. The place where a value rests (installation, tenant, table, column, row, key version) is associated data: a sealed
 * value moved anywhere else opens nowhere. What this does not hide: that a value exists, how long it is, and when it changed.
 *
 * @spec NIST SP 800-38D AES-GCM
 * @spec RFC 5869 HKDF
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { assert } from '@drawbridge/core/assert'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type Random, systemRandom } from './random.js'

export type MasterKey = { readonly version: number; readonly key: Buffer }

/** Where a sealed value rests. All of it is authenticated. */
export type SealContext = {
  readonly installation: string
  readonly tenant: string
  readonly table: string
  readonly column: string
  readonly row: string
}

export type Sealer = {
  /** Seals under the current master key: the newest, unless another was named. */
  seal(plain: Buffer, context: SealContext): Buffer
  open(sealed: Buffer, context: SealContext): Result<Buffer, 'unsealable'>
  /** 256 bits for one purpose, from the master key of that version. */
  derive(info: string, keyVersion: number): Buffer
  readonly currentVersion: number
  readonly versions: readonly number[]
}

const formatVersion = 1
const headerLength = 5
const nonceLength = 12
const tagLength = 16
const keyLength = 32

/**
 * The current key seals, all of them open: that is how the master key rotates while everything runs. A new key is given to every process
 * before it is current in any, or one would seal what another cannot open.
 */
export function createSealer(masterKeys: readonly MasterKey[], random: Random = systemRandom(), current?: number): Sealer {
  assert(masterKeys.length > 0, 'a sealer has at least one master key')
  for (const { key, version } of masterKeys) {
    assert(key.length === keyLength, 'a master key has 256 bits')
    assert(Number.isInteger(version) && version > 0, 'a master key version is a positive integer')
  }
  const byVersion = new Map(masterKeys.map(({ version, key }) => [version, key]))
  const currentVersion = current ?? Math.max(...byVersion.keys())
  assert(byVersion.has(currentVersion), 'the current version is one of the master keys')
  const derived = new Map<string, Buffer>()

  const derive = (info: string, version: number): Buffer => {
    const name = `${version} ${info}`
    const known = derived.get(name)
    if (known) return known
    const master = byVersion.get(version)
    assert(master, `there is a master key of version ${version}`)
    const key = Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), `drawbridge/1/${info}`, keyLength))
    if (derived.size < derivedKeysKept) derived.set(name, key)
    return key
  }
  const keyFor = (context: SealContext, version: number): Buffer => derive(`seal/${context.table}.${context.column}`, version)

  return {
    currentVersion,
    versions: [...byVersion.keys()],
    derive,
    seal: (plain, context) => encrypt(keyFor(context, currentVersion), currentVersion, plain, context, random.bytes(nonceLength)),
    open: (sealed, context) => {
      if (sealed.length < headerLength + nonceLength + tagLength || sealed.readUInt8(0) !== formatVersion) return err('unsealable')
      const version = sealed.readUInt32BE(1)
      return byVersion.has(version) ? decrypt(keyFor(context, version), version, sealed, context) : err('unsealable')
    },
  }
}

/** Derived keys are few (one per kind of cell and purpose); more than this means that a caller derives per row, which is not cached. */
const derivedKeysKept = 1000

const header = (version: number): Buffer => {
  const octets = Buffer.alloc(headerLength)
  octets.writeUInt8(formatVersion, 0)
  octets.writeUInt32BE(version, 1)
  return octets
}

const associatedData = (context: SealContext, version: number): Buffer =>
  Buffer.from(JSON.stringify([context.installation, context.tenant, context.table, context.column, context.row, version]), 'utf8')

function encrypt(key: Buffer, version: number, plain: Buffer, context: SealContext, nonce: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
  cipher.setAAD(associatedData(context, version))
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([header(version), nonce, body, cipher.getAuthTag()])
}

function decrypt(key: Buffer, version: number, sealed: Buffer, context: SealContext): Result<Buffer, 'unsealable'> {
  const bodyAt = headerLength + nonceLength
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(headerLength, bodyAt), { authTagLength: tagLength })
  decipher.setAAD(associatedData(context, version))
  decipher.setAuthTag(sealed.subarray(sealed.length - tagLength))
  try {
    return ok(Buffer.concat([decipher.update(sealed.subarray(bodyAt, sealed.length - tagLength)), decipher.final()]))
  } catch {
    return err('unsealable')
  }
}
