/**
 * Listens to one issuer for what has been revoked.
 *
 * The design: open a stream of this instance, whose answer holds a snapshot of all barriers and the position at which the stream goes
 * on, so that nothing lies between them; then long-poll, acknowledging in the next request what the last answer brought (RFC 8936
 * §2.4). A stream that the issuer no longer knows, or a notice that is not to be believed, starts again from a new snapshot; an issuer that is too busy
 * or cannot be reached does not: the same stream is asked again, and later where the issuer says so (`ask-issuer.ts`). Until the
 * first snapshot the guard serves nothing. Whatever a stream says, it says about its own issuer and never about another one that is trusted. "Heard" is the time of the last complete answer: an empty one also
 * says that nothing was revoked until then. Where the issuer speaks for many tenants and owes news of some, it is deaf for those alone. A snapshot is such an
 * answer: what is yet to be decided is not in it, so where the issuer owes news at the opening, nothing counts as heard by that.
 *
 * A process that is frozen (a function between two requests, a paused container) finds when it thaws answers that have waited for it: what such a one says counts, but
 * as heard only when it was asked for, and the next poll asks to be answered at once.
 *
 * Where the clock of this machine went back, barriers may have been forgotten that tokens are alive again below: what was heard counts no longer, and a
 * new snapshot is asked for.
 *
 * At the stop it first ceases to believe, then closes its stream, so that nobody waits for what it will never acknowledge.
 */
import { type Answered, askIssuer, type Call, ending, passing, type Trouble } from './ask-issuer.js'
import type { Barriers } from './barriers.js'
import { isLate } from './deadline.js'
import { type NoticeDeps, readNotice } from './notice.js'
import { err, ok, type Result } from './refusal.js'
import { readSnapshot, type ToldAtOpening } from './snapshot.js'
import { condemnKeys } from './trusted-issuer.js'

/** A poll is held open by the issuer for up to 25 s; longer than this means that the line is dead. */
export const pollTimeoutSeconds = 35
/** An issuer that many ask at once lets them wait, and then sends every living barrier. */
export const openTimeoutSeconds = 30
/** An issuer gives a stream up that it has not answered for so long: a new one is opened, whatever ails the old. */
export const streamLapsesAfterSeconds = 155
/** A process that ends waits no longer for the issuer; a stream that was not closed lapses. */
export const closeTimeoutSeconds = 2
export const maxNoticesPerPoll = 100
/** More than an issuer names. */
export const maxLateTenants = 1000
/** Notice ids remembered so that each counts once; beyond this the oldest is forgotten, which is harmless: barriers only grow. */
export const maxRememberedNotices = 10_000
/** When something was heard of which all was never heard: a snapshot is there, and what it lacks may be about anybody. */
const never = Number.NEGATIVE_INFINITY
const retryFirstMs = 100
const retryMostMs = 5000

export type ReceiverDeps = NoticeDeps & {
  readonly instance: string
  readonly barriers: Barriers
  readonly fetch: typeof fetch
  readonly nowSeconds: () => number
  readonly random: () => number
  readonly onTrouble: (issuer: string, trouble: string) => void
}

export type Receiver = {
  start(): Promise<void>
  stop(): Promise<void>
  /** From the call on nothing was heard, until a new snapshot is there. */
  startAnew(): void
  /** When this receiver last knew everything, of this tenant where one is named, in seconds, or never; undefined before the first snapshot. */
  heardAtSeconds(tenant?: string): number | undefined
}

type Stream = {
  readonly id: string
  acks: string[]
  errors: Record<string, { err: string; description: string }>
  /** A poll took longer than one may, and none was answered since: what happened since is asked for without waiting for more. */
  isBehind: boolean
}
/** What one receiver knows; changed only by the functions below. */
type Hearing = {
  readonly deps: ReceiverDeps
  readonly stopping: AbortController
  /** Ends what is under way of the present stream. */
  listening: AbortController
  readonly seen: Set<string>
  readonly tellFirst: () => void
  heardAt: number | undefined
  /** Tenants of which the issuer owes news, and when everything was heard of each. */
  late: ReadonlyMap<string, number>
  stream: Stream | undefined
  retryMs: number
}

