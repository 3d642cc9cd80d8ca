/**
 * One decision under way: what is known of the person, and whether a rule applies to her.
 *
 * Membership and clients are asked first, because they are cheap; variables are made only when a condition reads them. The vendor's
 * conditions never see what the tenant's document makes of a login: its claims and its meanings of evidence.
 */
import type { AuthenticationStrength } from '../identity/authentication-strength.js'
import type { Condition } from './cel.js'
import type { VariableName } from './cel-variables.js'
import { isMeant } from './client-match.js'
import type { CompiledPolicy } from './compile.js'
import type { Applicability, PolicyOwner } from './compile-rules.js'
import { type ConditionContext, type Variables, variablesOf } from './context.js'
import { type GroupMatcher, groupName, placesAbove } from './group-names.js'
import { sameGuid } from './guids.js'
import type { PolicyInput } from './input.js'
import type { KnownFacts } from './rule-index.js'
import { type Evidence, evidenceFor, strengthOf } from './strength.js'

export type Applies = 'yes' | 'no' | 'unclear'

export type Evaluating = {
  readonly policy: CompiledPolicy
  readonly input: PolicyInput
  readonly facts: KnownFacts
  readonly evidenceFor: (owner: PolicyOwner) => readonly Evidence[]
  readonly strengthFor: (owner: PolicyOwner) => AuthenticationStrength
  /** The variables that are asked for; of others nothing is promised. */
  readonly contextFor: (owner: PolicyOwner, reads: readonly VariableName[]) => ConditionContext
  /** `isMember`: it was found by a group of hers. */
  readonly applies: (of: Applicability, isMember?: boolean) => Applies
}

/** `who`: with `nobody`, conditions see nothing of the person whom the input names. */
export function beginEvaluating(policy: CompiledPolicy, input: PolicyInput, who: 'person' | 'nobody' = 'person'): Evaluating {
  const facts = knownFacts(input)
  const evidence = lazily((owner) => evidenceFor(owner, policy.strength, input.identity.authentication, input.identity.connectionId))
  const strengths = lazily((owner) => strengthOf(evidence(owner)))
  const variables = lazily(
    (owner): Variables =>
      variablesOf(input, who === 'nobody' ? undefined : { strength: () => strengths(owner), derivedClaims: policy.derivedClaims[owner] }),
  )
  const contextFor = (owner: PolicyOwner, reads: readonly VariableName[]): ConditionContext => variables(owner)(reads)
  const holds = onceEach((when, owner) => when.evaluate(contextFor(owner, when.variables)))
  const isMember = membership(facts)
  const applies = ({ owner, groups, clients, when }: Applicability, isFoundAsMember = false): Applies => {
    const member = groups === undefined || isFoundAsMember ? 'yes' : isMember(groups)
    if (member === 'no') return 'no'
    const meant = isMeant(clients, input.client)
    if (meant === 'no') return 'no'
    const outcome = when === undefined ? true : holds(when, owner)
    if (outcome === false) return 'no'
    return outcome === 'unclear' || member === 'unclear' || meant === 'unclear' ? 'unclear' : 'yes'
  }
  return { policy, input, facts, evidenceFor: evidence, strengthFor: strengths, contextFor, applies }
}

function lazily<T>(make: (owner: PolicyOwner) => T): (owner: PolicyOwner) => T {
  let vendor: T | undefined
  let tenant: T | undefined
  return (owner) => (owner === 'vendor' ? (vendor ??= make(owner)) : (tenant ??= make(owner)))
}

type Holds = ReturnType<Condition['evaluate']>

/** Each condition belongs to one rule, and so to one owner. Several scopes ask for the rule, and an explanation asks again. */
function onceEach(evaluate: (when: Condition, owner: PolicyOwner) => Holds): typeof evaluate {
  let known: Map<Condition, Holds> | undefined
  return (when, owner) => {
    known ??= new Map()
    const before = known.get(when)
    if (before !== undefined) return before
    const outcome = evaluate(when, owner)
    known.set(when, outcome)
    return outcome
  }
}

function knownFacts({ identity, client }: PolicyInput): KnownFacts {
  const { groups } = identity
  let places: readonly string[] | undefined
  return {
    groups: groups.state === 'unknown' ? 'unknown' : groups.state === 'known' ? groups.value : [],
    places: () => (places ??= groups.state === 'known' ? [...new Set(groups.value.flatMap(placesAbove))] : []),
    valueOf: ({ owner, field }) => {
      const value = owner === 'claims' ? identity.claims.get(field) : field === 'id' ? client.id : client.host
      return typeof value === 'string' ? sameGuid(value) : undefined
    },
  }
}

function membership({ groups, places }: KnownFacts): (matcher: GroupMatcher) => Applies {
  if (groups === 'unknown') return () => 'unclear'
  let own: ReadonlySet<string> | undefined
  return (matcher) => {
    own ??= new Set(groups.map(groupName))
    for (const name of matcher.names) if (own.has(name)) return 'yes'
    return matcher.places.size > 0 && places().some((place) => matcher.places.has(place)) ? 'yes' : 'no'
  }
}
