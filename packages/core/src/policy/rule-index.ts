/**
 * Finds the rules that could apply to somebody, so that a decision costs what those cost and not what all of them do.
 *
 * Each rule stands under one fact without which it certainly does not apply: the client, a claim, a group. Whoever lacks the fact never
 * meets the rule. Where a fact is unknown every rule that stands under it is met, because a deny that nobody can judge holds. Inside,
 * rules stand by the scopes that they name.
 */
import { type FactName, groupsFact } from './cel-facts.js'
import type { CompiledRule } from './compile-rules.js'
import { type GroupSet, groupName } from './group-names.js'

/** Rules by the scopes that they name, and those with patterns, which must be asked. */
type ScopeBucket = {
  readonly byScope: Map<string, CompiledRule[]>
  readonly withPattern: CompiledRule[]
  /** Whoever finds it is in a group of each of its rules: nobody need ask again. */
  readonly isOfMembers: boolean
}
type Bucket = { readonly deny: ScopeBucket; readonly grant: ScopeBucket }
type Buckets = Map<string, Bucket[]>
/** `all`: for whoever does not know the fact. */
type Values = { readonly byValue: Map<string, Bucket>; readonly all: Bucket }

/** A text that a login or a request says: a claim, or a name of the client. */
type Fact = { readonly owner: 'claims' | 'client'; readonly field: string }

export type RuleIndex = {
  readonly always: Bucket
  readonly byFact: readonly (Fact & Values)[]
  readonly byGroup: Values
  readonly byPlace: ReadonlyMap<string, Bucket>
  /** One for each group that a document defines, under every name and place of it: rules stand there once, however much it lists. */
  readonly definedByName: Buckets
  readonly definedByPlace: Buckets
}

/** What is known of somebody: texts by fact, `undefined` where nobody knows; groups as the IdP names them. */
export type KnownFacts = {
  readonly valueOf: (fact: Fact) => string | undefined
  readonly groups: readonly string[] | 'unknown'
  readonly places: () => readonly string[]
}

export type Candidates = { readonly deny: readonly ScopeBucket[]; readonly grant: readonly ScopeBucket[] }

const emptyScopes = (isOfMembers: boolean): ScopeBucket => ({ byScope: new Map(), withPattern: [], isOfMembers })
const emptyBucket = (): Bucket => ({ deny: emptyScopes(false), grant: emptyScopes(false) })
const bucketOfMembers = (): Bucket => ({ deny: emptyScopes(true), grant: emptyScopes(true) })
const noValues = (): Values => ({ byValue: new Map(), all: emptyBucket() })

/** `made`: the claims that a policy makes. What a condition reads under such a name is not what the login said, so it is nothing to look up. */
export function indexRules(rules: readonly CompiledRule[], made: ReadonlySet<string>): RuleIndex {
  const always = emptyBucket()
  const byFact = new Map<FactName, Values>()
  const byGroup = noValues()
  const byPlace = new Map<string, Bucket>()
  const byDefinition = new Map<GroupSet, Bucket>()
  const isSaid = (fact: FactName): boolean =>
    fact !== 'resource' && !(fact.startsWith(claimFacts) && made.has(fact.slice(claimFacts.length)))
  for (const rule of rules) {
    const place = placeOfRule(rule, isSaid)
    if (place === undefined) add(always, rule)
    else if (place.fact === groupsFact) {
      add(byGroup.all, rule)
      for (const name of place.values) add(getOrMake(byGroup.byValue, name, bucketOfMembers), rule)
      for (const at of place.places) add(getOrMake(byPlace, at, bucketOfMembers), rule)
      for (const set of place.defined) add(getOrMake(byDefinition, set, bucketOfMembers), rule)
    } else {
      const values = getOrMake(byFact, place.fact, noValues)
      add(values.all, rule)
      for (const value of place.values) add(getOrMake(values.byValue, value, emptyBucket), rule)
    }
  }
  const facts = [...byFact].map(([name, values]) => ({ ...factOf(name), ...values }))
  const definedByName = bucketsOf(byDefinition, ({ names }) => names)
  return { always, byFact: facts, byGroup, byPlace, definedByName, definedByPlace: bucketsOf(byDefinition, ({ places }) => places) }
}

function bucketsOf(byDefinition: ReadonlyMap<GroupSet, Bucket>, keysOf: (set: GroupSet) => ReadonlySet<string>): Buckets {
  const buckets: Buckets = new Map()
  for (const [set, bucket] of byDefinition) for (const key of keysOf(set)) getOrMake(buckets, key, () => []).push(bucket)
  return buckets
}

