/**
 * The front issuer, off until the vendor makes it, and what every tenant may be granted there. It is never unmade: an issuer URL is never reused.
 *
 * What is shared with the front is shared with each tenant at its membership. Taken away, it is taken from each, with every grant for it; a call that was
 * cut short is taken up by the next one.
 */
import type { Issuer, IssuerId, ResourceId } from '@drawbridge/core/tenant/ids'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { insertIssuer, listIssuers, type StoredIssuer } from '@drawbridge/store/issuers'
import { endGrantsOfMinter, listFrontMintersAcrossTenants, shareResource, unshareResource } from '@drawbridge/store/minters'
import { findOwnResource } from '@drawbridge/store/resources'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import { type Db, inTenant, inTenantAndThen } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { empty, json } from '../http/answer.js'
import type { Endpoint } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { sealNewKey } from './new-key.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape, time, toIso } from './shapes.js'

const tag = 'Front issuer'
const shown = z.strictObject({ id: idShape, issuer: z.url(), createdAt: time })
const show = ({ id, url, createdAt }: Omit<StoredIssuer, 'kind'>): z.output<typeof shown> => ({
  id,
  issuer: url,
  createdAt: toIso(createdAt),
})

const findFront = async (db: Db): Promise<StoredIssuer | undefined> =>
  (await listIssuers(db, vendorTenantId)).find(({ kind }) => kind === 'front')

const read = adminEndpoint({
  method: 'GET',
  path: '/front-issuer',
  tag,
  summary: 'Read the front issuer, if there is one',
  permission: 'configuration:read',
  vendorOnly: true,
  answer: shown,
  refuses: ['not_found'],
  run: async (_http, deps) => {
    const front = await inTenant(deps.database, vendorTenantId, findFront)
    return front ? json(show(front)) : refuseAdmin('not_found')
  },
})

const make = adminEndpoint({
  method: 'POST',
  path: '/front-issuer',
  tag,
  summary: 'Make the front issuer at the public URL, with its keys; every tenant is a member of it from then on',
  permission: 'tenants:write',
  vendorOnly: true,
  status: 201,
  answer: shown,
  refuses: ['conflict'],
  run: async (http, deps) => {
    const now = deps.clock.now()
    const front = { id: deps.random.uuid() as IssuerId, url: deps.settings.publicUrl as Issuer, kind: 'front' as const, createdAt: now }
    await inTenant(deps.database, vendorTenantId, async (db) => {
      await insertIssuer(db, vendorTenantId, { ...front, now })
      for (const purpose of ['tokens', 'notices'] as const)
        for (const state of ['active', 'next'] as const)
          await insertSigningKey(db, vendorTenantId, sealNewKey(deps, { tenant: vendorTenantId, issuerId: front.id, purpose, state, now }))
      await audit(db, vendorTenantId, http, deps, { kind: 'front_issuer.created', issuerId: front.id, detail: { issuer: front.url } })
    })
    // Somebody may have asked there a moment ago and been told that there is nothing.
    deps.configuration.invalidate()
    return json(show(front), { status: 201 })
  },
})

const ofResource = {
  path: '/front-issuer/shared-resources/:id',
  tag,
  permission: 'configuration:write',
  vendorOnly: true,
  refuses: ['not_found'],
} as const

const share = adminEndpoint({
  ...ofResource,
  method: 'POST',
  summary: 'Let the front issuer mint for a resource of the vendor, for every tenant, those to come too',
  run: async (http, deps) => {
    const id = idParam<ResourceId>(http)
    const isShared = await inTenant(deps.database, vendorTenantId, async (db) => {
      const [front, own] = [await findFront(db), id && (await findOwnResource(db, vendorTenantId, id))]
      if (!front || !own) return false
      await shareResource(db, vendorTenantId, { resourceId: own.id, issuerTenantId: vendorTenantId, issuerId: front.id })
      await audit(db, vendorTenantId, http, deps, { kind: 'resource.shared', detail: { resource: own.identifier, issuer: front.url } })
      return true
    })
    deps.configuration.invalidate()
    return isShared ? empty() : refuseAdmin('not_found')
  },
})

const unshare = adminEndpoint({
  ...ofResource,
  method: 'DELETE',
  summary: 'Take a resource of the vendor away from the front issuer: it mints no more for it, every grant of every tenant for it ends',
  run: async (http, deps) => {
    const id = idParam<ResourceId>(http)
    const taken = await inTenant(deps.database, vendorTenantId, async (db) => {
      const [front, own] = [await findFront(db), id && (await findOwnResource(db, vendorTenantId, id))]
      if (!front || !own) return undefined
      // First: from here on no tenant that joins gets it.
      await unshareResource(db, vendorTenantId, { resourceId: own.id, issuerTenantId: vendorTenantId, issuerId: front.id })
      await audit(db, vendorTenantId, http, deps, { kind: 'resource.withdrawn', detail: { resource: own.identifier, issuer: front.url } })
      return { resourceId: own.id, detail: { resource: own.identifier, issuer: front.url } }
    })
    if (taken) await takeFromMembers(http, deps, taken)
    deps.configuration.invalidate()
    return taken ? empty() : refuseAdmin('not_found')
  },
})

type Taken = { readonly resourceId: ResourceId; readonly detail: Readonly<Record<string, string>> }

/** A transaction for each: the line of its membership goes, and what was granted by it ends, or neither. */
async function takeFromMembers(http: AdminRequest, deps: BrokerDeps, { resourceId, detail }: Taken): Promise<void> {
  for (const minter of await listFrontMintersAcrossTenants(deps.database, vendorTenantId, resourceId)) {
    const end = {
      resourceTenantId: vendorTenantId,
      resourceId,
      issuerId: minter.issuerId,
      now: deps.clock.now(),
      requestId: http.requestId,
    }
    const inOwner = async (db: Db) => {
      await unshareResource(db, vendorTenantId, { ...minter, resourceId })
      return true
    }
    const inMember = async (db: Db) => {
      const grantsEnded = await endGrantsOfMinter(db, minter.issuerTenantId, end)
      await audit(db, minter.issuerTenantId, http, deps, { kind: 'resource.grants_ended', detail: { ...detail, grantsEnded } })
    }
    await inTenantAndThen(deps.database, { tenant: vendorTenantId, run: inOwner }, { tenant: minter.issuerTenantId, run: inMember })
  }
}

export const frontIssuerEndpoints: readonly Endpoint[] = [read, make, share, unshare]
