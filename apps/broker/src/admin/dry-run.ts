/**
 * A dry run: what a policy would decide about somebody, and why, before it holds. It writes nothing: no log, no line of the trail, no row holds
 * what was asked or answered.
 *
 * Every source of a login ends in `answerDryRun` with the input that policy would be given: what was pasted, or a test login. Where there is
 * another source, its endpoint makes that input and comes here.
 */
import { type CompiledPolicy, compilePolicy, safeDefault } from '@drawbridge/core/policy/compile'
import type { PolicyInput } from '@drawbridge/core/policy/decide'
import { explain } from '@drawbridge/core/policy/explain'
import { err, ok, type Result } from '@drawbridge/core/result'
import { findPolicy } from '@drawbridge/store/policies'
import { findPolicyDraft } from '@drawbridge/store/policy-drafts'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { showDryRun } from './dry-run-shapes.js'
import type { AdminErrorReason } from './error.js'
import { documentShape, showMistakes } from './policy-shapes.js'
import { refuseAdmin } from './refuse-admin.js'
import { id } from './shapes.js'

/** Which policy is asked. */
export const policyChoice = z
  .union([
    z.strictObject({ document: documentShape }),
    z.strictObject({ version: z.int().min(0).describe('0: the safe default') }),
    z.strictObject({ draft: id }),
  ])
  .optional()
  .describe('A document, a published version or a draft; left out: the policy that holds')
export type PolicyChoice = z.output<typeof policyChoice>
export const dryRunRefusals = ['not_found', 'policy_invalid', 'dry_run_impossible'] as const satisfies readonly AdminErrorReason[]

export type Asked = { readonly policy: CompiledPolicy; readonly version: number | undefined; readonly draft: string | undefined }

/** Compiled inside the wall as it is now, or the refusal. */
export async function findChosenPolicy(deps: BrokerDeps, tenant: ResolvedTenant, choice: PolicyChoice): Promise<Result<Asked, Answer>> {
  if (choice === undefined) return ok({ policy: tenant.policy, version: tenant.policy.version, draft: undefined })
  if ('document' in choice) return compiled(choice.document, tenant, {})
  if ('version' in choice) {
    const { version } = choice
    if (version === 0) return ok({ policy: safeDefault(tenant.wall), version, draft: undefined })
    const stored = await inTenant(deps.database, tenant.id, (db) => findPolicy(db, tenant.id, version))
    // Of what was published, what is looser than the wall has become is held to it, as it is where it holds.
    return stored ? compiled(stored.document, tenant, { version, isPublished: true }) : err(refuseAdmin('not_found'))
  }
  const stored = await inTenant(deps.database, tenant.id, (db) => findPolicyDraft(db, tenant.id, choice.draft, deps.clock.now()))
  return stored ? compiled(stored.document, tenant, { draft: stored.id }) : err(refuseAdmin('not_found'))
}

type Stored = { readonly version?: number; readonly draft?: string; readonly isPublished?: boolean }

function compiled(document: string, { wall }: ResolvedTenant, { version, draft, isPublished = false }: Stored): Result<Asked, Answer> {
  const policy = compilePolicy(document, { version, wall, isPublished })
  return policy.ok ? ok({ policy: policy.value, version, draft }) : err(refuseAdmin('policy_invalid', showMistakes(policy.error)))
}

export type DryRun = { readonly choice: PolicyChoice; readonly input: PolicyInput }

export async function answerDryRun(deps: BrokerDeps, tenant: ResolvedTenant, { choice, input }: DryRun): Promise<Answer> {
  const found = await findChosenPolicy(deps, tenant, choice)
  if (!found.ok) return found.error
  const { policy, version, draft } = found.value
  return json(showDryRun({ version, draft, wallVersion: policy.wallVersion }, input.now, explain(policy, input)))
}
