/**
 * Listens to one issuer for what has been revoked.
 *
 * The design: open a stream of this instance, whose answer holds a snapshot of all barriers and the position at which the stream goes
 * on, so that nothing lies between them; then long-poll, acknowledging in the next request what the last answer brought (RFC 8936
 * §2.4). A stream that the issuer no longer knows, or a notice that cannot be verified, starts again from a new snapshot. Until the
 * first snapshot the guard serves nothing. Whatever a stream says, it says about its own issuer and never about another one that is trusted. "Heard" is the time of the last complete answer: an empty one also
 * says that nothing was revoked until then. Where the issuer speaks for many tenants and owes news of some, it is deaf for those alone. A snapshot is such an
 * answer: what is yet to be decided is not in it, so where the issuer owes news at the opening, nothing counts as heard by that.
 *
 * Where the clock of this machine went back, barriers may have been forgotten that tokens are alive again below: what was heard counts no longer, and a
 * new snapshot is asked for.
 *
 * At the stop it first ceases to believe, then closes its stream, so that nobody waits for what it will never acknowledge.
 */
import type { Barrier, Barriers } from './barriers.js'
import { withDeadline } from './deadline.js'
import { type NoticeDeps, parseBarrier, parseKeyId, readNotice, type Told } from './notice.js'
import { condemnKeys } from './trusted-issuer.js'

/** A poll is held open by the issuer for up to 25 s; longer than this means that the line is dead. */
export const pollTimeoutSeconds = 35
export const openTimeoutSeconds = 10
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

type Stream = { readonly id: string; acks: string[]; errors: Record<string, { err: string; description: string }> }
type Trouble = { readonly trouble: string }
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
  const { deps, stopping } = hearing
  while (!stopping.signal.aborted) {
    const { trouble } = await listenOnce(hearing)
    if (stopping.signal.aborted) return
    deps.onTrouble(deps.issuer.issuer, trouble)
    await pause(hearing.retryMs * (0.5 + deps.random() / 2), stopping.signal)
    hearing.retryMs = Math.min(hearing.retryMs * 2, retryMostMs)
  }
}

/** One stream, from its snapshot to whatever ends it. */
async function listenOnce(hearing: Hearing): Promise<Trouble> {
  const listening = new AbortController()
  hearing.listening = listening
  try {
    const stream = await open(hearing)
    if ('trouble' in stream) return stream
    replace(hearing, stream)
    for (;;) {
      const trouble = await poll(hearing, stream)
      listening.signal.throwIfAborted()
      if (trouble !== undefined) return trouble
      hearing.retryMs = retryFirstMs
    }
  } catch (error) {
    return { trouble: error instanceof Error ? error.message : 'the issuer cannot be reached' }
  }
}

/** `signal`: what ends the call before its time; absent: nothing does. */
type Call = { readonly path: string; readonly body: unknown; readonly timeoutSeconds: number; readonly signal?: AbortSignal }

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
  await send(deps, { path: '/ssf/poll', body, timeoutSeconds: closeTimeoutSeconds }).catch(() => undefined)
}

const post = ({ deps, listening }: Hearing, call: Call): Promise<Record<string, unknown> | Trouble> =>
  send(deps, { ...call, signal: listening.signal })

