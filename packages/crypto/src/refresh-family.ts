/** The successor of a refresh token, computed from the token itself: the same in every process, and at rest nowhere. */
import { createHmac, hkdfSync } from 'node:crypto'
import { tenantNamedBy } from '@drawbridge/core/oauth/front-credential'
import { formatRefreshToken, type TokenFamilyId } from '@drawbridge/core/oauth/refresh-token'
import { Secret } from '@drawbridge/core/secret'
import type { Sealer } from './seal.js'

/**
 * `next = HMAC(K_family, presented token)`, with `K_family` from HKDF over the sealed, versioned master key and the family's id.
 *
 * The installation's part is derived once per key version and kept; the family's part is derived anew each time, for families are many.
 *
 * @spec RFC 5869 HKDF
 */
export function deriveSuccessor(
  sealer: Sealer,
  family: { readonly familyId: TokenFamilyId; readonly keyVersion: number },
  presented: Secret,
): Secret {
  const familyKey = hkdfSync('sha256', sealer.derive('refresh-family', family.keyVersion), Buffer.alloc(0), `family/${family.familyId}`, 32)
  const next = createHmac('sha256', Buffer.from(familyKey)).update(presented.reveal(), 'utf8').digest()
  return new Secret(formatRefreshToken(family.familyId, next, tenantNamedBy(presented.reveal())))
}
