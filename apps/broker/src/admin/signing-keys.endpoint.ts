/** Signing keys: the next one is published before it signs; a compromised one is believed by nobody from the commit on. */
import { tokenAlgorithms } from '@drawbridge/core/oauth/token-algorithm'
import { keyPurposes, keyStates } from '@drawbridge/crypto/signing-keys'
import {
  condemnSigningKey,
  ensureSigningKeys,
  listSigningKeys,
  rotateSigningKey,
  type StoredSigningKey,
} from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { ofFront } from './at-front.js'
import { keyChangeOf } from './key-change.js'
import { refuseAdmin } from './refuse-admin.js'
import { time, timeOrNull, toIso, toIsoOrNull } from './shapes.js'

const tag = 'Signing keys'
const shown = z.strictObject({
  id: z.string().describe('The key id that its tokens name: its SHA-256 thumbprint'),
  purpose: z.enum(keyPurposes),
  algorithm: z.enum(tokenAlgorithms),
  state: z.enum(keyStates),
  certificate: z.string().nullable().describe('PEM; only keys for SAML have one'),
  createdAt: time,
  activatedAt: timeOrNull,
  retiredAt: timeOrNull,
  activatesAt: timeOrNull.describe('Of a next key: when it is to sign by itself. Null: it does not, or the worker has not said yet'),
  withdrawnAt: timeOrNull.describe('Since when it is not published any more, and its private half is destroyed'),
})
const answer = z.strictObject({ signingKeys: z.array(shown) })
const show = (key: StoredSigningKey): z.output<typeof shown> => ({
  id: key.id,
  purpose: key.purpose,
  algorithm: key.algorithm,
  state: key.state,
  certificate: key.certificate ?? null,
  createdAt: toIso(key.createdAt),
  activatedAt: toIsoOrNull(key.activatedAt),
  retiredAt: toIsoOrNull(key.retiredAt),
  activatesAt: toIsoOrNull(key.activatesAt),
  withdrawnAt: toIsoOrNull(key.withdrawnAt),
})
const showAll = (keys: readonly StoredSigningKey[]): z.output<typeof answer> => ({ signingKeys: keys.map(show) })

const list = adminList({
  path: '/tenants/:tenant/signing-keys',
  tag,
  summary: 'List signing keys and their states, by key id',
  permission: 'configuration:read',
  member: 'signingKeys',
  shown,
  position: ['after', 'name'],
  // A tenant has a handful, and whoever signs reads them all: there is no statement of its own for a page of them.
  read: async (http, deps, { from = '', limit }) => {
    const { id } = tenantOf(http)
    const keys = await inTenant(deps.database, id, (db) => listSigningKeys(db, id))
    const behind = keys.filter((key) => key.id > from).toSorted((one, other) => (one.id < other.id ? -1 : 1))
    return behind.slice(0, limit)
  },
  show,
  positionOf: ({ id }) => id,
})

const rotate = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/signing-keys/rotate',
  tag,
  summary: 'Activate the next key, retire the active one, make a new next one; the first keys for SAML are made so too',
  permission: 'keys:rotate',
  body: z.strictObject({ purpose: z.enum(keyPurposes) }),
  answer,
  refuses: ['no_next_key'],
  run: async (http, deps) => {
    const { purpose } = http.parsed
    const { tenant, ...change } = keyChangeOf(deps, tenantOf(http))
    // No IdP ever meets the front.
    const isSaml = purpose === 'saml' && tenantOf(http).issuer.kind === 'tenant'
    const keys = await inTenant(deps.database, tenant, async (db) => {
      // Tenants get keys for SAML when one of them needs them; whoever asks by hand needs them.
      const made = isSaml && (await ensureSigningKeys(db, tenant, { ...change, purpose }))
      const active = made ? 'made' : await rotateSigningKey(db, tenant, { ...change, purpose })
      if (active === undefined) return undefined
      await audit(db, tenant, http, deps, { kind: 'signing_key.rotated', issuerId: change.issuerId, detail: { purpose, active } })
      return listSigningKeys(db, tenant)
    })
    return keys ? json(showAll(keys)) : refuseAdmin('no_next_key')
  },
})

/** Again for the same key: nothing happens, and the answer is the same. */
const condemn = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/signing-keys/:kid/compromised',
  tag,
  summary: 'Condemn a key: out of the JWKS at once, guards are told, and the next key takes its place',
  permission: 'keys:rotate',
  answer,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const kid = http.params['kid'] ?? ''
    const { tenant, ...change } = keyChangeOf(deps, tenantOf(http))
    const eventId = deps.random.uuid()
    const keys = await inTenant(deps.database, tenant, async (db) => {
      if (await condemnSigningKey(db, tenant, { ...change, kid, eventId }))
        await audit(db, tenant, http, deps, { kind: 'signing_key.compromised', issuerId: change.issuerId, detail: { kid, eventId } })
      return listSigningKeys(db, tenant)
    })
    return keys.some(({ id }) => id === kid) ? json(showAll(keys)) : refuseAdmin('not_found')
  },
})

export const signingKeyEndpoints = [list, rotate, condemn]
export const frontSigningKeyEndpoints = signingKeyEndpoints.map(ofFront)
