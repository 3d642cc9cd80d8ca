/** SCIM tokens: who holds one says who works for the company, so they are `impersonate`. Two may live at once, for a change without a gap. */
import { provisioningModes, undecidedProvisioning } from '@drawbridge/core/identity/provisioning'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import {
  countLivingScimTokens,
  insertScimToken,
  listScimTokens,
  markScimTokenRevoked,
  mostLivingScimTokens,
  type ScimToken,
} from '@drawbridge/store/scim-tokens'
import { findTenant } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { fromIso, id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'SCIM tokens'
const shown = z.strictObject({
  id: idShape,
  name: z.string(),
  connectionId: idShape,
  createdAt: time,
  expiresAt: timeOrNull,
  revokedAt: timeOrNull,
  lastUsedAt: timeOrNull.describe('Exact to a minute'),
})
const show = (token: ScimToken): z.output<typeof shown> => ({
  id: token.id,
  name: token.name,
  connectionId: token.connectionId,
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
  summary: `Make the bearer token with which the IdP provisions a connection; shown once; at most ${mostLivingScimTokens} live`,
  permission: 'impersonate',
  status: 201,
  body: z.strictObject({ connectionId: z.uuid(), name: z.string().trim().min(1).max(100), expiresAt: z.iso.datetime().optional() }),
  answer: z.strictObject({
    id: idShape,
    name: z.string(),
    connectionId: idShape,
    secret: z.string(),
    expiresAt: timeOrNull,
    baseUrl: z.url().describe('What the IdP asks for as the SCIM address'),
    provisioningMode: z.enum(provisioningModes).describe('Who may become a subject now: the first token of a tenant chooses scim_only'),
  }),
  refuses: ['reference_unknown', 'scim_tokens_enough'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = deps.random.uuid()
    const secret = `dbs_${deps.random.token()}`
    const { name } = http.parsed
    const connectionId = http.parsed.connectionId as ConnectionId
    const expiresAt = http.parsed.expiresAt === undefined ? undefined : fromIso(http.parsed.expiresAt)
    const now = deps.clock.now()
    const mode = await inTenant(deps.database, tenant.id, async (db) => {
      if ((await countLivingScimTokens(db, tenant.id, connectionId, now)) >= mostLivingScimTokens) return undefined
      await insertScimToken(db, tenant.id, { id, connectionId, name, secretHash: hashCredential(secret), now, expiresAt })
      await audit(db, tenant.id, http, deps, { kind: 'scim_token.created', connectionId, detail: { token: id, name } })
      return (await findTenant(db, tenant.id))?.provisioningMode ?? undecidedProvisioning
    })
    if (mode === undefined) return refuseAdmin('scim_tokens_enough')
    const baseUrl = `${tenant.issuer.url}/scim/v2`
    return json({ id, name, connectionId, secret, expiresAt: toIsoOrNull(expiresAt), baseUrl, provisioningMode: mode }, { status: 201 })
  },
})

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
