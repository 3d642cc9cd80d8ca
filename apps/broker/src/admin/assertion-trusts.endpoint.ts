/** Whose assertions a tenant accepts at its token endpoint: whoever writes that decides who can be whom, so all of it is `impersonate`. A kill, which is `revoke`, ends one. */
import { holdsAt } from '@drawbridge/core/tenant/at-issuer'
import type { ConnectionId, Issuer, TenantId } from '@drawbridge/core/tenant/ids'
import {
  deleteAssertionTrust,
  enableAssertionTrust,
  findAssertionTrust,
  insertAssertionTrust,
  listAssertionTrusts,
  lockAssertionTrusts,
  type StoredAssertionTrust,
  updateAssertionTrust,
} from '@drawbridge/store/assertion-trusts'
import { findConnection } from '@drawbridge/store/connections'
import { raiseIfSourcesChanged } from '@drawbridge/store/directory'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { empty, json } from '../http/answer.js'
import { assertionAddressesOf } from '../http/assertion-addresses.js'
import { scimBaseUrlOf } from '../http/connection-addresses.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { adminEndpoint, answerRemoval, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { revisionOf } from './connection-addresses.js'
import { refuseThisMachine } from './connection-draft.js'
import { ensureSamlKeys } from './key-change.js'
import { endWhatTheOldIdpSaid } from './other-idp.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'
import { findFullOf, findTooLarge, isFull, refuseFull } from './tenant-room.js'
import { isTaken, parseTrust, type ReadTrust, readTrustDraft, type Trust, trustChange, trustDraft, weaknessesOf } from './trust-draft.js'

const tag = 'Assertion trusts'
const path = '/tenants/:tenant/assertion-trusts'
const shown = z.strictObject({
  id: idShape,
  name: z.string(),
  configuration: z.unknown(),
  disabledAt: timeOrNull,
  createdAt: time,
  addresses: z
    .strictObject({
      audience: z.url().describe('What aud, or the Audience, of its assertions is, byte for byte: our issuer'),
      tokenEndpoint: z.url().describe('Where clients bring them; the Recipient of SAML'),
      scimBaseUrl: z.url().describe('Where a directory provisions its people, with a SCIM token of this trust'),
    })
    .describe('At the tenant’s own issuer'),
  frontAddresses: z
    .strictObject({
      audience: z.url().describe('What aud, or the Audience, of its assertions is, byte for byte'),
      audTenant: z.string().nullable().describe('What the claim aud_tenant is; null: SAML, whose Audience names the tenant'),
      tokenEndpoint: z.url().describe('Where clients bring them; the Recipient of SAML'),
    })
    .nullable()
    .describe('At the front issuer, once the vendor has made it; null: the trust does not hold there'),
  revision: z.string().describe('Of name and configuration; sent back as ifRevision, it keeps a change by somebody else'),
})
const show = (trust: StoredAssertionTrust, tenant: ResolvedTenant, { settings }: BrokerDeps): z.output<typeof shown> => ({
  id: trust.id,
  name: trust.name,
  configuration: trust.configuration,
  disabledAt: toIsoOrNull(trust.disabledAt),
  createdAt: toIso(trust.createdAt),
  addresses: { audience: tenant.issuer.url, tokenEndpoint: `${tenant.issuer.url}/token`, scimBaseUrl: scimBaseUrlOf(tenant) },
  frontAddresses: frontAddressesOf(trust, tenant, settings.publicUrl as Issuer),
  revision: revisionOf(trust),
})

/** What cannot be read any more holds nowhere. */
function frontAddressesOf({ configuration }: StoredAssertionTrust, tenant: ResolvedTenant, url: Issuer) {
  const trust = parseTrust(configuration)
  if (!trust.ok || !holdsAt('front_member', trust.value.at)) return null
  const { audience, samlAudience, audTenant, tokenEndpoint } = assertionAddressesOf({ ...tenant, issuer: { url, kind: 'front_member' } })
  return trust.value.kind === 'assertion'
    ? { audience, audTenant: audTenant.is, tokenEndpoint }
    : { audience: samlAudience, audTenant: null, tokenEndpoint }
}

const list = adminList({
  path,
  tag,
  summary: 'List the issuers whose assertions are accepted, oldest first',
  permission: 'configuration:read',
  member: 'assertionTrusts',
  shown,
  position: ['after', 'moment'],
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listAssertionTrusts(db, id, page))
  },
  show: (trust, deps, http) => show(trust, tenantOf(http), deps),
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const read = adminEndpoint({
  method: 'GET',
  path: `${path}/:id`,
  tag,
  summary: 'Read a trust',
  permission: 'configuration:read',
  answer: shown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    const stored = id && (await inTenant(deps.database, tenant.id, (db) => findAssertionTrust(db, tenant.id, id)))
    return stored ? json(show(stored, tenant, deps)) : refuseAdmin('not_found')
  },
})

/** Whose people it speaks of must be people here, and whose keys it believes must have some. */
async function namesNobody(db: Db, tenant: TenantId, trust: Trust): Promise<boolean> {
  const { peopleOf } = trust
  if (peopleOf !== undefined && (await findConnection(db, tenant, peopleOf.connection)) === undefined) return true
  if (trust.kind === 'assertion' || trust.from.keysOf === undefined) return false
  return (await findConnection(db, tenant, trust.from.keysOf))?.kind !== 'saml'
}

const needsKeys = ({ trust }: ReadTrust): boolean => trust.kind === 'saml-assertion' && trust.encryption !== 'off'

