/** Which rules say something in vain beside another: each is compared with each, as far as that is little work. */
import type { ClientMatcher } from './client-match.js'
import type { CompiledRule } from './compile-rules.js'
import { policyLimits } from './error.js'
import { type GroupMatcher, placesAbove } from './group-names.js'
import { lintLimits } from './lint-limits.js'
import { haveScopeInCommon, type ScopePatterns } from './scope-pattern.js'

export type PairWarning = 'grant_always_denied' | 'grant_conflicts' | 'rule_repeats'
type Found = (kind: PairWarning, rule: CompiledRule, other: string) => void

/** Stops after each rule. What is left of `comparedGroups` is counted, so it ends; the rule at which it did is the answer. */
export function* comparePairs(
  own: readonly CompiledRule[],
  all: readonly CompiledRule[],
  found: Found,
): Generator<undefined, CompiledRule | undefined> {
  const people = comparePeople(all)
  const partial = all.filter(({ effect }) => effect === 'deny')
  const total = partial.filter(({ groups, clients, when }) => groups === undefined && clients === undefined && when === undefined)
  for (const rule of own) {
    if (people.left() < 0) return rule
    const [kind, other] = findFor(rule, { total, partial, wide: own, people })
    if (kind !== undefined && other !== undefined && people.left() >= 0) found(kind, rule, other.name)
    yield
  }
  return people.left() < 0 ? own.at(-1) : undefined
}

type Candidates = {
  readonly total: readonly CompiledRule[]
  readonly partial: readonly CompiledRule[]
  readonly wide: readonly CompiledRule[]
  readonly people: People
}

function findFor(rule: CompiledRule, { total, partial, wide, people }: Candidates): readonly [PairWarning?, CompiledRule?] {
  if (rule.effect === 'grant') {
    const always = total.find((deny) => coversAll(deny, rule))
    if (always) return ['grant_always_denied', always]
    const some = partial.find((deny) => isNoNarrower(deny, rule) && isSomeScope(deny, rule) && people.isOverlap(deny, rule))
    if (some) return ['grant_conflicts', some]
  }
  const wider = wide.find((other) => other !== rule && saysMore(other, rule, people))
  return wider ? ['rule_repeats', wider] : []
}

const isForResourceOf = (one: CompiledRule, other: CompiledRule): boolean => one.resource === undefined || one.resource === other.resource

function coversAll(wide: CompiledRule, narrow: CompiledRule): boolean {
  if (!isForResourceOf(wide, narrow)) return false
  for (const name of narrow.scopes.names) if (!wide.scopes.covers(name)) return false
  return patternsWithin(narrow.scopes, wide.scopes)
}

/** A pattern is surely within another only if it is the same, or the other is `*`. */
const patternsWithin = (narrow: ScopePatterns, wide: ScopePatterns): boolean =>
  narrow.patterns.every((pattern) => wide.patterns.includes('*') || wide.patterns.includes(pattern))

function isSomeScope(deny: CompiledRule, grant: CompiledRule): boolean {
  if (deny.resource !== undefined && grant.resource !== undefined && deny.resource !== grant.resource) return false
  return haveScopeInCommon(deny.scopes, grant.scopes)
}

/** Wherever the narrow one applies, the condition and the clients of the wide one let it apply too: it has none, or the same. */
const isNoNarrower = (wide: CompiledRule, narrow: CompiledRule): boolean =>
  (wide.when === undefined || wide.when.source === narrow.when?.source) &&
  (wide.clients === undefined || (narrow.clients !== undefined && clientsKey(wide.clients) === clientsKey(narrow.clients)))

const clientsKeys = new WeakMap<ClientMatcher, string>()
function clientsKey(clients: ClientMatcher): string {
  const known = clientsKeys.get(clients)
  if (known !== undefined) return known
  const { ids, hosts, hostSuffixes, kinds } = clients
  const key = JSON.stringify([ids, hosts, hostSuffixes, kinds].map((list) => (list === undefined ? null : [...list].toSorted())))
  clientsKeys.set(clients, key)
  return key
}

/** The same effect, at least the same scopes, at least the same people, and no condition that could make it less. Of twins the later repeats. */
function saysMore(wide: CompiledRule, narrow: CompiledRule, people: People): boolean {
  if (wide.effect !== narrow.effect || !isNoNarrower(wide, narrow) || !coversAll(wide, narrow) || !people.isWithin(narrow, wide))
    return false
  const isTwin = isNoNarrower(narrow, wide) && coversAll(narrow, wide) && people.isWithin(wide, narrow)
  return !isTwin || wide.rank < narrow.rank
}

