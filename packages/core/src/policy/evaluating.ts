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
import { type ConditionContext, type PersonSeen, type Variables, variablesOf } from './context.js'
import { type GroupMatcher, type GroupSet, groupName, placesAbove } from './group-names.js'
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
  /** Claims of a policy that conditions have read until now and that could not be made. */
  readonly unmadeClaims: ReadonlySet<string>
  /** `isMember`: it was found by a group of hers. */
  readonly applies: (of: Applicability, isMember?: boolean) => Applies
}

/** `who`: with `nobody`, conditions see nothing of the person whom the input names. */
export function beginEvaluating(policy: CompiledPolicy, input: PolicyInput, who: 'person' | 'nobody' = 'person'): Evaluating {
  const facts = knownFacts(policy, input)
  const evidence = lazily((owner) => evidenceFor(owner, policy.strength, input.identity.authentication, input.identity.connectionId))
  const strengths = lazily((owner) => strengthOf(evidence(owner)))
  const unmadeClaims = new Set<string>()
  const onUnmade = (owner: PolicyOwner) => (name: string) => unmadeClaims.add(`${owner === 'vendor' ? "the vendor's " : ''}claim ${name}`)
  const seenBy = (owner: PolicyOwner): PersonSeen => ({
    strength: () => strengths(owner),
    derivedClaims: policy.derivedClaims[owner],
    onUnmade: onUnmade(owner),
  })
  const variables = lazily((owner): Variables => variablesOf(input, who === 'nobody' ? undefined : seenBy(owner)))
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
  return { policy, input, facts, evidenceFor: evidence, strengthFor: strengths, contextFor, unmadeClaims, applies }
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

function knownFacts({ placeDepths }: CompiledPolicy, { identity, client }: PolicyInput): KnownFacts {
  const { groups } = identity
  let places: readonly string[] | undefined
  return {
    groups: groups.state === 'unknown' ? 'unknown' : groups.state === 'known' ? groups.value : [],
    places: () =>
      (places ??= groups.state === 'known' ? [...new Set(groups.value.flatMap((group) => placesAbove(group, placeDepths)))] : []),
    valueOf: ({ owner, field }) => {
      const value = owner === 'claims' ? identity.claims.get(field) : field === 'id' ? client.id : client.host
      return typeof value === 'string' ? sameGuid(value) : undefined
    },
  }
}

function membership({ groups, places }: KnownFacts): (matcher: GroupMatcher) => Applies {
  if (groups === 'unknown') return () => 'unclear'
  let own: ReadonlySet<string> | undefined
  const isIn = (set: GroupSet): boolean => {
    own ??= new Set(groups.map(groupName))
    return isOverlap(set.names, own) || (set.places.size > 0 && places().some((place) => set.places.has(place)))
  }
  // A group that many rules name is asked for once.
  const known = new Map<GroupSet, boolean>()
  const isInDefined = (set: GroupSet): boolean => {
    const before = known.get(set)
    if (before !== undefined) return before
    const found = isIn(set)
    known.set(set, found)
    return found
  }
  return (matcher) => (isIn(matcher) || matcher.defined.some(isInDefined) ? 'yes' : 'no')
}

function isOverlap(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  const [few, many] = one.size < other.size ? [one, other] : [other, one]
  for (const name of few) if (many.has(name)) return true
  return false
}
