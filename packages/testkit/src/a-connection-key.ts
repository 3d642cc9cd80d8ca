/** An OpenID connection with a key of ours that signs, arranged as the owner of the tables. The private half is no key: nothing opens it. */
import { randomUUID } from 'node:crypto'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export async function aKeyedConnection({ ownerUrl }: TestDatabase, { tenantId }: ATenant, kid: string): Promise<string> {
  const id = randomUUID()
  const configuration = JSON.stringify({ issuer: 'https://idp.example', clientId: 'x' })
  const connection = `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', 'IdP', $3, now())`
  await asOwner(ownerUrl, connection, [tenantId, id, configuration])
  const key = `INSERT INTO connection_keys (tenant_id, id, connection_id, algorithm, state, public_jwk, sealed_private_key, created_at)
    VALUES ($1, $2, $3, 'ES256', 'active', '{}', '\\x00', now())`
  await asOwner(ownerUrl, key, [tenantId, kid, id])
  return id
}
