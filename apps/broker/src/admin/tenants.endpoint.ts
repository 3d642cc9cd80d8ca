/** Tenants: made with their issuer and keys in one transaction, never deleted. */

import type { Issuer, IssuerId, TenantSlug } from '@drawbridge/core/tenant/ids'
import { insertIssuer } from '@drawbridge/store/issuers'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import { findTenant, insertTenant, listTenantsAcrossTenants, markTenantSuspended, type Tenant } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, toIso } from './admin-endpoint.js'
import { randomUuidTenant, sealNewKey } from './new-key.js'

const tag = 'Tenants'
const show = (tenant: Tenant, publicUrl: string) => ({
  id: tenant.id,
  slug: tenant.slug,
  name: tenant.name,
  issuer: `${publicUrl}/t/${tenant.slug}`,
  policyVersion: tenant.policyVersion,
  suspendedAt: toIso(tenant.suspendedAt),
  createdAt: toIso(tenant.createdAt),
})

const listTenants = adminEndpoint({
  method: 'GET',
  path: '/tenants',
  tag,
  summary: 'List tenants, by slug; continue with ?after=<slug>',
  permission: 'configuration:read',
  vendorOnly: true,
  run: async (http, deps) => {
    const after = http.query.ok ? http.query.value['after'] : undefined
    const tenants = await listTenantsAcrossTenants(deps.database, after)
    return json({ tenants: tenants.map((tenant) => show(tenant, deps.settings.publicUrl)) })
  },
})

const newTenant = z.strictObject({
  slug: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and hyphens, at most 63')
    .describe('The tenant’s part of its issuer; never reused'),
  name: z.string().trim().min(1).max(200),
})

const createTenant = adminEndpoint({
  method: 'POST',
  path: '/tenants',
  tag,
  summary: 'Create a tenant with its issuer and keys',
  permission: 'tenants:write',
  vendorOnly: true,
  body: newTenant,
  status: 201,
  run: async (http, deps) => {
    const { slug, name } = http.parsed
    const now = deps.clock.now()
    const id = randomUuidTenant(deps)
    const issuerId = deps.random.uuid() as IssuerId
    const tenant = await inTenant(deps.database, id, async (db) => {
      await insertTenant(db, { id, slug: slug as TenantSlug, name, now })
      await insertIssuer(db, id, { id: issuerId, url: `${deps.settings.publicUrl}/t/${slug}` as Issuer, kind: 'tenant', now })
      for (const purpose of ['tokens', 'notices'] as const)
        for (const state of ['active', 'next'] as const)
          await insertSigningKey(db, id, sealNewKey(deps, { tenant: id, issuerId, purpose, state, now }))
      await audit(db, id, http, deps, { kind: 'tenant.created', issuerId, detail: { slug } })
      return findTenant(db, id)
    })
    return json(show(tenant as Tenant, deps.settings.publicUrl), { status: 201 })
  },
})

const getTenant = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant',
  tag,
  summary: 'Read a tenant',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const tenant = await inTenant(deps.database, id, (db) => findTenant(db, id))
    return json(show(tenant as Tenant, deps.settings.publicUrl))
  },
})

const reinstateTenant = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/reinstate',
  tag,
  summary: 'Let a suspended tenant sign in again; nothing that died comes back',
  permission: 'tenants:write',
  vendorOnly: true,
  status: 204,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    await inTenant(deps.database, id, async (db) => {
      await markTenantSuspended(db, id, undefined)
      await audit(db, id, http, deps, { kind: 'tenant.reinstated' })
    })
    return empty()
  },
})

export const tenantEndpoints = [listTenants, createTenant, getTenant, reinstateTenant]
