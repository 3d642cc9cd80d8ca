/**
 * The exception for an IdP that still signs with SHA-1: for one connection, for some days, and written to the trail with its reason.
 * It stands beside the configuration, so that replacing that neither makes nor prolongs it.
 */
import { addSeconds } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { allowSha1, findConnection } from '@drawbridge/store/connections'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import { time, toIso } from './shapes.js'

const tag = 'Connections'
/** Long enough for a change window of the customer's IT, short enough to be asked again. */
const mostDays = 90
const daySeconds = 86_400

const allow = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/:id/sha1-exception',
  tag,
  summary: 'Believe SHA-1 signatures of this SAML connection’s IdP for some days, because it cannot be changed at once',
  permission: 'impersonate',
  body: z.strictObject({
    days: z.number().int().min(1).max(mostDays),
    reason: z.string().trim().min(1).max(500).describe('Why it cannot be changed at once; written to the trail'),
  }),
  answer: z.strictObject({ sha1Until: time }),
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    const { days, reason } = http.parsed
    const until = addSeconds(deps.clock.now(), days * daySeconds)
    const allowed = await inTenant(deps.database, tenant, async (db) => {
      if (id === undefined || (await findConnection(db, tenant, id))?.kind !== 'saml') return false
      await allowSha1(db, tenant, id, until)
      const detail = { until: toIso(until), reason }
      await audit(db, tenant, http, deps, { kind: 'connection.sha1_allowed', connectionId: id, detail })
      return true
    })
    return allowed ? json({ sha1Until: toIso(until) }) : refuseAdmin('not_found')
  },
})

const end = adminEndpoint({
  method: 'DELETE',
  path: '/tenants/:tenant/connections/:id/sha1-exception',
  tag,
  summary: 'End the exception for SHA-1 now',
  permission: 'impersonate',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    const ended = await inTenant(deps.database, tenant, async (db) => {
      if (id === undefined || !(await allowSha1(db, tenant, id, undefined))) return false
      await audit(db, tenant, http, deps, { kind: 'connection.sha1_ended', connectionId: id })
      return true
    })
    return ended ? empty() : refuseAdmin('not_found')
  },
})

export const connectionSha1Endpoints = [allow, end]
