/** The vendor's policy: the wall around every tenant's. It holds for all tenants from its commit on, and every grant is decided anew under it. */
import { compileWall } from '@drawbridge/core/policy/compile'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { findCurrentPolicy, listPolicies, publishPolicy } from '@drawbridge/store/policies'
import { demandPolicySweepsEverywhere } from '@drawbridge/store/policy-sweeps'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import {
  documentShape,
  liveGrantsShape,
  noteShape,
  policyHeading,
  policyShown,
  publishedShape,
  showHeading,
  showMistakes,
  showPolicy,
} from './policy-shapes.js'
import { refuseAdmin } from './refuse-admin.js'
import { toIso } from './shapes.js'

const tag = 'Vendor policy'
const mistakesIn = (text: string) => {
  const compiled = compileWall(text)
  return compiled.ok ? undefined : showMistakes(compiled.error)
}

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
  path: '/vendor-policies',
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

const publish = adminEndpoint({
  method: 'POST',
  path: '/vendor-policies',
  tag,
  summary: 'Publish the next version of the policy of the vendor, for all tenants',
  permission: 'configuration:write',
  vendorOnly: true,
  status: 201,
  body: z.strictObject({ document: documentShape, note: noteShape, liveGrants: liveGrantsShape }),
  answer: publishedShape,
  refuses: ['policy_invalid'],
  run: async (http, deps) => {
    const { document, note, liveGrants } = http.parsed
    const mistakes = mistakesIn(document)
    if (mistakes) return refuseAdmin('policy_invalid', mistakes)
    const now = deps.clock.now()
    const version = await inTenant(deps.database, vendorTenantId, async (db) => {
      const made = await publishPolicy(db, vendorTenantId, { document, note, author: http.caller.key.name, now })
      if (liveGrants === 'now') await demandPolicySweepsEverywhere(db, now)
      await audit(db, vendorTenantId, http, deps, { kind: 'vendor_policy.published', detail: { version: made, note, liveGrants } })
      return made
    })
    deps.configuration.invalidate()
    return json({ version, publishedAt: toIso(now) }, { status: 201 })
  },
})

const check = adminEndpoint({
  method: 'POST',
  path: '/vendor-policies/check',
  tag,
  summary: 'Compile a policy of the vendor without publishing it',
  permission: 'configuration:read',
  vendorOnly: true,
  body: z.strictObject({ document: documentShape }),
  answer: z.strictObject({ compiles: z.literal(true) }),
  refuses: ['policy_invalid'],
  run: async (http) => {
    const mistakes = mistakesIn(http.parsed.document)
    return mistakes ? refuseAdmin('policy_invalid', mistakes) : json({ compiles: true })
  },
})

export const vendorPolicyEndpoints = [current, list, publish, check]