export function createReceiver(deps: ReceiverDeps): Receiver {
  let tellFirst: () => void = () => {}
  const first = new Promise<void>((resolve) => {
    tellFirst = resolve
  })
  const hearing: Hearing = {
    deps,
    stopping: new AbortController(),
    listening: new AbortController(),
    seen: new Set(),
    tellFirst: () => tellFirst(),
    heardAt: undefined,
    late: new Map(),
    stream: undefined,
    retryMs: retryFirstMs,
  }
  let running: Promise<void> | undefined
  return {
    start: () => {
      running ??= listenUntilStopped(hearing)
      return first
    },
    startAnew: () => {
      hearing.heardAt = undefined
      hearing.late = new Map()
      hearing.listening.abort(new Error('the clock went back'))
    },
    stop: async () => {
      hearing.stopping.abort()
      hearing.listening.abort()
      tellFirst()
      await running
      if (hearing.stream !== undefined) await sayGoodbye(deps, hearing.stream)
      hearing.stream = undefined
    },
    heardAtSeconds: (tenant = '') => (hearing.stopping.signal.aborted ? undefined : (hearing.late.get(tenant) ?? hearing.heardAt)),
  }
}

async function listenUntilStopped(hearing: Hearing): Promise<void> {
  const { stopping } = hearing
  while (!stopping.signal.aborted) {
    const trouble = await listenOnce(hearing)
    if (stopping.signal.aborted) return
    await recover(hearing, trouble, stopping.signal)
  }
}

/** One stream, from its snapshot to whatever ends it. */
async function listenOnce(hearing: Hearing): Promise<Trouble> {
  hearing.listening = new AbortController()
  try {
    const stream = await open(hearing)
    if (!stream.ok) return stream.error
    replace(hearing, stream.value)
    return await follow(hearing, stream.value)
  } catch (error) {
    return ending(error instanceof Error ? error.message : 'the stream was ended')
  }
}

/** Polls until the stream has ended, or has gone unanswered for so long that the issuer has given it up. */
async function follow(hearing: Hearing, stream: Stream): Promise<Trouble> {
  const { deps, listening } = hearing
  let answeredAt = deps.nowSeconds()
  for (;;) {
    const trouble = await poll(hearing, stream)
    listening.signal.throwIfAborted()
    const now = deps.nowSeconds()
    if (trouble === undefined) {
      answeredAt = now
      hearing.retryMs = retryFirstMs
      continue
    }
    if (trouble.endsStream || now - answeredAt > streamLapsesAfterSeconds) return trouble
    await recover(hearing, trouble, listening.signal)
    listening.signal.throwIfAborted()
  }
}

/** Waits longer each time, and never shorter than it was told. A whole fleet may have been told the same: by chance each comes back at another moment. */
async function recover(hearing: Hearing, { trouble, retryAfterSeconds = 0 }: Trouble, signal: AbortSignal): Promise<void> {
  const { deps, retryMs } = hearing
  deps.onTrouble(deps.issuer.issuer, trouble)
  const part = deps.random() / 2
  await pause(Math.max(retryMs * (0.5 + part), retryAfterSeconds * 1000 * (1 + part)), signal)
  hearing.retryMs = Math.min(retryMs * 2, retryMostMs)
}

/**
 * The stream before it is closed: all that it could still say is in the snapshot of the new one. Not one of which a notice was refused: that is waited for,
 * and somebody should look.
 */
function replace(hearing: Hearing, stream: Stream): void {
  const { stream: former, deps } = hearing
  hearing.stream = stream
  if (former !== undefined && Object.keys(former.errors).length === 0) void sayGoodbye(deps, former)
}

/** The last acknowledgements, and that there will be no more. */
async function sayGoodbye(deps: ReceiverDeps, stream: Stream): Promise<void> {
  const body = { streamId: stream.id, maxEvents: 0, returnImmediately: true, ack: stream.acks, setErrs: stream.errors, close: true }
  await askIssuer(deps, { path: '/ssf/poll', body, timeoutSeconds: closeTimeoutSeconds })
}

const post = ({ deps, listening }: Hearing, call: Call): Promise<Result<Answered, Trouble>> =>
  askIssuer(deps, { ...call, signal: listening.signal })

/** Opens the stream and takes in the whole snapshot before anything is served. */
async function open(hearing: Hearing): Promise<Result<Stream, Trouble>> {
  const { deps } = hearing
  const askedAt = deps.nowSeconds()
  const answer = await post(hearing, { path: '/ssf/streams', body: { instance: deps.instance }, timeoutSeconds: openTimeoutSeconds })
  if (!answer.ok) return answer
  const { streamId, snapshot, condemnedKeys } = answer.value
  const told = readSnapshot(deps.issuer, snapshot, condemnedKeys ?? [])
  if (typeof streamId !== 'string' || told === undefined) return err(ending('the snapshot is malformed'))
  for (const each of told) apply(deps, each)
  const late = lateIn(answer.value)
  if (late === undefined) noteUnheard(hearing)
  else noteHeard(hearing, { atSeconds: askedAt, but: late })
  hearing.tellFirst()
  return ok({ id: streamId, acks: [], errors: {}, isBehind: false })
}

