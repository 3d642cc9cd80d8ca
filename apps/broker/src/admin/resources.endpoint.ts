/**
 * Resources with their scopes and tiers, who may mint for them, and what they prove themselves with.
 *
 * Whoever may no longer mint ends what it has minted: one transaction takes the line off the owner's list, ends every living grant of the
 * issuer and lets every guard hear of it, or does none of it.
 */
import { type ResourceId, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { isUnderProvenDomain } from '@drawbridge/store/domains'
import { endGrantsOfMinter, listMintersAcrossTenants, type Minter, shareResource, unshareResource } from '@drawbridge/store/minters'
import { findOwnResource } from '@drawbridge/store/resources'
import { type Db, inTenant, inTenantAndThen } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty } from '../http/answer.js'
import { type Endpoint, tenantOf } from '../http/endpoint.js'
import { type AdminEndpointDefinition, type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { resourceStreamEndpoints } from './event-streams.endpoint.js'
import { ownedResourceEndpoints, type ResourceOwner, resourceCredentialEndpoints } from './owned-resources.js'
import { refuseAdmin } from './refuse-admin.js'
import { id as idShape } from './shapes.js'

const tag = 'Resources'

const ofTenant: ResourceOwner = {
  path: '/tenants/:tenant/resources',
  tag,
  summaries: {
    list: 'List resources, shared ones of the vendor too',
    create: 'Add a resource of this tenant; its issuer may mint for it',
  },
  ownerOf: (http) => tenantOf(http).id,
  minterOf: (http) => [tenantOf(http).issuer.id],
  /** A tenant creates resources only under domains that it has proven; else it could claim another's API. */
  mayCreate: async (http, deps, identifier) => {
    const { id } = tenantOf(http)
    return http.caller.isVendor || inTenant(deps.database, id, (db) => isUnderProvenDomain(db, id, new URL(identifier).hostname))
  },
}
const ofVendor: ResourceOwner = {
  path: '/shared-resources',
  tag,
  summaries: {
    list: 'List the vendor’s own resources, which may be shared with tenants',
    create: 'Add a resource of the vendor; share it with each tenant whose issuer may mint for it',
  },
  vendorOnly: true,
  ownerOf: () => vendorTenantId,
  minterOf: () => [],
  mayCreate: async () => true,
}

type Change = {
  readonly kind: 'resource.shared' | 'resource.withdrawn'
  readonly write: (db: Db, owner: TenantId, minter: Minter) => Promise<void>
}
const sharing: Change = { kind: 'resource.shared', write: shareResource }
const withdrawing: Change = { kind: 'resource.withdrawn', write: unshareResource }

type Changed = { readonly minter: Minter; readonly detail: Readonly<Record<string, string>> }

type After = (db: Db, changed: Changed) => Promise<void>

/** Writes the owner's list and what follows for the tenant whose issuer it is, in one transaction. */
async function changeMinter(
  http: AdminRequest,
  deps: BrokerDeps,
  owner: TenantId,
  { kind, write, after }: Change & { readonly after: After },
) {
  const tenant = tenantOf(http)
  const id = idParam<ResourceId>(http)
  const inOwner = async (db: Db): Promise<Changed | undefined> => {
    const own = id && (await findOwnResource(db, owner, id))
    if (!own) return undefined
    const minter = { resourceId: own.id, issuerTenantId: tenant.id, issuerId: tenant.issuer.id }
    const detail = { resource: own.identifier, tenant: tenant.slug }
    await write(db, owner, minter)
    await audit(db, owner, http, deps, { kind, detail })
    return { minter, detail }
  }
  const changed = await inTenantAndThen(deps.database, { tenant: owner, run: inOwner }, { tenant: tenant.id, run: after })
  return changed ? empty() : refuseAdmin('not_found')
}

function mayMint(http: AdminRequest, deps: BrokerDeps, owner: TenantId): Promise<Answer> {
  const tenant = tenantOf(http)
  const after: After = async (db, { detail }) => {
    if (owner !== tenant.id) await audit(db, tenant.id, http, deps, { kind: sharing.kind, detail })
  }
  return changeMinter(http, deps, owner, { ...sharing, after })
}

function mayMintNoMore(http: AdminRequest, deps: BrokerDeps, owner: TenantId): Promise<Answer> {
  const tenant = tenantOf(http)
  const after: After = async (db, { minter: { resourceId, issuerId }, detail }) => {
    const end = { resourceTenantId: owner, resourceId, issuerId, now: deps.clock.now(), requestId: http.requestId }
    const grantsEnded = await endGrantsOfMinter(db, tenant.id, end)
    await audit(db, tenant.id, http, deps, { kind: 'resource.grants_ended', detail: { ...detail, grantsEnded } })
  }
  return changeMinter(http, deps, owner, { ...withdrawing, after })
}

const ownerOf = (http: AdminRequest): TenantId => tenantOf(http).id

type Writing = Pick<AdminEndpointDefinition<undefined, undefined>, 'method' | 'path' | 'summary' | 'vendorOnly'> & {
  readonly run: (http: AdminRequest, deps: BrokerDeps) => Promise<Answer>
}
const writing = (definition: Writing): Endpoint =>
  adminEndpoint({ ...definition, tag, permission: 'configuration:write', refuses: ['not_found'] })

const withdraw = writing({
  method: 'DELETE',
  path: '/tenants/:tenant/resources/:id',
  summary: 'Withdraw a resource of this tenant: nobody mints for it, every grant for it ends; its identifier stays taken',
  run: (http, deps) => mayMintNoMore(http, deps, ownerOf(http)),
})
const restore = writing({
  method: 'POST',
  path: '/tenants/:tenant/resources/:id/restore',
  summary: 'Let this tenant’s issuer mint for a withdrawn resource again; nothing that died comes back',
  run: (http, deps) => mayMint(http, deps, ownerOf(http)),
})
const share = writing({
  method: 'POST',
  path: '/tenants/:tenant/shared-resources/:id',
  summary: 'Let this tenant’s issuer mint for a resource of the vendor',
  vendorOnly: true,
  run: (http, deps) => mayMint(http, deps, vendorTenantId),
})
const unshare = writing({
  method: 'DELETE',
  path: '/tenants/:tenant/shared-resources/:id',
  summary: 'Take a resource of the vendor away from this tenant: its issuer mints no more for it, every grant for it ends',
  vendorOnly: true,
  run: (http, deps) => mayMintNoMore(http, deps, vendorTenantId),
})

const minters = adminList({
  path: '/shared-resources/:id/tenants',
  tag,
  summary: 'List the tenants that a resource of the vendor is shared with, by slug',
  permission: 'configuration:read',
  vendorOnly: true,
  refuses: ['not_found'],
  member: 'tenants',
  shown: z.strictObject({ tenantId: idShape, slug: z.string(), issuerId: idShape, issuer: z.url() }),
  position: ['after', 'name'],
  read: async (http, deps, page) => {
    const id = idParam<ResourceId>(http)
    const own = id && (await inTenant(deps.database, vendorTenantId, (db) => findOwnResource(db, vendorTenantId, id)))
    return own ? listMintersAcrossTenants(deps.database, vendorTenantId, own.id, page) : undefined
  },
  show: (minter) => ({ ...minter }),
  positionOf: ({ slug }) => slug,
})

export const resourceEndpoints: readonly Endpoint[] = [
  ...ownedResourceEndpoints(ofTenant),
  withdraw,
  restore,
  ...resourceCredentialEndpoints(ofTenant),
  ...resourceStreamEndpoints(ofTenant),
  ...ownedResourceEndpoints(ofVendor),
  ...resourceCredentialEndpoints(ofVendor),
  ...resourceStreamEndpoints(ofVendor),
  minters,
  share,
  unshare,
]
