/**
 * The decision: which scopes, for how long, or what is missing, and always why.
 *
 * Granted = requested ∩ client's ceiling ∩ resource's scopes ∩ rules. A deny always wins and order never matters. Whatever is unclear
 * (an error, a claim that is absent, groups that the IdP could not say) counts as the strict outcome: a grant is not given, a deny
 * holds, a demand stands. Pure and synchronous: time comes in, nothing goes out.
 */
import { type AuthenticationStrength, authenticationStrength, isAtLeast } from '../identity/authentication-strength.js'
import { secondsBetween } from '../instant.js'
import type { CompiledDemand, CompiledPolicy, CompiledRule } from './compile.js'
import { conditionContext } from './context.js'
import type { Explanation, PolicyDecision, ScopeExplanation } from './decision.js'
import type { PolicyInput } from './input.js'
import { lifetimes, sessionEnd } from './lifetime.js'
import { strictestTier, undeclaredTier } from './tier.js'

export type { PolicyInput } from './input.js'

type Deciding = {
  readonly policy: CompiledPolicy
  readonly input: PolicyInput
  readonly strength: AuthenticationStrength
  readonly groups: ReadonlySet<string> | 'unclear'
  readonly rules: readonly CompiledRule[]
  readonly notes: string[]
  readonly context: Readonly<Record<string, unknown>>
}

type Applies = 'yes' | 'no' | 'unclear'

export function decide(policy: CompiledPolicy, input: PolicyInput): PolicyDecision {
  const deciding = begin(policy, input)
  const scopes = explainScopes(deciding)
  const granted = scopes.filter((scope) => scope.granted)
  const explanation: Explanation = { policyVersion: policy.version, scopes, notes: deciding.notes }
  const withheld = (missing: string): Explanation => ({ ...explanation, scopes: scopes.map((scope) => withhold(scope, missing)) })
  if (granted.length === 0) return { kind: 'deny', reason: 'nothing_granted', missing: missingGrant(input), explanation }
  const endsAt = sessionEnd(policy, input.session.startedAt, input.identity.sessionExpiresAt)
  if (secondsBetween(input.now, endsAt) < 1) {
    const missing = 'a new sign-in: the session has ended'
    return { kind: 'deny', reason: 'session_ended', missing, explanation: withheld(missing) }
  }
  const missing = unmetDemand(deciding, granted)
  if (missing !== undefined) {
    const why = withheld(missing)
    return input.request.stepUpsDone === 0
      ? { kind: 'stepUp', acr: 'mfa', missing, explanation: why }
      : { kind: 'deny', reason: 'mfa_missing', missing, explanation: why }
  }
  const tiers = [...new Set(granted.map((scope) => scope.tier))]
  const ends = lifetimes(policy, {
    tiers,
    resourceSeconds: input.resource.accessTokenTtlSeconds,
    clientSeconds: input.client.accessTokenTtlSeconds,
    sessionStartedAt: input.session.startedAt,
    idpSessionExpiresAt: input.identity.sessionExpiresAt,
    now: input.now,
  })
  return { kind: 'allow', scopes: granted.map((scope) => scope.scope), tier: strictestTier(tiers), ...ends, explanation }
}

/** Unknown groups are another person's to mend than known ones: the IdP's administrator, not the policy's author. */
const missingGrant = ({ identity }: PolicyInput): string =>
  identity.groups.state === 'known'
    ? 'no rule grants any of the requested scopes'
    : "your groups: your company's sign-in did not name them, and without them no rule grants any of the requested scopes"

/** What rules would have granted is not granted while something is missing; explanation and decision never disagree. */
const withhold = (scope: ScopeExplanation, missing: string): ScopeExplanation =>
  scope.granted ? { ...scope, granted: false, because: `would be ${scope.because}, but this is missing: ${missing}` } : scope

function begin(policy: CompiledPolicy, input: PolicyInput): Deciding {
  const known = input.identity.groups
  const groups = known.state === 'unknown' ? 'unclear' : new Set(known.state === 'known' ? known.value : [])
  const ofGroups = groups === 'unclear' ? [] : [...new Set([...groups].flatMap((group) => policy.grantsByGroup.get(group) ?? []))]
  const notes = groups === 'unclear' ? ['the groups of this person are unknown: rules that need them are decided strictly'] : []
  const strength = authenticationStrength(input.identity.authentication, policy.acrMeans)
  const rules = [...policy.ungroupedRules, ...ofGroups].filter(
    (rule) => rule.resource === undefined || rule.resource === input.resource.identifier,
  )
  return { policy, input, strength, groups, rules, notes, context: conditionContext(input, strength) }
}

