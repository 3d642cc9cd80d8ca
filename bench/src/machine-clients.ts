/** Two clients that act for themselves, one with a secret and one with a key, and what each says to prove itself. */
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { type Instant, toSeconds } from '@drawbridge/core/instant'
import type { ClientId, Scope } from '@drawbridge/core/tenant/ids'
import { insertClient } from '@drawbridge/store/clients'
import { inTenant } from '@drawbridge/store/transaction'
import { hashOf } from '@drawbridge/testkit/a-grant'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase } from '@drawbridge/testkit/database'

export const robotSecret = 'dbk_robot'
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const assertionSeconds = 60

export async function registerMachines(fixture: TestDatabase, tenant: ATenant, now: Instant): Promise<void> {
  const shared = {
    issuerId: tenant.issuerId,
    kind: 'preregistered' as const,
    redirectUris: [],
    postLogoutRedirectUris: [],
    grantTypes: ['client_credentials'],
    applicationType: 'web' as const,
    preApproved: true,
    scopeCeiling: ['read'] as Scope[],
    accessTokenTtlSeconds: undefined,
    now,
  }
  const robot = { ...shared, id: 'robot' as ClientId, name: 'Robot', authMethod: 'client_secret_post' as const }
  const keyed = { ...shared, id: 'keyed' as ClientId, name: 'Keyed', authMethod: 'private_key_jwt' as const }
  const jwks = { keys: [keyedJwk] }
  await inTenant(fixture.database, tenant.tenantId, async (db) => {
    await insertClient(db, tenant.tenantId, { ...robot, secretHash: hashOf(robotSecret), jwks: undefined })
    await insertClient(db, tenant.tenantId, { ...keyed, secretHash: undefined, jwks })
  })
  const declared = 'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier) VALUES ($1, $2, $3, $3, $3)'
  await asOwner(fixture.ownerUrl, declared, [tenant.tenantId, tenant.resourceId, 'read'])
}

const actingFor = (tenant: ATenant) => ({ grant_type: 'client_credentials', resource: tenant.resource })

export const bySecret = (tenant: ATenant): Record<string, string> => ({
  ...actingFor(tenant),
  client_id: 'robot',
  client_secret: robotSecret,
})

export const keyedJwk = publicKey.export({ format: 'jwk' })

export const byAssertion = (tenant: ATenant, issuer: string, now: Instant): Record<string, string> => ({
  ...actingFor(tenant),
  ...assertionFor(issuer, now),
})

/** A new assertion each time: one is believed once. */
export function assertionFor(issuer: string, now: Instant): Record<string, string> {
  const claims = { iss: 'keyed', sub: 'keyed', aud: issuer, exp: toSeconds(now) + assertionSeconds, jti: randomUUID() }
  const input = [{ alg: 'ES256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  return {
    client_assertion: `${input}.${signature}`,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  }
}
