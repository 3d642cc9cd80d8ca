/** Resources with their scopes and tiers, who may mint for them, and what they prove themselves with. */

import { sensitivityTiers } from '@drawbridge/core/policy/decision'
import type { ResourceId, ResourceIdentifier, Scope, TenantId } from '@drawbridge/core/tenant/ids'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { listDomains } from '@drawbridge/store/domains'
import {
  insertResource,
  insertResourceCredential,
  listResources,
  replaceScopes,
  type StoredResource,
  type StoredScope,
  shareResource,
} from '@drawbridge/store/resources'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { type AdminRequest, adminEndpoint, audit, fromIso, idParam, refuseAdmin, toIso } from './admin-endpoint.js'

const tag = 'Resources'
/** RFC 6749 §3.3: printable ASCII without space, quote and backslash. */
const scopeName = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'a scope token of RFC 6749 §3.3')
const scope = z.strictObject({
  name: scopeName,
  description: z.string().trim().min(1).max(300).describe('Plain words for the consent page'),
  tier: z.enum(sensitivityTiers),
  isDefault: z.boolean().default(false).describe('Granted when the client names no scope'),
})
const scopes = z
  .array(scope)
  .max(200)
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, 'a scope is named twice')
const identifier = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .refine((url) => !url.includes('#'), 'a resource identifier has no fragment: RFC 8707 §2')
const ttl = z.int().min(60).max(86_400)

const show = (resource: StoredResource) => ({
  id: resource.id,
  identifier: resource.identifier,
  name: resource.name,
  shared: resource.tenantId === vendorTenantId,
  accessTokenTtlSeconds: resource.accessTokenTtlSeconds ?? null,
  scopes: resource.scopes,
  createdAt: toIso(resource.createdAt),
})

const list = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/resources',
  tag,
  summary: 'List resources, shared ones of the vendor too',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json({ resources: (await inTenant(deps.database, id, (db) => listResources(db, id))).map(show) })
  },
})

const newResource = z.strictObject({
  identifier: identifier.describe('What `aud` will hold, byte for byte; unique in the installation'),
  name: z.string().trim().min(1).max(200),
  accessTokenTtlSeconds: ttl.optional(),
  scopes,
})

/** A tenant creates resources only under domains that it has proven; else it could claim another's API. */
async function ownsHost(http: AdminRequest<unknown>, deps: BrokerDeps, tenant: ResolvedTenant, resource: string): Promise<boolean> {
  if (http.caller.isVendor) return true
  const host = new URL(resource).hostname
  const domains = await inTenant(deps.database, tenant.id, (db) => listDomains(db, tenant.id))
  return domains.some(({ domain, verifiedAt }) => verifiedAt !== undefined && (host === domain || host.endsWith(`.${domain}`)))
}

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/resources',
  tag,
  summary: 'Add a resource of this tenant; its issuer may mint for it',
  permission: 'configuration:write',
  body: newResource,
  status: 201,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const body = http.parsed
    if (!(await ownsHost(http, deps, tenant, body.identifier))) return refuseAdmin('resource_not_owned')
    const id = deps.random.uuid() as ResourceId
    const draft = {
      id,
      identifier: body.identifier as ResourceIdentifier,
      name: body.name,
      accessTokenTtlSeconds: body.accessTokenTtlSeconds,
      scopes: body.scopes as unknown as readonly StoredScope[],
      issuerIds: [tenant.issuer.id],
      now: deps.clock.now(),
    }
    await inTenant(deps.database, tenant.id, async (db) => {
      await insertResource(db, tenant.id, draft)
      await audit(db, tenant.id, http, deps, {
        kind: 'resource.created',
        scopes: body.scopes.map(({ name }) => name),
        detail: { resource: body.identifier },
      })
    })
    return json(show({ ...draft, tenantId: tenant.id, accessTokenTtlSeconds: draft.accessTokenTtlSeconds, createdAt: draft.now }), {
      status: 201,
    })
  },
})

const putScopes = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/resources/:id/scopes',
  tag,
  summary: 'Replace the scopes of a resource of this tenant',
  permission: 'configuration:write',
  body: z.strictObject({ scopes }),
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam(http) as ResourceId | undefined
    const stored = await inTenant(deps.database, tenant.id, async (db) => {
      const own = (await listResources(db, tenant.id)).find((resource) => resource.id === id && resource.tenantId === tenant.id)
      if (!own) return undefined
      await replaceScopes(
        db,
        tenant.id,
        own.id,
        http.parsed.scopes as { name: Scope; description: string; tier: StoredScope['tier']; isDefault: boolean }[],
      )
      await audit(db, tenant.id, http, deps, {
        kind: 'resource.scopes_replaced',
        scopes: http.parsed.scopes.map(({ name }) => name),
        detail: { resource: own.identifier },
      })
      return { ...own, scopes: http.parsed.scopes as unknown as readonly StoredScope[] }
    })
    return stored ? json(show(stored)) : refuseAdmin('not_found')
  },
})

