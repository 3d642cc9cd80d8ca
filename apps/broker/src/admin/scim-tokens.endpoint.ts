/** SCIM tokens, and OAuth clients in place of one: who holds one says who works for the company, so they are `impersonate`. Two may live at once, for a change without a gap. */
import { provisioningModes, undecidedProvisioning } from '@drawbridge/core/identity/provisioning'
import type { Instant } from '@drawbridge/core/instant'
import { type ScimScope, scimScopes, wholeScimScope } from '@drawbridge/core/scim/scope'
import type { ClientId, ConnectionId, ResourceId, ResourceIdentifier, Scope } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { findResourceByIdentifier, insertResource, replaceScopes } from '@drawbridge/store/resources'
import {
  countLivingScimTokens,
  insertScimToken,
  isScimClient,
  listScimTokens,
  markScimTokenRevoked,
  mostLivingScimTokens,
  type ScimToken,
} from '@drawbridge/store/scim-tokens'
import { findTenant } from '@drawbridge/store/tenants'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { fromIso, id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'SCIM tokens'
const scopeShape = z
  .enum(scimScopes)
  .describe('scim:read: reads people and groups; scim:users: changes people, too, and takes their access; scim: groups, too')
const shown = z.strictObject({
  id: idShape,
  name: z.string(),
  connectionId: idShape,
  clientId: z.string().nullable().describe('The OAuth client that proves itself; null: the secret does'),
  scope: scopeShape,
  createdAt: time,
  expiresAt: timeOrNull,
  revokedAt: timeOrNull,
  lastUsedAt: timeOrNull.describe('Exact to a minute'),
})
const show = (token: ScimToken): z.output<typeof shown> => ({
  id: token.id,
  name: token.name,
  connectionId: token.connectionId,
  clientId: token.clientId ?? null,
  scope: token.scope,
  createdAt: toIso(token.createdAt),
  expiresAt: toIsoOrNull(token.expiresAt),
  revokedAt: toIsoOrNull(token.revokedAt),
  lastUsedAt: toIsoOrNull(token.lastUsedAt),
})

const list = adminList({
  path: '/tenants/:tenant/scim-tokens',
  tag,
  summary: 'List SCIM tokens with their last use, oldest first, revoked ones too',
  permission: 'configuration:read',
  member: 'scimTokens',
  shown,
  position: ['after', 'moment'],
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listScimTokens(db, id, page))
  },
  show,
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/scim-tokens',
  tag,
  summary: `Make the bearer token with which the IdP provisions a connection; shown once; at most ${mostLivingScimTokens} live with one scope`,
  permission: 'impersonate',
  status: 201,
  body: z.strictObject({
    connectionId: z.uuid(),
    name: z.string().trim().min(1).max(100),
    expiresAt: z.iso.datetime().optional(),
    clientId: z
      .string()
      .min(1)
      .max(2048)
      .optional()
      .describe(
        'An OAuth client with the grant client_credentials and the scopes of SCIM in its ceiling that it asks for, instead of a secret',
      ),
    scope: scopeShape
      .optional()
      .describe('The most that it may do. Default: scim, everything; an access token that holds less may do less'),
  }),
  answer: z.strictObject({
    id: idShape,
    name: z.string(),
    connectionId: idShape,
    scope: scopeShape,
    secret: z.string().nullable().describe('Null: the client proves itself'),
    expiresAt: timeOrNull,
    baseUrl: z.url().describe('What the IdP asks for as the SCIM address'),
    provisioningMode: z
      .enum(provisioningModes)
      .describe('Who may become a subject now: the first token of a tenant that may change people chooses scim_only'),
  }),
  refuses: ['reference_unknown', 'scim_tokens_enough', 'scim_client_bound'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = deps.random.uuid()
    const { name, scope = wholeScimScope } = http.parsed
    const clientId = http.parsed.clientId as ClientId | undefined
    const secret = clientId === undefined ? `dbs_${deps.random.token()}` : undefined
    const connectionId = http.parsed.connectionId as ConnectionId
    const expiresAt = http.parsed.expiresAt === undefined ? undefined : fromIso(http.parsed.expiresAt)
    const now = deps.clock.now()
    const baseUrl = `${tenant.issuer.url}/scim/v2`
    const issuerId = tenant.issuer.id
    const proof = clientId === undefined ? { secretHash: hashCredential(secret ?? '') } : { client: { issuerId, clientId } }
    const made = await inTenant(deps.database, tenant.id, async (db) => {
      if ((await countLivingScimTokens(db, tenant.id, { connectionId, scope }, now)) >= mostLivingScimTokens)
        return 'scim_tokens_enough' as const
      if (clientId !== undefined && (await isScimClient(db, tenant.id, issuerId, clientId))) return 'scim_client_bound' as const
      await insertScimToken(db, tenant.id, { id, connectionId, name, scope, ...proof, now, expiresAt })
      if (clientId !== undefined) await declareScim(db, tenant, { id: deps.random.uuid() as ResourceId, baseUrl, now })
      await audit(db, tenant.id, http, deps, {
        kind: 'scim_token.created',
        connectionId,
        ...(clientId === undefined ? {} : { clientId }),
        scopes: [scope],
        detail: { token: id, name },
      })
      return { mode: (await findTenant(db, tenant.id))?.provisioningMode ?? undecidedProvisioning }
    })
    if (typeof made === 'string') return refuseAdmin(made)
    const provisioningMode = made.mode
    const shownOnce = {
      id,
      name,
      connectionId,
      scope,
      secret: secret ?? null,
      expiresAt: toIsoOrNull(expiresAt),
      baseUrl,
      provisioningMode,
    }
    return json(shownOnce, { status: 201 })
  },
})

const scopeSays: Readonly<Record<ScimScope, string>> = {
  'scim:read': 'Read who works for the company, and in which groups',
  'scim:users': 'Say who works for the company',
  scim: 'Say who works for the company, and in which groups',
}

/** What a client asks tokens for: the tenant's SCIM address as a resource of its own. Made once; one of a version that knew fewer scopes gets the others. */
async function declareScim(
  db: Db,
  tenant: ResolvedTenant,
  made: { readonly id: ResourceId; readonly baseUrl: string; readonly now: Instant },
) {
  const identifier = made.baseUrl as ResourceIdentifier
  const scopes = scimScopes.map((name) => ({
    ...{ name: name as string as Scope, description: scopeSays[name], isDefault: false },
    tier: name === 'scim:read' ? ('sensitive' as const) : ('admin' as const),
  }))
  const present = await findResourceByIdentifier(db, tenant.id, identifier)
  const missing = scopes.filter(({ name }) => !present?.scopes.some((one) => one.name === name))
  if (present !== undefined) {
    if (missing.length > 0) await replaceScopes(db, tenant.id, present.id, [...present.scopes, ...missing])
    return
  }
  await insertResource(db, tenant.id, {
    id: made.id,
    identifier,
    name: 'SCIM',
    scopes,
    issuerIds: [tenant.issuer.id],
    now: made.now,
  })
}

const revoke = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/scim-tokens/:id',
  tag,
  summary: 'Revoke a SCIM token',
  permission: 'impersonate',
  refuses: ['not_found'],
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

export const scimTokenEndpoints = [list, create, revoke]
