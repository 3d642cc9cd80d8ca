/** Who may become a subject of a tenant, and who is invited. Whoever says so says who gets in: `impersonate`. */
import { parseEmailAddress } from '@drawbridge/core/identity/email-address'
import { provisioningModes, undecidedProvisioning } from '@drawbridge/core/identity/provisioning'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import {
  type Invitation,
  type InvitationName,
  insertInvitation,
  listInvitations,
  markInvitationRevoked,
} from '@drawbridge/store/invitations'
import { findTenant, markProvisioningMode } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedConnection } from '../http/tenant.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { fromIso, id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'Provisioning'
const mode = z.enum(provisioningModes)
const shownMode = z.strictObject({
  mode: mode.describe('What holds now'),
  chosen: z.boolean().describe('False: nobody has chosen yet, and the first SCIM token will choose scim_only'),
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/provisioning',
  tag,
  summary: 'Read who may become a subject of the tenant',
  permission: 'configuration:read',
  answer: shownMode,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const tenant = await inTenant(deps.database, id, (db) => findTenant(db, id))
    const chosen = tenant?.provisioningMode
    return json({ mode: chosen ?? undecidedProvisioning, chosen: chosen !== undefined })
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/provisioning',
  tag,
  summary: 'Choose who may become a subject: whoever signs in, whom the directory provisioned, or who was invited',
  permission: 'impersonate',
  body: z.strictObject({ mode }),
  answer: shownMode,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = http.parsed.mode
    await inTenant(deps.database, id, async (db) => {
      await markProvisioningMode(db, id, chosen)
      await audit(db, id, http, deps, { kind: 'tenant.provisioning_changed', reason: 'admin', detail: { mode: chosen } })
    })
    return json({ mode: chosen, chosen: true })
  },
})

/** An invitation that nobody uses is forgotten by then; a longer one is a door that somebody left open. */
export const longestInvitationSeconds = 30 * 86_400

const shown = z.strictObject({
  id: idShape,
  connectionId: idShape,
  namedBy: z.enum(['link_key', 'email']),
  value: z.string().describe('As it is compared'),
  createdAt: time,
  expiresAt: time,
  usedAt: timeOrNull,
  revokedAt: timeOrNull,
})
const show = (invitation: Invitation): z.output<typeof shown> => ({
  ...invitation,
  createdAt: toIso(invitation.createdAt),
  expiresAt: toIso(invitation.expiresAt),
  usedAt: toIsoOrNull(invitation.usedAt),
  revokedAt: toIsoOrNull(invitation.revokedAt),
})

const list = adminList({
  path: '/tenants/:tenant/invitations',
  tag,
  summary: 'List invitations, oldest first, used and revoked ones too',
  permission: 'configuration:read',
  member: 'invitations',
  shown,
  position: ['after', 'moment'],
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listInvitations(db, id, page))
  },
  show,
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const newInvitation = z.strictObject({
  connectionId: z.uuid(),
  namedBy: z
    .enum(['link_key', 'email'])
    .describe('By the connection’s link key, or its stable id without one; or by an address in a domain that the tenant has proven'),
  value: z.string().trim().min(1).max(512),
  expiresAt: z.iso.datetime().optional().describe('At most, and by default, 30 days from now'),
})

/** `undefined`: an address that is none. */
function comparedValue(namedBy: InvitationName, value: string, connection: ResolvedConnection | undefined): string | undefined {
  if (namedBy === 'email') return parseEmailAddress(value)?.key
  const key = connection?.configuration.ok ? connection.configuration.value.scimLinkKey : undefined
  return key?.scim === 'userName' ? value.toLowerCase() : value
}

const expiryOf = (asked: string | undefined, now: Instant): Instant => {
  const latest = addSeconds(now, longestInvitationSeconds)
  return asked === undefined || fromIso(asked) > latest ? latest : fromIso(asked)
}

const invite = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/invitations',
  tag,
  summary: 'Invite a person; her first login uses the invitation up',
  permission: 'impersonate',
  body: newInvitation,
  status: 201,
  answer: shown,
  refuses: ['invitation_invalid', 'reference_unknown'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const { namedBy } = http.parsed
    const connectionId = http.parsed.connectionId as ConnectionId
    const value = comparedValue(namedBy, http.parsed.value, tenant.connection(connectionId))
    if (value === undefined) return refuseAdmin('invitation_invalid', [{ path: 'value', message: 'not an e-mail address' }])
    const now = deps.clock.now()
    const id = deps.random.uuid()
    const stored = await inTenant(deps.database, tenant.id, async (db) => {
      const expiresAt = expiryOf(http.parsed.expiresAt, now)
      const invited = await insertInvitation(db, tenant.id, { id, connectionId, namedBy, value, expiresAt, now })
      await audit(db, tenant.id, http, deps, { kind: 'invitation.created', connectionId, detail: { invitation: id, namedBy, value } })
      return invited
    })
    return json(show(stored), { status: 201 })
  },
})

const revoke = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/invitations/:id',
  tag,
  summary: 'Take an invitation back that nobody has used',
  permission: 'impersonate',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam(http)
    if (id === undefined) return refuseAdmin('not_found')
    const revoked = await inTenant(deps.database, tenant.id, async (db) => {
      const changed = await markInvitationRevoked(db, tenant.id, id, deps.clock.now())
      if (changed)
        await audit(db, tenant.id, http, deps, {
          kind: 'invitation.revoked',
          connectionId: changed.connectionId,
          detail: { invitation: id },
        })
      return changed !== undefined
    })
    return revoked ? empty() : refuseAdmin('not_found')
  },
})

export const provisioningEndpoints = [read, choose, list, invite, revoke]
