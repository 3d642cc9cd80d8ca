/**
 * Replay: the same logins decided under two policies, and who is better or worse off. Only the policy differs: both decide what was recorded,
 * at the time of the record.
 *
 * What somebody gains is what rules grant her now and did not before. That she is no longer asked for something, or let in because what was
 * missing is not demanded any more, is told apart from it: a deny that takes away the one scope that demanded a second factor lets her in
 * with the rest, and yet gives her nothing.
 */
import type { ClientId, RecordedLoginId, ResourceIdentifier, Scope } from '../tenant/ids.js'
import type { LifetimeChange } from './compare.js'
import type { CompiledPolicy } from './compile.js'
import { judge } from './decide.js'
import type { PolicyDecision } from './decision.js'
import type { PolicyInput } from './input.js'
import { recordedLoginLimits } from './recorded-login.js'

export const replayLimits = {
  /** Logins of one replay. */
  logins: recordedLoginLimits.perTenant,
  /** How long one replay decides, in milliseconds. What it has not come to by then it says. */
  milliseconds: 10_000,
  /** How long it decides at a stretch before others have their turn, in milliseconds. */
  stretchMilliseconds: 10,
  people: 200,
  changesPerPerson: 10,
  /** In all that is told of people; whoever does not fit any more is left out. */
  scopesTold: 20_000,
} as const

/** The worst first: in this order people are shown. */
export const replayEffects = ['shutOut', 'loses', 'asked', 'livesShorter', 'letIn', 'gains', 'askedNoMore', 'livesLonger'] as const
export type ReplayEffect = (typeof replayEffects)[number]

export type ScopeChange = { readonly scope: Scope; readonly because: string }

export type LoginChange = {
  readonly outcome: { readonly from: PolicyDecision['kind']; readonly to: PolicyDecision['kind'] }
  /** Never empty. */
  readonly effects: readonly ReplayEffect[]
  /** What rules grant now and did not before, and which of them. */
  readonly gained: readonly ScopeChange[]
  /** What rules granted before and do not now, and which of them says so. */
  readonly lost: readonly ScopeChange[]
  /** What she has in the end. */
  readonly granted: { readonly from: readonly Scope[]; readonly to: readonly Scope[] }
  /** Absent: the same, or there is no token on one side. */
  readonly accessTokenSeconds?: LifetimeChange
  /** `undefined` on a side where there is no such token. Absent: the same. */
  readonly refreshTokenSeconds?: LifetimeChange
  /** What she is asked for, or refused for want of. */
  readonly missing: string | undefined
}

/** `undefined`: nothing changes for this login. */
export function replayLogin(present: CompiledPolicy, other: CompiledPolicy, input: PolicyInput): LoginChange | undefined {
  const [before, after] = [reach(present, input), reach(other, input)]
  const gained = difference(after, before, after)
  const lost = difference(before, after, after)
  const lives = lifetimesOf(before.decision, after.decision)
  const effects = effectsOf(before.decision, after.decision, { gained, lost, ...lives })
  if (effects.length === 0) return undefined
  return {
    outcome: { from: before.decision.kind, to: after.decision.kind },
    effects,
    gained,
    lost,
    granted: { from: grantedBy(before.decision), to: grantedBy(after.decision) },
    ...lives,
    missing: after.decision.kind === 'allow' ? undefined : after.decision.missing,
  }
}

type Reach = { readonly decision: PolicyDecision; readonly scopes: readonly Scope[] }

/** What rules grant, whether or not something else is still missing; of somebody who is refused, nothing counts as lost any more. */
function reach(policy: CompiledPolicy, input: PolicyInput): Reach {
  const { decision, judged } = judge(policy, input)
  return { decision, scopes: judged.granted.map(({ scope }) => scope) }
}

/** What `has` and `other` has not; the reason is that of the decision that is new. */
function difference(has: Reach, other: Reach, fresh: Reach): readonly ScopeChange[] {
  if (has.decision.kind === 'deny') return []
  const isLost = has !== fresh
  const kept = isLost && other.decision.kind === 'deny' ? [] : other.scopes
  return fresh.decision.explanation.scopes.flatMap(({ scope, because }) =>
    has.scopes.includes(scope) && !kept.includes(scope) ? [{ scope, because }] : [],
  )
}

const grantedBy = (decision: PolicyDecision): readonly Scope[] => (decision.kind === 'allow' ? decision.scopes : [])

function lifetimesOf(before: PolicyDecision, after: PolicyDecision): Pick<LoginChange, 'accessTokenSeconds' | 'refreshTokenSeconds'> {
  if (before.kind !== 'allow' || after.kind !== 'allow') return {}
  const access = { from: before.accessTokenTtl.seconds, to: after.accessTokenTtl.seconds }
  const refresh = { from: before.refreshTokenTtl?.seconds, to: after.refreshTokenTtl?.seconds }
  return {
    ...(access.from !== access.to && { accessTokenSeconds: access }),
    ...(refresh.from !== refresh.to && { refreshTokenSeconds: refresh }),
  }
}

