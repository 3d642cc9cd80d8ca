/** Which rules say something in vain beside another: each is compared with each, as far as that is little work. */
import type { CompiledRule } from './compile-rules.js'
import type { GroupMatcher } from './group-names.js'
import { lintLimits } from './lint-limits.js'
import type { ScopePatterns } from './scope-pattern.js'

export type PairWarning = 'grant_always_denied' | 'grant_conflicts' | 'rule_repeats'
type Found = (kind: PairWarning, rule: CompiledRule, other: string) => void

/** Stops after each rule. What is left of `comparedGroups` is counted, so it ends; the rule at which it did is the answer. */
export function* comparePairs(
  own: readonly CompiledRule[],
  all: readonly CompiledRule[],
  found: Found,
): Generator<undefined, CompiledRule | undefined> {
  const people = comparePeople(all)
  const denies = all.filter(({ effect, when }) => effect === 'deny' && when === undefined)
  const total = denies.filter(({ groups, clients }) => groups === undefined && clients === undefined)
  const partial = denies.filter(({ groups, clients }) => groups !== undefined && clients === undefined)
  const wide = own.filter(({ when, clients }) => when === undefined && clients === undefined)
  for (const rule of own) {
    if (people.left() < 0) return rule
    const [kind, other] = findFor(rule, { total, partial, wide, people })
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
    const some = partial.find((deny) => isSomeScope(deny, rule) && people.isOverlap(deny, rule))
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
  for (const name of grant.scopes.names) if (deny.scopes.covers(name)) return true
  for (const name of deny.scopes.names) if (grant.scopes.covers(name)) return true
  return false
}

/** The same effect, at least the same scopes, at least the same people, and no condition that could make it less. Of twins the later repeats. */
function saysMore(wide: CompiledRule, narrow: CompiledRule, people: People): boolean {
  if (wide.effect !== narrow.effect || !coversAll(wide, narrow) || !people.isWithin(narrow, wide)) return false
  const isTwin = narrow.when === undefined && narrow.clients === undefined && coversAll(narrow, wide) && people.isWithin(wide, narrow)
  return !isTwin || wide.rank < narrow.rank
}

/** Looked at again sooner than an answer is kept. */
const fewGroups = 16

type People = {
  /** Somebody is certainly meant by both. */
  readonly isOverlap: (one: CompiledRule, other: CompiledRule) => boolean
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
      return one !== undefined && other !== undefined && once(overlaps, [one, other], () => some(one.names, other.names))
    },
    isWithin: (a, b) => {
      const [narrow, wide] = [wholes.get(a), wholes.get(b)]
      if (wide === undefined || narrow === wide) return true
      return (
        narrow !== undefined && once(within, [narrow, wide], () => every(narrow.names, wide.names) && every(narrow.places, wide.places))
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