const send = (deps: ReceiverDeps, { path, body, timeoutSeconds, signal }: Call): Promise<Record<string, unknown> | Trouble> =>
  withDeadline(timeoutSeconds, signal, async (ending) => {
    const response = await deps.fetch(`${deps.issuer.issuer}${path}`, {
      method: 'POST',
      redirect: 'error',
      headers: { Authorization: deps.issuer.authorization, 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify(body),
      signal: ending,
    })
    if (response.status !== 200 && response.status !== 201) {
      await response.body?.cancel()
      return { trouble: `${path} answered ${response.status}` }
    }
    const answer: unknown = await response.json()
    return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : { trouble: `${path} answered no object` }
  })

/** Opens the stream and takes in the whole snapshot before anything is served. */
async function open(hearing: Hearing): Promise<Stream | Trouble> {
  const { deps } = hearing
  const askedAt = deps.nowSeconds()
  const answer = await post(hearing, { path: '/ssf/streams', body: { instance: deps.instance }, timeoutSeconds: openTimeoutSeconds })
  if ('trouble' in answer) return answer as Trouble
  const { streamId, snapshot, condemnedKeys } = answer
  const told = parseSnapshot(deps, snapshot, condemnedKeys ?? [])
  if (typeof streamId !== 'string' || told === undefined) return { trouble: 'the snapshot is malformed' }
  for (const each of told) apply(deps, each)
  const late = lateIn(answer)
  if (late === undefined) noteUnheard(hearing)
  else noteHeard(hearing, { atSeconds: askedAt, but: late })
  hearing.tellFirst()
  return { id: streamId, acks: [], errors: {} }
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
const lateIn = (answer: Record<string, unknown>): readonly string[] | undefined =>
  answer['moreAvailable'] === true ? parseLateTenants(answer['lateTenants']) : []

/** Undefined: what is to come may be of anybody. */
const parseLateTenants = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) && value.length <= maxLateTenants && value.every((tenant) => typeof tenant === 'string') ? value : undefined

/**
 * Everything that the snapshot takes away; undefined when it is malformed. What it says about another issuer is passed over, also of one
 * that is trusted here: its own stream tells.
 */
function parseSnapshot({ issuer }: ReceiverDeps, snapshot: unknown, condemnedKeys: unknown): readonly Told[] | undefined {
  if (!Array.isArray(snapshot) || !Array.isArray(condemnedKeys)) return undefined
  const ours = (snapshot as readonly Record<string, unknown>[]).filter((entry) => (entry?.['issuer'] ?? issuer.issuer) === issuer.issuer)
  const barriers = ours.map((entry) => parseBarrier(entry, issuer))
  const kids = condemnedKeys.map(parseKeyId)
  if (barriers.includes(undefined) || kids.includes(undefined)) return undefined
  return [...(kids as string[]).map((condemnedKey) => ({ condemnedKey })), ...(barriers as Barrier[]).map((barrier) => ({ barrier }))]
}

/** Takes effect before it returns; only fetching the keys anew goes on behind it. */
function apply({ issuer, barriers, nowSeconds, onTrouble }: ReceiverDeps, told: Told): void {
  if ('barrier' in told) return barriers.raise(told.barrier, nowSeconds())
  condemnKeys(issuer, [told.condemnedKey]).catch(() =>
    onTrouble(issuer.issuer, 'the keys could not be fetched anew; the condemned one stays refused'),
  )
}

/** One long-poll. A refused notice ends the stream: what it said is learned from the next snapshot. */
async function poll(hearing: Hearing, stream: Stream): Promise<Trouble | undefined> {
  const body = { streamId: stream.id, maxEvents: maxNoticesPerPoll, returnImmediately: false, ack: stream.acks, setErrs: stream.errors }
  const answer = await post(hearing, { path: '/ssf/poll', body, timeoutSeconds: pollTimeoutSeconds })
  if ('trouble' in answer) return answer as Trouble
  // Before the notices are verified, which may take a fetch of keys: what came meanwhile was not heard.
  const answeredAt = hearing.deps.nowSeconds()
  stream.acks = []
  const sets = answer['sets'] ?? {}
  if (typeof sets !== 'object' || sets === null) return { trouble: 'the poll answer is malformed' }
  await take(hearing, stream, sets as Record<string, unknown>)
  if (Object.keys(stream.errors).length === 0) {
    const late = lateIn(answer)
    if (late !== undefined) noteHeard(hearing, { atSeconds: answeredAt, but: late })
    return undefined
  }
  const reasons = [...new Set(Object.values(stream.errors).map((error) => error.err))].join(', ')
  const report = { ...body, maxEvents: 0, returnImmediately: true, ack: stream.acks, setErrs: stream.errors }
  await post(hearing, { path: '/ssf/poll', body: report, timeoutSeconds: openTimeoutSeconds })
  return { trouble: `refused a notice: ${reasons}` }
}

async function take({ deps, seen }: Hearing, stream: Stream, sets: Record<string, unknown>): Promise<void> {
  for (const [jti, token] of Object.entries(sets)) {
    const notice = await readNotice(deps, token, deps.nowSeconds())
    if (!notice.ok || notice.value.jti !== jti) {
      stream.errors[jti] = { err: notice.ok ? 'invalid_request' : notice.error, description: 'the security event token was refused' }
      continue
    }
    stream.acks.push(jti)
    if (seen.has(jti)) continue
    seen.add(jti)
    apply(deps, notice.value.told)
  }
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