function effectsOf(
  before: PolicyDecision,
  after: PolicyDecision,
  {
    gained,
    lost,
    accessTokenSeconds,
    refreshTokenSeconds,
  }: Pick<LoginChange, 'gained' | 'lost' | 'accessTokenSeconds' | 'refreshTokenSeconds'>,
): readonly ReplayEffect[] {
  const lives = [accessTokenSeconds, refreshTokenSeconds].flatMap((change) =>
    change === undefined ? [] : [(change.to ?? 0) - (change.from ?? 0)],
  )
  const isDemandNew = after.kind === 'stepUp' && !(before.kind === 'stepUp' && before.demand === after.demand)
  const holds: Readonly<Record<ReplayEffect, boolean>> = {
    shutOut: before.kind !== 'deny' && after.kind === 'deny',
    loses: lost.length > 0,
    asked: isDemandNew,
    livesShorter: lives.some((seconds) => seconds < 0),
    letIn: before.kind === 'deny' && after.kind === 'allow',
    gains: gained.length > 0,
    askedNoMore: before.kind === 'stepUp' && after.kind === 'allow',
    livesLonger: lives.some((seconds) => seconds > 0),
  }
  return replayEffects.filter((effect) => holds[effect])
}

/** A login that was recorded, decided anew. */
export type Replayed = {
  readonly id: RecordedLoginId
  readonly person: ReplayedIdentity
  readonly clientId: ClientId
  readonly resource: ResourceIdentifier
  readonly change: LoginChange | undefined
}
export type ReplayedIdentity = Pick<PolicyInput['identity'], 'connectionId' | 'stableId' | 'subjectId'> & {
  readonly email: string | undefined
}

/** Logins of one person that change alike: how many, and the newest of them. */
export type PersonChange = LoginChange & {
  readonly clientId: ClientId
  readonly resource: ResourceIdentifier
  readonly logins: number
  readonly newest: Replayed['id']
}

export type ReplayedPerson = {
  readonly person: ReplayedIdentity
  readonly logins: number
  readonly changed: number
  readonly effects: readonly ReplayEffect[]
  readonly changes: readonly PersonChange[]
  readonly changesLeftOut: number
}

type Counted = { readonly logins: number; readonly people: number }
export type ReplayReport = {
  readonly all: Counted
  readonly changed: Counted
  readonly effects: Readonly<Record<ReplayEffect, Counted>>
  /** Those for whom something changes, the worst off first. */
  readonly people: readonly ReplayedPerson[]
  readonly peopleLeftOut: number
}

/** `replayed`: the newest first. */
export function reportReplay(replayed: readonly Replayed[]): ReplayReport {
  const everybody = groupsBy(replayed, personOf).map(reportPerson)
  const touched = everybody.filter(({ changed }) => changed > 0).toSorted(byWorst)
  const people = firstThatFit(touched)
  const changed = replayed.flatMap(({ change }) => change ?? [])
  const count = (effect: ReplayEffect): Counted => ({
    logins: changed.filter(({ effects }) => effects.includes(effect)).length,
    people: touched.filter(({ effects }) => effects.includes(effect)).length,
  })
  return {
    all: { logins: replayed.length, people: everybody.length },
    changed: { logins: changed.length, people: touched.length },
    effects: Object.fromEntries(replayEffects.map((effect) => [effect, count(effect)])) as ReplayReport['effects'],
    people,
    peopleLeftOut: touched.length - people.length,
  }
}

/** The first of them, as many as an answer may tell of: a change names up to four times what was asked for. */
function firstThatFit(people: readonly ReplayedPerson[]): readonly ReplayedPerson[] {
  let told = 0
  const tooMany = people.findIndex(({ changes }, index) => {
    told += changes.reduce(
      (sum, { gained, lost, granted }) => sum + gained.length + lost.length + granted.from.length + granted.to.length,
      0,
    )
    return index === replayLimits.people || told > replayLimits.scopesTold
  })
  return tooMany < 0 ? people : people.slice(0, tooMany)
}

type Some<T> = readonly [T, ...(readonly T[])]

/** In the order in which each key was first met. */
function groupsBy<T>(items: readonly T[], keyOf: (item: T) => string): readonly Some<T>[] {
  const groups = new Map<string, [T, ...T[]]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return [...groups.values()]
}

const personOf = ({ person: { subjectId, connectionId, stableId } }: Replayed): string =>
  subjectId ?? JSON.stringify([connectionId, stableId])

type Touched = Replayed & { readonly change: LoginChange }

function reportPerson(logins: Some<Replayed>): ReplayedPerson {
  const touched = logins.filter((login): login is Touched => login.change !== undefined)
  const changes = groupsBy(touched, likeness).map(mergeLogins)
  return {
    person: logins[0].person,
    logins: logins.length,
    changed: touched.length,
    effects: replayEffects.filter((effect) => changes.some(({ effects }) => effects.includes(effect))),
    changes: changes.slice(0, replayLimits.changesPerPerson),
    changesLeftOut: Math.max(0, changes.length - replayLimits.changesPerPerson),
  }
}

/** Seconds differ from login to login, because sessions have less and less time left: they make no other kind of change. */
const likeness = ({ clientId, resource, change: { outcome, effects, gained, lost } }: Touched): string =>
  JSON.stringify([clientId, resource, outcome, effects, gained, lost])

function mergeLogins(alike: Some<Touched>): PersonChange {
  const [{ id, clientId, resource, change }] = alike
  return { ...change, clientId, resource, logins: alike.length, newest: id }
}

const rankOf = ({ effects }: ReplayedPerson): number => replayEffects.findIndex((effect) => effects.includes(effect))
const byWorst = (one: ReplayedPerson, other: ReplayedPerson): number => rankOf(one) - rankOf(other) || other.changed - one.changed
