/** Whether the clients of a tenant must push their authorization requests beforehand: RFC 9126 §5. A client may demand it of itself alone. */
import { markRequirePushedRequests, requiresPushedRequests } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { ofFront, tellMembers } from './at-front.js'

const tag = 'Clients'
const shape = z.strictObject({
  required: z
    .boolean()
    .describe('True: an authorization request that was not pushed is refused, whichever client it is of. False unless chosen'),
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/pushed-requests',
  tag,
  summary: 'Read whether authorization requests must be pushed beforehand',
  permission: 'configuration:read',
  answer: shape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json({ required: await inTenant(deps.database, id, (db) => requiresPushedRequests(db, id)) })
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/pushed-requests',
  tag,
  summary: 'Choose whether authorization requests must be pushed beforehand; what a browser has under way unpushed is refused from then on',
  permission: 'configuration:write',
  body: shape,
  answer: shape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = http.parsed
    await inTenant(deps.database, id, async (db) => {
      await markRequirePushedRequests(db, id, chosen.required)
      await audit(db, id, http, deps, { kind: 'tenant.pushed_requests_changed', detail: chosen })
    })
    tellMembers(deps, id)
    return json(chosen)
  },
})

export const pushedRequestsEndpoints = [read, choose]
/** Of every tenant's people and clients at the front, beside what the tenant demands. */
export const frontPushedRequestsEndpoints = pushedRequestsEndpoints.map(ofFront)
