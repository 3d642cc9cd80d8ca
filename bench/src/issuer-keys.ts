/** Gives an arranged tenant the keys that an issuer is made with, so that a broker can sign and verify for it. */
import type { Instant } from '@drawbridge/core/instant'
import type { IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Random } from '@drawbridge/crypto/random'
import type { Sealer } from '@drawbridge/crypto/seal'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import type { Database } from '@drawbridge/store/database'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'

export type KeyMaking = {
  readonly database: Database
  readonly sealer: Sealer
  readonly random: Random
  readonly installationId: string
  readonly now: Instant
}

export async function giveIssuerKeys(
  making: KeyMaking,
  owner: { readonly tenantId: TenantId; readonly issuerId: IssuerId },
): Promise<void> {
  const { database, sealer, random, installationId, now } = making
  const { tenantId: tenant, issuerId } = owner
  await inTenant(database, tenant, async (db) => {
    for (const purpose of ['tokens', 'notices'] as const) {
      const { privateKey, ...key } = generateSigningKey(random, purpose)
      const context = { installation: installationId, tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
      await insertSigningKey(db, tenant, { ...key, issuerId, state: 'active', now, sealedPrivateKey: sealer.seal(privateKey, context) })
    }
  })
}
