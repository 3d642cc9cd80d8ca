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
import { generateSamlKey } from '@drawbridge/crypto/saml-key'
import { type GeneratedKey, generateSigningKey } from '@drawbridge/crypto/signing-keys'
import type { Simulator } from '@drawbridge/simulator/simulator'
import { findAdminKeyAcrossTenants } from '@drawbridge/store/admin-keys'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { insertConnection } from '@drawbridge/store/connections'
import { insertDomain } from '@drawbridge/store/domains'
import { insertIssuer, listIssuers } from '@drawbridge/store/issuers'
import { shareResource } from '@drawbridge/store/minters'
import { publishPolicy } from '@drawbridge/store/policies'
import { insertResourceCredential } from '@drawbridge/store/resource-credentials'
import { findResourceByIdentifier, insertResource } from '@drawbridge/store/resources'
import { insertScimToken } from '@drawbridge/store/scim-tokens'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import { findTenantBySlugAcrossTenants, insertTenant, markProvisioningMode } from '@drawbridge/store/tenants'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { keepAdminKey, newAdminKey } from './admin-key.js'
import { demoPolicy, demoScopes } from './demo-policy.js'
import type { Demonstration } from './demonstration-file.js'
import type { Platform } from './platform.js'
import { oidcConnectionOf, samlConnectionOf } from './simulator-connections.js'

const companies = [
  { slug: 'acme', name: 'Acme Corporation', domain: 'acme.example', kind: 'saml' },
  { slug: 'globex', name: 'Globex Industries', domain: 'globex.example', kind: 'oidc' },
] as const

/** All that is random about a demonstration, made before anything of it is written. */
export function planDemonstration(platform: Platform): Demonstration {
  const { random } = platform
  return {
    unfinished: true,
    adminKey: newAdminKey(platform),
    resourceCredential: { id: random.uuid(), secret: `dbx_${random.token()}` },
    tenants: companies.map(({ slug }) => ({
      slug,
      tenantId: random.uuid(),
      connectionId: random.uuid(),
      scimToken: `dbs_${random.token()}`,
    })),
  }
}

/**
 * Writes what the plan lacks in the database, so that a start that was killed half-way is completed.
 * Each step is one transaction that is there whole or not at all; the admin key is the last.
 */
export async function seedDemonstration(platform: Platform, simulator: Simulator, resource: string, plan: Demonstration): Promise<void> {
  const resourceId = await seedResource(platform, resource, plan)
  for (const company of companies) {
    const planned = plan.tenants.find(({ slug }) => slug === company.slug)
    if (!planned) continue
    const tenant = planned.tenantId as TenantId
    const found = await findTenantBySlugAcrossTenants(platform.database, company.slug)
    if (found && found.id !== tenant) throw new Error(`the database holds another demonstration of ${company.slug}`)
    if (!found) await seedTenant(platform, simulator, company, planned)
    const issuers = await inTenant(platform.database, tenant, (db) => listIssuers(db, tenant))
    const issuer = issuers.find(({ kind }) => kind === 'tenant')
    if (!issuer) throw new Error(`${company.slug} has no issuer`)
    const shared = { resourceId, issuerTenantId: tenant, issuerId: issuer.id }
    await inTenant(platform.database, vendorTenantId, (db) => shareResource(db, vendorTenantId, shared))
  }
  if (!(await findAdminKeyAcrossTenants(platform.database, hashCredential(plan.adminKey))))
    await keepAdminKey(platform, 'first key', plan.adminKey)
}

async function seedResource(platform: Platform, resource: string, { resourceCredential }: Demonstration): Promise<ResourceId> {
  const now = platform.clock.now()
  return inTenant(platform.database, vendorTenantId, async (db) => {
    const found = await findResourceByIdentifier(db, vendorTenantId, resource)
    if (found) return found.id
    const id = platform.random.uuid() as ResourceId
    const identifier = resource as ResourceIdentifier
    await insertResource(db, vendorTenantId, { id, identifier, name: 'Example MCP server', scopes: demoScopes, issuerIds: [], now })
    const secretHash = hashCredential(resourceCredential.secret)
    await insertResourceCredential(db, vendorTenantId, { id: resourceCredential.id, resourceId: id, secretHash, now })
    return id
  })
}

async function seedTenant(
  platform: Platform,
  simulator: Simulator,
  company: (typeof companies)[number],
  planned: Demonstration['tenants'][number],
): Promise<void> {
  const { random, database, settings, sealer, installation } = platform
  const now = platform.clock.now()
  const tenant = planned.tenantId as TenantId
  const issuerId = random.uuid() as IssuerId
  const connectionId = planned.connectionId as ConnectionId
  const { scimToken } = planned
  const upstream = company.kind === 'saml' ? samlConnectionOf(simulator) : oidcConnectionOf(simulator)
  await inTenant(database, tenant, async (db) => {
    await insertTenant(db, { id: tenant, slug: company.slug as TenantSlug, name: company.name, now })
    await insertIssuer(db, tenant, { id: issuerId, url: `${settings.publicUrl}/t/${company.slug}` as Issuer, kind: 'tenant', now })
    await seedKeys(platform, db, tenant, issuerId, now)
    if (company.kind === 'saml') await seedSamlKeys(platform, db, tenant, issuerId, now)
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
    // The people of the desk sign in before their directory has told of them: that is part of the story.
    await markProvisioningMode(db, tenant, 'just_in_time')
    await insertScimToken(db, tenant, { id: random.uuid(), connectionId, name: 'simulator', secretHash: hashCredential(scimToken), now })
    await publishPolicy(db, tenant, { document: demoPolicy, author: 'drawbridge start', note: 'the demonstration', now })
    await insertAuditEvent(db, tenant, {
      at: now,
      kind: 'tenant.created',
      issuerId,
      detail: { slug: company.slug, by: 'drawbridge start' },
    })
  })
}

async function seedKeys(platform: Platform, db: Db, tenant: TenantId, issuerId: IssuerId, now: Instant): Promise<void> {
  for (const purpose of ['tokens', 'notices'] as const)
    for (const state of ['active', 'next'] as const) {
      const made = generateSigningKey(platform.random, purpose)
      await insertSigningKey(db, tenant, { ...sealKey(platform, tenant, made), issuerId, state, now })
    }
}

/** Logout is signed. */
async function seedSamlKeys(platform: Platform, db: Db, tenant: TenantId, issuerId: IssuerId, now: Instant): Promise<void> {
  for (const state of ['active', 'next'] as const) {
    const { certificate, ...made } = await generateSamlKey(platform.random, 'demonstration', now)
    await insertSigningKey(db, tenant, { ...sealKey(platform, tenant, made), certificate, issuerId, state, now })
  }
}

function sealKey(platform: Platform, tenant: TenantId, { privateKey, ...key }: GeneratedKey) {
  const { installationId: installation } = platform.installation
  const context = { installation, tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  return { ...key, sealedPrivateKey: platform.sealer.seal(privateKey, context) }
}
