/**
 * What a policy says in vain: rules that can never matter, grants that a deny always takes back, scopes that nobody declares.
 *
 * None of it is a mistake that refuses the document; each is something that its author would want to know before it holds. Only what is
 * certain is said: where a condition decides, nothing is claimed.
 */
import type { CompiledPolicy } from './compile.js'
import type { Applicability, CompiledRule } from './compile-rules.js'
import { groupName } from './group-names.js'
import { lintLimits } from './lint-limits.js'
import { comparePairs } from './lint-pairs.js'
import { type ScopePatterns, scopePatterns } from './scope-pattern.js'

export const policyWarnings = {
  not_compared: 'the policy is too large for everything to be looked at, so what is not said here may be so all the same',
  grant_always_denied: 'another rule denies whatever this one grants, to everybody',
  grant_conflicts: 'another rule denies some of what this one grants to the same people; the deny wins',
  rule_repeats: 'another rule says the same to the same people and more',
  scope_undeclared: 'no resource declares a scope that this covers',
  resource_unknown: 'there is no such resource',
  groups_empty: 'it is for a group that the document defines as nothing, and nobody is in it',
  group_of_document:
    'conditions see groups as the IdP names them, and this is a name that only the document gives; `groups` of the rule takes it',
  connection_unknown: 'there is no such connection',
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
export function lintPolicy(policy: CompiledPolicy, resources: KnownResources, connections?: readonly string[]): readonly PolicyWarning[] {
  const turns = lintInTurns(policy, resources, connections)
  for (;;) {
    const turn = turns.next()
    if (turn.done === true) return turn.value
  }
}

/**
 * At most `lintLimits.warnings`, by line. What is more than a limit is not compared, which is said first. It stops after each rule, so that
 * others can have their turn.
 */
export function* lintInTurns(
  policy: CompiledPolicy,
  resources: KnownResources,
  connections?: readonly string[],
): Generator<undefined, readonly PolicyWarning[]> {
  const { rules } = policy
  const own = rules.filter((rule) => rule.owner === 'tenant')
  const warnings: PolicyWarning[] = []
  const skipped: PolicyWarning[] = []
  const notCompared = (rule: CompiledRule, detail: string): void => void skipped.push(warn('not_compared', rule, detail))
  const declared = resources.reduce((sum, { scopes }) => sum + scopes.length, 0)
  const [first] = own
  const said: readonly Said[] = [...own, ...[...policy.demands, ...policy.clientRules].filter(({ owner }) => owner === 'tenant')]
  const isFewScopes = declared * entriesOf(said) <= lintLimits.comparedScopes
  if (!isFewScopes && first) notCompared(first, 'its scopes with those that resources declare')
  const conditions = conditionLint(policy, connections)
  for (const one of said) {
    if (isFewScopes) warnings.push(...aboutResources(one, resources))
    warnings.push(...conditions(one))
    yield
  }
  for (const { name, connection } of policy.strength.tenant)
    if (connection !== undefined && connections?.includes(connection) === false)
      warnings.push(warn('connection_unknown', { name, line: undefined }, connection))
  // Each scope that one says may be asked of each other: its name, and every pattern.
  const patterns = rules.reduce((sum, { scopes }) => sum + scopes.patterns.length, rules.length)
  if (rules.length <= lintLimits.comparedRules && entriesOf(rules) * patterns <= lintLimits.comparedScopes) {
    const unseen = yield* comparePairs(own, rules, (kind, rule, other) => void warnings.push(warn(kind, rule, other)))
    if (unseen) notCompared(unseen, 'rules with each other, from this one on')
  } else if (first) notCompared(first, 'rules with each other')
  const sorted = warnings.toSorted((one, other) => (one.line ?? 0) - (other.line ?? 0))
  return [...skipped, ...sorted].slice(0, lintLimits.warnings)
}

/** A rule, a demand or a rule for clients. */
type Said = Applicability & {
  readonly name: string
  readonly line: number | undefined
  /** Absent: it says nothing of them. */
  readonly scopes: ScopePatterns | undefined
  readonly resource?: string | undefined
}

const entriesOf = (all: readonly Pick<Said, 'scopes'>[]): number =>
  all.reduce((sum, { scopes }) => sum + (scopes === undefined ? 0 : scopes.names.size + scopes.patterns.length), 0)

const warn = (kind: PolicyWarningKind, { name, line }: Pick<Said, 'name' | 'line'>, detail = ''): PolicyWarning => ({
  kind,
  rule: name,
  line,
  say: detail === '' ? policyWarnings[kind] : `${policyWarnings[kind]}: ${detail}`,
})

/** Each scope and pattern by itself: beside others that are there, a misspelt one of a deny or a demand protects nothing. */
function aboutResources(rule: Said, resources: KnownResources): readonly PolicyWarning[] {
  const meant = rule.resource === undefined ? resources : resources.filter(({ identifier }) => identifier === rule.resource)
  if (rule.resource !== undefined && meant.length === 0) return [warn('resource_unknown', rule, rule.resource)]
  if (meant.length === 0 || rule.scopes === undefined) return []
  const isDeclared = ({ covers }: ScopePatterns): boolean => meant.some(({ scopes }) => scopes.some(covers))
  const vain = [...rule.scopes.names, ...rule.scopes.patterns].filter((written) => !isDeclared(scopePatterns([written])))
  return vain.length === 0 ? [] : [warn('scope_undeclared', rule, vain.slice(0, 5).join(', '))]
}

/** What is known of the tenant and of the document's own groups, asked of one thing after another. */
const conditionLint =
  ({ ownGroups }: CompiledPolicy, connections: readonly string[] | undefined) =>
  (of: Said): readonly PolicyWarning[] => {
    const isEmpty = of.groups?.defined.some(({ names, places }) => names.size + places.size === 0) === true
    const compared = of.when?.compared.flatMap(({ field, text }) => {
      const isOwn = field === 'groups' && ownGroups.get(text)?.names.has(groupName(text)) === false
      const isUnknown = connectionFields.has(field) && connections?.includes(text) === false
      return [...(isOwn ? [warn('group_of_document', of, text)] : []), ...(isUnknown ? [warn('connection_unknown', of, text)] : [])]
    })
    return [...(isEmpty ? [warn('groups_empty', of)] : []), ...(compared ?? []), ...aboutCondition(of)]
  }
const connectionFields: ReadonlySet<string> = new Set(['auth.connection', 'subject.connection'])

function aboutCondition(rule: Said): readonly PolicyWarning[] {
  if (rule.when === undefined) return []
  if (rule.when.reads.length === 0) return [warn('condition_constant', rule)]
  const ids = rule.clients?.ids
  const asked = rule.when.facts.get('client.id')
  const isContradiction = [...rule.when.facts.values()].some((values) => values.size === 0) || isDisjoint(ids, asked)
  return isContradiction ? [warn('condition_contradicts', rule)] : []
}

const isDisjoint = (one: ReadonlySet<string> | undefined, other: ReadonlySet<string> | undefined): boolean =>
  one !== undefined && other !== undefined && ![...one].some((value) => other.has(value))
