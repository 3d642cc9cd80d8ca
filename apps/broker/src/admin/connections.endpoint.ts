/** Connections: whoever writes them decides who can be whom, so all of it is `impersonate`. A kill, which is `revoke`, disables one. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { isNamedByTrust } from '@drawbridge/store/assertion-trusts'
import {
  deleteConnection,
  findConnection,
  insertConnection,
  listConnections,
  lockConnection,
  markConnectionDisabled,
  type StoredConnection,
  updateConnection,
} from '@drawbridge/store/connections'
import { raiseIfSourcesChanged } from '@drawbridge/store/directory'
import { inTenant } from '@drawbridge/store/transaction'
import { parseConnection } from '@drawbridge/upstream/connection'
import { sendsSecretElsewhere } from '@drawbridge/upstream/oidc/secret-addresses'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { auditWeakenings } from './accepted-weakenings.js'
import { adminEndpoint, answerRemoval, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { connectionAddresses, revisionOf, showAddresses } from './connection-addresses.js'
import { connectionChange, connectionDraft, keepSource, readConnectionDraft, refuseThisMachine } from './connection-draft.js'
import { auditInitiatedLogin } from './initiated-login-change.js'
import { ensureKeysFor } from './key-change.js'
import { sealConnectionSecret } from './new-key.js'
import { endWhatTheOldIdpSaid } from './other-idp.js'
import { refuseAdmin } from './refuse-admin.js'
import { retirementOf } from './set-up-signal-stream.js'
import { id as idShape, time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'
import { findFullOf, findTooLarge, isFull, refuseFull } from './tenant-room.js'

const tag = 'Connections'
const shown = z.strictObject({
  id: idShape,
  kind: z.enum(['saml', 'oidc']),
  name: z.string(),
  configuration: z.unknown(),
  hasSecret: z.boolean(),
  disabledAt: timeOrNull,
  sha1Until: timeOrNull.describe('SAML: until when signatures with SHA-1 are believed'),
  resyncDemandedAt: timeOrNull.describe(
    'After a restore: nobody comes in but whom the directory has created since; null: nothing is awaited',
  ),
  createdAt: time,
  addresses: connectionAddresses.describe('Ours, as they are entered at the IdP'),
  revision: z.string().describe('Of name and configuration; sent back as ifRevision, it keeps a change by somebody else'),
})
const shownWithWarnings = shown.extend({ warnings: z.array(z.string()).describe('What the metadata says and should not') })
const show = (connection: StoredConnection, tenant: ResolvedTenant): z.output<typeof shown> => ({
  id: connection.id,
  kind: connection.kind,
  name: connection.name,
  configuration: connection.configuration,
  hasSecret: connection.sealedSecret !== undefined,
  disabledAt: toIsoOrNull(connection.disabledAt),
  sha1Until: toIsoOrNull(connection.sha1Until),
  resyncDemandedAt: toIsoOrNull(connection.resyncDemandedAt),
  createdAt: toIso(connection.createdAt),
  addresses: showAddresses(connection, tenant),
  revision: revisionOf(connection),
})

const list = adminList({
  path: '/tenants/:tenant/connections',
  tag,
  summary: 'List connections, oldest first',
  permission: 'configuration:read',
  member: 'connections',
  shown,
  position: ['after', 'moment'],
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listConnections(db, id, page))
  },
  show: (connection, _deps, http) => show(connection, tenantOf(http)),
  positionOf: ({ createdAt, id }) => momentPosition(createdAt, id),
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/connections/:id',
  tag,
  summary: 'Read a connection; its secret is never shown',
  permission: 'configuration:read',
  answer: shown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    const stored = id && (await inTenant(deps.database, tenant.id, (db) => findConnection(db, tenant.id, id)))
    return stored ? json(show(stored, tenant)) : refuseAdmin('not_found')
  },
})

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections',
  tag,
  summary: 'Add a connection, from SAML metadata or bare fields',
  permission: 'impersonate',
  body: connectionDraft,
  status: 201,
  answer: shownWithWarnings,
  refuses: ['connection_invalid', 'metadata_invalid', 'tenant_full'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const draft = await readConnectionDraft(http.parsed, deps)
    if (!draft.ok) return draft.error
    const id = deps.random.uuid() as ConnectionId
    const { kind, name, clientSecret } = http.parsed
    const sealedSecret = clientSecret === undefined ? undefined : sealConnectionSecret(deps, tenant.id, id, clientSecret)
    const { configuration, warnings } = draft.value
    const stored = await inTenant(deps.database, tenant.id, async (db) => {
      const full = await findFullOf(db, tenant.id, 'connections', { id, configuration })
      if (full) return full
      await insertConnection(db, tenant.id, { id, kind, name, configuration, sealedSecret, now: deps.clock.now() })
      await keepSource(db, deps, tenant.id, id, draft.value)
      await ensureKeysFor(db, deps, tenant, { kind, configuration })
      await audit(db, tenant.id, http, deps, { kind: 'connection.created', connectionId: id, detail: { name } })
      await auditWeakenings({ db, tenant: tenant.id, http, deps }, id, undefined, configuration)
      await auditInitiatedLogin({ db, tenant: tenant.id, http, deps }, id, undefined, configuration)
      return findConnection(db, tenant.id, id)
    })
    if (isFull(stored)) return refuseFull(stored)
    return json({ ...show(stored as StoredConnection, tenant), warnings }, { status: 201 })
  },
})

const update = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/connections/:id',
  tag,
  summary: 'Replace a connection’s name and configuration; its kind stays',
  permission: 'impersonate',
  body: connectionChange,
  answer: shownWithWarnings,
  refuses: ['not_found', 'connection_invalid', 'metadata_invalid', 'connection_moved', 'connection_secret_needed', 'tenant_full'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    if (id === undefined) return refuseAdmin('not_found')
    const draft = await readConnectionDraft(http.parsed, deps)
    if (!draft.ok) return draft.error
    const { kind, name, clientSecret, ifRevision } = http.parsed
    const sealedSecret = typeof clientSecret === 'string' ? sealConnectionSecret(deps, tenant.id, id, clientSecret) : clientSecret
    const { configuration, warnings } = draft.value
    const stored = await inTenant(deps.database, tenant.id, async (db) => {
      const before = await lockConnection(db, tenant.id, id)
      if (before?.kind !== kind) return undefined
      if (ifRevision !== undefined && ifRevision !== revisionOf(before)) return 'connection_moved'
      const keepsSecret = sealedSecret === undefined && before.sealedSecret !== undefined
      if (keepsSecret && sendsSecretElsewhere(before.configuration, configuration)) return 'connection_secret_needed'
      const full = await findTooLarge(db, tenant.id, { id, configuration })
      if (full) return full
      await updateConnection(db, tenant.id, id, { name, configuration, sealedSecret })
      const change = { tenant: tenant.id, connectionId: id, now: deps.clock.now() }
      await raiseIfSourcesChanged(db, change, before.configuration, configuration)
      await keepSource(db, deps, tenant.id, id, draft.value)
      await ensureKeysFor(db, deps, tenant, { kind, configuration })
      await audit(db, tenant.id, http, deps, {
        kind: 'connection.updated',
        connectionId: id,
        detail: { name, ...toldOfSecret(sealedSecret) },
      })
      await endWhatTheOldIdpSaid({ db, tenant: tenant.id, http, deps }, before, configuration)
      await auditWeakenings({ db, tenant: tenant.id, http, deps }, id, before.configuration, configuration)
      await auditInitiatedLogin({ db, tenant: tenant.id, http, deps }, id, before.configuration, configuration)
      return findConnection(db, tenant.id, id)
    })
    if (typeof stored === 'string') return refuseAdmin(stored)
    if (isFull(stored)) return refuseFull(stored)
    return stored ? json({ ...show(stored, tenant), warnings }) : refuseAdmin('not_found')
  },
})

/** For the trail. */
const toldOfSecret = (sealed: Buffer | null | undefined) =>
  sealed === undefined ? {} : { secret: sealed === null ? ('removed' as const) : ('replaced' as const) }

