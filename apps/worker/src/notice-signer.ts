/** Signs notices with the issuer's key for that purpose. Opened keys are kept by id: a key never changes, only its state does. */
import { assert } from '@drawbridge/core/assert'
import type { SigningKey } from '@drawbridge/crypto/jwt'
import { signJwt } from '@drawbridge/crypto/jwt'
import type { Sealer } from '@drawbridge/crypto/seal'
import { toSigningKey } from '@drawbridge/crypto/signing-keys'
import { findActiveNoticeKey } from '@drawbridge/store/notices'
import type { OpenNoticeSigner } from './deps.js'

/** Opened keys kept in memory; beyond this the oldest is opened again when needed. */
export const maxOpenedKeys = 1000

export function createNoticeSigner(sealer: Sealer, installation: string): OpenNoticeSigner {
  const opened = new Map<string, SigningKey>()
  return async (db, issuer) => {
    const row = await findActiveNoticeKey(db, issuer.tenant, issuer.id)
    assert(row !== undefined, `the issuer ${issuer.url} has an active key for notices`)
    const signBy = (key: SigningKey) => (claims: Readonly<Record<string, unknown>>) => signJwt(key, { typ: 'secevent+jwt' }, claims)
    const cached = opened.get(row.id)
    if (cached !== undefined) return signBy(cached)
    const context = { installation, tenant: issuer.tenant, table: 'signing_keys', column: 'sealed_private_key', row: row.id }
    const plain = sealer.open(row.sealedPrivateKey, context)
    assert(plain.ok, `the key ${row.id} opens under the master key`)
    const key = toSigningKey(row.id, plain.value)
    for (const id of opened.keys()) {
      if (opened.size < maxOpenedKeys) break
      opened.delete(id)
    }
    opened.set(row.id, key)
    return signBy(key)
  }
}
