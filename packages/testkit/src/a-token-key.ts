/** The key that signs a tenant's tokens, or its notices, made through the product's own sealing. */
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import type { TestBroker } from './a-broker.js'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export async function aTokenKey(
  fixture: TestDatabase,
  { deps }: TestBroker,
  { tenantId, issuerId }: ATenant,
  purpose: 'tokens' | 'notices' = 'tokens',
): Promise<void> {
  const made = generateSigningKey(deps.random, purpose)
  const place = { tenant: tenantId, table: 'signing_keys', column: 'sealed_private_key', row: made.id }
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at)
     VALUES ($1, $2, $3, $6, 'ES256', 'active', $4, $5, now())`,
    [
      tenantId,
      made.id,
      issuerId,
      JSON.stringify(made.publicJwk),
      deps.sealer.seal(made.privateKey, { installation: deps.installation.id, ...place }),
      purpose,
    ],
  )
}
