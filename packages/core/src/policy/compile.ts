/** From a document to something that decides: every expression checked, every limit only ever tightened, rules indexed by group. */
import type { AuthenticationStrength } from '../identity/authentication-strength.js'
import { pathText } from '../placed-yaml.js'
import { err, ok, type Result } from '../result.js'
import { type Condition, type ConditionCompiler, conditionCompiler } from './cel.js'
import { type SensitivityTier, sensitivityTiers } from './decision.js'
import { type LineFinder, type MfaDemand, mistake, type PolicyDocument, parsePolicyDocument } from './document.js'
import { type PolicyMistake, policyLimits } from './error.js'
import { defaultSessionLimits, defaultTierLimits, type SessionLimits, type TierLimit, type TierLimits } from './tier.js'

export type CompiledRule = {
  readonly name: string
  readonly effect: 'grant' | 'deny'
  readonly line: number | undefined
  readonly coversScope: (scope: string) => boolean
  readonly resource: string | undefined
  /** The person must be in one of them. */
  readonly groups: ReadonlySet<string> | undefined
  readonly when: Condition | undefined
}

export type CompiledDemand = {
  readonly name: string
  readonly strength: AuthenticationStrength
  readonly freshSeconds: number | undefined
  readonly tiers: ReadonlySet<SensitivityTier> | undefined
  readonly coversScope: (scope: string) => boolean
  readonly resource: string | undefined
  readonly groups: ReadonlySet<string> | undefined
  readonly when: Condition | undefined
}

export type CompiledPolicy = {
  readonly version: number
  /** Rules that every decision must look at: denies, and grants without groups. */
  readonly ungroupedRules: readonly CompiledRule[]
  /** Grants that can apply only to members, by group. */
  readonly grantsByGroup: ReadonlyMap<string, readonly CompiledRule[]>
  readonly demands: readonly CompiledDemand[]
  readonly tierLimits: TierLimits
  /** Tiers whose limits the tenant tightened, for naming the ceiling that won. */
  readonly tightenedTiers: ReadonlySet<SensitivityTier>
  readonly session: SessionLimits
  readonly acrMeans: ReadonlyMap<string, AuthenticationStrength>
}

type Compiling = { readonly lineOf: LineFinder; readonly compile: ConditionCompiler; readonly mistakes: PolicyMistake[]; cost: number }

/** Compiles a document, or reports all of its mistakes. `version` is the one under which the store keeps it; 0 is the safe default. */
export function compilePolicy(text: string, version = 0): Result<CompiledPolicy, readonly PolicyMistake[]> {
  const read = parsePolicyDocument(text)
  if (!read.ok) return read
  const { document, lineOf } = read.value
  const compiling: Compiling = { lineOf, compile: conditionCompiler(document.claims), mistakes: [], cost: 0 }
  checkNames(document, compiling)
  const rules = [...bundleRules(document, compiling), ...document.rules.map((_, index) => compileRule(document, index, compiling))]
  const demands = document.mfa.map((demand, index) => compileDemand(demand, index, compiling))
  const tierLimits = tightenTiers(document, compiling)
  const session = tightenSession(document, compiling)
  if (compiling.cost > policyLimits.policyCost)
    compiling.mistakes.push(mistake('policy_too_costly', 'rules', undefined, `bound ${compiling.cost}, limit ${policyLimits.policyCost}`))
  if (compiling.mistakes.length > 0) return err(compiling.mistakes)
  return ok({
    version,
    ...indexed(rules),
    demands,
    tierLimits,
    tightenedTiers: new Set(sensitivityTiers.filter((tier) => document.limits[tier] !== undefined)),
    session,
    acrMeans: new Map(Object.entries(document.acr)),
  })
}

/** What a tenant without a policy has: sign-in works, nothing is granted. */
export const safeDefaultPolicy: CompiledPolicy = {
  version: 0,
  ungroupedRules: [],
  grantsByGroup: new Map(),
  demands: [],
  tierLimits: defaultTierLimits,
  tightenedTiers: new Set(),
  session: defaultSessionLimits,
  acrMeans: new Map(),
}

function checkNames(document: PolicyDocument, compiling: Compiling): void {
  const seen = new Set<string>()
  for (const [list, entries] of [
    ['bundles', document.bundles],
    ['rules', document.rules],
  ] as const) {
    entries.forEach(({ name }, index) => {
      if (seen.has(name)) report(compiling, 'rule_name_repeated', [list, index, 'name'], name)
      seen.add(name)
    })
  }
  document.rules.forEach((rule, index) => {
    if (rule.when === undefined && rule.groups === undefined && rule.everyone === undefined)
      report(compiling, 'rule_without_condition', ['rules', index], rule.name)
  })
}

function report(compiling: Compiling, reason: PolicyMistake['reason'], path: readonly (string | number)[], detail: string): void {
  compiling.mistakes.push(mistake(reason, pathText(path), compiling.lineOf(path), detail))
}