const claimFacts = 'claims.'
const factOf = (name: FactName): Fact =>
  name.startsWith(claimFacts)
    ? { owner: 'claims', field: name.slice(claimFacts.length) }
    : { owner: 'client', field: name.slice('client.'.length) }

type Standing = {
  readonly fact: FactName
  readonly values: ReadonlySet<string>
  readonly places: ReadonlySet<string>
  readonly defined: readonly GroupSet[]
}
const nowhere = { places: new Set<string>(), defined: [] }

/** The fact that leaves the fewest people: the client, then groups, then whatever else the condition needs. */
function placeOfRule({ groups, clients, when }: CompiledRule, isSaid: (fact: FactName) => boolean): Standing | undefined {
  const facts = when?.facts
  const ids = clients?.ids ?? facts?.get('client.id')
  if (ids) return { fact: 'client.id', values: ids, ...nowhere }
  const hosts = facts?.get('client.host')
  if (hosts) return { fact: 'client.host', values: hosts, ...nowhere }
  if (groups) return { fact: groupsFact, values: groups.names, places: groups.places, defined: groups.defined }
  const inGroups = facts?.get(groupsFact)
  if (inGroups) return { fact: groupsFact, values: new Set([...inGroups].map(groupName)), ...nowhere }
  for (const [fact, values] of facts ?? []) if (isSaid(fact)) return { fact, values, ...nowhere }
  return undefined
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

function add(bucket: Bucket, rule: CompiledRule): void {
  const { byScope, withPattern } = bucket[rule.effect]
  if (rule.scopes.patterns.length > 0) withPattern.push(rule)
  else for (const scope of rule.scopes.names) getOrMake(byScope, scope, () => []).push(rule)
}

/** The buckets in which every rule stands that could deny, or grant, somebody of whom this is known. */
export function candidatesFor(index: RuleIndex, known: KnownFacts): Candidates {
  const deny: ScopeBucket[] = []
  const grant: ScopeBucket[] = []
  const take = (bucket: Bucket | undefined): void => {
    if (bucket === undefined) return
    if (!isEmpty(bucket.deny)) deny.push(bucket.deny)
    if (!isEmpty(bucket.grant)) grant.push(bucket.grant)
  }
  take(index.always)
  for (const fact of index.byFact) {
    const value = known.valueOf(fact)
    take(value === undefined ? fact.all : fact.byValue.get(value))
  }
  if (known.groups === 'unknown') take(index.byGroup.all)
  else takeOfGroups(index, { groups: known.groups, places: known.places }, take)
  return { deny, grant }
}

/** A group that the document defines is met once, however many of hers it lists. */
function takeOfGroups(
  { byGroup, byPlace, definedByName, definedByPlace }: RuleIndex,
  { groups, places }: { readonly groups: readonly string[]; readonly places: () => readonly string[] },
  take: (bucket: Bucket | undefined) => void,
): void {
  const met = new Set<Bucket>()
  const isByName = byGroup.byValue.size + definedByName.size > 0
  if (isByName)
    for (const group of groups) {
      const name = groupName(group)
      take(byGroup.byValue.get(name))
      for (const bucket of definedByName.get(name) ?? none) met.add(bucket)
    }
  if (byPlace.size + definedByPlace.size > 0)
    for (const place of places()) {
      take(byPlace.get(place))
      for (const bucket of definedByPlace.get(place) ?? none) met.add(bucket)
    }
  for (const bucket of met) take(bucket)
}

const none: readonly Bucket[] = []

const isEmpty = ({ byScope, withPattern }: ScopeBucket): boolean => byScope.size === 0 && withPattern.length === 0

/** Of the rules among them that cover a scope of a resource and that are wanted, the first by rank. */
export function firstRule(
  buckets: readonly ScopeBucket[],
  { scope, resource }: { readonly scope: string; readonly resource: string },
  isWanted: (rule: CompiledRule, isMember: boolean) => boolean,
): CompiledRule | undefined {
  let first: CompiledRule | undefined
  const consider = (rule: CompiledRule, isMember: boolean): void => {
    if (rule.resource !== undefined && rule.resource !== resource) return
    if ((first === undefined || rule.rank < first.rank) && isWanted(rule, isMember)) first = rule
  }
  for (const { byScope, withPattern, isOfMembers } of buckets) {
    const named = byScope.get(scope)
    if (named !== undefined) for (const rule of named) consider(rule, isOfMembers)
    for (const rule of withPattern) if (rule.scopes.covers(scope)) consider(rule, isOfMembers)
  }
  return first
}
