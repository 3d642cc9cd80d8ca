/** E-mail domains. A domain chooses a connection and proves addresses, so whoever writes one decides who can be whom: `impersonate`. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { deleteDomain, insertDomain, listDomains, type StoredDomain, updateDomain } from '@drawbridge/store/domains'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, timeOrNull, toIsoOrNull } from './shapes.js'

const tag = 'Domains'
const shown = z.strictObject({ domain: z.string(), connectionId: idShape.nullable(), verifiedAt: timeOrNull })
const show = ({ domain, connectionId, verifiedAt }: StoredDomain): z.output<typeof shown> => ({
  domain,
  connectionId: connectionId ?? null,
  verifiedAt: toIsoOrNull(verifiedAt),
})

const list = adminList({
  path: '/tenants/:tenant/domains',
  tag,
  summary: 'List e-mail domains, by name',
  permission: 'configuration:read',
  member: 'domains',
  shown,
  position: ['after', 'name'],
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listDomains(db, id, page))
  },
  show,
  positionOf: ({ domain }) => domain,
})

const newDomain = z.strictObject({
  domain: z
    .string()
    .toLowerCase()
    .max(253)
    .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/, 'a domain name, in its ASCII form'),
  connectionId: z.uuid().optional(),
  verified: z.boolean().default(false).describe('Vendor keys only: the vendor vouches for the proof'),
})

const add = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/domains',
  tag,
  summary: 'Add a domain; only the vendor may call it verified, and a domain has one owner',
  permission: 'impersonate',
  body: newDomain,
  status: 201,
  answer: shown,
  refuses: ['vendor_only', 'conflict', 'reference_unknown'],
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const { domain, verified } = http.parsed
    const connectionId = http.parsed.connectionId as ConnectionId | undefined
    if (verified && !http.caller.isVendor) return refuseAdmin('vendor_only')
    const now = deps.clock.now()
    const verifiedAt = verified ? now : undefined
    await inTenant(deps.database, id, async (db) => {
      await insertDomain(db, id, { domain, connectionId, verifiedAt, now })
      await audit(db, id, http, deps, { kind: 'domain.added', connectionId, detail: { domain, verified } })
    })
    return json(show({ domain, connectionId, verifiedAt }), { status: 201 })
  },
})

const domainChange = z.strictObject({
  connectionId: z.uuid().nullable().optional().describe('Another connection of this tenant; null: none'),
  verified: z.boolean().optional().describe('True: vendor keys only. False: the proof has lapsed'),
})

const change = adminEndpoint({
  method: 'PATCH',
  path: '/tenants/:tenant/domains/:domain',
  tag,
  summary: 'Move a domain to another connection of its tenant, or note that its proof holds or has lapsed',
  permission: 'impersonate',
  body: domainChange,
  answer: shown,
  refuses: ['vendor_only', 'not_found', 'reference_unknown'],
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const { verified } = http.parsed
    const connectionId = http.parsed.connectionId as ConnectionId | null | undefined
    if (verified && !http.caller.isVendor) return refuseAdmin('vendor_only')
    const verifiedAt = verified === undefined ? undefined : verified ? deps.clock.now() : null
    const domain = http.params['domain'] ?? ''
    const stored = await inTenant(deps.database, id, async (db) => {
      const changed = await updateDomain(db, id, domain, { connectionId, verifiedAt })
      if (changed)
        await audit(db, id, http, deps, { kind: 'domain.changed', connectionId: changed.connectionId, detail: { domain, verified } })
      return changed
    })
    return stored ? json(show(stored)) : refuseAdmin('not_found')
  },
})

const remove = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/domains/:domain',
  tag,
  summary: 'Give a domain up; people who signed in with it stay who they are',
  permission: 'impersonate',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const domain = http.params['domain'] ?? ''
    const found = await inTenant(deps.database, id, async (db) => {
      const removed = await deleteDomain(db, id, domain)
      if (removed) await audit(db, id, http, deps, { kind: 'domain.removed', detail: { domain } })
      return removed
    })
    return found ? empty() : refuseAdmin('not_found')
  },
})

export const domainEndpoints = [list, add, change, remove]
