/** E-mail domains. A domain chooses a connection and proves addresses, so whoever writes one decides who can be whom: `impersonate`. */
import { parseDomainName } from '@drawbridge/core/tenant/domain-name'
import { challengeName, challengeRecord, parseOwnableDomain } from '@drawbridge/core/tenant/domain-proof'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import {
  challengeDomain,
  deleteDomain,
  findDomainOwnerAcrossTenants,
  insertDomain,
  listDomains,
  markDomainProven,
  type StoredDomain,
  updateDomain,
} from '@drawbridge/store/domains'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { lookForProof } from './prove-domain.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, timeOrNull, toIsoOrNull } from './shapes.js'
import { findFull, isFull, refuseFull } from './tenant-room.js'

const tag = 'Domains'
const shown = z.strictObject({
  domain: z.string().describe('In A-labels'),
  connectionId: idShape.nullable(),
  verifiedAt: timeOrNull,
  proof: z.enum(['dns', 'vouched']).nullable().describe('By which it is proven now; only dns is looked at again'),
  lapsedAt: timeOrNull.describe('It was proven once: nobody new comes in by it until it is proven again'),
  checkedAt: timeOrNull,
  failingSince: timeOrNull.describe('Since when its DNS has not said what it should; the proof lapses unless that is mended'),
  challenge: z
    .strictObject({ name: z.string(), type: z.literal('TXT'), value: z.string() })
    .nullable()
    .describe('The record that proves it; null: ask for a proof once'),
})
const show = (domain: StoredDomain): z.output<typeof shown> => ({
  domain: domain.domain,
  connectionId: domain.connectionId ?? null,
  verifiedAt: toIsoOrNull(domain.verifiedAt),
  proof: domain.proof ?? null,
  lapsedAt: toIsoOrNull(domain.lapsedAt),
  checkedAt: toIsoOrNull(domain.checkedAt),
  failingSince: toIsoOrNull(domain.failingSince),
  challenge:
    domain.challenge === undefined ? null : { name: challengeName(domain.domain), type: 'TXT', value: challengeRecord(domain.challenge) },
})
/** The `:domain` of the path, in the form in which it is stored; malformed ones find nothing. */
const domainParam = (http: { readonly params: Readonly<Record<string, string>> }): string =>
  parseDomainName(http.params['domain'] ?? '') ?? ''

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
  domain: z.string().max(253).describe('A domain name; other scripts are kept in A-labels'),
  connectionId: z.uuid().optional(),
  verified: z.boolean().default(false).describe('Vendor keys only: the vendor vouches for the proof'),
})

const add = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/domains',
  tag,
  summary: 'Claim a domain; it is worth nothing until its DNS, or the vendor’s word, proves it, and of all who claim it one can',
  permission: 'impersonate',
  body: newDomain,
  status: 201,
  answer: shown,
  refuses: ['vendor_only', 'conflict', 'reference_unknown', 'domain_malformed', 'domain_public_suffix', 'tenant_full'],
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const { verified } = http.parsed
    const connectionId = http.parsed.connectionId as ConnectionId | undefined
    if (verified && !http.caller.isVendor) return refuseAdmin('vendor_only')
    const ownable = parseOwnableDomain(http.parsed.domain)
    if (!ownable.ok) return refuseAdmin(ownable.error)
    const domain = ownable.value
    const now = deps.clock.now()
    const verifiedAt = verified ? now : undefined
    const stored = await inTenant(deps.database, id, async (db) => {
      const full = await findFull(db, id, 'domains')
      if (full) return full
      const inserted = await insertDomain(db, id, { domain, connectionId, challenge: deps.random.token(), verifiedAt, now })
      await audit(db, id, http, deps, { kind: 'domain.added', connectionId, detail: { domain, verified } })
      return inserted
    })
    return isFull(stored) ? refuseFull(stored) : json(show(stored), { status: 201 })
  },
})

const domainChange = z.strictObject({
  connectionId: z.uuid().nullable().optional().describe('Another connection of this tenant; null: none'),
  verified: z.boolean().optional().describe('True: vendor keys only, whose word it is then. False: the proof has lapsed'),
})