const create = adminEndpoint({
  method: 'POST',
  path,
  tag,
  summary: 'Accept the assertions of an issuer at the token endpoint: ID-JAG, others by RFC 7523, or SAML by RFC 7522',
  permission: 'impersonate',
  body: trustDraft,
  status: 201,
  answer: shown,
  refuses: [
    'connection_invalid',
    'metadata_invalid',
    'reference_unknown',
    'trust_loops',
    'trust_keys_unreadable',
    'trust_taken',
    'tenant_full',
  ],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const draft = await readTrustDraft(http.parsed, deps, tenant)
    if (!draft.ok) return draft.error
    const id = deps.random.uuid() as ConnectionId
    const { name } = http.parsed
    const { trust, configuration } = draft.value
    const stored = await inTenant(deps.database, tenant.id, async (db) => {
      if (isTaken(trust, await lockAssertionTrusts(db, tenant.id), { tenant })) return 'trust_taken' as const
      if (await namesNobody(db, tenant.id, trust)) return 'reference_unknown' as const
      const full = await findFullOf(db, tenant.id, 'assertionTrusts', { id, configuration })
      if (full) return full
      await insertAssertionTrust(db, tenant.id, { id, name, configuration, now: deps.clock.now() })
      if (needsKeys(draft.value)) await ensureSamlKeys(db, deps, tenant)
      const detail = { name, accepts: weaknessesOf(trust) }
      await audit(db, tenant.id, http, deps, { kind: 'assertion_trust.created', connectionId: id, detail })
      return findAssertionTrust(db, tenant.id, id)
    })
    if (typeof stored === 'string') return refuseAdmin(stored)
    if (isFull(stored)) return refuseFull(stored)
    return json(show(stored as StoredAssertionTrust, tenant, deps), { status: 201 })
  },
})

const update = adminEndpoint({
  method: 'PUT',
  path: `${path}/:id`,
  tag,
  summary: 'Replace a trust’s name and configuration; of another issuer, or where it holds at fewer issuers, what it opened ends',
  permission: 'impersonate',
  body: trustChange,
  answer: shown,
  refuses: [
    'not_found',
    'connection_invalid',
    'metadata_invalid',
    'connection_moved',
    'reference_unknown',
    'trust_loops',
    'trust_keys_unreadable',
    'trust_taken',
    'tenant_full',
  ],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    if (id === undefined) return refuseAdmin('not_found')
    const draft = await readTrustDraft(http.parsed, deps, tenant)
    if (!draft.ok) return draft.error
    const { name, ifRevision } = http.parsed
    const { trust, configuration } = draft.value
    const stored = await inTenant(deps.database, tenant.id, async (db) => {
      const trusts = await lockAssertionTrusts(db, tenant.id)
      const before = trusts.find((each) => each.id === id)
      if (before === undefined) return 'not_found' as const
      if (ifRevision !== undefined && ifRevision !== revisionOf(before)) return 'connection_moved' as const
      if (isTaken(trust, trusts, { own: id, tenant })) return 'trust_taken' as const
      if (await namesNobody(db, tenant.id, trust)) return 'reference_unknown' as const
      const full = await findTooLarge(db, tenant.id, { id, configuration })
      if (full) return full
      await updateAssertionTrust(db, tenant.id, id, { name, configuration })
      if (needsKeys(draft.value)) await ensureSamlKeys(db, deps, tenant)
      const change = { tenant: tenant.id, connectionId: id, now: deps.clock.now() }
      await raiseIfSourcesChanged(db, change, before.configuration, configuration)
      const detail = { name, accepts: weaknessesOf(trust) }
      await audit(db, tenant.id, http, deps, { kind: 'assertion_trust.updated', connectionId: id, detail })
      await endWhatTheOldIdpSaid({ db, tenant: tenant.id, http, deps }, before, configuration)
      return findAssertionTrust(db, tenant.id, id)
    })
    if (typeof stored === 'string') return refuseAdmin(stored)
    if (isFull(stored)) return refuseFull(stored)
    return json(show(stored as StoredAssertionTrust, tenant, deps))
  },
})

const enable = adminEndpoint({
  method: 'POST',
  path: `${path}/:id/enable`,
  tag,
  summary: 'Accept the assertions of a killed issuer again; nothing that died comes back',
  permission: 'impersonate',
  refuses: ['not_found', 'connection_invalid'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    if (id === undefined) return refuseAdmin('not_found')
    return inTenant(deps.database, tenant.id, async (db) => {
      const stored = await findAssertionTrust(db, tenant.id, id)
      const refusal = stored && refuseThisMachine(deps, parseTrust(stored.configuration))
      if (refusal) return refusal
      if (!(await enableAssertionTrust(db, tenant.id, id))) return refuseAdmin('not_found')
      await audit(db, tenant.id, http, deps, { kind: 'assertion_trust.enabled', connectionId: id })
      return empty()
    })
  },
})

const remove = adminEndpoint({
  method: 'DELETE',
  path: `${path}/:id`,
  tag,
  summary: 'Remove a trust by which nobody came in; kill any other',
  permission: 'impersonate',
  refuses: ['not_found', 'still_in_use'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    if (id === undefined) return refuseAdmin('not_found')
    return answerRemoval(() =>
      inTenant(deps.database, tenant.id, async (db) => {
        const removed = await deleteAssertionTrust(db, tenant.id, id)
        if (removed) await audit(db, tenant.id, http, deps, { kind: 'assertion_trust.removed', connectionId: id })
        return removed
      }),
    )
  },
})

export const assertionTrustEndpoints = [list, read, create, update, enable, remove]
