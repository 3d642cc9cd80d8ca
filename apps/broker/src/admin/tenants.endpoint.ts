/** Tenants: made with their issuer and keys in one transaction, never deleted. A kill suspends one; nothing that died by it comes back. */

import type { Issuer, IssuerId, TenantSlug } from '@drawbridge/core/tenant/ids'
import { insertIssuer } from '@drawbridge/store/issuers'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import {
  findTenant,
  insertTenant,
  listTenantsAcrossTenants,
  markTenantSuspended,
  renameTenant,
  type Tenant,
} from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { randomUuidTenant, sealNewKey } from './new-key.js'
import { id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'Tenants'
const name = z.string().trim().min(1).max(200)
const shown = z.strictObject({
  id: idShape,
  slug: z.string(),
  name: z.string(),
  issuer: z.url(),
  policyVersion: z.int().describe('0: the safe default'),
  suspendedAt: timeOrNull,
  createdAt: time,
})
const show = (tenant: Tenant, publicUrl: string): z.output<typeof shown> => ({
  id: tenant.id,
  slug: tenant.slug,
  name: tenant.name,
  issuer: `${publicUrl}/t/${tenant.slug}`,
  policyVersion: tenant.policyVersion,
  suspendedAt: toIsoOrNull(tenant.suspendedAt),
  createdAt: toIso(tenant.createdAt),
})

const list = adminList({
  path: '/tenants',
  tag,
  summary: 'List tenants, by slug',
  permission: 'configuration:read',
  vendorOnly: true,
  member: 'tenants',
  shown,
  position: ['after', 'name'],
  read: (_http, deps, page) => listTenantsAcrossTenants(deps.database, page),
  show: (tenant, deps) => show(tenant, deps.settings.publicUrl),
  positionOf: (tenant) => tenant.slug,
})

const newTenant = z.strictObject({
  slug: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and hyphens, at most 63')
    .describe('The tenant’s part of its issuer; never reused'),
  name,
})

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants',
  tag,
  summary: 'Create a tenant with its issuer and keys',
  permission: 'tenants:write',
  vendorOnly: true,
  body: newTenant,
  status: 201,
  answer: shown,
  refuses: ['conflict'],
  run: async (http, deps) => {
    const { slug } = http.parsed
    const now = deps.clock.now()
    const id = randomUuidTenant(deps)
    const issuerId = deps.random.uuid() as IssuerId
    const tenant = await inTenant(deps.database, id, async (db) => {
      await insertTenant(db, { id, slug: slug as TenantSlug, name: http.parsed.name, now })
      await insertIssuer(db, id, { id: issuerId, url: `${deps.settings.publicUrl}/t/${slug}` as Issuer, kind: 'tenant', now })
      for (const purpose of ['tokens', 'notices'] as const)
        for (const state of ['active', 'next'] as const)
          await insertSigningKey(db, id, sealNewKey(deps, { tenant: id, issuerId, purpose, state, now }))
      await audit(db, id, http, deps, { kind: 'tenant.created', issuerId, detail: { slug } })
      return findTenant(db, id)
    })
    // Somebody may have asked for it a moment ago and been told that there is no such tenant.
    deps.configuration.invalidate(id)
    return json(show(tenant as Tenant, deps.settings.publicUrl), { status: 201 })
  },
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant',
  tag,
  summary: 'Read a tenant',
  permission: 'configuration:read',
  answer: shown,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const tenant = await inTenant(deps.database, id, (db) => findTenant(db, id))
    return json(show(tenant as Tenant, deps.settings.publicUrl))
  },
})

const rename = adminEndpoint({
  method: 'PATCH',
  path: '/tenants/:tenant',
  tag,
  summary: 'Change the name that people read; the slug is for ever',
  permission: 'tenants:write',
  vendorOnly: true,
  body: z.strictObject({ name }),
  answer: shown,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const tenant = await inTenant(deps.database, id, async (db) => {
      await renameTenant(db, id, http.parsed.name)
      await audit(db, id, http, deps, { kind: 'tenant.renamed', detail: { name: http.parsed.name } })
      return findTenant(db, id)
    })
    return json(show(tenant as Tenant, deps.settings.publicUrl))
  },
})

const reinstate = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/reinstate',
  tag,
  summary: 'Let a suspended tenant sign in again; nothing that died comes back',
  permission: 'tenants:write',
  vendorOnly: true,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    await inTenant(deps.database, id, async (db) => {
      await markTenantSuspended(db, id, undefined)
      await audit(db, id, http, deps, { kind: 'tenant.reinstated' })
    })
    return empty()
  },
})

export const tenantEndpoints = [list, create, read, rename, reinstate]
