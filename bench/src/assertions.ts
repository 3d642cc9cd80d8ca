/** A trust, and a client that brings its assertions: what the grant type jwt-bearer costs. */
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import { type Instant, toSeconds } from '@drawbridge/core/instant'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { signForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase } from '@drawbridge/testkit/database'

const iss = 'https://idp.example'
const agent = { client_id: 'agent', client_secret: 'dbk_agent' } as const

type Given = { readonly issuer: string; readonly now: Instant; readonly forget: () => void }

/** Answers what makes a form with another assertion about the same person each time. */
export async function anAssertion(
  fixture: TestDatabase,
  tenant: ATenant,
  { issuer, now, forget }: Given,
): Promise<() => Record<string, string>> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const owner = (sql: string, ...more: unknown[]) => asOwner(fixture.ownerUrl, sql, [tenant.tenantId, ...more])
  const configuration = { issuer: iss, jwks: { keys: [pair.publicKey.export({ format: 'jwk' })] } }
  await owner(
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, gen_random_uuid(), 'assertion', 'IdP', $2, now())`,
    JSON.stringify(configuration),
  )
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
     VALUES ($1, $2, $3, 'preregistered', 'Agent', '{}', $4, 'client_secret_post', $5, '{}', now())`,
    ...[tenant.issuerId, agent.client_id, [jwtBearerGrantType], createHash('sha256').update(agent.client_secret).digest()],
  )
  await owner(
    `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'look', 'Look', 'read', true)`,
    tenant.resourceId,
  )
  const document = 'version: 1\nrules: [{name: staff, effect: grant, scopes: [look], groups: [staff]}]\n'
  await inTenant(fixture.database, tenant.tenantId, (db) => publishPolicy(db, tenant.tenantId, { document, author: 'bench', now }))
  forget()
  return () => {
    const at = { iat: toSeconds(now), exp: toSeconds(now) + 120 }
    const what = { client_id: agent.client_id, resource: tenant.resource, scope: 'look', groups: ['staff'] }
    const claims = { iss, sub: 'grace', aud: issuer, jti: randomUUID(), ...at, ...what }
    const assertion = signForeignJwt({ algorithm: 'ES256', privateKey: pair.privateKey }, { typ: 'oauth-id-jag+jwt' }, claims)
    return { grant_type: jwtBearerGrantType, assertion, ...agent }
  }
}
