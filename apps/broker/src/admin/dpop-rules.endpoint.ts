/** What a tenant demands of tokens that are bound to a key. It holds for what is issued from then on: older tokens live out their minutes. */
import { dpopRulesFromJson, dpopRulesShape } from '@drawbridge/core/oauth/dpop-rules'
import { findDpopRules, markDpopRules } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { ofFront, tellMembers } from './at-front.js'

const tag = 'Clients'

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/dpop',
  tag,
  summary: 'Read what a tenant demands of tokens that are bound to a key',
  permission: 'configuration:read',
  answer: dpopRulesShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json(dpopRulesFromJson(await inTenant(deps.database, id, (db) => findDpopRules(db, id))))
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/dpop',
  tag,
  summary:
    'Choose whether every client must have its tokens bound to a key, and whether proofs need a nonce; older tokens live out their time',
  permission: 'configuration:write',
  body: dpopRulesShape,
  answer: dpopRulesShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = http.parsed
    await inTenant(deps.database, id, async (db) => {
      await markDpopRules(db, id, chosen)
      await audit(db, id, http, deps, { kind: 'tenant.dpop_changed', detail: chosen })
    })
    tellMembers(deps, id)
    return json(chosen)
  },
})

export const dpopRulesEndpoints = [read, choose]
/** Of every tenant's people and clients at the front, beside what the tenant demands. */
export const frontDpopRulesEndpoints = dpopRulesEndpoints.map(ofFront)
