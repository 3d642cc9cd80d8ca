/**
 * What a policy says in vain: rules that can never matter, grants that a deny always takes back, scopes that nobody declares.
 *
 * None of it is a mistake that refuses the document; each is something that its author would want to know before it holds. Only what is
 * certain is said: where a condition decides, nothing is claimed.
 */
import type { CompiledPolicy } from './compile.js'
import type { CompiledRule } from './compile-rules.js'
import { lintLimits } from './lint-limits.js'
import { comparePairs } from './lint-pairs.js'

export const policyWarnings = {
  not_compared: 'the policy is too large for everything to be looked at, so what is not said here may be so all the same',
  grant_always_denied: 'another rule denies whatever this one grants, to everybody',
  grant_conflicts: 'another rule denies some of what this one grants to the same people; the deny wins',
  rule_repeats: 'another rule says the same to the same people and more',
  scope_undeclared: 'no resource declares a scope that this covers',
  resource_unknown: 'there is no such resource',
  condition_contradicts: 'the condition asks of one thing to be several at once, and is never true',
  condition_constant: 'the condition reads nothing, so it is always the same',
} as const
export type PolicyWarningKind = keyof typeof policyWarnings

export type PolicyWarning = {
  readonly kind: PolicyWarningKind
  readonly rule: string
  readonly line: number | undefined
  readonly say: string
}

/** What the tenant has: a policy may name what is not there yet, so this only warns. */
export type KnownResources = readonly { readonly identifier: string; readonly scopes: readonly string[] }[]

/** At once; for who has others waiting there is `lintInTurns`. */
export function lintPolicy(policy: CompiledPolicy, resources: KnownResources): readonly PolicyWarning[] {
  const turns = lintInTurns(policy, resources)
  for (;;) {
    const turn = turns.next()
    if (turn.done === true) return turn.value
  }
}

/**
 * At most `lintLimits.warnings`, by line. What is more than a limit is not compared, which is said first. It stops after each rule, so that
 * others can have their turn.
 */
export function* lintInTurns({ rules }: CompiledPolicy, resources: KnownResources): Generator<undefined, readonly PolicyWarning[]> {
  const own = rules.filter((rule) => rule.owner === 'tenant')
  const warnings: PolicyWarning[] = []
  const skipped: PolicyWarning[] = []
  const notCompared = (rule: CompiledRule, detail: string): void => void skipped.push(warn('not_compared', rule, detail))
  const declared = resources.reduce((sum, { scopes }) => sum + scopes.length, 0)
  const [first] = own
  const isFewScopes = declared * entriesOf(own) <= lintLimits.comparedScopes
  if (!isFewScopes && first) notCompared(first, 'its scopes with those that resources declare')
  for (const rule of own) {
    if (isFewScopes) warnings.push(...aboutResources(rule, resources))
    warnings.push(...aboutCondition(rule))
    yield
  }
  // Each scope that one says may be asked of each other: its name, and every pattern.
  const patterns = rules.reduce((sum, { scopes }) => sum + scopes.patterns.length, rules.length)
  if (rules.length <= lintLimits.comparedRules && entriesOf(rules) * patterns <= lintLimits.comparedScopes) {
    const unseen = yield* comparePairs(own, rules, (kind, rule, other) => void warnings.push(warn(kind, rule, other)))
    if (unseen) notCompared(unseen, 'rules with each other, from this one on')
  } else if (first) notCompared(first, 'rules with each other')
  const sorted = warnings.toSorted((one, other) => (one.line ?? 0) - (other.line ?? 0))
  return [...skipped, ...sorted].slice(0, lintLimits.warnings)
}

const entriesOf = (rules: readonly CompiledRule[]): number =>
  rules.reduce((sum, { scopes: { names, patterns } }) => sum + names.size + patterns.length, 0)

const warn = (kind: PolicyWarningKind, { name, line }: CompiledRule, detail = ''): PolicyWarning => ({
  kind,
  rule: name,
  line,
  say: detail === '' ? policyWarnings[kind] : `${policyWarnings[kind]}: ${detail}`,
})

function aboutResources(rule: CompiledRule, resources: KnownResources): readonly PolicyWarning[] {
  const meant = rule.resource === undefined ? resources : resources.filter(({ identifier }) => identifier === rule.resource)
  if (rule.resource !== undefined && meant.length === 0) return [warn('resource_unknown', rule, rule.resource)]
  if (meant.length === 0 || meant.some(({ scopes }) => scopes.some((scope) => rule.scopes.covers(scope)))) return []
  return [warn('scope_undeclared', rule, [...rule.scopes.names, ...rule.scopes.patterns].slice(0, 5).join(', '))]
}

function aboutCondition(rule: CompiledRule): readonly PolicyWarning[] {
  if (rule.when === undefined) return []
  if (rule.when.reads.length === 0) return [warn('condition_constant', rule)]
  const ids = rule.clients?.ids
  const asked = rule.when.facts.get('client.id')
  const isContradiction = [...rule.when.facts.values()].some((values) => values.size === 0) || isDisjoint(ids, asked)
  return isContradiction ? [warn('condition_contradicts', rule)] : []
}

const isDisjoint = (one: ReadonlySet<string> | undefined, other: ReadonlySet<string> | undefined): boolean =>
  one !== undefined && other !== undefined && ![...one].some((value) => other.has(value))
