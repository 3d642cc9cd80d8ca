/**
 * Polls of one resource server's instances at one issuer, heard and served together. They share one transaction, never with another resource server's.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { Database } from '@drawbridge/store/database'
import {
  closeStreams,
  type HeardStreams,
  lockLivingStreams,
  type NoticeAnswers,
  recordNoticeAnswers,
  type TakenNotices,
  takeNotices,
  type Wanted,
} from '@drawbridge/store/notice-polls'
import { markEventsDead } from '@drawbridge/store/notice-receipts'
import { type StreamsOf, streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { type AcrossDb, acrossTenants, acrossTenantsInOneStatement } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { createRounds, type Rounds } from '../http/rounds.js'

/** A revocation that the worker has left lying for longer is told as `moreAvailable`: a guard that hears only this goes deaf, and refuses. */
export const lateAfterSeconds = 30
export const mostPollsPerRound = 100

/** `limit` 0: it wants nothing, and only says something. `closes`: that it ends. */
export type SaidByPoll = NoticeAnswers & Wanted & { readonly closes: boolean }
/** `refusals`: how many of its own were news. */
export type HeardPoll = TakenNotices & { readonly refusals: number }

type PollRounds = { readonly hear: Rounds<SaidByPoll, HeardPoll | undefined>; readonly take: Rounds<Wanted, TakenNotices | undefined> }
const roundLimits = { mostOfRound: mostPollsPerRound }
const byDatabase = new WeakMap<Database, PollRounds>()

function roundsOf(database: Database): PollRounds {
  const known = byDatabase.get(database)
  if (known !== undefined) return known
  const made: PollRounds = { hear: createRounds(roundLimits), take: createRounds(roundLimits) }
  byDatabase.set(database, made)
  return made
}

export const keyOfStreams = ({ resource, issuer }: StreamsOf): string =>
  `${resource.tenantId} ${resource.resourceId} ${issuer.tenantId} ${issuer.id}`

/** Records what a guard says and takes what it has not heard. Undefined: there is no such stream, and nothing was recorded. */
export function hearPoll(deps: BrokerDeps, of: StreamsOf, poll: SaidByPoll): Promise<HeardPoll | undefined> {
  return roundsOf(deps.database).hear.ask(keyOfStreams(of), poll, (polls) => hearRound(deps, of, polls))
}

/** What has come while the poll waited. Undefined: its stream was closed meanwhile, so that silence says nothing. */
export function takeForPoll(deps: BrokerDeps, of: StreamsOf, wanted: Wanted): Promise<TakenNotices | undefined> {
  return roundsOf(deps.database).take.ask(keyOfStreams(of), wanted, async (all) => {
    const take = await acrossTenantsInOneStatement(deps.database, (db) => takeNotices(db, of, all, takingOf(deps)))
    return all.map((one) => upTo(one, take(one.streamId)))
  })
}

function takingOf({ clock }: BrokerDeps) {
  const now = clock.now()
  return { now, lateBefore: addSeconds(now, -lateAfterSeconds) }
}

async function hearRound(deps: BrokerDeps, of: StreamsOf, polls: readonly SaidByPoll[]): Promise<readonly (HeardPoll | undefined)[]> {
  const taking = takingOf(deps)
  const { now } = taking
  const asked = [...new Set(polls.map(({ streamId }) => streamId))]
  const { answers, take } = await acrossTenants(deps.database, async (db) => {
    const living = await lockLivingStreams(db, of, asked, addSeconds(now, -streamLapseSeconds))
    const heard = polls.filter(({ streamId }) => living.has(streamId))
    if (heard.length === 0) return nobodyHeard
    const answers = await recordAnswers(db, { ...of, ids: [...living] }, heard, now)
    const wanting = heard.filter(({ limit }) => limit > 0)
    const taken = wanting.length === 0 ? () => undefined : await takeNotices(db, of, wanting, taking)
    // Who wants nothing has said something to a stream that lived, also the last word that closed it.
    const take = ({ streamId, limit }: Wanted) => (limit > 0 ? taken(streamId) : nothing)
    return { answers, take: (poll: Wanted) => (living.has(poll.streamId) ? take(poll) : undefined) }
  })
  for (const seconds of answers.acknowledgedSeconds) deps.metrics.observe('drawbridge_notice_acknowledged_seconds', {}, seconds)
  for (const seconds of await markEventsDead(deps.database, answers.events))
    deps.metrics.observe('drawbridge_time_to_dead_seconds', {}, seconds)
  const refusals = new Map(answers.refusals)
  return polls.map(({ streamId, limit }) => {
    const taken = upTo({ limit }, take({ streamId, limit }))
    if (taken === undefined) return undefined
    const ofStream = refusals.get(streamId) ?? 0
    // Two polls of one stream in a round: it is told once.
    refusals.delete(streamId)
    return { ...taken, refusals: ofStream }
  })
}

/** Whom both an answer and an end was the last awaited of, is looked at once. */
async function recordAnswers(db: AcrossDb, streams: HeardStreams, heard: readonly SaidByPoll[], now: Instant) {
  const answers = await recordNoticeAnswers(db, streams, heard, now)
  const closing = heard.filter(({ closes }) => closes).map(({ streamId }) => streamId)
  const letGo = closing.length === 0 ? [] : await closeStreams(db, streams, closing, now)
  return { ...answers, events: [...answers.events, ...letGo] }
}

/** Two polls of the same stream in one round may want different numbers. */
const upTo = ({ limit }: Pick<Wanted, 'limit'>, taken: TakenNotices | undefined): TakenNotices | undefined =>
  taken && { ...taken, notices: taken.notices.slice(0, limit) }

const nothing: TakenNotices = { notices: [], late: [] }
const nobodyHeard = {
  answers: { refusals: new Map<string, number>(), acknowledgedSeconds: [], events: [] },
  take: (_poll: Wanted): TakenNotices | undefined => undefined,
}
