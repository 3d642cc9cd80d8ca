/**
 * One decision under way: what is known of the person, and whether a rule applies to her.
 *
 * Membership and clients are asked first, because they are cheap; variables are made only when a condition reads them. The vendor's
 * conditions never see what the tenant's document makes of a login: its claims and its meanings of evidence.
 */
import type { AuthenticationStrength } from '../identity/authentication-strength.js'
import { isMeant } from './client-match.js'
import type { CompiledPolicy } from './compile.js'
import type { DerivedClaim } from './compile-claims.js'
import type { Applicability, PolicyOwner } from './compile-rules.js'
import { type ConditionContext, conditionContext, requestContext } from './context.js'
import { type GroupMatcher, groupName, placesAbove } from './group-names.js'
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
  readonly contextFor: (owner: PolicyOwner) => ConditionContext
  /** `isMember`: it was found by a group of hers. */
  readonly applies: (of: Applicability, isMember?: boolean) => Applies
}

/** `who`: with `nobody`, conditions see nothing of the person whom the input names. */
export function beginEvaluating(policy: CompiledPolicy, input: PolicyInput, who: 'person' | 'nobody' = 'person'): Evaluating {
  const facts = knownFacts(policy, input)
  const evidence = lazily((owner: PolicyOwner) =>
    evidenceFor(owner, policy.strength, input.identity.authentication, input.identity.connectionId),
  )
  const strengths = lazily((owner: PolicyOwner) => strengthOf(evidence(owner)))
  const contexts = lazily((owner: PolicyOwner) =>
    who === 'nobody' ? requestContext(input) : conditionContext(input, strengths(owner), policy.derivedClaims[owner]),
  )
  const isMember = membership(facts)
  const judge = ({ owner, groups, clients, when }: Applicability, isFoundAsMember: boolean): Applies => {
    const member = groups === undefined || isFoundAsMember ? 'yes' : isMember(groups)
    if (member === 'no') return 'no'
    const meant = isMeant(clients, input.client)
    if (meant === 'no') return 'no'
    const holds = when === undefined ? true : when.evaluate(contexts(owner))
    if (holds === false) return 'no'
    return holds === 'unclear' || member === 'unclear' || meant === 'unclear' ? 'unclear' : 'yes'
  }
  // Each rule once: several scopes ask for it, and an explanation asks again.
  const judged = new Map<Applicability, Applies>()
  const applies = (of: Applicability, isFoundAsMember = false): Applies => {
    const known = judged.get(of)
    if (known !== undefined) return known
    const outcome = judge(of, isFoundAsMember)
    judged.set(of, outcome)
    return outcome
  }
  return { policy, input, facts, evidenceFor: evidence, strengthFor: strengths, contextFor: contexts, applies }
}

function lazily<T>(make: (owner: PolicyOwner) => T): (owner: PolicyOwner) => T {
  const made: Partial<Record<PolicyOwner, T>> = {}
  return (owner) => (made[owner] ??= make(owner))
}

function knownFacts({ derivedClaims }: CompiledPolicy, { identity, client }: PolicyInput): KnownFacts {
  const { groups } = identity
  let places: readonly string[] | undefined
  return {
    groups: groups.state === 'unknown' ? 'unknown' : groups.state === 'known' ? groups.value : [],
    places: () => (places ??= groups.state === 'known' ? [...new Set(groups.value.flatMap(placesAbove))] : []),
    valueOf: (fact) => {
      if (fact === 'client.id') return client.id
      if (fact === 'client.host') return client.host
      const name = fact.slice('claims.'.length)
      // What a condition reads under this name is not what the login said.
      if (isDerived(derivedClaims.vendor, name) || isDerived(derivedClaims.tenant, name)) return undefined
      const claim = identity.claims.get(name)
      return typeof claim === 'string' ? claim : undefined
    },
  }
}

const isDerived = (claims: readonly DerivedClaim[], name: string): boolean => claims.some((claim) => claim.name === name)

function membership({ groups, places }: KnownFacts): (matcher: GroupMatcher) => Applies {
  if (groups === 'unknown') return () => 'unclear'
  let own: ReadonlySet<string> | undefined
  return (matcher) => {
    own ??= new Set(groups.map(groupName))
    for (const name of matcher.names) if (own.has(name)) return 'yes'
    return matcher.places.size > 0 && places().some((place) => matcher.places.has(place)) ? 'yes' : 'no'
  }
}
