/** Admin keys: shown once, never wider than the key that makes them, bound to the vendor or to one tenant. */
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { insertAdminKey, listAdminKeys, markAdminKeyRevoked, type StoredAdminKey } from '@drawbridge/store/admin-keys'
import { announce } from '@drawbridge/store/announcements'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { type Endpoint, tenantOf } from '../http/endpoint.js'
import { type AdminRequest, actOf, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { adminPermissionNames } from './permission.js'
import { refuseAdmin } from './refuse-admin.js'
import { fromIso, id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'Admin keys'
const permissions = z.array(z.enum(adminPermissionNames)).min(1)
const newKey = z.strictObject({
  name: z.string().trim().min(1).max(100),
  permissions,
  expiresAt: z.iso.datetime(),
  tenant: z.string().max(63).optional().describe('Slug. Absent: as wide as the key that makes it'),
})
const made = z.strictObject({
  id: idShape,
  name: z.string(),
  permissions,
  tenant: z.string().nullable().describe('Null: as the key that made it'),
  expiresAt: timeOrNull,
  secret: z.string(),
})

/** Whether the maker may make a key of that reach. */
function isTooWide(maker: StoredAdminKey, wanted: z.output<typeof newKey>): boolean {
  const outlives = maker.expiresAt !== undefined && fromIso(wanted.expiresAt) > maker.expiresAt
  return outlives || wanted.permissions.some((permission) => !maker.permissions.includes(permission))
}

const create = adminEndpoint({
  method: 'POST',
  path: '/admin-keys',
  tag,
  summary: 'Make a key, shown once; never wider than the key that makes it',
  permission: 'admin-keys:write',
  body: newKey,
  status: 201,
  answer: made,
  refuses: ['key_too_wide', 'other_tenant'],
  run: async (http, deps) => {
    const { key: maker, isVendor } = http.caller
    const { name, tenant: slug } = http.parsed
    if (isTooWide(maker, http.parsed)) return refuseAdmin('key_too_wide')
    const named = slug === undefined ? undefined : await deps.configuration.find(slug)
    if (slug !== undefined && (!named || (!isVendor && named.id !== maker.tenantId))) return refuseAdmin('other_tenant')
    const owner: TenantId = named?.id ?? maker.tenantId
    const expiresAt = fromIso(http.parsed.expiresAt)
    const id = deps.random.uuid()
    const secret = `dba_${deps.random.token()}`
    const key = { id, name, permissions: http.parsed.permissions, expiresAt, marked: maker.marked, now: deps.clock.now() }
    await inTenant(deps.database, owner, async (db) => {
      await insertAdminKey(db, owner, { ...key, secretHash: hashCredential(secret) })
      const event = { kind: 'admin_key.created' as const, detail: { key: id, name, permissions: key.permissions } }
      await audit(db, owner, http, deps, event)
      // A key that can become somebody is told of like what it can do.
      if (key.permissions.includes('impersonate')) await announce(db, owner, actOf(http, event, key.now))
    })
    const tenant = owner === vendorTenantId ? null : (slug ?? null)
    return json({ id, name, permissions: key.permissions, tenant, expiresAt: toIso(expiresAt), secret }, { status: 201 })
  },
})

const shown = z.strictObject({
  id: idShape,
  name: z.string(),
  permissions: z.array(z.string()),
  createdAt: time,
  expiresAt: timeOrNull,
  revokedAt: timeOrNull,
})
const show = ({ id, name, permissions: held, createdAt, expiresAt, revokedAt }: StoredAdminKey): z.output<typeof shown> => ({
  id,
  name,
  permissions: [...held],
  createdAt: toIso(createdAt),
  expiresAt: toIsoOrNull(expiresAt),
  revokedAt: toIsoOrNull(revokedAt),
})

async function revokeKey(http: AdminRequest, deps: BrokerDeps, owner: TenantId): Promise<Answer> {
  const id = idParam(http)
  if (id === undefined) return refuseAdmin('not_found')
  const revoked = await inTenant(deps.database, owner, async (db) => {
    const changed = await markAdminKeyRevoked(db, owner, id, deps.clock.now())
    if (changed) await audit(db, owner, http, deps, { kind: 'admin_key.revoked', detail: { key: id } })
    return changed
  })
  return revoked ? empty() : refuseAdmin('not_found')
}

/** Of the caller's own owner, and of a tenant that the vendor names: its keys are listed and revoked by either. */
const endpointsOf = (path: string, whose: string, ownerOf: (http: AdminRequest) => TenantId): readonly Endpoint[] => [
  adminList({
    path,
    tag,
    summary: `List the keys of ${whose}, oldest first, revoked ones too`,
    permission: 'admin-keys:write',
    member: 'adminKeys',
    shown,
    position: ['after', 'moment'],
    read: (http, deps, page) => inTenant(deps.database, ownerOf(http), (db) => listAdminKeys(db, ownerOf(http), page)),
    show,
    positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
  }),
  adminEndpoint({
    method: 'DELETE',
    path: `${path}/:id`,
    tag,
    summary: `Revoke a key of ${whose}`,
    permission: 'admin-keys:write',
    refuses: ['not_found'],
    run: (http, deps) => revokeKey(http, deps, ownerOf(http)),
  }),
]

export const adminKeyEndpoints = [
  create,
  ...endpointsOf('/admin-keys', 'this key’s owner', (http) => http.caller.key.tenantId),
  ...endpointsOf('/tenants/:tenant/admin-keys', 'a tenant', (http) => tenantOf(http).id),
]
