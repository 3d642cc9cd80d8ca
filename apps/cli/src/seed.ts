/** The demonstration: two companies, their connections to the simulator, one shared MCP server, policies. Made once per database. */
import type { Instant } from '@drawbridge/core/instant'
import {
  type ConnectionId,
  type Issuer,
  type IssuerId,
  type ResourceId,
  type ResourceIdentifier,
  type TenantId,
  type TenantSlug,
  vendorTenantId,
} from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import type { Simulator } from '@drawbridge/simulator/simulator'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { insertConnection } from '@drawbridge/store/connections'
import { insertDomain } from '@drawbridge/store/domains'
import { insertIssuer } from '@drawbridge/store/issuers'
import { publishPolicy } from '@drawbridge/store/policies'
import { insertResource, insertResourceCredential, shareResource } from '@drawbridge/store/resources'
import { insertScimToken } from '@drawbridge/store/scim-tokens'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import { findTenantBySlugAcrossTenants, insertTenant } from '@drawbridge/store/tenants'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { demoPolicy, demoScopes } from './demo-policy.js'
import type { Platform } from './platform.js'
import { oidcConnectionOf, samlConnectionOf } from './simulator-connections.js'

/** What only this seeding knows: shown or handed on once, kept in the demonstration's own file. */
export type SeededTenant = {
  readonly slug: 'acme' | 'globex'
  readonly tenantId: TenantId
  readonly connectionId: ConnectionId
  readonly scimToken: string
}
export type Seeded = {
  readonly tenants: readonly SeededTenant[]
  readonly resourceCredential: { readonly id: string; readonly secret: string }
}

const companies = [
  { slug: 'acme', name: 'Acme Corporation', domain: 'acme.example', kind: 'saml' },
  { slug: 'globex', name: 'Globex Industries', domain: 'globex.example', kind: 'oidc' },
] as const

/** Undefined when this database was seeded before. */
export async function seedDemonstration(platform: Platform, simulator: Simulator, resource: string): Promise<Seeded | undefined> {
  if (await findTenantBySlugAcrossTenants(platform.database, 'globex')) return undefined
  const now = platform.clock.now()
  const resourceId = platform.random.uuid() as ResourceId
  const resourceCredential = { id: platform.random.uuid(), secret: `dbx_${platform.random.token()}` }
  await inTenant(platform.database, vendorTenantId, async (db) => {
    await insertResource(db, vendorTenantId, {
      id: resourceId,
      identifier: resource as ResourceIdentifier,
      name: 'Example MCP server',
      scopes: demoScopes,
      issuerIds: [],
      now,
    })
    await insertResourceCredential(db, vendorTenantId, {
      id: resourceCredential.id,
      resourceId,
      secretHash: hashCredential(resourceCredential.secret),
      now,
    })
  })
  const tenants: SeededTenant[] = []
  for (const company of companies) tenants.push(await seedTenant(platform, simulator, company, resourceId))
  return { tenants, resourceCredential }
}

async function seedTenant(
  platform: Platform,
  simulator: Simulator,
  company: (typeof companies)[number],
  resourceId: ResourceId,
): Promise<SeededTenant> {
  const { random, database, settings, sealer, installation } = platform
  const now = platform.clock.now()
  const tenant = random.uuid() as TenantId
  const issuerId = random.uuid() as IssuerId
  const connectionId = random.uuid() as ConnectionId
  const scimToken = `dbs_${random.token()}`
  const upstream = company.kind === 'saml' ? samlConnectionOf(simulator) : oidcConnectionOf(simulator)
  await inTenant(database, tenant, async (db) => {
    await insertTenant(db, { id: tenant, slug: company.slug as TenantSlug, name: company.name, now })
    await insertIssuer(db, tenant, { id: issuerId, url: `${settings.publicUrl}/t/${company.slug}` as Issuer, kind: 'tenant', now })
    await seedKeys(platform, db, tenant, issuerId, now)
    const context = { installation: installation.installationId, tenant, table: 'connections', column: 'sealed_secret', row: connectionId }
    await insertConnection(db, tenant, {
      id: connectionId,
      kind: company.kind,
      name: `${company.name} sign-in`,
      configuration: upstream.configuration,
      ...(upstream.secret === undefined ? {} : { sealedSecret: sealer.seal(Buffer.from(upstream.secret, 'utf8'), context) }),
      now,
    })
    await insertDomain(db, tenant, { domain: company.domain, connectionId, verifiedAt: now, now })
    await insertScimToken(db, tenant, { id: random.uuid(), connectionId, name: 'simulator', secretHash: hashCredential(scimToken), now })
    await publishPolicy(db, tenant, { document: demoPolicy, author: 'drawbridge start', note: 'the demonstration', now })
    await insertAuditEvent(db, tenant, {
      at: now,
      kind: 'tenant.created',
      issuerId,
      detail: { slug: company.slug, by: 'drawbridge start' },
    })
  })
  await inTenant(database, vendorTenantId, (db) => shareResource(db, vendorTenantId, { resourceId, issuerTenantId: tenant, issuerId }))
  return { slug: company.slug, tenantId: tenant, connectionId, scimToken }
}

async function seedKeys(platform: Platform, db: Db, tenant: TenantId, issuerId: IssuerId, now: Instant): Promise<void> {
  for (const purpose of ['tokens', 'notices'] as const) {
    for (const state of ['active', 'next'] as const) {
      const { privateKey, ...key } = generateSigningKey(platform.random, purpose)
      const context = {
        installation: platform.installation.installationId,
        tenant,
        table: 'signing_keys',
        column: 'sealed_private_key',
        row: key.id,
      }
      await insertSigningKey(db, tenant, { ...key, issuerId, state, now, sealedPrivateKey: platform.sealer.seal(privateKey, context) })
    }
  }
}
