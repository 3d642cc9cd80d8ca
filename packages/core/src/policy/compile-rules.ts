/** Rules, bundles, demands and rules for clients: every expression checked, every name resolved once, when the document is saved. */
import type { AuthenticationStrength } from '../identity/authentication-strength.js'
import { isAtLeast } from '../identity/authentication-strength.js'
import type { Condition, ConditionCompiler } from './cel.js'
import { type ClientMatcher, clientMatcher } from './client-match.js'
import { type Compiling, placeMistake, report } from './compiling.js'
import type { SensitivityTier } from './decision.js'
import type { MfaDemand, PolicyDocument } from './document.js'
import { policyLimits } from './error.js'
import { depthOfPlace, type GroupEntry, type GroupMatcher, type GroupSet, groupMatcher, sizeOfMatcher } from './group-names.js'
import { everyScope, type ScopePatterns, scopePatterns } from './scope-pattern.js'
import { multiFactorFreshSeconds } from './tier.js'

/** Whose rule it is: the wall of the vendor holds whatever the tenant's policy says. */
export type PolicyOwner = 'vendor' | 'tenant'

/** To whom something applies: the person must be in one of the groups, the client must be meant, the condition must hold. */
export type Applicability = {
  readonly owner: PolicyOwner
  readonly groups: GroupMatcher | undefined
  readonly clients: ClientMatcher | undefined
  readonly when: Condition | undefined
}

export type CompiledRule = Applicability & {
  readonly name: string
  readonly effect: 'grant' | 'deny'
  readonly line: number | undefined
  readonly scopes: ScopePatterns
  readonly resource: string | undefined
  /** By name: what an explanation names does not depend on the order of rules. */
  readonly rank: number
}

export type CompiledDemand = Applicability & {
  readonly name: string
  readonly line: number | undefined
  readonly strength: AuthenticationStrength
  readonly freshSeconds: number | undefined
  readonly tiers: ReadonlySet<SensitivityTier> | undefined
  readonly scopes: ScopePatterns
  readonly resource: string | undefined
}

export type CompiledClientRule = Applicability & {
  readonly name: string
  readonly line: number | undefined
  readonly refuse: boolean
  readonly scopes: ScopePatterns | undefined
  readonly accessTokenSeconds: number | undefined
  readonly refreshTokenSeconds: number | 'none' | undefined
}

export type RuleParts = {
  readonly document: PolicyDocument
  readonly owner: PolicyOwner
  readonly compile: ConditionCompiler
  readonly compiling: Compiling
  /** The groups that the document defines. */
  readonly definitions: ReadonlyMap<string, GroupSet>
}

type Path = readonly (string | number)[]
type Unranked = Omit<CompiledRule, 'rank'>

export function compileRules(parts: RuleParts): readonly Unranked[] {
  const { document, owner, compiling } = parts
  checkNames(parts)
  const pairs = document.bundles.reduce((sum, { groups, scopes }) => sum + groups.length * scopes.length, document.rules.length)
  if (pairs > policyLimits.rules) report(compiling, 'too_many_rules', ['rules'], `${pairs}, limit ${policyLimits.rules}`)
  const bundles = document.bundles.map(
    (bundle, index): Unranked => ({
      name: bundle.name,
      effect: 'grant',
      owner,
      line: compiling.lineOf(['bundles', index]),
      scopes: scopePatterns(bundle.scopes),
      resource: bundle.resource,
      groups: groupsOf(bundle.groups, ['bundles', index, 'groups'], parts),
      clients: undefined,
      when: undefined,
    }),
  )
  const rules = document.rules.map(
    (rule, index): Unranked => ({
      name: rule.name,
      effect: rule.effect,
      line: compiling.lineOf(['rules', index]),
      scopes: scopePatterns(rule.scopes),
      resource: rule.resource,
      ...applicability(rule, ['rules', index], parts),
    }),
  )
  return [...bundles, ...rules]
}

export function compileDemands(parts: RuleParts): readonly CompiledDemand[] {
  const nameOf = namesOfUnnamed(parts.document.mfa)
  return parts.document.mfa.map((demand, index) => ({
    name: demand.name ?? nameOf(demand),
    line: parts.compiling.lineOf(['mfa', index]),
    strength: demand.strength,
    // A second factor is proved for the grant that needs it, not once for a whole session.
    freshSeconds: demand.freshSeconds ?? (isAtLeast(demand.strength, 'multi_factor') ? multiFactorFreshSeconds : undefined),
    tiers: demand.tiers && new Set(demand.tiers),
    scopes: demand.scopes ? scopePatterns(demand.scopes) : everyScope,
    resource: demand.resource,
    ...applicability(demand, ['mfa', index], parts),
  }))
}

