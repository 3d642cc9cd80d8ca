/** User codes of devices: drawn without bias, and kept under a key. */
import { createHmac } from 'node:crypto'
import { type UserCode, userCodeAlphabet, userCodeLength } from '@drawbridge/core/oauth/user-code'
import type { CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import type { Random } from './random.js'
import type { Sealer } from './seal.js'

/** Every letter is as likely as every other: what would favour the first ones of the alphabet is drawn again. RFC 8628 §6.1 */
export function drawUserCode(random: Pick<Random, 'bytes'>): UserCode {
  const fair = 256 - (256 % userCodeAlphabet.length)
  let code = ''
  while (code.length < userCodeLength) {
    const octet = random.bytes(1).readUInt8(0)
    if (octet < fair) code += userCodeAlphabet[octet % userCodeAlphabet.length]
  }
  return code as UserCode
}

/**
 * What a store keeps of a user code. It has some 34 bits, so whoever read a plain hash would know it in minutes; without the key he learns nothing.
 *
 * The first is of the current key. A code that was drawn before the key changed is found by one of the others.
 */
export function hashUserCode(sealer: Sealer, tenant: TenantId, code: UserCode): readonly [CredentialHash, ...CredentialHash[]] {
  const under = (version: number): CredentialHash =>
    createHmac('sha256', sealer.derive('user-code', version))
      .update(JSON.stringify([tenant, code]))
      .digest() as CredentialHash
  const others = sealer.versions.filter((version) => version !== sealer.currentVersion)
  return [under(sealer.currentVersion), ...others.map(under)]
}
