/** From a document to something that decides: every expression checked, every limit only ever tightened, rules indexed by whom they concern. */
import { err, ok, type Result } from '../result.js'
import { conditionCompiler } from './cel.js'
import { compileClaims, type DerivedClaim } from './compile-claims.js'
import { type Limits, tightenLimits, wallLimits } from './compile-limits.js'
import {
  type Applicability,
  type CompiledClientRule,
  type CompiledDemand,
  type CompiledRule,
  compileClientRules,
  compileDemands,
  compileRules,
  type PolicyOwner,
} from './compile-rules.js'
import type { Compiling } from './compiling.js'
import { type LineFinder, mistake, type PolicyDocument, parsePolicyDocument } from './document.js'
import { type PolicyMistake, policyLimits } from './error.js'
import { depthsOfPlaces, type GroupSet, groupSets, type PlaceDepths } from './group-names.js'
import { indexRules, type RuleIndex } from './rule-index.js'
import { everyScope } from './scope-pattern.js'
import {
  type AcceptedStrength,
  acceptedOf,
  compileAccepted,
  compileStrength,
  noStrengthRules,
  type StrengthRule,
  type StrengthRules,
} from './strength.js'
import { defaultSessionLimits, defaultTierLimits, type TierLimits } from './tier.js'

export type CompiledPolicy = Limits & {
  readonly version: number
  readonly wallVersion: number
  /** The wall's, for naming the ceiling that won. */
  readonly outerTierLimits: TierLimits
  /** By rank. Denies of the vendor's wall are among them. */
  readonly rules: readonly CompiledRule[]
  readonly index: RuleIndex
  readonly demands: readonly CompiledDemand[]
  readonly clientRules: readonly CompiledClientRule[]
  /** Of the places in a directory that anything in it names: no others of somebody's groups are looked at. */
  readonly placeDepths: PlaceDepths
  readonly derivedClaims: Readonly<Record<PolicyOwner, readonly DerivedClaim[]>>
  readonly strength: StrengthRules
  /** What the tenant's document calls groups by names of its own. */
  readonly ownGroups: ReadonlyMap<string, GroupSet>
}

/** The policy of the vendor: what no tenant's policy can undo. It grants nothing. */
export type Wall = Limits & Parts & { readonly version: number; readonly accepted: readonly AcceptedStrength[] }

type Parts = {
  readonly rules: readonly Omit<CompiledRule, 'rank'>[]
  readonly demands: readonly CompiledDemand[]
  readonly clientRules: readonly CompiledClientRule[]
  readonly derived: readonly DerivedClaim[]
  readonly strength: readonly StrengthRule[]
  readonly ownGroups: ReadonlyMap<string, GroupSet>
}

const defaultLimits: Limits = { tierLimits: defaultTierLimits, session: defaultSessionLimits }
const noParts: Parts = { rules: [], demands: [], clientRules: [], derived: [], strength: [], ownGroups: new Map() }

/** Of a vendor that wrote none: the table of tiers, and nothing else. */
export const defaultWall: Wall = { version: 0, accepted: [], ...defaultLimits, ...noParts }

/** Through which nothing comes: what holds when the vendor's own document cannot be read. */
export const closedWall = (version: number): Wall => ({
  ...defaultWall,
  version,
  rules: [
    {
      name: 'closed',
      effect: 'deny',
      owner: 'vendor',
      line: undefined,
      scopes: everyScope,
      resource: undefined,
      groups: undefined,
      clients: undefined,
      when: undefined,
    },
  ],
})

/** Compiles the vendor's document, or reports all of its mistakes. `isPublished`: it was accepted by an earlier version of ours, see its parts. */
export function compileWall(text: string, version = 0, isPublished = false): Result<Wall, readonly PolicyMistake[]> {
  const read = parsePolicyDocument(text)
  if (!read.ok) return read
  const { document, lineOf } = read.value
  const compiling: Compiling = { lineOf, mistakes: [], cost: 0, groups: 0, isPublished }
  const parts = compileParts(document, 'vendor', compiling)
  const wall = { version, accepted: compileAccepted(document, compiling), ...wallLimits(document, defaultLimits, compiling), ...parts }
  return withoutMistakes(compiling, () => wall)
}

export type CompileOptions = {
  /** The one under which the store keeps it; 0 is the safe default. */
  readonly version?: number | undefined
  readonly wall?: Wall
  /** Accepted before the wall was as it is: numbers that are looser than it are held to it instead of refused. */
  readonly isPublished?: boolean
}