const bundleRules = (document: PolicyDocument, { lineOf }: Compiling): readonly CompiledRule[] =>
  document.bundles.map((bundle, index) => ({
    name: bundle.name,
    effect: 'grant',
    line: lineOf(['bundles', index]),
    coversScope: scopeMatcher(bundle.scopes),
    resource: bundle.resource,
    groups: new Set(bundle.groups),
    when: undefined,
  }))

function compileRule(document: PolicyDocument, index: number, compiling: Compiling): CompiledRule {
  const rule = document.rules[index] as PolicyDocument['rules'][number]
  return {
    name: rule.name,
    effect: rule.effect,
    line: compiling.lineOf(['rules', index]),
    coversScope: scopeMatcher(rule.scopes),
    resource: rule.resource,
    groups: rule.groups === undefined ? undefined : new Set(rule.groups),
    when: compileWhen(rule.when, ['rules', index, 'when'], compiling),
  }
}

function compileDemand(demand: MfaDemand, index: number, compiling: Compiling): CompiledDemand {
  return {
    name: demand.name ?? `mfa[${index}]`,
    strength: demand.strength,
    freshSeconds: demand.freshSeconds,
    tiers: demand.tiers === undefined ? undefined : new Set(demand.tiers),
    coversScope: demand.scopes === undefined ? () => true : scopeMatcher(demand.scopes),
    resource: demand.resource,
    groups: demand.groups === undefined ? undefined : new Set(demand.groups),
    when: compileWhen(demand.when, ['mfa', index, 'when'], compiling),
  }
}

function compileWhen(source: string | undefined, path: readonly (string | number)[], compiling: Compiling): Condition | undefined {
  if (source === undefined) return undefined
  const compiled = compiling.compile(source)
  if (compiled.ok) {
    compiling.cost += compiled.value.cost
    return compiled.value
  }
  const { reason, say, position } = compiled.error
  compiling.mistakes.push({ reason, say, path: pathText(path), line: compiling.lineOf(path), expression: position })
  return undefined
}

/** Scopes by name or by pattern. `*` is split on, never turned into a regular expression, so matching is linear. */
export function scopeMatcher(patterns: readonly string[]): (scope: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const globs = patterns.filter((pattern) => pattern.includes('*')).map((pattern) => pattern.split('*'))
  return (scope) => names.has(scope) || globs.some((parts) => matchesGlob(parts, scope))
}

function matchesGlob(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? ''
  const last = parts.at(-1) ?? ''
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let from = first.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, from)
    if (found < 0 || found + part.length > text.length - last.length) return false
    from = found + part.length
  }
  return true
}

/** The outer wall is the vendor's default: each number may only fall, and a refresh token that is not allowed stays so. */
function tightenTiers(document: PolicyDocument, compiling: Compiling): TierLimits {
  const tighten = (tier: SensitivityTier): TierLimit => {
    const outer = defaultTierLimits[tier]
    const own = document.limits[tier]
    const access = own?.accessTokenSeconds ?? outer.accessTokenSeconds
    const refresh = own?.refreshTokenSeconds === 'none' ? undefined : (own?.refreshTokenSeconds ?? outer.refreshTokenSeconds)
    if (access > outer.accessTokenSeconds)
      report(compiling, 'limit_loosened', ['limits', tier, 'accessTokenSeconds'], `at most ${outer.accessTokenSeconds}`)
    if (refresh !== undefined && refresh > (outer.refreshTokenSeconds ?? 0))
      report(
        compiling,
        'limit_loosened',
        ['limits', tier, 'refreshTokenSeconds'],
        outer.refreshTokenSeconds === undefined ? 'none is allowed' : `at most ${outer.refreshTokenSeconds}`,
      )
    return { accessTokenSeconds: access, refreshTokenSeconds: refresh }
  }
  return { read: tighten('read'), write: tighten('write'), sensitive: tighten('sensitive'), admin: tighten('admin') }
}

function tightenSession(document: PolicyDocument, compiling: Compiling): SessionLimits {
  const limit = (name: keyof SessionLimits): number => {
    const own = document.session[name] ?? defaultSessionLimits[name]
    if (own > defaultSessionLimits[name]) report(compiling, 'limit_loosened', ['session', name], `at most ${defaultSessionLimits[name]}`)
    return own
  }
  return { absoluteSeconds: limit('absoluteSeconds'), idleSeconds: limit('idleSeconds') }
}

function indexed(rules: readonly CompiledRule[]): Pick<CompiledPolicy, 'ungroupedRules' | 'grantsByGroup'> {
  const grantsByGroup = new Map<string, CompiledRule[]>()
  const ungroupedRules: CompiledRule[] = []
  for (const rule of rules) {
    // A deny by group holds for people whose groups are unknown, so it must always be looked at.
    if (rule.effect === 'deny' || rule.groups === undefined) ungroupedRules.push(rule)
    else
      for (const group of rule.groups) {
        const list = grantsByGroup.get(group)
        if (list === undefined) grantsByGroup.set(group, [rule])
        else list.push(rule)
      }
  }
  return { ungroupedRules, grantsByGroup }
}