const change = adminEndpoint({
  method: 'PATCH',
  path: '/tenants/:tenant/domains/:domain',
  tag,
  summary: 'Move a domain to another connection of its tenant, or note that its proof holds or has lapsed',
  permission: 'impersonate',
  body: domainChange,
  answer: shown,
  refuses: ['vendor_only', 'not_found', 'conflict', 'reference_unknown'],
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const { verified } = http.parsed
    const connectionId = http.parsed.connectionId as ConnectionId | null | undefined
    if (verified && !http.caller.isVendor) return refuseAdmin('vendor_only')
    const now = deps.clock.now()
    const verifiedAt = verified === undefined ? undefined : verified ? now : null
    const domain = domainParam(http)
    const stored = await inTenant(deps.database, id, async (db) => {
      const changed = await updateDomain(db, id, domain, { connectionId, verifiedAt, now })
      if (changed)
        await audit(db, id, http, deps, { kind: 'domain.changed', connectionId: changed.connectionId, detail: { domain, verified } })
      return changed
    })
    return stored ? json(show(stored)) : refuseAdmin('not_found')
  },
})

const prove = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/domains/:domain/verify',
  tag,
  summary: 'Look at the DNS now: a domain that says its challenge is the tenant’s, and is looked at again from then on',
  permission: 'impersonate',
  answer: shown,
  refuses: ['not_found', 'conflict', 'domain_unproven'],
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const name = domainParam(http)
    const claim = await inTenant(deps.database, id, (db) => challengeDomain(db, id, name, deps.random.token()))
    if (claim?.challenge === undefined) return refuseAdmin('not_found')
    const { domain, challenge } = claim
    const seen = await lookForProof(deps, { domain, challenge })
    if (!seen.ok) return refuseAdmin('domain_unproven', [{ path: challengeName(domain), message: seen.error }])
    const proven = await inTenant(deps.database, id, async (db) => {
      const marked = await markDomainProven(db, id, seen.value)
      if (marked) await audit(db, id, http, deps, { kind: 'domain.proven', connectionId: marked.connectionId, detail: { domain } })
      return marked
    })
    return proven ? json(show(proven)) : refuseAdmin('not_found')
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
    const domain = domainParam(http)
    const found = await inTenant(deps.database, id, async (db) => {
      const removed = await deleteDomain(db, id, domain)
      if (removed) await audit(db, id, http, deps, { kind: 'domain.removed', detail: { domain } })
      return removed
    })
    return found ? empty() : refuseAdmin('not_found')
  },
})

const owner = z.strictObject({
  domain: z.string().describe('In A-labels'),
  tenant: z.strictObject({ id: idShape, slug: z.string(), name: z.string(), issuer: z.url(), suspendedAt: timeOrNull }),
  connection: z
    .strictObject({ id: idShape, kind: z.enum(['saml', 'oidc']), name: z.string(), disabledAt: timeOrNull })
    .nullable()
    .describe('null: the domain names none, and the tenant chooses by its rules or asks'),
})

/** For the vendor's own sign-in page. No tenant key: whoever could ask would learn who the vendor's customers are. */
const lookUp = adminEndpoint({
  method: 'GET',
  path: '/domains/:domain',
  tag,
  summary: 'Find the tenant that has a domain proven, and the connection that it leads to; what is only claimed finds nothing',
  permission: 'configuration:read',
  vendorOnly: true,
  answer: owner,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const domain = domainParam(http)
    const found = await findDomainOwnerAcrossTenants(deps.database, domain)
    if (found === undefined) return refuseAdmin('not_found')
    const { tenant, connection } = found
    return json({
      domain,
      tenant: { ...tenant, issuer: `${deps.settings.publicUrl}/t/${tenant.slug}`, suspendedAt: toIsoOrNull(tenant.suspendedAt) },
      connection: connection === undefined ? null : { ...connection, disabledAt: toIsoOrNull(connection.disabledAt) },
    })
  },
})

export const domainEndpoints = [list, add, change, prove, remove, lookUp]