/** By what they say, never by where they stand: what a refusal calls one does not depend on the order of demands. */
function namesOfUnnamed(demands: readonly MfaDemand[]): (demand: MfaDemand) => string {
  const said = new Set(demands.filter(({ name }) => name === undefined).map(contentOf))
  const names = new Map([...said].toSorted().map((content, index) => [content, `unnamed demand ${index + 1}`]))
  return (demand) => names.get(contentOf(demand)) ?? 'unnamed demand'
}

const contentOf = (demand: MfaDemand): string =>
  JSON.stringify(demand, (_, value: unknown) => (Array.isArray(value) ? value.map((item) => JSON.stringify(item)).toSorted() : value))

export const compileClientRules = (parts: RuleParts): readonly CompiledClientRule[] =>
  parts.document.clients.map((rule, index) => {
    const { name, refuse = false, scopes, accessTokenSeconds, refreshTokenSeconds } = rule
    if (!refuse && scopes === undefined && accessTokenSeconds === undefined && refreshTokenSeconds === undefined)
      report(parts.compiling, 'client_rule_without_effect', ['clients', index], name)
    return {
      name,
      line: parts.compiling.lineOf(['clients', index]),
      refuse,
      scopes: scopes && scopePatterns(scopes),
      accessTokenSeconds,
      refreshTokenSeconds,
      ...applicability(rule, ['clients', index], parts),
    }
  })

type Written = {
  readonly groups?: readonly GroupEntry[] | undefined
  readonly clients?: PolicyDocument['clients'][number]['clients']
  readonly when?: string | undefined
}

const applicability = ({ groups, clients, when }: Written, path: Path, parts: RuleParts): Applicability => ({
  owner: parts.owner,
  groups: groups && groupsOf(groups, [...path, 'groups'], parts),
  clients: clientMatcher(clients),
  when: when === undefined ? undefined : compileWhen(when, [...path, 'when'], parts),
})

function groupsOf(entries: readonly GroupEntry[], path: Path, { definitions, compiling }: RuleParts): GroupMatcher {
  const deep = entries.find((entry) => typeof entry !== 'string' && depthOfPlace(entry.path) > policyLimits.placeDepth)
  if (deep !== undefined) report(compiling, 'place_too_deep', path, `limit ${policyLimits.placeDepth}`)
  const matcher = groupMatcher(entries, definitions)
  const before = compiling.groups
  compiling.groups += sizeOfMatcher(matcher)
  if (before <= policyLimits.groupsInAll && compiling.groups > policyLimits.groupsInAll)
    report(compiling, 'too_many_groups', path, `limit ${policyLimits.groupsInAll}`)
  return matcher
}

function compileWhen(source: string, path: Path, { compile, compiling }: RuleParts): Condition | undefined {
  // The document is refused for its cost already: what is left would cost time and tell nobody anything.
  if (compiling.cost > policyLimits.policyCost) return undefined
  const compiled = compile(source)
  if (!compiled.ok) {
    placeMistake(compiling, path, compiled.error)
    return undefined
  }
  compiling.cost += compiled.value.cost
  return compiled.value
}

/** Within each of these no two are called the same. */
const nameSpaces = [['bundles', 'rules', 'clients'], ['mfa'], ['strength']] as const

function checkNames({ document, owner, compiling }: RuleParts): void {
  for (const lists of nameSpaces) {
    const seen = new Set<string>()
    for (const list of lists)
      document[list].forEach(({ name }, index) => {
        if (name === undefined) return
        if (seen.has(name)) report(compiling, 'rule_name_repeated', [list, index, 'name'], name)
        seen.add(name)
      })
  }
  document.rules.forEach((rule, index) => {
    if (rule.when === undefined && rule.groups === undefined && rule.clients === undefined && rule.everyone === undefined)
      report(compiling, 'rule_without_condition', ['rules', index], rule.name)
    if (owner === 'vendor' && rule.effect === 'grant') report(compiling, 'wall_grants', ['rules', index], rule.name)
  })
  if (owner === 'vendor' && document.bundles.length > 0) report(compiling, 'wall_grants', ['bundles'], document.bundles[0]?.name ?? '')
  if (owner === 'vendor' && document.claimChanges !== undefined) report(compiling, 'tenant_only', ['claimChanges'], '')
  if (owner === 'tenant' && document.acceptsStrengthOf.length > 0) report(compiling, 'wall_only', ['acceptsStrengthOf'], '')
  for (const [name, { names = [], ids = [], paths = [] }] of Object.entries(document.groups)) {
    if (paths.some((path) => depthOfPlace(path) > policyLimits.placeDepth))
      report(compiling, 'place_too_deep', ['groups', name, 'paths'], `limit ${policyLimits.placeDepth}`)
    const size = names.length + ids.length + paths.length
    if (size > policyLimits.groups) report(compiling, 'group_too_large', ['groups', name], `${size}, limit ${policyLimits.groups}`)
  }
}
