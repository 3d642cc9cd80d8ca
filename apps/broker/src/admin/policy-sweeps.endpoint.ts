/** What a policy that was published with effect at once has done to what was open, so far. */
import { findPolicySweep } from '@drawbridge/store/policy-sweeps'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint } from './admin-endpoint.js'
import { parseVersion } from './policies.endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import { time, toIso } from './shapes.js'

const sweepShown = z.strictObject({
  version: z.int(),
  demandedAt: time,
  settledAt: time.nullable().describe('When every grant that there was had been decided again'),
  lookedAt: z.int(),
  shrunk: z.int(),
  deferred: z
    .int()
    .describe('Their tokens are dead; what is left is decided when they are refreshed, because the policy reads the request'),
  ended: z.int(),
})

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/policies/:version/sweep',
  tag: 'Policies',
  summary: 'See how far the live grants have been decided again under a version that was published for now',
  permission: 'configuration:read',
  answer: sweepShown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const version = parseVersion(http)
    const found = version === undefined ? undefined : await inTenant(deps.database, id, (db) => findPolicySweep(db, id, version))
    if (!found) return refuseAdmin('not_found')
    const { demandedAt, settledAt, ...counts } = found
    return json({ ...counts, demandedAt: toIso(demandedAt), settledAt: settledAt === null ? null : toIso(settledAt) })
  },
})

export const policySweepEndpoints = [read]