/** Compiles a tenant's document inside the vendor's wall, or reports all of its mistakes. */
export function compilePolicy(text: string, options: CompileOptions = {}): Result<CompiledPolicy, readonly PolicyMistake[]> {
  const read = parsePolicyDocument(text)
  return read.ok ? compileDocument(read.value.document, { ...options, lineOf: read.value.lineOf }) : read
}

/** The same for a document that was read already. */
export function compileDocument(
  document: PolicyDocument,
  { version = 0, wall = defaultWall, isPublished = false, lineOf = () => undefined }: CompileOptions & { readonly lineOf?: LineFinder },
): Result<CompiledPolicy, readonly PolicyMistake[]> {
  const compiling: Compiling = { lineOf, mistakes: [], cost: 0, groups: 0 }
  const parts = compileParts(document, 'tenant', compiling)
  const limits = tightenLimits(document, wall, isPublished ? { ...compiling, mistakes: [] } : compiling)
  return withoutMistakes(compiling, () => assemble(wall, version, { ...limits, ...parts }))
}

/** What a tenant without a policy has: sign-in works, nothing is granted. */
export const safeDefault = (wall: Wall): CompiledPolicy =>
  assemble(wall, 0, { ...noParts, tierLimits: wall.tierLimits, session: wall.session })
export const safeDefaultPolicy: CompiledPolicy = safeDefault(defaultWall)

function compileParts(document: PolicyDocument, owner: PolicyOwner, compiling: Compiling): Parts {
  const { catalogue, derived } = compileClaims(document, compiling)
  const definitions = groupSets(document.groups)
  const rules = { document, owner, compile: conditionCompiler(catalogue), compiling, definitions }
  return {
    rules: compileRules(rules),
    demands: compileDemands(rules),
    clientRules: compileClientRules(rules),
    derived,
    strength: compileStrength(document, compiling),
    ownGroups: definitions,
  }
}

function withoutMistakes<T>(compiling: Compiling, make: () => T): Result<T, readonly PolicyMistake[]> {
  const { cost, mistakes } = compiling
  if (cost > policyLimits.policyCost)
    mistakes.push(mistake('policy_too_costly', 'rules', undefined, `bound ${cost}, limit ${policyLimits.policyCost}`))
  return mistakes.length > 0 ? err(mistakes) : ok(make())
}

function assemble(wall: Wall, version: number, { tierLimits, session, ...own }: Limits & Parts): CompiledPolicy {
  const rules = ranked([...wall.rules, ...own.rules])
  const [demands, clientRules] = [
    [...byName(wall.demands), ...byName(own.demands)],
    [...byName(wall.clientRules), ...byName(own.clientRules)],
  ]
  const isEmptyStrength = wall.strength.length === 0 && own.strength.length === 0
  return {
    version,
    wallVersion: wall.version,
    rules,
    index: indexRules(rules, new Set([...wall.derived, ...own.derived].map(({ name }) => name))),
    demands,
    clientRules,
    placeDepths: depthsOfPlaces(placesOf([...rules, ...demands, ...clientRules])),
    derivedClaims: { vendor: wall.derived, tenant: own.derived },
    strength: isEmptyStrength
      ? noStrengthRules
      : { vendor: wall.strength, tenant: own.strength, accepted: acceptedOf(own.strength, wall.accepted) },
    tierLimits,
    ownGroups: own.ownGroups,
    outerTierLimits: wall.tierLimits,
    session,
  }
}

function placesOf(all: readonly Applicability[]): ReadonlySet<string> {
  const sets = new Set(all.flatMap(({ groups }) => (groups === undefined ? [] : [groups, ...groups.defined])))
  return new Set([...sets].flatMap(({ places }) => [...places]))
}

/** Which of several is named where each would do does not depend on the order in which they are written. */
function byName<T extends { readonly name: string }>(list: readonly T[]): readonly T[] {
  return list.toSorted(({ name: one }, { name: other }) => (one < other ? -1 : one === other ? 0 : 1))
}

/** The wall first, then by name: which rule is named does not depend on the order in which they are written. */
function ranked(rules: readonly Omit<CompiledRule, 'rank'>[]): readonly CompiledRule[] {
  const isBefore = (one: Omit<CompiledRule, 'rank'>, other: Omit<CompiledRule, 'rank'>): boolean =>
    one.owner === other.owner ? one.name < other.name : one.owner === 'vendor'
  return rules.toSorted((one, other) => (isBefore(one, other) ? -1 : 1)).map((rule, rank) => ({ ...rule, rank }))
}
