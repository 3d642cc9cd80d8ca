/**
 * How a version of a policy comes to hold, whoever wrote it: by hand, from a draft, or an old one again. It compiles inside the present wall and
 * all of its test cases hold, or nothing changes.
 */
import type { LiveGrants } from '@drawbridge/core/revocation/settled-grants'
import { findCurrentPolicy, publishPolicyAfter } from '@drawbridge/store/policies'
import { demandPolicySweep } from '@drawbridge/store/policy-sweeps'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { type AdminRequest, audit } from './admin-endpoint.js'
import { checkPolicy, failuresAsErrors, presentTenant, showWarnings } from './check-policy.js'
import type { AdminErrorReason } from './error.js'
import { publishedShape, showMistakes, warningShape } from './policy-shapes.js'
import { refusePublication, untilNextPublication } from './publication-room.js'
import { refuseAdmin } from './refuse-admin.js'
import { toIso } from './shapes.js'

export const publicationRefusals = [
  'policy_invalid',
  'policy_cases_fail',
  'policy_moved_on',
  'policy_versions_full',
] as const satisfies readonly AdminErrorReason[]
export const publicationShape = publishedShape.extend({
  warnings: z.array(warningShape).describe('What the policy says in vain'),
  cases: z.int().describe('How many test cases it has; all hold'),
})

export type Publication = {
  readonly document: string
  /** `undefined`: those of the newest version stay, so that nobody drops them by forgetting them. */
  readonly cases: string | undefined
  readonly note: string
  readonly liveGrants: LiveGrants
  /** Refused unless this is the newest version. Absent: on top of whichever is. */
  readonly base?: number
  readonly isRollback?: true
  /** For the trail: where it comes from. */
  readonly from?: Readonly<Record<string, unknown>>
  /** Beside it, in the same transaction; false: nothing is written. */
  readonly claim?: (db: Db) => Promise<boolean>
  readonly conclude?: (db: Db) => Promise<unknown>
}

/** Of how many publications that come in between one is decided anew. */
const publicationTries = 5

export async function publishChecked(http: AdminRequest<unknown>, deps: BrokerDeps, publication: Publication): Promise<Answer> {
  for (let tries = 0; tries < publicationTries; tries += 1) {
    const answered = await publishOnce(http, deps, publication)
    if (answered !== 'moved') return answered
    if (publication.base !== undefined) break
  }
  return refuseAdmin('policy_moved_on')
}

/** What is kept is what was checked: `moved` where another version came in between. */
async function publishOnce(http: AdminRequest<unknown>, deps: BrokerDeps, publication: Publication): Promise<Answer | 'moved'> {
  const tenant = await presentTenant(deps, tenantOf(http))
  const { document, note, liveGrants, base, from, claim, conclude } = publication
  const current = await inTenant(deps.database, tenant.id, (db) => findCurrentPolicy(db, tenant.id))
  const newest = current?.version ?? 0
  if (base !== undefined && base !== newest) return 'moved'
  const texts = { document, cases: publication.cases ?? current?.cases ?? '' }
  const checked = await checkPolicy(texts, tenant)
  if (!checked.ok) return refuseAdmin('policy_invalid', showMistakes(checked.error))
  const { cases, warnings } = checked.value
  if (cases.failures.length > 0) return refuseAdmin('policy_cases_fail', failuresAsErrors(cases.failures))
  const now = deps.clock.now()
  const version = await inTenant(deps.database, tenant.id, async (db) => {
    if (claim && !(await claim(db))) return 'unclaimed'
    const wait = await untilNextPublication(db, tenant.id, { isRollback: publication.isRollback === true, now })
    if (wait !== undefined) return { wait }
    const made = await publishPolicyAfter(db, tenant.id, newest, { ...texts, note, author: http.caller.key.name, now })
    if (made === undefined) return undefined
    await conclude?.(db)
    if (liveGrants === 'now') await demandPolicySweep(db, tenant.id, made, now)
    const detail = { version: made, note, liveGrants, cases: cases.total, ...from }
    await audit(db, tenant.id, http, deps, { kind: 'policy.published', detail })
    return made
  })
  if (version === undefined) return 'moved'
  if (typeof version === 'object') return refusePublication(version.wait)
  if (version === 'unclaimed') return refuseAdmin('policy_draft_moved')
  return json({ version, publishedAt: toIso(now), warnings: showWarnings(warnings), cases: cases.total }, { status: 201 })
}
