/**
 * The vendor's policy: the wall around every tenant's. It holds for all tenants from its commit on, and every grant is decided anew under it. So
 * nobody publishes over what she has not seen, and a check says beforehand what it would do to whom.
 */
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { findCurrentPolicy, listPolicies } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { adminEndpoint } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { showWarnings } from './check-policy.js'
import { findVersionOf } from './policies.endpoint.js'
import { answerVersionDiff, diffQuery, shownDiff } from './policy-diffs.endpoint.js'
import {
  documentShape,
  liveGrantsShape,
  noteShape,
  policyHeading,
  policyShown,
  showHeading,
  showPolicy,
  warningShape,
} from './policy-shapes.js'
import { checkWall, publishedWallShape, publishWall, wallRefusals } from './publish-wall.js'
import { refuseAdmin } from './refuse-admin.js'
import { effectsOfWall, showEffects, wallEffectsShape } from './wall-effects.js'

const tag = 'Vendor policy'
const path = '/vendor-policies'
const base = z.int().min(0).describe('The version that it is made from, which must be the newest; 0: there was none')

const current = adminEndpoint({
  method: 'GET',
  path: '/vendor-policy',
  tag,
  summary: 'Read the policy of the vendor that holds; version 0 is the table of tiers alone',
  permission: 'configuration:read',
  vendorOnly: true,
  answer: z.union([policyShown, z.strictObject({ version: z.literal(0), document: z.null() })]),
  run: async (_http, deps) => {
    const policy = await inTenant(deps.database, vendorTenantId, (db) => findCurrentPolicy(db, vendorTenantId))
    return json(policy ? showPolicy(policy) : { version: 0, document: null })
  },
})

const list = adminList({
  path,
  tag,
  summary: 'List the versions of the policy of the vendor, newest first',
  permission: 'configuration:read',
  vendorOnly: true,
  member: 'policies',
  shown: policyHeading,
  position: ['before', 'serial'],
  read: (_http, deps, page) => inTenant(deps.database, vendorTenantId, (db) => listPolicies(db, vendorTenantId, page)),
  show: showHeading,
  positionOf: ({ version }) => version,
})

const read = adminEndpoint({
  method: 'GET',
  path: `${path}/:version`,
  tag,
  summary: 'Read one version of the policy of the vendor',
  permission: 'configuration:read',
  vendorOnly: true,
  answer: policyShown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const policy = await findVersionOf(vendorTenantId, http, deps)
    return policy ? json(showPolicy(policy)) : refuseAdmin('not_found')
  },
})

const diff = adminEndpoint({
  method: 'GET',
  path: `${path}/:version/diff`,
  tag,
  summary: 'What a version of the policy of the vendor changed; default: against the version before it',
  permission: 'configuration:read',
  vendorOnly: true,
  query: diffQuery,
  answer: shownDiff,
  refuses: ['not_found'],
  run: async (http, deps) =>
    answerVersionDiff(deps, vendorTenantId, { to: await findVersionOf(vendorTenantId, http, deps), against: http.asked.against }),
})

const publish = adminEndpoint({
  method: 'POST',
  path,
  tag,
  summary:
    'Publish the next version of the policy of the vendor, for all tenants, if nobody has published since the one that it is made from',
  permission: 'configuration:write',
  vendorOnly: true,
  status: 201,
  body: z.strictObject({ base, document: documentShape, note: noteShape, liveGrants: liveGrantsShape }),
  answer: publishedWallShape,
  refuses: wallRefusals,
  run: (http, deps) => publishWall(http, deps, http.parsed),
})

const republish = adminEndpoint({
  method: 'POST',
  path: `${path}/:version/republish`,
  tag,
  summary: 'Roll back: publish an old version of the policy of the vendor again, as the next one',
  permission: 'configuration:write',
  vendorOnly: true,
  status: 201,
  body: z.strictObject({ base, note: noteShape, liveGrants: liveGrantsShape }),
  answer: publishedWallShape,
  refuses: ['not_found', ...wallRefusals],
  run: async (http, deps) => {
    const old = await findVersionOf(vendorTenantId, http, deps)
    if (!old) return refuseAdmin('not_found')
    const { note, ...rest } = http.parsed
    return publishWall(http, deps, {
      ...rest,
      document: old.document,
      note: note === '' ? `version ${old.version} again` : note,
      republished: old.version,
    })
  },
})

const check = adminEndpoint({
  method: 'POST',
  path: `${path}/check`,
  tag,
  summary:
    'Compile a policy of the vendor without publishing it: what it says in vain, and which tenants have policies that are looser, or test cases that would hold no more',
  permission: 'configuration:read',
  vendorOnly: true,
  body: z.strictObject({
    document: documentShape,
    after: z.string().max(63).optional().describe('To go on where an answer that was not complete ended'),
  }),
  answer: z.strictObject({ compiles: z.literal(true), warnings: z.array(warningShape), tenants: wallEffectsShape }),
  refuses: ['policy_invalid'],
  run: async (http, deps) => {
    const { document, after } = http.parsed
    const checked = await checkWall(document)
    if (!checked.ok) return checked.error
    const { wall, warnings } = checked.value
    const effects = await effectsOfWall(deps, wall, after)
    return json({ compiles: true, warnings: showWarnings(warnings), tenants: showEffects(effects) })
  },
})

export const vendorPolicyEndpoints = [current, list, read, diff, publish, republish, check]
