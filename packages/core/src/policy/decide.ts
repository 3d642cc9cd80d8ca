/**
 * The decision: which scopes, for how long, or what is missing, and always why.
 *
 * Granted = requested ∩ client's ceiling ∩ resource's scopes ∩ rules, inside the vendor's wall. A deny always wins and order never matters.
 * Whatever is unclear (an error, a claim that is absent, groups that the IdP could not say) counts as the strict outcome: a grant is not
 * given, a deny holds, a demand stands. Pure and synchronous: time comes in, nothing goes out.
 */
import { secondsBetween } from '../instant.js'
import { defaultScopesOf } from '../oauth/resource.js'
import type { Scope } from '../tenant/ids.js'
import type { CompiledPolicy } from './compile.js'
import type { CompiledClientRule, CompiledRule } from './compile-rules.js'
import { type Explanation, explanationLimits, type PolicyDecision, type ScopeExplanation, type SensitivityTier } from './decision.js'
import { type DemandVerdict, judgeDemands, type Missing, missingFreshness, needsInteraction } from './demands.js'
import { policyLimits } from './error.js'
import { type Applies, beginEvaluating, type Evaluating } from './evaluating.js'
import type { PolicyInput } from './input.js'
import { type Ceilings, ceilingsOf, leastOf } from './lifetime.js'
import { candidatesFor, firstRule } from './rule-index.js'
import { asksConsentAnew, strictestTier, undeclaredTier } from './tier.js'

export type { PolicyInput } from './input.js'

/** What the parts of a decision find, and what an explanation shows of them. */
export type Judged = {
  readonly evaluating: Evaluating
  readonly scopes: readonly ScopeExplanation[]
  readonly granted: readonly ScopeExplanation[]
  readonly tiers: readonly SensitivityTier[]
  readonly clientRules: readonly CompiledClientRule[]
}

type Notes = { readonly notes: string[]; readonly unclear: Set<object> }

export function decide(policy: CompiledPolicy, input: PolicyInput): PolicyDecision {
  return judge(policy, input).decision
}

/** The decision, and what it was made from. */
export function judge(policy: CompiledPolicy, input: PolicyInput): { readonly decision: PolicyDecision; readonly judged: Judged } {
  const evaluating = beginEvaluating(policy, input)
  const noted: Notes = { notes: [], unclear: new Set() }
  if (input.identity.groups.state === 'unknown')
    noted.notes.push(`the groups of this person are unknown${beyond(input)}: rules that need them are decided strictly`)
  const { unknownClaims } = input.identity
  if (unknownClaims !== undefined && unknownClaims.size > 0)
    noted.notes.push(`claims of this person are unknown, and rules that need them are decided strictly: ${firstOf(unknownClaims)}`)
  const clientRules = applyingClientRules(evaluating, noted)
  const scopes = explainScopes(evaluating, clientRules, noted)
  const granted = scopes.filter((scope) => scope.granted)
  const tiers = [...new Set(granted.map(({ tier }) => tier))]
  const judged: Judged = { evaluating, scopes, granted, tiers, clientRules }
  return { decision: conclude(judged, noted), judged }
}

