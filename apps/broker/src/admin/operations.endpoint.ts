/** Admin keys, SCIM tokens and the audit trail. */

import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { insertAdminKey, listAdminKeys, markAdminKeyRevoked } from '@drawbridge/store/admin-keys'
import { listAuditEvents } from '@drawbridge/store/audit-events'
import { insertScimToken, listScimTokens, markScimTokenRevoked } from '@drawbridge/store/scim-tokens'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit, fromIso, idParam, refuseAdmin, toIso } from './admin-endpoint.js'
import { adminPermissionNames } from './permission.js'

const newKey = z.strictObject({
  name: z.string().trim().min(1).max(100),
  permissions: z.array(z.enum(adminPermissionNames)).min(1),
  expiresAt: z.iso.datetime(),
  tenant: z.string().max(63).optional().describe('Slug. Absent: as wide as the key that makes it'),
})

const createKey = adminEndpoint({
  method: 'POST',
  path: '/admin-keys',
  tag: 'Admin keys',
  summary: 'Make a key, shown once; never wider than the key that makes it',
  permission: 'admin-keys:write',
  body: newKey,
  status: 201,
  run: async (http, deps) => {
    const { key: maker, isVendor } = http.caller
    const { name, permissions, tenant: slug } = http.parsed
    const expiresAt = fromIso(http.parsed.expiresAt)
    const tooLong = maker.expiresAt !== undefined && expiresAt !== undefined && expiresAt > maker.expiresAt
    if (tooLong || permissions.some((permission) => !maker.permissions.includes(permission))) return refuseAdmin('key_too_wide')
    const named = slug === undefined ? undefined : await deps.configuration.find(slug)
    if (slug !== undefined && (!named || (!isVendor && named.id !== maker.tenantId))) return refuseAdmin('other_tenant')
    const owner: TenantId = named?.id ?? maker.tenantId
    const id = deps.random.uuid()
    const secret = `dba_${deps.random.token()}`
    await inTenant(deps.database, owner, async (db) => {
      await insertAdminKey(db, owner, {
        id,
        name,
        permissions,
        secretHash: hashCredential(secret),
        expiresAt,
        marked: maker.marked,
        now: deps.clock.now(),
      })
      await audit(db, owner, http, deps, { kind: 'admin_key.created', detail: { key: id, name, permissions } })
    })
    return json(
      { id, name, permissions, tenant: owner === vendorTenantId ? null : (slug ?? null), expiresAt: toIso(expiresAt), secret },
      { status: 201 },
    )
  },
})

const listKeys = adminEndpoint({
  method: 'GET',
  path: '/admin-keys',
  tag: 'Admin keys',
  summary: 'List the keys of this key’s owner',
  permission: 'admin-keys:write',
  run: async (http, deps) => {
    const owner = http.caller.key.tenantId
    const keys = await inTenant(deps.database, owner, (db) => listAdminKeys(db, owner))
    return json({
      adminKeys: keys.map(({ id, name, permissions, createdAt, expiresAt, revokedAt }) => ({
        id,
        name,
        permissions,
        createdAt: toIso(createdAt),
        expiresAt: toIso(expiresAt),
        revokedAt: toIso(revokedAt),
      })),
    })
  },
})

const revokeKey = adminEndpoint({
  method: 'DELETE',
  path: '/admin-keys/:id',
  tag: 'Admin keys',
  summary: 'Revoke a key of this key’s owner',
  permission: 'admin-keys:write',
  status: 204,
  run: async (http, deps) => {
    const owner = http.caller.key.tenantId
    const id = idParam(http)
    if (id === undefined) return refuseAdmin('not_found')
    const revoked = await inTenant(deps.database, owner, async (db) => {
      const changed = await markAdminKeyRevoked(db, owner, id, deps.clock.now())
      if (changed) await audit(db, owner, http, deps, { kind: 'admin_key.revoked', detail: { key: id } })
      return changed
    })
    return revoked ? empty() : refuseAdmin('not_found')
  },
})