const nobody: ReadonlySet<string> = new Set()
const depths = Array.from({ length: policyLimits.placeDepth }, (_, index) => index + 1)
const everyDepth = { ofPaths: depths, ofNames: depths }

/** Looked at again sooner than an answer is kept. */
const fewGroups = 16

type People = {
  /** A deny for everybody means whomever a grant means, one for a place whoever is below it. One below the grant's own place is its exception. */
  readonly isOverlap: (deny: CompiledRule, grant: CompiledRule) => boolean
  /** Whoever the narrow one means, the wide one means. */
  readonly isWithin: (narrow: CompiledRule, wide: CompiledRule) => boolean
  /** How many more groups are looked for; below zero, answers are worth nothing. */
  readonly left: () => number
}

/** All that a rule says of groups: the same one for rules that say the same. */
type Whole = { readonly names: ReadonlySet<string>; readonly places: ReadonlySet<string> }

/** Of the same two large ones it is asked once, however many rules say them. */
function comparePeople(all: readonly CompiledRule[]): People {
  let left: number = lintLimits.comparedGroups
  const wholes = new Map(all.flatMap((rule) => (rule.groups === undefined ? [] : [[rule, wholeOf(rule.groups)] as const])))
  const within = new Map<Whole, Map<Whole, boolean>>()
  const overlaps = new Map<Whole, Map<Whole, boolean>>()
  const isIn = (set: ReadonlySet<string>, name: string): boolean => {
    left -= 1
    return set.has(name)
  }
  const every = (narrow: ReadonlySet<string>, wide: ReadonlySet<string>): boolean => {
    if (narrow.size > wide.size) return false
    for (const name of narrow) if (left < 0 || !isIn(wide, name)) return false
    return true
  }
  const some = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean => {
    const [few, many] = one.size < other.size ? [one, other] : [other, one]
    for (const name of few) {
      if (left < 0) return false
      if (isIn(many, name)) return true
    }
    return false
  }
  /** At it or above it. */
  const isBelow = (place: string, places: ReadonlySet<string>): boolean =>
    places.size > 0 && placesAbove(place, everyDepth).some((above) => left >= 0 && isIn(places, above))
  const someBelow = (below: ReadonlySet<string>, above: ReadonlySet<string>): boolean => {
    for (const place of below) if (left < 0 || isBelow(place, above)) return left >= 0
    return false
  }
  const everyBelow = (below: ReadonlySet<string>, above: ReadonlySet<string>): boolean => {
    for (const place of below) if (left < 0 || !isBelow(place, above)) return false
    return true
  }
  const once = (known: Map<Whole, Map<Whole, boolean>>, [one, other]: readonly [Whole, Whole], ask: () => boolean): boolean => {
    left -= 1
    if (one.names.size + one.places.size < fewGroups) return ask()
    const answers = known.get(one) ?? new Map<Whole, boolean>()
    known.set(one, answers)
    const answer = answers.get(other) ?? ask()
    answers.set(other, answer)
    return answer
  }
  return {
    left: () => left,
    isOverlap: (a, b) => {
      const [one, other] = [wholes.get(a), wholes.get(b)]
      if (one === undefined) return true
      const ask = () => some(one.names, other?.names ?? nobody) || someBelow(other?.places ?? nobody, one.places)
      return other !== undefined && once(overlaps, [one, other], ask)
    },
    isWithin: (a, b) => {
      const [narrow, wide] = [wholes.get(a), wholes.get(b)]
      if (wide === undefined || narrow === wide) return true
      return (
        narrow !== undefined &&
        once(within, [narrow, wide], () => every(narrow.names, wide.names) && everyBelow(narrow.places, wide.places))
      )
    },
  }
}

/** Rules that name one defined group and nothing else share what it stands for. */
function wholeOf(groups: GroupMatcher): Whole {
  const { names, places, defined } = groups
  const [only] = defined
  if (only === undefined) return groups
  if (names.size + places.size === 0 && defined.length === 1) return only
  const sets = [groups, ...defined]
  return { names: new Set(sets.flatMap((set) => [...set.names])), places: new Set(sets.flatMap((set) => [...set.places])) }
}