function conclude(judged: Judged, noted: Notes): PolicyDecision {
  const { evaluating, scopes, granted, tiers, clientRules } = judged
  const { policy, input } = evaluating
  const demands = judgeDemands(evaluating, granted)
  for (const { demand, applies } of demands) if (applies === 'unclear') noteUnclear(noted, demand, nameOfDemand(demand))
  for (const claim of [...evaluating.unmadeClaims].toSorted())
    note(noted, `${claim} could not be made: it is unknown, and rules that need it are decided strictly`)
  const explanation: Explanation = {
    policyVersion: policy.version,
    scopes,
    notes: noted.notes,
    unclear: noted.unclear.size + evaluating.unmadeClaims.size,
  }
  const withheld = (missing: string): Explanation => ({ ...explanation, scopes: scopes.map((scope) => withhold(scope, missing)) })
  const deny = (reason: Extract<PolicyDecision, { kind: 'deny' }>['reason'], missing: string): PolicyDecision => ({
    kind: 'deny',
    reason,
    missing,
    explanation: withheld(missing),
  })
  if (granted.length === 0) return deny('nothing_granted', missingGrant(input, scopes))
  if (input.deactivatesAt !== undefined && input.deactivatesAt <= input.now)
    return deny('subject_deactivated', 'an account that is active: the directory has ended this one')
  const ceilings = ceilingsOf(policy, input, { tiers, clientRules })
  const ended = missingTime(input, ceilings)
  const missing = demands.find((verdict) => verdict.missing)?.missing ?? missingFreshness(evaluating, tiers) ?? ended
  if (missing !== undefined && input.request.stepUpsDone === 0 && input.request.kind !== 'refresh') {
    // Signing in anew replaces what she has proved until now, so where more than a sign-in is demanded it is asked for at once.
    const demand = demands.length > 0 ? 'mfa' : missing.demand
    return { kind: 'stepUp', demand, missing: missing.say, explanation: withheld(missing.say) }
  }
  if (ended !== undefined) return deny('session_ended', ended.say)
  if (missing !== undefined) return deny(reasonOf[missing.demand], missing.say)
  if (ceilings.withoutRefresh !== undefined) noted.notes.push(`no refresh token: ${ceilings.withoutRefresh}`)
  return {
    kind: 'allow',
    scopes: granted.map(({ scope }) => scope),
    tier: strictestTier(tiers),
    ...leastOf(ceilings),
    asksConsentAnew: tiers.some(asksConsentAnew),
    explanation,
  }
}

const beyond = ({ identity: { groups } }: PolicyInput): string =>
  groups.state === 'unknown' && groups.beyond !== undefined
    ? `, because the login brought more than the limit ${groups.beyond} (${policyLimits[groups.beyond]})`
    : ''

/** Where no time is left, only another sign-in brings some. */
const missingTime = ({ now }: PolicyInput, { end }: Ceilings): Missing | undefined =>
  secondsBetween(now, end.at) < 1 ? { demand: 'fresh', say: `a new sign-in, because no time is left: ${end.detail}` } : undefined

const reasonOf: Readonly<Record<Missing['demand'], 'mfa_missing' | 'login_not_fresh'>> = { mfa: 'mfa_missing', fresh: 'login_not_fresh' }

/** Unknown groups are another person's to mend than known ones: the IdP's administrator, not the policy's author. */
function missingGrant({ identity }: PolicyInput, scopes: readonly ScopeExplanation[]): string {
  if (scopes.some(({ because }) => because === delayed)) return 'time: your second factor was reset lately, and what is privileged waits'
  return identity.groups.state === 'known'
    ? 'no rule grants any of the requested scopes'
    : `your groups: ${identity.groups.state === 'unknown' && identity.groups.beyond !== undefined ? `your company's sign-in named more than the limit ${identity.groups.beyond}` : "your company's sign-in did not name them"}, and without them no rule grants any of the requested scopes`
}

/** What rules would have granted is not granted while something is missing; explanation and decision never disagree. */
const withhold = (scope: ScopeExplanation, missing: string): ScopeExplanation =>
  scope.granted ? { ...scope, granted: false, because: `would be ${scope.because}, but this is missing: ${missing}` } : scope

/** A rule whose condition nobody can judge limits all the same. */
const applyingClientRules = (evaluating: Evaluating, noted: Notes): readonly CompiledClientRule[] =>
  evaluating.policy.clientRules.filter((rule) => {
    const outcome = evaluating.applies(rule)
    if (outcome === 'unclear') noteUnclear(noted, rule, nameOfClientRule(rule))
    return outcome !== 'no'
  })

function noteUnclear(noted: Notes, rule: object, name: string): void {
  if (noted.unclear.has(rule)) return
  noted.unclear.add(rule)
  note(noted, `${name} could not be evaluated and counts strictly`)
}

function note({ notes }: Notes, say: string): void {
  if (notes.length < explanationLimits.notes) notes.push(say)
}

const shownUnknown = 10
const firstOf = (names: ReadonlySet<string>): string => {
  const shown = [...names].toSorted().slice(0, shownUnknown)
  return `${shown.join(', ')}${names.size > shown.length ? `, … ${names.size} in all` : ''}`
}

const declaredScopes = new WeakMap<object, ReadonlyMap<string, SensitivityTier>>()

