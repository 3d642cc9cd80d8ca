/**
 * A decision with everything that was looked at: each rule that covers a scope, whether it applied, at which line, on which values; each
 * demand and what it misses; each ceiling, not only the one that won.
 *
 * It shows what the login said, so it is for the admin who asked and never for a log. It walks all rules, where a decision walks those
 * that its index finds; tests hold the two to the same verdict.
 */
import type { AuthenticationStrength } from '../identity/authentication-strength.js'
import type { CompiledPolicy } from './compile.js'
import type { Applicability, CompiledRule, PolicyOwner } from './compile-rules.js'
import { unknownClaim } from './context.js'
import { judge } from './decide.js'
import type { PolicyDecision, ScopeExplanation } from './decision.js'
import { judgeDemands } from './demands.js'
import type { Applies, Evaluating } from './evaluating.js'
import type { PolicyInput } from './input.js'
import { type Ceilings, ceilingsOf } from './lifetime.js'

export type ReadValue = { readonly variable: string; readonly value: string }

/** One thing that was asked, and its answer. */
export type Considered = {
  readonly name: string
  readonly owner: PolicyOwner
  readonly line: number | undefined
  readonly outcome: Applies
  /** Why it is so, in plain words. */
  readonly because: string
  /** What its condition read. Absent ones are shown as such. */
  readonly values: readonly ReadValue[]
}

export type ConsideredRule = Considered & { readonly effect: 'grant' | 'deny' }
export type ConsideredDemand = Considered & { readonly strength: AuthenticationStrength; readonly missing: string | undefined }

export type FullExplanation = {
  readonly decision: PolicyDecision
  readonly strength: Readonly<Record<PolicyOwner, AuthenticationStrength>>
  /** `rulesLeftOut`: how many more cover the scope, none of them nearer to the answer than those that are shown. */
  readonly scopes: readonly (ScopeExplanation & { readonly rules: readonly ConsideredRule[]; readonly rulesLeftOut: number })[]
  readonly clientRules: readonly Considered[]
  readonly demands: readonly ConsideredDemand[]
  readonly ceilings: Ceilings
  /** How many more values conditions read: what is shown of them is bounded in all, because a rule stands at every scope that it covers. */
  readonly valuesLeftOut: number
}

export const explainLimits = { rulesOfScope: 50, values: 2_000 } as const

/** How much of a value is shown. */
export const shownValueLimits = { characters: 200, items: 20 } as const

export function explain(policy: CompiledPolicy, input: PolicyInput): FullExplanation {
  const { decision, judged } = judge(policy, input)
  const { evaluating, granted, tiers, clientRules } = judged
  const outcomeOf = once((of: Applicability) => evaluating.applies(of))
  const considered = once((of: Applicability & { readonly name: string; readonly line: number | undefined }): Considered => {
    const outcome = outcomeOf(of)
    return {
      name: of.name,
      owner: of.owner,
      line: of.line,
      outcome,
      because: reasonOf(of, outcome, evaluating),
      values: valuesOf(of, evaluating),
    }
  })
  const shownValues = boundedValues()
  return {
    decision,
    strength: { vendor: evaluating.strengthFor('vendor'), tenant: evaluating.strengthFor('tenant') },
    scopes: decision.explanation.scopes.map((scope) => {
      const covering = rulesCovering(scope.scope, policy, input)
      const shownRules = nearest(covering, outcomeOf)
      return {
        ...scope,
        rules: shownRules.map((rule) => ({ ...shownValues.of(considered(rule)), effect: rule.effect })),
        rulesLeftOut: covering.length - shownRules.length,
      }
    }),
    clientRules: policy.clientRules.map((rule) => shownValues.of(considered(rule))),
    demands: judgeDemands(evaluating, granted).map(({ demand, missing }) => ({
      ...shownValues.of(considered(demand)),
      strength: demand.strength,
      missing: missing?.say,
    })),
    ceilings: ceilingsOf(policy, input, { tiers, clientRules }),
    valuesLeftOut: shownValues.leftOut(),
  }
}

/** The first that come are shown. */
function boundedValues(): { readonly of: (considered: Considered) => Considered; readonly leftOut: () => number } {
  let [shown, leftOut] = [0, 0]
  return {
    of: (considered) => {
      const values = considered.values.slice(0, explainLimits.values - shown)
      shown += values.length
      leftOut += considered.values.length - values.length
      return { ...considered, values }
    },
    leftOut: () => leftOut,
  }
}

/** A rule that covers many scopes is judged for the first of them. */
function once<Of extends object, T>(make: (of: Of) => T): (of: Of) => T {
  const made = new Map<Of, T>()
  return (of) => {
    const known = made.get(of)
    if (known !== undefined) return known
    const fresh = make(of)
    made.set(of, fresh)
    return fresh
  }
}

const rulesCovering = (scope: string, policy: CompiledPolicy, { resource }: PolicyInput): readonly CompiledRule[] =>
  policy.rules.filter((rule) => (rule.resource === undefined || rule.resource === resource.identifier) && rule.scopes.covers(scope))

/** Where there are more than can be shown: those that apply, then those that nobody can judge, then the others. */
function nearest(rules: readonly CompiledRule[], outcomeOf: (rule: CompiledRule) => Applies): readonly CompiledRule[] {
  if (rules.length <= explainLimits.rulesOfScope) return rules
  const judged = rules.map((rule) => ({ rule, nearness: outcomesByNearness.indexOf(outcomeOf(rule)) }))
  return judged
    .toSorted((one, other) => one.nearness - other.nearness)
    .slice(0, explainLimits.rulesOfScope)
    .map(({ rule }) => rule)
}
const outcomesByNearness: readonly Applies[] = ['yes', 'unclear', 'no']

function reasonOf({ owner, groups, clients }: Applicability, outcome: Applies, { applies }: Evaluating): string {
  const alone = (part: Partial<Applicability>): Applies =>
    applies({ owner, groups: undefined, clients: undefined, when: undefined, ...part })
  if (outcome === 'yes') return 'applies'
  if (groups !== undefined && alone({ groups }) === outcome)
    return outcome === 'no' ? 'she is in none of its groups' : 'nobody knows her groups'
  if (clients !== undefined && alone({ clients }) === outcome)
    return outcome === 'no' ? 'it is for other clients' : 'nobody knows the host of this client'
  return outcome === 'no' ? 'its condition is false' : 'its condition reads what is absent or unknown'
}

const valuesOf = ({ owner, when }: Applicability, { contextFor }: Evaluating): readonly ReadValue[] =>
  when === undefined ? [] : when.reads.map((field) => ({ variable: field, value: shown(read(contextFor(owner, when.variables), field)) }))

function read(context: Readonly<Record<string, unknown>>, path: string): unknown {
  const [variable, field] = path.split('.') as [string, string?]
  const whole = Object.hasOwn(context, variable) ? context[variable] : undefined
  if (field === undefined) return whole
  if (whole instanceof Map) return whole.get(field)
  return typeof whole === 'object' && whole !== null && Object.hasOwn(whole, field) ? (whole as Record<string, unknown>)[field] : undefined
}

function shown(value: unknown): string {
  if (value === undefined) return '(absent)'
  if (value === unknownClaim) return '(unknown)'
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) {
    const items = value.slice(0, shownValueLimits.items).map(String)
    return cut(`[${items.join(', ')}${value.length > items.length ? `, … ${value.length} in all` : ''}]`)
  }
  const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
  return isPlain ? cut(String(value)) : '(several fields)'
}

const cut = (text: string): string => (text.length > shownValueLimits.characters ? `${text.slice(0, shownValueLimits.characters)}…` : text)
