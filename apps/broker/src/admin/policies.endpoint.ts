/** Policies: compiled and tested before they are published, every mistake shown with its place. Versions are only ever added. */
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { findCurrentPolicy, findPolicy, listPolicies, type StoredPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { type AdminRequest, adminEndpoint } from './admin-endpoint.js'
import { adminList } from './admin-list.js'
import { checkPolicy, presentTenant, showCases, showWarnings } from './check-policy.js'
import {
  caseResultsShape,
  casesShape,
  documentShape,
  liveGrantsShape,
  noteShape,
  policyHeading,
  showHeading,
  showMistakes,
  showTenantPolicy,
  tenantPolicyShown,
  warningShape,
} from './policy-shapes.js'
import { publicationRefusals, publicationShape, publishChecked } from './publish-policy.js'
import { refuseAdmin } from './refuse-admin.js'

const tag = 'Policies'

const current = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/policy',
  tag,
  summary: 'Read the policy that holds; version 0 is the safe default',
  permission: 'configuration:read',
  answer: z.union([tenantPolicyShown, z.strictObject({ version: z.literal(0), document: z.null(), cases: z.literal('') })]),
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const policy = await inTenant(deps.database, id, (db) => findCurrentPolicy(db, id))
    return json(policy ? showTenantPolicy(policy) : { version: 0, document: null, cases: '' })
  },
})

const list = adminList({
  path: '/tenants/:tenant/policies',
  tag,
  summary: 'List the versions of the policy, newest first',
  permission: 'configuration:read',
  member: 'policies',
  shown: policyHeading,
  position: ['before', 'serial'],
  read: (http, deps, page) => {
    const { id } = tenantOf(http)
    return inTenant(deps.database, id, (db) => listPolicies(db, id, page))
  },
  show: showHeading,
  positionOf: ({ version }) => version,
})

/** `undefined`: this tenant never published such a version. */
export const findVersion = (http: AdminRequest<unknown, unknown>, deps: BrokerDeps): Promise<StoredPolicy | undefined> =>
  findVersionOf(tenantOf(http).id, http, deps)

export async function findVersionOf(
  owner: TenantId,
  http: AdminRequest<unknown, unknown>,
  deps: BrokerDeps,
): Promise<StoredPolicy | undefined> {
  const version = parseVersion(http)
  return version === undefined ? undefined : inTenant(deps.database, owner, (db) => findPolicy(db, owner, version))
}

export function parseVersion(http: AdminRequest<unknown, unknown>): number | undefined {
  const text = http.params['version'] ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

const read = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/policies/:version',
  tag,
  summary: 'Read one version of the policy',
  permission: 'configuration:read',
  answer: tenantPolicyShown,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const policy = await findVersion(http, deps)
    return policy ? json(showTenantPolicy(policy)) : refuseAdmin('not_found')
  },
})

const publish = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies',
  tag,
  summary: 'Publish the next version; its test cases must hold',
  permission: 'configuration:write',
  status: 201,
  body: z.strictObject({ document: documentShape, cases: casesShape.optional(), note: noteShape, liveGrants: liveGrantsShape }),
  answer: publicationShape,
  refuses: publicationRefusals,
  run: (http, deps) => {
    const { document, cases, note, liveGrants } = http.parsed
    return publishChecked(http, deps, { document, cases, note, liveGrants })
  },
})

const republish = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies/:version/republish',
  tag,
  summary:
    'Roll back: publish an old version again, as the next one, with its test cases. It must compile inside the wall as it is now; one that had no cases keeps those of the newest version',
  permission: 'configuration:write',
  status: 201,
  body: z.strictObject({
    note: noteShape,
    cases: casesShape.optional().describe('In place of those of the old version'),
    liveGrants: liveGrantsShape,
  }),
  answer: publicationShape,
  refuses: ['not_found', ...publicationRefusals],
  run: async (http, deps) => {
    const old = await findVersion(http, deps)
    if (!old) return refuseAdmin('not_found')
    const { note, cases, liveGrants } = http.parsed
    return publishChecked(http, deps, {
      document: old.document,
      cases: cases ?? (old.cases === '' ? undefined : old.cases),
      note: note === '' ? `version ${old.version} again` : note,
      liveGrants,
      from: { republished: old.version },
      isRollback: true,
    })
  },
})

const check = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/policies/check',
  tag,
  summary: 'Compile a policy and run its test cases without publishing it',
  permission: 'configuration:read',
  body: z.strictObject({ document: documentShape, cases: casesShape.optional() }),
  answer: z.strictObject({ compiles: z.literal(true), warnings: z.array(warningShape), cases: caseResultsShape }),
  refuses: ['policy_invalid'],
  run: async (http, deps) => {
    const tenant = await presentTenant(deps, tenantOf(http))
    const { document, cases } = http.parsed
    const present = cases ?? (await inTenant(deps.database, tenant.id, (db) => findCurrentPolicy(db, tenant.id)))?.cases
    const checked = await checkPolicy({ document, cases: present ?? '' }, tenant)
    if (!checked.ok) return refuseAdmin('policy_invalid', showMistakes(checked.error))
    return json({ compiles: true, warnings: showWarnings(checked.value.warnings), cases: showCases(checked.value.cases) })
  },
})

export const policyEndpoints = [current, list, read, publish, republish, check]
