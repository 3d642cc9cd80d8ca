/** Signing keys: the next one is published before it signs; a compromised one is believed by nobody from the commit on. */

import {
  activateNextKey,
  insertSigningKey,
  listSigningKeys,
  markKeyCompromised,
  type StoredSigningKey,
} from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, refuseAdmin, toIso } from './admin-endpoint.js'
import { sealNewKey } from './new-key.js'

const tag = 'Signing keys'
const show = (key: StoredSigningKey) => ({
  id: key.id,
  purpose: key.purpose,
  algorithm: key.algorithm,
  state: key.state,
  createdAt: toIso(key.createdAt),
  activatedAt: toIso(key.activatedAt),
  retiredAt: toIso(key.retiredAt),
})

const list = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/signing-keys',
  tag,
  summary: 'List signing keys and their states',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json({ signingKeys: (await inTenant(deps.database, id, (db) => listSigningKeys(db, id))).map(show) })
  },
})

const rotate = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/signing-keys/rotate',
  tag,
  summary: 'Activate the next key, retire the active one, make a new next one',
  permission: 'keys:rotate',
  body: z.strictObject({ purpose: z.enum(['tokens', 'notices']) }),
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const { purpose } = http.parsed
    const issuerId = tenant.issuer.id
    const now = deps.clock.now()
    const keys = await inTenant(deps.database, tenant.id, async (db) => {
      const active = await activateNextKey(db, tenant.id, { issuerId, purpose, now })
      if (active === undefined) return undefined
      await insertSigningKey(db, tenant.id, sealNewKey(deps, { tenant: tenant.id, issuerId, purpose, state: 'next', now }))
      await audit(db, tenant.id, http, deps, { kind: 'signing_key.rotated', issuerId, detail: { purpose, active } })
      return listSigningKeys(db, tenant.id)
    })
    return keys ? json({ signingKeys: keys.map(show) }) : refuseAdmin('no_next_key')
  },
})

const condemn = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/signing-keys/:kid/compromised',
  tag,
  summary: 'Condemn a key: out of the JWKS at once; an active one is replaced by the next',
  permission: 'keys:rotate',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const kid = http.params['kid'] ?? ''
    const issuerId = tenant.issuer.id
    const now = deps.clock.now()
    const keys = await inTenant(deps.database, tenant.id, async (db) => {
      const key = (await listSigningKeys(db, tenant.id)).find((candidate) => candidate.id === kid)
      if (!key || !(await markKeyCompromised(db, tenant.id, kid, now))) return undefined
      if (key.state === 'active' && key.purpose !== 'saml') {
        await activateNextKey(db, tenant.id, { issuerId, purpose: key.purpose, now })
        await insertSigningKey(db, tenant.id, sealNewKey(deps, { tenant: tenant.id, issuerId, purpose: key.purpose, state: 'next', now }))
      } else if (key.state === 'next' && key.purpose !== 'saml') {
        await insertSigningKey(db, tenant.id, sealNewKey(deps, { tenant: tenant.id, issuerId, purpose: key.purpose, state: 'next', now }))
      }
      await audit(db, tenant.id, http, deps, { kind: 'signing_key.compromised', issuerId, detail: { kid } })
      return listSigningKeys(db, tenant.id)
    })
    return keys ? json({ signingKeys: keys.map(show) }) : refuseAdmin('not_found')
  },
})

export const signingKeyEndpoints = [list, rotate, condemn]
