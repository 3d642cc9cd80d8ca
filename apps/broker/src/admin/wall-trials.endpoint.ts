/**
 * Trials of a wall of the vendor at one tenant, before it holds: a dry run about somebody who is described, and a replay of the logins that the
 * tenant records. Both decide by the tenant's policy as it would be inside that wall.
 */
import { inputOfSituation, policySituation } from '@drawbridge/core/policy/cases'
import { compilePublishedWall } from '@drawbridge/core/policy/published-policy'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { findCurrentPolicy, findPolicy, newestVersion } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { adminEndpoint } from './admin-endpoint.js'
import { answerDryRun, dryRunRefusals, findChosenPolicy, type PolicyChoice, policyChoice } from './dry-run.js'
import { shownDryRun } from './dry-run-shapes.js'
import { impossible, noResource } from './dry-runs.endpoint.js'
import { answerReplay, loginsShape, replayShown } from './policy-replay.endpoint.js'
import { documentShape } from './policy-shapes.js'
import { checkWall } from './publish-wall.js'
import { refuseAdmin } from './refuse-admin.js'

const wallChoice = z
  .union([z.strictObject({ document: documentShape }), z.strictObject({ version: z.int().min(0).describe('0: the table of tiers alone') })])
  .describe('A document, or a published version of the policy of the vendor')

/** The tenant as it would be inside that wall. A document is called by the version that it would become. */
async function insideWall(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  choice: z.output<typeof wallChoice>,
): Promise<Result<ResolvedTenant, Answer>> {
  if ('document' in choice) {
    const newest = await inTenant(deps.database, vendorTenantId, (db) => newestVersion(db, vendorTenantId))
    const checked = await checkWall(choice.document, newest + 1)
    return checked.ok ? ok({ ...tenant, wall: checked.value.wall }) : checked
  }
  const { version } = choice
  const stored = version === 0 ? undefined : await inTenant(deps.database, vendorTenantId, (db) => findPolicy(db, vendorTenantId, version))
  if (version !== 0 && stored === undefined) return err(refuseAdmin('not_found'))
  return ok({ ...tenant, wall: compilePublishedWall(stored).value })
}

/** What holds is compiled again, inside the other wall. */
async function policyInside(deps: BrokerDeps, tenant: TenantId, choice: PolicyChoice): Promise<NonNullable<PolicyChoice>> {
  if (choice !== undefined) return choice
  const current = await inTenant(deps.database, tenant, (db) => findCurrentPolicy(db, tenant))
  return { version: current?.version ?? 0 }
}

const dryRun = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/vendor-policies/dry-run',
  tag: 'Vendor policy',
  summary:
    'Ask the policy of a tenant, inside another policy of the vendor, about somebody who is described. Nothing is written, neither question nor answer',
  permission: 'configuration:read',
  vendorOnly: true,
  body: z.strictObject({ wall: wallChoice, policy: policyChoice, situation: policySituation }),
  answer: shownDryRun,
  refuses: dryRunRefusals,
  run: async (http, deps) => {
    const { wall, policy, situation } = http.parsed
    const walled = await insideWall(deps, tenantOf(http), wall)
    if (!walled.ok) return walled.error
    const input = inputOfSituation(situation, walled.value.resources)
    if (!input) return impossible('situation.resource', noResource)
    return answerDryRun(deps, walled.value, { choice: await policyInside(deps, walled.value.id, policy), input })
  },
})

const replay = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/vendor-policies/replay',
  tag: 'Vendor policy',
  summary:
    'Decide recorded logins of a tenant inside another policy of the vendor, and see who would gain, who would lose and who would be asked for more',
  permission: 'claims:read',
  vendorOnly: true,
  body: z.strictObject({ wall: wallChoice, policy: policyChoice, logins: loginsShape }),
  answer: replayShown,
  refuses: ['not_found', 'policy_invalid', 'replay_running'],
  run: async (http, deps) => {
    const { wall, policy, logins } = http.parsed
    const tenant = tenantOf(http)
    const walled = await insideWall(deps, tenant, wall)
    if (!walled.ok) return walled.error
    const chosen = await findChosenPolicy(deps, walled.value, await policyInside(deps, tenant.id, policy))
    if (!chosen.ok) return chosen.error
    const ofWall = 'version' in wall ? { wall: wall.version } : { wallOfText: true }
    return answerReplay(http, deps, { tenant, chosen: chosen.value, logins, detail: ofWall })
  },
})

export const wallTrialEndpoints = [dryRun, replay]