const createScimToken = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/scim-tokens',
  tag: 'SCIM tokens',
  summary: 'Make the bearer token with which the IdP provisions a connection; shown once',
  permission: 'impersonate',
  status: 201,
  body: z.strictObject({ connectionId: z.uuid(), name: z.string().trim().min(1).max(100), expiresAt: z.iso.datetime().optional() }),
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = deps.random.uuid()
    const secret = `dbs_${deps.random.token()}`
    const { connectionId, name } = http.parsed
    const expiresAt = fromIso(http.parsed.expiresAt)
    await inTenant(deps.database, tenant.id, async (db) => {
      await insertScimToken(db, tenant.id, {
        id,
        connectionId: connectionId as ConnectionId,
        name,
        secretHash: hashCredential(secret),
        now: deps.clock.now(),
        expiresAt,
      })
      await audit(db, tenant.id, http, deps, { kind: 'scim_token.created', connectionId, detail: { token: id, name } })
    })
    return json({ id, name, connectionId, secret, expiresAt: toIso(expiresAt), baseUrl: `${tenant.issuer.url}/scim/v2` }, { status: 201 })
  },
})

const listScim = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/scim-tokens',
  tag: 'SCIM tokens',
  summary: 'List SCIM tokens',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const tokens = await inTenant(deps.database, id, (db) => listScimTokens(db, id))
    return json({
      scimTokens: tokens.map((token) => ({
        id: token.id,
        name: token.name,
        connectionId: token.connectionId,
        createdAt: toIso(token.createdAt),
        expiresAt: toIso(token.expiresAt),
        revokedAt: toIso(token.revokedAt),
        lastUsedAt: toIso(token.lastUsedAt),
      })),
    })
  },
})

const revokeScim = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/scim-tokens/:id',
  tag: 'SCIM tokens',
  summary: 'Revoke a SCIM token',
  permission: 'impersonate',
  status: 204,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam(http)
    if (id === undefined) return refuseAdmin('not_found')
    const revoked = await inTenant(deps.database, tenant.id, async (db) => {
      const changed = await markScimTokenRevoked(db, tenant.id, id, deps.clock.now())
      if (changed) await audit(db, tenant.id, http, deps, { kind: 'scim_token.revoked', detail: { token: id } })
      return changed
    })
    return revoked ? empty() : refuseAdmin('not_found')
  },
})

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

async function listTrail(http: AdminRequest, deps: BrokerDeps, owner: TenantId): Promise<Answer> {
  const query: Readonly<Record<string, string>> = http.query.ok ? http.query.value : {}
  const filter = {
    kind: query['kind'],
    subjectId: query['subject'],
    grantId: query['grant'],
    clientId: query['client'],
    before: wholeNumber(query['before']),
    limit: wholeNumber(query['limit']),
  }
  const events = await inTenant(deps.database, owner, (db) => listAuditEvents(db, owner, filter))
  return json({ auditEvents: events.map((event) => ({ ...event, at: toIso(event.at) })) })
}

const auditEvents = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/audit-events',
  tag: 'Audit',
  summary: 'The trail, newest first; ?kind=, ?subject=, ?grant=, ?client=, ?before=<id>, ?limit=',
  permission: 'audit:read',
  run: (http, deps) => listTrail(http, deps, tenantOf(http).id),
})

const vendorAuditEvents = adminEndpoint({
  method: 'GET',
  path: '/audit-events',
  tag: 'Audit',
  summary: 'The vendor’s own trail, newest first',
  permission: 'audit:read',
  vendorOnly: true,
  run: (http, deps) => listTrail(http, deps, vendorTenantId),
})

export const operationEndpoints = [createKey, listKeys, revokeKey, createScimToken, listScim, revokeScim, auditEvents, vendorAuditEvents]
