/** What is said of a policy before it holds: its mistakes, what it says in vain, and which of its test cases do not hold at this tenant. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { type CaseFailure, type CasesDocument, parsePolicyCases, resourcesOfCases, runPolicyCase } from '@drawbridge/core/policy/cases'
import { type CompiledPolicy, compilePolicy } from '@drawbridge/core/policy/compile'
import type { PolicyMistake } from '@drawbridge/core/policy/error'
import { lintInTurns, type PolicyWarning } from '@drawbridge/core/policy/lint'
import { err, ok, type Result } from '@drawbridge/core/result'
import { findConfigurationVersionAcrossTenants } from '@drawbridge/store/tenant-configuration'
import type { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { type caseResultsShape, type Placed, showMistakes, type warningShape } from './policy-shapes.js'

export type PolicyTexts = { readonly document: string /** Empty: none. */; readonly cases: string }
export type CheckedPolicy = {
  readonly policy: CompiledPolicy
  readonly warnings: readonly PolicyWarning[]
  readonly cases: { readonly total: number; readonly failures: readonly CaseFailure[] }
}

/** Of a policy that does not compile. */
export const noCases: CheckedPolicy['cases'] = { total: 0, failures: [] }

/** As it is in the database, whatever this process has heard: another may have added a resource, or moved the wall, a moment ago. */
export async function presentTenant({ configuration, database }: BrokerDeps, tenant: ResolvedTenant): Promise<ResolvedTenant> {
  const version = await findConfigurationVersionAcrossTenants(database, tenant.slug)
  return version === undefined ? tenant : configuration.atVersion(tenant, version)
}

type Tenant = Pick<ResolvedTenant, 'wall' | 'resources' | 'connections'>

/** Inside the wall of the vendor. Cases run against what the tenant has, unless they declare a resource of their own. */
export async function checkPolicy(
  { document, cases }: PolicyTexts,
  tenant: Tenant,
): Promise<Result<CheckedPolicy, readonly PolicyMistake[]>> {
  const compiled = compilePolicy(document, { wall: tenant.wall })
  const read = cases === '' ? ok({ cases: [] }) : parsePolicyCases(cases)
  if (!compiled.ok || !read.ok) return err([...(compiled.ok ? [] : compiled.error), ...(read.ok ? [] : read.error)])
  const known = tenant.resources.map(({ identifier, scopes }) => ({ identifier, scopes: scopes.map(({ name }) => name) }))
  return ok({
    policy: compiled.value,
    warnings: await inStretches(
      lintInTurns(
        compiled.value,
        known,
        tenant.connections.map(({ id }) => id),
      ),
    ),
    cases: { total: read.value.cases.length, failures: await runCases(compiled.value, read.value, tenant) },
  })
}

const stretchMilliseconds = 10

/** In stretches between which others have their turn. */
export async function inStretches<T>(turns: Generator<undefined, T>): Promise<T> {
  let began = performance.now()
  for (;;) {
    const turn = turns.next()
    if (turn.done === true) return turn.value
    if (performance.now() - began < stretchMilliseconds) continue
    await nextTurn()
    began = performance.now()
  }
}

/** Those of a published policy, as it would be inside this wall. */
export async function casesUnder({ document, cases }: PolicyTexts, tenant: Omit<Tenant, 'connections'>): Promise<CheckedPolicy['cases']> {
  const compiled = compilePolicy(document, { wall: tenant.wall, isPublished: true })
  const read = parsePolicyCases(cases)
  if (!compiled.ok || !read.ok) return noCases
  return { total: read.value.cases.length, failures: await runCases(compiled.value, read.value, tenant) }
}

/** One decision at a time, as logins bring them: a thousand cases keep nobody waiting. */
async function runCases(
  policy: CompiledPolicy,
  document: CasesDocument,
  tenant: Pick<Tenant, 'resources'>,
): Promise<readonly CaseFailure[]> {
  const resources = resourcesOfCases(document, tenant.resources)
  const failures: CaseFailure[] = []
  for (const each of document.cases) {
    const failure = runPolicyCase(policy, each, resources)
    if (failure) failures.push(failure)
    await nextTurn()
  }
  return failures
}

/** What refuses a document as this tenant's policy. */
export function listMistakes(text: string, { wall }: Pick<ResolvedTenant, 'wall'>): readonly Placed[] | undefined {
  const compiled = compilePolicy(text, { wall })
  return compiled.ok ? undefined : showMistakes(compiled.error)
}

const failuresShown = 50

export const showWarnings = (warnings: readonly PolicyWarning[]): z.output<typeof warningShape>[] =>
  warnings.map(({ kind, rule, line, say }) => ({ kind, rule, line: line ?? null, message: say }))

export const showCases = ({ total, failures }: CheckedPolicy['cases']): z.output<typeof caseResultsShape> => ({
  total,
  failed: failures.length,
  failures: failures.slice(0, failuresShown).map(({ name, say }) => ({ name, message: say })),
})

export const failuresAsErrors = (failures: readonly CaseFailure[]): readonly Placed[] =>
  failures.slice(0, failuresShown).map(({ name, say }) => ({ path: name, message: say }))
