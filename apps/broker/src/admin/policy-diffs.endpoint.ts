/** What changed in a policy and in its test cases: between two versions, or between a draft and a version. */
import { diffLines, type Hunk } from '@drawbridge/core/line-diff'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { findPolicy, newestVersion, type StoredPolicy, versionBefore } from '@drawbridge/store/policies'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint } from './admin-endpoint.js'
import type { PolicyTexts } from './check-policy.js'
import { findVersion } from './policies.endpoint.js'
import { findDraftOf } from './policy-drafts.endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import { id } from './shapes.js'

const span = z.strictObject({ line: z.int(), lines: z.int() })
const hunks = z
  .array(
    z.strictObject({
      before: span,
      after: span,
      lines: z.array(z.string()).describe('As in a unified diff: each begins with a space, `-` or `+`'),
    }),
  )
  .describe('None: nothing changed')
const side = z.strictObject({ version: z.int().nullable(), draft: id.nullable() })
export const shownDiff = z.strictObject({
  from: side,
  to: side,
  changed: z.strictObject({ document: hunks, cases: hunks }),
})

export const diffQuery = z.strictObject({
  against: z
    .string()
    .regex(/^\d{1,15}$/, 'the number of a version')
    .transform(Number)
    .optional()
    .describe('The version to compare with; 0: nothing at all'),
})

const nothing: PolicyTexts = { document: '', cases: '' }
/** `undefined`: there is no such version. */
const textsOf = async (db: Db, tenant: TenantId, version: number): Promise<PolicyTexts | undefined> =>
  version === 0 ? nothing : findPolicy(db, tenant, version)

const show = (from: PolicyTexts, to: PolicyTexts): z.output<typeof shownDiff>['changed'] => ({
  document: copied(diffLines(from.document, to.document)),
  cases: copied(diffLines(from.cases, to.cases)),
})
const copied = (found: readonly Hunk[]) => found.map(({ before, after, lines }) => ({ before, after, lines: [...lines] }))

type Compared = { readonly to: StoredPolicy | undefined; readonly against: number | undefined }

/** Of the versions of one owner, a tenant or the vendor. */
export async function answerVersionDiff(deps: BrokerDeps, owner: TenantId, { to, against }: Compared): Promise<Answer> {
  if (!to) return refuseAdmin('not_found')
  return inTenant(deps.database, owner, async (db) => {
    const version = against ?? (await versionBefore(db, owner, to.version))
    const from = await textsOf(db, owner, version)
    if (!from) return refuseAdmin('not_found')
    return json({ from: { version, draft: null }, to: { version: to.version, draft: null }, changed: show(from, to) })
  })
}

const ofVersion = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/policies/:version/diff',
  tag: 'Policies',
  summary: 'What a version of the policy changed; default: against the version before it',
  permission: 'configuration:read',
  query: diffQuery,
  answer: shownDiff,
  refuses: ['not_found'],
  run: async (http, deps) => answerVersionDiff(deps, tenantOf(http).id, { to: await findVersion(http, deps), against: http.asked.against }),
})

const ofDraft = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/policy-drafts/:id/diff',
  tag: 'Policies',
  summary: 'What a draft of the policy would change; default: against the newest version',
  permission: 'configuration:read',
  query: diffQuery,
  answer: shownDiff,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const draft = await findDraftOf(http, deps)
    if (!draft) return refuseAdmin('not_found')
    return inTenant(deps.database, tenant, async (db) => {
      const version = http.asked.against ?? (await newestVersion(db, tenant))
      const from = await textsOf(db, tenant, version)
      if (!from) return refuseAdmin('not_found')
      return json({ from: { version, draft: null }, to: { version: null, draft: draft.id }, changed: show(from, draft) })
    })
  },
})

export const policyDiffEndpoints = [ofVersion, ofDraft]