/** Whoever had the factor of somebody reset and enrols one of his own has not at once what is worst to lose. */
const isDelayed = ({ privilegedFrom, now }: PolicyInput): boolean => privilegedFrom !== undefined && now < privilegedFrom
const delayed = 'the second factor of this person was reset lately, and what is privileged waits'

/** Once per resource, not once per decision. */
function tiersOf({ scopes }: PolicyInput['resource']): ReadonlyMap<string, SensitivityTier> {
  const known = declaredScopes.get(scopes)
  if (known !== undefined) return known
  const tiers = new Map(scopes.map(({ name, tier }) => [name, tier]))
  declaredScopes.set(scopes, tiers)
  return tiers
}

type Asked = { readonly request: Pick<PolicyInput['request'], 'scopes'>; readonly resource: PolicyInput['resource'] }

/** Whether anything is asked for that needs a sign-in for this very request: then the first trip demands it, because no other would count. */
export const asksForInteraction = (policy: CompiledPolicy, { request, resource }: Asked): boolean =>
  requestedScopes({ request, resource }).some((scope) => needsInteraction(policy, tiersOf(resource).get(scope) ?? undeclaredTier))

/** What is asked for; without a scope, what the resource gives by default. */
export const requestedScopes = ({ request, resource }: Asked): readonly Scope[] =>
  request.scopes.length > 0 ? [...new Set(request.scopes)] : defaultScopesOf(resource)

function explainScopes(evaluating: Evaluating, clientRules: readonly CompiledClientRule[], noted: Notes): readonly ScopeExplanation[] {
  const { input, policy } = evaluating
  const declared = tiersOf(input.resource)
  const candidates = candidatesFor(policy.index, evaluating.facts)
  const outcomeOf = (rule: CompiledRule, isMember: boolean): Applies => {
    const outcome = evaluating.applies(rule, isMember)
    if (outcome === 'unclear') noteUnclear(noted, rule, nameOf(rule))
    return outcome
  }
  return requestedScopes(input).map((scope) => {
    const tier = declared.get(scope) ?? undeclaredTier
    const no = (because: string, rule?: CompiledRule): ScopeExplanation => explained(scope, tier, { granted: false, because, rule })
    if (!declared.has(scope)) return no('the resource has no such scope')
    if (tier === 'admin' && isDelayed(input)) return no(delayed)
    if (input.client.scopeCeiling.length > 0 && !input.client.scopeCeiling.includes(scope)) return no("outside the client's ceiling")
    const walled = clientRules.find((rule) => rule.refuse || rule.scopes?.covers(scope) === false)
    if (walled !== undefined) return no(`outside what ${nameOfClientRule(walled)} leaves`)
    const at = { scope, resource: input.resource.identifier }
    const denied = firstRule(candidates.deny, at, (rule, isMember) => outcomeOf(rule, isMember) !== 'no')
    if (denied !== undefined)
      return no(`denied by ${nameOf(denied)}${evaluating.applies(denied) === 'unclear' ? ' (unclear, so it holds)' : ''}`, denied)
    const granting = firstRule(candidates.grant, at, (rule, isMember) => outcomeOf(rule, isMember) === 'yes')
    if (granting === undefined) return no('no rule grants it')
    return explained(scope, tier, { granted: true, because: `granted by ${nameOf(granting)}`, rule: granting })
  })
}

type Found = { readonly granted: boolean; readonly because: string; readonly rule: CompiledRule | undefined }
const explained = (scope: Scope, tier: SensitivityTier, { rule, ...found }: Found): ScopeExplanation => ({
  scope,
  tier,
  ...found,
  rule: rule?.name,
  line: rule?.line,
})

const nameOfDemand = ({ owner, name }: DemandVerdict['demand']): string => `${owner === 'vendor' ? "the vendor's " : ''}demand ${name}`

const nameOfClientRule = ({ owner, name }: CompiledClientRule): string => `${owner === 'vendor' ? "the vendor's " : ''}client rule ${name}`

export const nameOf = ({ owner, name, line }: Pick<CompiledRule, 'owner' | 'name' | 'line'>): string =>
  `${owner === 'vendor' ? "the vendor's rule" : 'rule'} ${name}${line === undefined ? '' : ` (line ${line})`}`
