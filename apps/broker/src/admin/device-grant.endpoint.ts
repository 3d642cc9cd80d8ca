/** Whether devices may ask for access by a code that a person types elsewhere. Off until somebody wants it: docs/adr/0071. */
import { findDeviceGrant, markDeviceGrant } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { ofFront } from './at-front.js'

const tag = 'Clients'
const deviceGrantShape = z.strictObject({ enabled: z.boolean().describe('Devices may ask: RFC 8628') })

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/device-grant',
  tag,
  summary: 'Read whether devices may ask for access by a code that a person types elsewhere',
  permission: 'configuration:read',
  answer: deviceGrantShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json({ enabled: await inTenant(deps.database, id, (db) => findDeviceGrant(db, id)) })
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/device-grant',
  tag,
  summary: 'Let devices ask for access by a code that a person types elsewhere, or no longer; what was granted lives on',
  permission: 'configuration:write',
  body: deviceGrantShape,
  answer: deviceGrantShape,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const { enabled } = http.parsed
    await inTenant(deps.database, id, async (db) => {
      await markDeviceGrant(db, id, enabled)
      await audit(db, id, http, deps, { kind: 'tenant.device_grant_changed', detail: { enabled } })
    })
    return json({ enabled })
  },
})

export const deviceGrantEndpoints = [read, choose]
/** Whether devices may ask at the front issuer at all: each tenant says it for its people, too. */
export const frontDeviceGrantEndpoints = deviceGrantEndpoints.map(ofFront)