type Heard = { readonly atSeconds: number; readonly but: readonly string[] }

/** Of a stream that ended meanwhile nothing counts. `but`: of these tenants nothing was heard since the time before. */
function noteHeard(hearing: Hearing, { atSeconds, but }: Heard): void {
  hearing.listening.signal.throwIfAborted()
  const { late, heardAt = never } = hearing
  hearing.late = new Map(but.map((tenant) => [tenant, late.get(tenant) ?? heardAt]))
  hearing.heardAt = atSeconds
}

/** A snapshot is there, and nothing counts as heard since the time before. */
function noteUnheard(hearing: Hearing): void {
  hearing.listening.signal.throwIfAborted()
  hearing.heardAt ??= never
}

/** Of which tenants the issuer still owes news; undefined: of anybody. */
const lateIn = (answer: Answered): readonly string[] | undefined =>
  answer['moreAvailable'] === true ? parseLateTenants(answer['lateTenants']) : []

/** Undefined: what is to come may be of anybody. */
const parseLateTenants = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) && value.length <= maxLateTenants && value.every((tenant) => typeof tenant === 'string') ? value : undefined

/** Takes effect before it returns; only fetching the keys anew goes on behind it. */
function apply({ issuer, barriers, nowSeconds, onTrouble }: ReceiverDeps, told: ToldAtOpening): void {
  if ('floor' in told) return barriers.raiseFloor(told.floor)
  if ('barrier' in told) return barriers.raise(told.barrier, nowSeconds())
  condemnKeys(issuer, [told.condemnedKey]).catch(() =>
    onTrouble(issuer.issuer, 'the keys could not be fetched anew; the condemned one stays refused'),
  )
}

/** One long-poll. A refused notice ends the stream: what it said is learned from the next snapshot. */
async function poll(hearing: Hearing, stream: Stream): Promise<Trouble | undefined> {
  const { nowSeconds } = hearing.deps
  const returnImmediately = stream.isBehind
  const body = { streamId: stream.id, maxEvents: maxNoticesPerPoll, returnImmediately, ack: stream.acks, setErrs: stream.errors }
  const askedAt = nowSeconds()
  const answer = await post(hearing, { path: '/ssf/poll', body, timeoutSeconds: pollTimeoutSeconds })
  // Before the notices are verified, which may take a fetch of keys: what came meanwhile was not heard.
  const answeredAt = nowSeconds()
  const hasWaited = isLate({ askedAt, answeredAt, timeoutSeconds: pollTimeoutSeconds })
  stream.isBehind = hasWaited || (stream.isBehind && !answer.ok)
  if (!answer.ok) return answer.error
  stream.acks = []
  const { sets = {} } = answer.value
  if (typeof sets !== 'object' || sets === null) return passing('the poll answer is malformed')
  const untaken = await take(hearing, stream, sets as Record<string, unknown>)
  if (Object.keys(stream.errors).length > 0) return report(hearing, stream)
  if (untaken !== undefined) return untaken
  const late = lateIn(answer.value)
  if (late !== undefined) noteHeard(hearing, { atSeconds: hasWaited ? askedAt : answeredAt, but: late })
  return undefined
}

/** Says which notices were refused, and why. */
async function report(hearing: Hearing, stream: Stream): Promise<Trouble> {
  const reasons = [...new Set(Object.values(stream.errors).map((error) => error.err))].join(', ')
  const body = { streamId: stream.id, maxEvents: 0, returnImmediately: true, ack: stream.acks, setErrs: stream.errors }
  await post(hearing, { path: '/ssf/poll', body, timeoutSeconds: openTimeoutSeconds })
  return ending(`refused a notice: ${reasons}`)
}

/** What cannot be judged at this moment is neither acknowledged nor refused, and so comes again. */
async function take({ deps, seen }: Hearing, stream: Stream, sets: Record<string, unknown>): Promise<Trouble | undefined> {
  for (const [jti, token] of Object.entries(sets)) {
    const notice = await readNotice(deps, token, deps.nowSeconds())
    if (!notice.ok && notice.error === 'keys_unreachable') return passing('the keys of notices cannot be fetched')
    if (!notice.ok || notice.value.jti !== jti) {
      stream.errors[jti] = { err: notice.ok ? 'invalid_request' : notice.error, description: 'the security event token was refused' }
      continue
    }
    stream.acks.push(jti)
    if (seen.has(jti)) continue
    seen.add(jti)
    apply(deps, notice.value.told)
  }
  forgetOldest(seen)
  return undefined
}

function forgetOldest(seen: Set<string>): void {
  for (const jti of seen) {
    if (seen.size <= maxRememberedNotices) break
    seen.delete(jti)
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done)
  })
}
