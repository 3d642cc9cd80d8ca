/** Fresh keys for the issuers of tenants, made and sealed where they are needed: in the transaction that stores them. */

import type { Instant } from '@drawbridge/core/instant'
import type { RotatedPurpose } from '@drawbridge/core/oauth/key-rotation'
import { generateTokenKey } from '@drawbridge/crypto/signing-keys'
import type { KeyOwner } from '@drawbridge/store/key-rotation'
import type { KeyChange } from '@drawbridge/store/signing-keys'
import type { JobDeps } from './deps.js'

export const keyChangeOf = (
  { random, sealer, installationId: installation }: JobDeps,
  { tenantId: tenant, issuerId, purpose }: KeyOwner,
  now: Instant,
): KeyChange & { readonly purpose: RotatedPurpose } => ({
  ...{ issuerId, now, purpose },
  makeKey: async (_purpose, state, algorithm) => {
    const { privateKey, ...key } = await generateTokenKey(random, purpose, algorithm)
    const place = { installation, tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
    return { ...key, issuerId, state, now, sealedPrivateKey: sealer.seal(privateKey, place) }
  },
})