/** Membership first, because it is cheap; then the condition. */
function applies(of: Pick<CompiledRule, 'groups' | 'when'>, deciding: Deciding): Applies {
  const member = isMember(of.groups, deciding)
  if (member === 'no') return 'no'
  const holds = of.when === undefined ? true : of.when.evaluate(deciding.context)
  if (holds === false) return 'no'
  return holds === 'unclear' || member === 'unclear' ? 'unclear' : 'yes'
}

function isMember(groups: ReadonlySet<string> | undefined, deciding: Deciding): Applies {
  if (groups === undefined) return 'yes'
  const own = deciding.groups
  if (own === 'unclear') return 'unclear'
  for (const group of groups) if (own.has(group)) return 'yes'
  return 'no'
}

function explainScopes(deciding: Deciding): readonly ScopeExplanation[] {
  const { input } = deciding
  const declared = new Map(input.resource.scopes.map((scope) => [scope.name, scope]))
  const requested =
    input.request.scopes.length > 0
      ? [...new Set(input.request.scopes)]
      : input.resource.scopes.filter((scope) => scope.isDefault).map((scope) => scope.name)
  const outcomes = new Map<CompiledRule, Applies>()
  const outcomeOf = (rule: CompiledRule): Applies => {
    const outcome = outcomes.get(rule) ?? applies(rule, deciding)
    if (!outcomes.has(rule) && outcome === 'unclear') deciding.notes.push(`${nameOf(rule)} could not be evaluated and counts strictly`)
    outcomes.set(rule, outcome)
    return outcome
  }
  return requested.map((scope) => {
    const tier = declared.get(scope)?.tier ?? undeclaredTier
    const no = (because: string, rule?: CompiledRule): ScopeExplanation => ({ scope, tier, granted: false, because, rule: rule?.name })
    if (!declared.has(scope)) return no('the resource has no such scope')
    if (input.client.scopeCeiling.length > 0 && !input.client.scopeCeiling.includes(scope)) return no("outside the client's ceiling")
    const covering = deciding.rules.filter((rule) => rule.coversScope(scope))
    const denied = firstByName(covering.filter((rule) => rule.effect === 'deny' && outcomeOf(rule) !== 'no'))
    if (denied !== undefined)
      return no(`denied by ${nameOf(denied)}${outcomeOf(denied) === 'unclear' ? ' (unclear, so it holds)' : ''}`, denied)
    const grants = firstByName(covering.filter((rule) => rule.effect === 'grant' && outcomeOf(rule) === 'yes'))
    if (grants === undefined) return no('no rule grants it')
    return { scope, tier, granted: true, because: `granted by ${nameOf(grants)}`, rule: grants.name }
  })
}

/** The rule that an explanation names does not depend on the order of rules. */
const firstByName = (rules: readonly CompiledRule[]): CompiledRule | undefined =>
  rules.reduce<CompiledRule | undefined>((first, rule) => (first === undefined || rule.name < first.name ? rule : first), undefined)

const nameOf = (rule: CompiledRule): string => `rule ${rule.name}${rule.line === undefined ? '' : ` (line ${rule.line})`}`

/** Says in plain words what is missing for the first demand that does not hold; undefined when all hold. */
function unmetDemand(deciding: Deciding, granted: readonly ScopeExplanation[]): string | undefined {
  return deciding.policy.demands
    .filter((demand) => concerns(demand, deciding, granted))
    .map((demand) => missingFor(demand, deciding))
    .find((missing) => missing !== undefined)
}

function concerns(demand: CompiledDemand, deciding: Deciding, granted: readonly ScopeExplanation[]): boolean {
  if (demand.resource !== undefined && demand.resource !== deciding.input.resource.identifier) return false
  const concerned = granted.some((scope) => (demand.tiers === undefined || demand.tiers.has(scope.tier)) && demand.coversScope(scope.scope))
  return concerned && applies(demand, deciding) !== 'no'
}

const plainStrength: Readonly<Record<AuthenticationStrength, string>> = {
  unknown: 'any proof',
  single_factor: 'one proven factor',
  multi_factor: 'multi-factor authentication',
  phishing_resistant: 'phishing-resistant authentication',
  phishing_resistant_hardware: 'phishing-resistant authentication by a key in hardware',
}

function missingFor(demand: CompiledDemand, { input, strength }: Deciding): string | undefined {
  if (!isAtLeast(strength, demand.strength))
    return `${plainStrength[demand.strength]}, which ${demand.name} demands; the identity provider proved ${strength.replaceAll('_', ' ')}`
  if (demand.freshSeconds === undefined || input.request.kind === 'refresh') return undefined
  const at = input.identity.authentication.authenticatedAt
  if (at === undefined) return `the time of the sign-in, which ${demand.name} demands; the identity provider did not say it`
  return secondsBetween(at, input.now) <= demand.freshSeconds
    ? undefined
    : `a sign-in within the last ${demand.freshSeconds} s, which ${demand.name} demands`
}