/** What lets people come in through a connection again: a mark in its row, and a line of the trail. */
const enable = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/:id/enable',
  tag,
  summary: 'Let a killed connection sign people in again; nothing that died comes back',
  permission: 'impersonate',
  refuses: ['not_found', 'connection_invalid'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    if (id === undefined) return refuseAdmin('not_found')
    return inTenant(deps.database, tenant.id, async (db) => {
      const stored = await lockConnection(db, tenant.id, id)
      const refused = stored && refuseThisMachine(deps, parseConnection(stored.kind, stored.configuration))
      if (refused) return refused
      if (!(await markConnectionDisabled(db, tenant.id, id, undefined))) return refuseAdmin('not_found')
      await audit(db, tenant.id, http, deps, { kind: 'connection.enabled', connectionId: id })
      return empty()
    })
  },
})

const remove = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/connections/:id',
  tag,
  summary: 'Remove a connection that nobody signed in through and nothing names; kill any other',
  permission: 'impersonate',
  refuses: ['not_found', 'still_in_use'],
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    if (id === undefined) return refuseAdmin('not_found')
    if (await inTenant(deps.database, tenant.id, (db) => isNamedByTrust(db, tenant.id, id))) return refuseAdmin('still_in_use')
    const retire = await retirementOf(deps, { tenant, connectionId: id })
    return answerRemoval(async () => {
      const isRemoved = await inTenant(deps.database, tenant.id, async (db) => {
        const removed = await deleteConnection(db, tenant.id, id)
        if (removed) await audit(db, tenant.id, http, deps, { kind: 'connection.removed', connectionId: id })
        return removed
      })
      if (isRemoved) await retire()
      return isRemoved
    })
  },
})

export const connectionEndpoints = [list, read, create, update, enable, remove]