const newCredential = z.strictObject({ expiresAt: z.iso.datetime().optional() })

/** For a resource of `owner` itself: nobody makes credentials of what is only shared with him. */
async function makeCredential(http: AdminRequest<z.output<typeof newCredential>>, deps: BrokerDeps, owner: TenantId): Promise<Answer> {
  const resourceId = idParam(http) as ResourceId | undefined
  if (resourceId === undefined) return refuseAdmin('not_found')
  const id = deps.random.uuid()
  const secret = `dbx_${deps.random.token()}`
  const expiresAt = fromIso(http.parsed.expiresAt)
  const found = await inTenant(deps.database, owner, async (db) => {
    const own = (await listResources(db, owner)).find((resource) => resource.id === resourceId && resource.tenantId === owner)
    if (!own) return false
    await insertResourceCredential(db, owner, { id, resourceId, secretHash: hashCredential(secret), now: deps.clock.now(), expiresAt })
    await audit(db, owner, http, deps, { kind: 'resource.credential_created', detail: { resource: own.identifier, credential: id } })
    return true
  })
  return found ? json({ id, secret, expiresAt: toIso(expiresAt) }, { status: 201 }) : refuseAdmin('not_found')
}

const createCredential = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/resources/:id/credentials',
  tag,
  summary: 'Make a credential with which the resource introspects and hears notices; shown once',
  permission: 'configuration:write',
  body: newCredential,
  status: 201,
  run: (http, deps) => makeCredential(http, deps, tenantOf(http).id),
})

const createSharedCredential = adminEndpoint({
  method: 'POST',
  path: '/shared-resources/:id/credentials',
  tag,
  summary: 'Make a credential of a resource of the vendor; shown once',
  permission: 'configuration:write',
  vendorOnly: true,
  body: newCredential,
  status: 201,
  run: (http, deps) => makeCredential(http, deps, vendorTenantId),
})

const share = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/shared-resources/:id',
  tag,
  summary: 'Let this tenant’s issuer mint for a resource of the vendor',
  permission: 'configuration:write',
  vendorOnly: true,
  status: 204,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const resourceId = idParam(http) as ResourceId | undefined
    if (resourceId === undefined) return refuseAdmin('not_found')
    await inTenant(deps.database, vendorTenantId as TenantId, async (db) => {
      await shareResource(db, vendorTenantId, { resourceId, issuerTenantId: tenant.id, issuerId: tenant.issuer.id })
      await audit(db, vendorTenantId, http, deps, { kind: 'resource.shared', detail: { resourceId, tenant: tenant.slug } })
    })
    return empty()
  },
})

const listShared = adminEndpoint({
  method: 'GET',
  path: '/shared-resources',
  tag,
  summary: 'List the vendor’s own resources, which may be shared with tenants',
  permission: 'configuration:read',
  vendorOnly: true,
  run: async (_http, deps) =>
    json({ resources: (await inTenant(deps.database, vendorTenantId, (db) => listResources(db, vendorTenantId))).map(show) }),
})

const createShared = adminEndpoint({
  method: 'POST',
  path: '/shared-resources',
  tag,
  summary: 'Add a resource of the vendor; share it with each tenant whose issuer may mint for it',
  permission: 'configuration:write',
  vendorOnly: true,
  body: newResource,
  status: 201,
  run: async (http, deps) => {
    const { identifier: wanted, name, accessTokenTtlSeconds, scopes: wantedScopes } = http.parsed
    const draft = {
      id: deps.random.uuid() as ResourceId,
      identifier: wanted as ResourceIdentifier,
      name,
      accessTokenTtlSeconds,
      scopes: wantedScopes as unknown as readonly StoredScope[],
      issuerIds: [],
      now: deps.clock.now(),
    }
    await inTenant(deps.database, vendorTenantId, async (db) => {
      await insertResource(db, vendorTenantId, draft)
      await audit(db, vendorTenantId, http, deps, {
        kind: 'resource.created',
        scopes: wantedScopes.map((one) => one.name),
        detail: { resource: wanted },
      })
    })
    return json(show({ ...draft, tenantId: vendorTenantId, createdAt: draft.now }), { status: 201 })
  },
})

export const resourceEndpoints = [list, create, putScopes, createCredential, listShared, createShared, createSharedCredential, share]
