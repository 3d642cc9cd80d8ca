/**
 * What a policy says in vain: rules that can never matter, grants that a deny always takes back, scopes that nobody declares.
 *
 * None of it is a mistake that refuses the document; each is something that its author would want to know before it holds. Only what is
 * certain is said: where a condition decides, nothing is claimed.
 */
import type { CompiledPolicy } from './compile.js'
import type { Applicability, CompiledRule } from './compile-rules.js'
import type { ScopePatterns } from './scope-pattern.js'

export const policyWarnings = {
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

export const lintLimits = {
  warnings: 100,
  comparedRules: 1_000,
  /** Comparisons of one scope with what a rule says of scopes: of the rules with each other, and with what resources declare. */
  comparedScopes: 2_000_000,
} as const

/** At most `lintLimits.warnings`, by line. What is more than `comparedRules` or `comparedScopes` is not compared. */
export function lintPolicy({ rules }: CompiledPolicy, resources: KnownResources): readonly PolicyWarning[] {
  const own = rules.filter((rule) => rule.owner === 'tenant')
  const declared = resources.reduce((sum, { scopes }) => sum + scopes.length, 0)
  const isFewScopes = declared * entriesOf(own) <= lintLimits.comparedScopes
  const warnings = [
    ...own.flatMap((rule) => [...(isFewScopes ? aboutResources(rule, resources) : []), ...aboutCondition(rule)]),
    ...aboutPairs(own, rules),
  ]
  return warnings.toSorted((one, other) => (one.line ?? 0) - (other.line ?? 0)).slice(0, lintLimits.warnings)
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

function aboutPairs(own: readonly CompiledRule[], all: readonly CompiledRule[]): readonly PolicyWarning[] {
  // Each scope that one says may be asked of each other: its name, and every pattern.
  const patterns = all.reduce((sum, { scopes }) => sum + scopes.patterns.length, all.length)
  if (all.length > lintLimits.comparedRules || entriesOf(all) * patterns > lintLimits.comparedScopes) return []
  const denies = all.filter(({ effect, when }) => effect === 'deny' && when === undefined)
  return own.flatMap((rule) => {
    if (rule.effect === 'grant') {
      const total = denies.find((deny) => isForAll(deny) && coversAll(deny, rule))
      if (total) return [warn('grant_always_denied', rule, total.name)]
      const partial = denies.find((deny) => overlaps(deny, rule))
      if (partial) return [warn('grant_conflicts', rule, partial.name)]
    }
    const wider = own.find((other) => other !== rule && saysMore(other, rule))
    return wider ? [warn('rule_repeats', rule, wider.name)] : []
  })
}

const isForAll = ({ groups, clients, when }: Applicability): boolean => groups === undefined && clients === undefined && when === undefined

const isForResourceOf = (one: CompiledRule, other: CompiledRule): boolean => one.resource === undefined || one.resource === other.resource

const coversAll = (wide: CompiledRule, narrow: CompiledRule): boolean =>
  isForResourceOf(wide, narrow) && [...narrow.scopes.names].every(wide.scopes.covers) && patternsWithin(narrow.scopes, wide.scopes)

/** A pattern is surely within another only if it is the same, or the other is `*`. */
const patternsWithin = (narrow: ScopePatterns, wide: ScopePatterns): boolean =>
  narrow.patterns.every((pattern) => wide.patterns.includes('*') || wide.patterns.includes(pattern))

function overlaps(deny: CompiledRule, grant: CompiledRule): boolean {
  if (deny.resource !== undefined && grant.resource !== undefined && deny.resource !== grant.resource) return false
  if (deny.clients !== undefined || deny.groups === undefined || grant.groups === undefined) return false
  const isSamePeople = [...grant.groups.names].some((name) => deny.groups?.names.has(name))
  return isSamePeople && ([...grant.scopes.names].some(deny.scopes.covers) || [...deny.scopes.names].some(grant.scopes.covers))
}

/** The same effect, at least the same scopes, at least the same people, and no condition that could make it less. Of twins the later repeats. */
function saysMore(wide: CompiledRule, narrow: CompiledRule): boolean {
  if (wide.effect !== narrow.effect || wide.when !== undefined || wide.clients !== undefined || !coversAll(wide, narrow)) return false
  const isWiderPeople = wide.groups === undefined || (narrow.groups !== undefined && isWithin(narrow.groups, wide.groups))
  if (!isWiderPeople) return false
  const isTwin = narrow.when === undefined && narrow.clients === undefined && coversAll(narrow, wide) && isSamePeople(wide, narrow)
  return !isTwin || wide.rank < narrow.rank
}

type Groups = NonNullable<CompiledRule['groups']>
const isWithin = (narrow: Groups, wide: Groups): boolean =>
  [...narrow.names].every((name) => wide.names.has(name)) && [...narrow.places].every((place) => wide.places.has(place))

function isSamePeople({ groups: one }: CompiledRule, { groups: other }: CompiledRule): boolean {
  if (one === undefined || other === undefined) return one === other
  return isWithin(one, other) && isWithin(other, one)
}
