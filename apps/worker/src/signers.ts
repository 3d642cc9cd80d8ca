/** Opens what the worker needs of what rests sealed, and signs what it says, with the issuer's key for that purpose. Opened keys are kept by id: a key never changes, only its state does. */
import { assert } from '@drawbridge/core/assert'
import { logoutTokenType } from '@drawbridge/core/logout/logout-token'
import type { SigningKey } from '@drawbridge/crypto/jwt'
import { signJwt } from '@drawbridge/crypto/jwt'
import type { Sealer } from '@drawbridge/crypto/seal'
import { toSigningKey } from '@drawbridge/crypto/signing-keys'
import { findActiveKey } from '@drawbridge/store/notices'
import type { JobDeps, OpenSealed, OpenSigner } from './deps.js'

/** Opened keys kept in memory; beyond this the oldest is opened again when needed. */
export const maxOpenedKeys = 1000

/**
 * Notices are believed by the keys for notices. A logout token is believed by the keys that sign ID tokens, for a client knows no others
 * (OpenID Connect Back-Channel Logout 1.0 §2.6); its type keeps it from passing for anything else.
 */
export function createSigners(sealer: Sealer, installation: string): Pick<JobDeps, 'openNoticeSigner' | 'openLogoutSigner' | 'openSealed'> {
  const openSealed: OpenSealed = (sealed, place) => {
    const plain = sealer.open(sealed, { installation, ...place })
    assert(plain.ok, `what rests in ${place.table}.${place.column} of ${place.row} opens under the master key`)
    return plain.value
  }
  const opened = new Map<string, SigningKey>()
  const open =
    (purpose: 'tokens' | 'notices', typ: string): OpenSigner =>
    async (db, issuer) => {
      const row = await findActiveKey(db, issuer.tenant, { issuerId: issuer.id, purpose })
      assert(row !== undefined, `the issuer ${issuer.url} has an active key for ${purpose}`)
      const signBy = (key: SigningKey) => (claims: Readonly<Record<string, unknown>>) => signJwt(key, { typ }, claims)
      const cached = opened.get(row.id)
      if (cached !== undefined) return signBy(cached)
      const place = { tenant: issuer.tenant, table: 'signing_keys', column: 'sealed_private_key', row: row.id }
      const key = toSigningKey(row, openSealed(row.sealedPrivateKey, place))
      for (const id of opened.keys()) {
        if (opened.size < maxOpenedKeys) break
        opened.delete(id)
      }
      opened.set(row.id, key)
      return signBy(key)
    }
  return { openNoticeSigner: open('notices', 'secevent+jwt'), openLogoutSigner: open('tokens', logoutTokenType), openSealed }
}
