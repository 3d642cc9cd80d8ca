/** Our keys before an OpenID provider (private_key_jwt): made here, given to the provider, activated once it knows them. */
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { clientAssertionAlgorithms, generateClientKey } from '@drawbridge/crypto/client-assertion-key'
import {
  activateConnectionKey,
  deleteConnectionKey,
  insertConnectionKey,
  listConnectionKeys,
  type StoredConnectionKey,
} from '@drawbridge/store/connection-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { empty, json } from '../http/answer.js'
import { jwksUriOf } from '../http/connection-addresses.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'Connections'
const shown = z.strictObject({
  id: z.string().describe('The key id: its SHA-256 thumbprint'),
  algorithm: z.enum(clientAssertionAlgorithms),
  state: z.enum(['next', 'active', 'retired']),
  publicJwk: z.record(z.string(), z.unknown()),
  certificate: z.string().nullable().describe('PEM, for a provider that wants a certificate uploaded; RSA keys alone'),
  createdAt: time,
  activatedAt: timeOrNull,
  retiredAt: timeOrNull,
})
const show = (key: StoredConnectionKey): z.output<typeof shown> => ({
  id: key.id,
  algorithm: key.algorithm,
  state: key.state,
  publicJwk: { ...key.publicJwk },
  certificate: key.certificate ?? null,
  createdAt: toIso(key.createdAt),
  activatedAt: toIsoOrNull(key.activatedAt),
  retiredAt: toIsoOrNull(key.retiredAt),
})
const answer = z.strictObject({
  keys: z.array(shown),
  jwksUri: z.string().describe('Where the provider fetches the public keys, if it takes an address'),
})

async function showAll(http: HttpRequest, deps: BrokerDeps, connection: ConnectionId): Promise<z.output<typeof answer>> {
  const { id: tenant } = tenantOf(http)
  const keys = await inTenant(deps.database, tenant, (db) => listConnectionKeys(db, tenant, connection))
  return { keys: keys.map(show), jwksUri: jwksUriOf(tenantOf(http), connection) }
}

const list = adminList({
  path: '/tenants/:tenant/connections/:id/keys',
  tag,
  summary: 'List our keys before the OpenID provider of a connection, by key id',
  permission: 'configuration:read',
  member: 'keys',
  shown,
  position: ['after', 'name'],
  // A handful, and whoever signs reads them all: there is no statement of its own for a page of them.
  read: async (http, deps, { from = '', limit }) => {
    const { id: tenant } = tenantOf(http)
    const connection = idParam<ConnectionId>(http)
    const keys = connection ? await inTenant(deps.database, tenant, (db) => listConnectionKeys(db, tenant, connection)) : []
    const behind = keys.filter((key) => key.id > from).toSorted((one, other) => (one.id < other.id ? -1 : 1))
    return behind.slice(0, limit)
  },
  show,
  positionOf: ({ id }) => id,
})

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/:id/keys',
  tag,
  summary: 'Make a key of ours for an OpenID connection; the first signs at once, later ones when they are activated',
  permission: 'impersonate',
  body: z.strictObject({ algorithm: z.enum(clientAssertionAlgorithms).default('RS256') }),
  status: 201,
  answer,
  refuses: ['not_found', 'connection_keys_enough'],
  run: async (http, deps) => {
    const { id: tenant, slug } = tenantOf(http)
    const connectionId = idParam<ConnectionId>(http)
    if (connectionId === undefined) return refuseAdmin('not_found')
    const now = deps.clock.now()
    const { algorithm } = http.parsed
    const { privateKey, ...key } = await generateClientKey(deps.random, { algorithm, name: `Drawbridge ${slug}`, now })
    const sealedPrivateKey = deps.sealer.seal(privateKey, placeOf(deps, tenant, key.id))
    const state = await inTenant(deps.database, tenant, async (db) => {
      const made = await insertConnectionKey(db, tenant, { ...key, connectionId, algorithm, sealedPrivateKey, now })
      if (made === 'next' || made === 'active')
        await audit(db, tenant, http, deps, { kind: 'connection.key_created', connectionId, detail: { kid: key.id, state: made } })
      return made
    })
    if (state === 'enough') return refuseAdmin('connection_keys_enough')
    return state === 'no_connection' ? refuseAdmin('not_found') : json(await showAll(http, deps, connectionId), { status: 201 })
  },
})

const placeOf = (deps: BrokerDeps, tenant: TenantId, row: string) => ({
  installation: deps.installation.id,
  tenant,
  table: 'connection_keys',
  column: 'sealed_private_key',
  row,
})

const activate = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/:id/keys/:kid/activate',
  tag,
  summary: 'Sign with this key from now on; the one before stays published. First let the provider know it',
  permission: 'impersonate',
  answer,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const connectionId = idParam<ConnectionId>(http)
    const kid = http.params['kid'] ?? ''
    if (connectionId === undefined) return refuseAdmin('not_found')
    const changed = await inTenant(deps.database, tenant, async (db) => {
      const done = await activateConnectionKey(db, tenant, { connectionId, kid, now: deps.clock.now() })
      if (done) await audit(db, tenant, http, deps, { kind: 'connection.key_activated', connectionId, detail: { kid } })
      return done
    })
    const all = await showAll(http, deps, connectionId)
    return changed || all.keys.some(({ id }) => id === kid) ? json(all) : refuseAdmin('not_found')
  },
})

const remove = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/connections/:id/keys/:kid',
  tag,
  summary: 'Remove a key that does not sign; the active one is replaced first',
  permission: 'impersonate',
  refuses: ['not_found', 'still_in_use'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const connectionId = idParam<ConnectionId>(http)
    const kid = http.params['kid'] ?? ''
    if (connectionId === undefined) return refuseAdmin('not_found')
    const outcome = await inTenant(deps.database, tenant, async (db) => {
      const done = await deleteConnectionKey(db, tenant, { connectionId, kid })
      if (done === 'deleted') await audit(db, tenant, http, deps, { kind: 'connection.key_removed', connectionId, detail: { kid } })
      return done
    })
    if (outcome === 'deleted') return empty()
    return refuseAdmin(outcome === 'active' ? 'still_in_use' : 'not_found')
  },
})

export const connectionKeyEndpoints = [list, create, activate, remove]
