/**
 * What the owner of a resource does with it, whoever the owner is: a tenant at `/tenants/:tenant/resources`, the vendor at
 * `/shared-resources`. Nobody changes what is only shared with him.
 */
import type { IssuerId, ResourceId, ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import {
  insertResourceCredential,
  listResourceCredentials,
  markResourceCredentialRevoked,
  type StoredResourceCredential,
} from '@drawbridge/store/resource-credentials'
import {
  findOwnResource,
  insertResource,
  listResources,
  replaceScopes,
  type StoredResource,
  updateResource,
} from '@drawbridge/store/resources'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import type { Endpoint, HttpRequest } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { newResource, resourceChange, resourceShape, scopesShape, showResource, toScopes } from './resource-shapes.js'
import { reservedFor } from './row-owner.js'
import { fromIso, id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'
import { findFull, isFull, refuseFull } from './tenant-room.js'

export type ResourceOwner = {
  /** `/tenants/:tenant/resources` or `/shared-resources`. */
  readonly path: string
  readonly tag: string
  readonly summaries: { readonly list: string; readonly create: string }
  readonly vendorOnly?: true
  readonly ownerOf: (http: HttpRequest) => TenantId
  /** Who may mint for a new one. */
  readonly minterOf: (http: HttpRequest) => readonly IssuerId[]
  /** Whether the caller may create a resource of that identifier. */
  readonly mayCreate: (http: AdminRequest<unknown>, deps: BrokerDeps, identifier: string) => Promise<boolean>
}

type Change = (db: Db, owner: TenantId, own: StoredResource) => Promise<void>

/** One transaction around the owner's resource: changed as `change` says, and answered as it then stands. */
async function changeOwn(http: AdminRequest<unknown>, deps: BrokerDeps, owner: TenantId, change: Change): Promise<Answer> {
  const id = idParam<ResourceId>(http)
  if (id === undefined) return refuseAdmin('not_found')
  const stored = await inTenant(deps.database, owner, async (db) => {
    const own = await findOwnResource(db, owner, id)
    if (!own) return undefined
    await change(db, owner, own)
    return findOwnResource(db, owner, id)
  })
  return stored ? json(showResource(stored)) : refuseAdmin('not_found')
}

/** What every endpoint of one owner shares. */
export const commonOf = (owned: ResourceOwner) => ({ tag: owned.tag, ...reservedFor(owned) })

const listOwned = (owned: ResourceOwner): Endpoint =>
  adminList({
    ...commonOf(owned),
    path: owned.path,
    summary: owned.summaries.list,
    permission: 'configuration:read',
    member: 'resources',
    shown: resourceShape,
    position: ['after', 'name'],
    read: (http, deps, page) => inTenant(deps.database, owned.ownerOf(http), (db) => listResources(db, owned.ownerOf(http), page)),
    show: showResource,
    positionOf: ({ identifier }) => identifier,
  })

const createOwned = (owned: ResourceOwner): Endpoint =>
  adminEndpoint({
    ...commonOf(owned),
    method: 'POST',
    path: owned.path,
    summary: owned.summaries.create,
    permission: 'configuration:write',
    body: newResource,
    status: 201,
    answer: resourceShape,
    refuses: ['resource_not_owned', 'conflict', 'tenant_full'],
    run: (http, deps) => createResource(owned, http, deps),
  })

const readOwned = (owned: ResourceOwner): Endpoint =>
  adminEndpoint({
    ...commonOf(owned),
    method: 'GET',
    path: `${owned.path}/:id`,
    summary: 'Read a resource of this owner',
    permission: 'configuration:read',
    answer: resourceShape,
    refuses: ['not_found'],
    run: (http, deps) => changeOwn(http, deps, owned.ownerOf(http), async () => undefined),
  })

const updateOwned = (owned: ResourceOwner): Endpoint =>
  adminEndpoint({
    ...commonOf(owned),
    method: 'PATCH',
    path: `${owned.path}/:id`,
    summary:
      'Change the name of a resource, the longest life of its access tokens, or what it is told of people; its identifier is for ever',
    permission: 'configuration:write',
    body: resourceChange,
    answer: resourceShape,
    refuses: ['not_found'],
    run: (http, deps) =>
      changeOwn(http, deps, owned.ownerOf(http), async (db, owner, own) => {
        await updateResource(db, owner, own.id, { ...http.parsed, now: deps.clock.now() })
        await audit(db, owner, http, deps, { kind: 'resource.updated', detail: { resource: own.identifier, ...http.parsed } })
      }),
  })

const replaceScopesOfOwned = (owned: ResourceOwner): Endpoint =>
  adminEndpoint({
    ...commonOf(owned),
    method: 'PUT',
    path: `${owned.path}/:id/scopes`,
    summary: 'Replace the scopes of a resource of this owner',
    permission: 'configuration:write',
    body: z.strictObject({ scopes: scopesShape }),
    answer: resourceShape,
    refuses: ['not_found'],
    run: (http, deps) =>
      changeOwn(http, deps, owned.ownerOf(http), async (db, owner, own) => {
        const scopes = toScopes(http.parsed.scopes)
        await replaceScopes(db, owner, own.id, scopes)
        const names = scopes.map(({ name }) => name)
        await audit(db, owner, http, deps, { kind: 'resource.scopes_replaced', scopes: names, detail: { resource: own.identifier } })
      }),
  })

export const ownedResourceEndpoints = (owned: ResourceOwner): readonly Endpoint[] =>
  [listOwned, createOwned, readOwned, updateOwned, replaceScopesOfOwned].map((make) => make(owned))

async function createResource(owned: ResourceOwner, http: AdminRequest<z.output<typeof newResource>>, deps: BrokerDeps): Promise<Answer> {
  const { identifier, name, accessTokenTtlSeconds, toldOfPeople } = http.parsed
  if (!(await owned.mayCreate(http, deps, identifier))) return refuseAdmin('resource_not_owned')
  const owner = owned.ownerOf(http)
  const scopes = toScopes(http.parsed.scopes)
  const id = deps.random.uuid() as ResourceId
  const stored = await inTenant(deps.database, owner, async (db) => {
    const full = await findFull(db, owner, 'resources')
    if (full) return full
    await insertResource(db, owner, {
      ...{ id, identifier: identifier as ResourceIdentifier, name, accessTokenTtlSeconds, toldOfPeople, scopes },
      ...{ issuerIds: owned.minterOf(http), now: deps.clock.now() },
    })
    const names = scopes.map((one) => one.name)
    await audit(db, owner, http, deps, { kind: 'resource.created', scopes: names, detail: { resource: identifier, toldOfPeople } })
    return findOwnResource(db, owner, id)
  })
  return isFull(stored) ? refuseFull(stored) : json(showResource(stored as StoredResource), { status: 201 })
}

const credentialShape = z.strictObject({ id: idShape, createdAt: time, expiresAt: timeOrNull, revokedAt: timeOrNull })
const showCredential = (credential: StoredResourceCredential): z.output<typeof credentialShape> => ({
  id: credential.id,
  createdAt: toIso(credential.createdAt),
  expiresAt: toIsoOrNull(credential.expiresAt),
  revokedAt: toIsoOrNull(credential.revokedAt),
})
const newCredential = z.strictObject({ expiresAt: z.iso.datetime().optional() })

const credentialsPath = (owned: ResourceOwner): string => `${owned.path}/:id/credentials`

const listCredentials = (owned: ResourceOwner): Endpoint =>
  adminList({
    ...commonOf(owned),
    path: credentialsPath(owned),
    summary: 'List the credentials of a resource of this owner, oldest first, revoked ones too',
    permission: 'configuration:read',
    refuses: ['not_found'],
    member: 'credentials',
    shown: credentialShape,
    position: ['after', 'moment'],
    read: async (http, deps, page) => {
      const id = idParam<ResourceId>(http)
      const owner = owned.ownerOf(http)
      return inTenant(deps.database, owner, async (db) =>
        id && (await findOwnResource(db, owner, id)) ? listResourceCredentials(db, owner, id, page) : undefined,
      )
    },
    show: showCredential,
    positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
  })

const makeCredential = (owned: ResourceOwner): Endpoint =>
  adminEndpoint({
    ...commonOf(owned),
    method: 'POST',
    path: credentialsPath(owned),
    summary: 'Make a credential with which the resource introspects and hears notices; shown once',
    permission: 'configuration:write',
    body: newCredential,
    status: 201,
    answer: z.strictObject({ id: idShape, secret: z.string(), expiresAt: timeOrNull }),
    refuses: ['not_found'],
    run: (http, deps) => createCredential(http, deps, owned.ownerOf(http)),
  })

const takeCredentialBack = (owned: ResourceOwner): Endpoint =>
  adminEndpoint({
    ...commonOf(owned),
    method: 'DELETE',
    path: `${credentialsPath(owned)}/:credential`,
    summary: 'Revoke a credential: nobody introspects or hears notices with it any more',
    permission: 'configuration:write',
    refuses: ['not_found'],
    run: (http, deps) => revokeCredential(http, deps, owned.ownerOf(http)),
  })

/** What a resource server proves itself with at introspection and notices. Make the new one before the old one is revoked. */
export const resourceCredentialEndpoints = (owned: ResourceOwner): readonly Endpoint[] =>
  [listCredentials, makeCredential, takeCredentialBack].map((make) => make(owned))

async function createCredential(http: AdminRequest<z.output<typeof newCredential>>, deps: BrokerDeps, owner: TenantId): Promise<Answer> {
  const resourceId = idParam<ResourceId>(http)
  if (resourceId === undefined) return refuseAdmin('not_found')
  const id = deps.random.uuid()
  const secret = `dbx_${deps.random.token()}`
  const expiresAt = http.parsed.expiresAt === undefined ? undefined : fromIso(http.parsed.expiresAt)
  const found = await inTenant(deps.database, owner, async (db) => {
    const own = await findOwnResource(db, owner, resourceId)
    if (!own) return false
    await insertResourceCredential(db, owner, { id, resourceId, secretHash: hashCredential(secret), now: deps.clock.now(), expiresAt })
    await audit(db, owner, http, deps, { kind: 'resource.credential_created', detail: { resource: own.identifier, credential: id } })
    return true
  })
  return found ? json({ id, secret, expiresAt: toIsoOrNull(expiresAt) }, { status: 201 }) : refuseAdmin('not_found')
}

async function revokeCredential(http: AdminRequest<unknown>, deps: BrokerDeps, owner: TenantId): Promise<Answer> {
  const resourceId = idParam<ResourceId>(http)
  const id = idParam(http, 'credential')
  if (resourceId === undefined || id === undefined) return refuseAdmin('not_found')
  const found = await inTenant(deps.database, owner, async (db) => {
    const revoked = await markResourceCredentialRevoked(db, owner, { resourceId, id }, deps.clock.now())
    if (revoked) await audit(db, owner, http, deps, { kind: 'resource.credential_revoked', detail: { resourceId, credential: id } })
    return revoked
  })
  return found ? empty() : refuseAdmin('not_found')
}
