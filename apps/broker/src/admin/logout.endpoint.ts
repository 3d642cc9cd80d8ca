/** What a logout takes away in a tenant. Whoever lets grants outlive it weakens what the company's IT relies on: `impersonate`. */
import { grantsOutliveLogout } from '@drawbridge/store/end-session'
import { markGrantsOutliveLogout } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'

const tag = 'Logout'
const shown = z.strictObject({
  grantsOutliveLogout: z
    .boolean()
    .describe('True: what was granted from a session lives on when the IdP or the person ends it, until its own time. False unless chosen'),
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/logout',
  tag,
  summary: 'Read whether what was granted from a session ends with it',
  permission: 'configuration:read',
  answer: shown,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json({ grantsOutliveLogout: await inTenant(deps.database, id, (db) => grantsOutliveLogout(db, id)) })
  },
})

const choose = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/logout',
  tag,
  summary: 'Choose whether what was granted from a session ends with it. A deprovisioning ends everything, whatever is chosen here',
  permission: 'impersonate',
  body: shown,
  answer: shown,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const chosen = http.parsed
    await inTenant(deps.database, id, async (db) => {
      await markGrantsOutliveLogout(db, id, chosen.grantsOutliveLogout)
      await audit(db, id, http, deps, { kind: 'tenant.logout_changed', detail: chosen })
    })
    return json(chosen)
  },
})

export const logoutSettingEndpoints = [read, choose]
