/** What signals of IdPs said of people who were not here: looked through, and lifted where it keeps out somebody who should come in. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { findConnection } from '@drawbridge/store/connections'
import { inTenant } from '@drawbridge/store/transaction'
import {
  liftUnmatchedOfConnection,
  liftUnmatchedSignal,
  listUnmatchedSignals,
  type UnmatchedSignal,
  unmatchedSignalLimits,
} from '@drawbridge/store/unmatched-signals'
import { z } from 'zod'
import { empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { adminList, momentPosition } from './admin-list.js'
import { refuseAdmin } from './refuse-admin.js'
import { fromIso, id as idShape, time, toIso } from './shapes.js'

const tag = 'Revocation'
const shown = z.strictObject({
  id: idShape,
  connectionId: idShape,
  stableId: z.string().describe('As the IdP said it'),
  reason: z.string(),
  keepsOut: z.boolean().describe('She does not come in; false: she needs a sign-in from after it'),
  saidAt: time,
})

const list = adminList({
  path: '/tenants/:tenant/unmatched-signals',
  tag,
  summary: 'List what IdPs said of people who were not here, newest first: it holds for whoever comes under that id',
  permission: 'audit:read',
  member: 'unmatchedSignals',
  shown,
  position: ['before', 'moment'],
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listUnmatchedSignals(db, id, page))
  },
  show: ({ deactivates, saidAt, ...signal }: UnmatchedSignal) => ({ ...signal, keepsOut: deactivates, saidAt: toIso(saidAt) }),
  positionOf: ({ saidAt, id }) => momentPosition(saidAt, id),
})

const lift = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/unmatched-signals/:id/lift',
  tag,
  summary: 'Let somebody come in whom an IdP disabled before she was here; a sign-in from before that stays refused',
  permission: 'impersonate',
  body: z.strictObject({ reason: z.string().min(1).max(500) }),
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam(http)
    if (id === undefined) return refuseAdmin('not_found')
    const found = await inTenant(deps.database, tenant, async (db) => {
      const connectionId = await liftUnmatchedSignal(db, tenant, id, deps.clock.now())
      if (connectionId === undefined) return false
      await audit(db, tenant, http, deps, {
        kind: 'admin.unmatched_signal_lifted',
        connectionId,
        reason: http.parsed.reason,
        detail: { signal: id },
      })
      return true
    })
    return found ? empty() : refuseAdmin('not_found')
  },
})

const liftAll = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/:id/unmatched-signals/lift',
  tag,
  summary: `Let everybody come in whom the IdP of a connection disabled before they were here, the oldest ${unmatchedSignalLimits.liftedAtOnce} at once, and make room for others`,
  permission: 'impersonate',
  body: z.strictObject({
    reason: z.string().min(1).max(500),
    saidBefore: time.optional().describe('Only of whom it was said before then'),
  }),
  answer: z.strictObject({ lifted: z.number(), isMore: z.boolean().describe('Call again') }),
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const connectionId = idParam<ConnectionId>(http)
    if (connectionId === undefined) return refuseAdmin('not_found')
    const { reason, saidBefore } = http.parsed
    const which = { connectionId, before: saidBefore === undefined ? undefined : fromIso(saidBefore), now: deps.clock.now() }
    const done = await inTenant(deps.database, tenant, async (db) => {
      if ((await findConnection(db, tenant, connectionId)) === undefined) return undefined
      const came = await liftUnmatchedOfConnection(db, tenant, which)
      const detail = { lifted: came.lifted, ...(saidBefore !== undefined && { saidBefore }) }
      await audit(db, tenant, http, deps, { kind: 'admin.unmatched_signals_lifted', connectionId, reason, detail })
      return came
    })
    return done ? json(done) : refuseAdmin('not_found')
  },
})

export const unmatchedSignalEndpoints = [list, lift, liftAll]
