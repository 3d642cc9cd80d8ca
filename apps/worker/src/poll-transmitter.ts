/**
 * One turn of one stream that has to be fetched (RFC 8936): requests, one after the other, until there is nothing more.
 *
 * An event is acknowledged in the request after the one that brought it, and only if its transaction has committed: whatever stops us between
 * has it delivered again, and then it does nothing twice. Nothing is fetched before everything of the answer before is written down. One that is
 * not believed is said so, and somebody is told; one that cannot be judged or kept at this moment is neither, and comes again. So does one that the
 * transmitter has signed for another receiver, or under another name: it is the connection that may be wrong of it.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { signalErrors } from '@drawbridge/core/signals/error'
import { receiverUrlOf, type SecurityEvent } from '@drawbridge/core/signals/security-event'
import type { StreamTrouble } from '@drawbridge/core/signals/stream-trouble'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { findConnection, type StoredConnection } from '@drawbridge/store/connections'
import { hearSecurityEvent } from '@drawbridge/store/hear-security-event'
import { listIssuers } from '@drawbridge/store/issuers'
import { noteRefusedEvent, type RefusedEvent, unheardOf } from '@drawbridge/store/refused-security-events'
import {
  type HeldStream,
  notePoll,
  type PollNote,
  releaseStream,
  renewStreamLease,
  type StoredStream,
} from '@drawbridge/store/signal-streams'
import { inTenant } from '@drawbridge/store/transaction'
import type { ConnectionConfiguration } from '@drawbridge/upstream/connection'
import { heardWordsOf } from '@drawbridge/upstream/signals/connection-signature'
import { type PollAnswered, type PollAsked, pollLimits, pollTransmitter, type TransmitterFault } from '@drawbridge/upstream/signals/poll'
import { type EventRefusal, verifySecurityEvent } from '@drawbridge/upstream/signals/security-event-token'
import { authorizationOf, credentialFor, forgetAuthorization, type StreamCredential } from '@drawbridge/upstream/signals/stream-credential'
import type { SsfTransmitter } from '@drawbridge/upstream/signals/transmitter'
import type { JobDeps } from './deps.js'
import type { StreamMemory } from './stream-memory.js'
import { tellTenant } from './tell-tenant.js'

export const pollTurn = {
  /** Requests of one turn: a transmitter with very much to say comes again after the others. */
  requests: 20,
  /** Of one turn, too: no request is begun after it but that which says what became of the last events. */
  wallSeconds: 40,
  /** Kept alive while the turn runs (`keepLeasesMs`), so that what a dead worker held is another's soon. */
  leaseSeconds: 20,
  /** After an answer without events: a transmitter that keeps no request waiting is not asked without end. */
  idleSeconds: 2,
  /** After the first failure; doubled with each. */
  failedSeconds: 5,
  longestPauseSeconds: 600,
  /** While events of a transmitter that answers cannot be judged or kept. */
  heldSeconds: 60,
  /** Told when it cannot be reached for so long. */
  alarmSeconds: 900,
} as const

export type PollDeps = Pick<JobDeps, 'clock' | 'random' | 'log' | 'metrics' | 'database' | 'fetchSafely'> & {
  readonly memory: StreamMemory
}
/** `waits`: its requests may be kept until there is something. */
export type Turn = { readonly waits: boolean; readonly signal: AbortSignal }

type Stream = {
  readonly held: HeldStream
  readonly configuration: ConnectionConfiguration
  readonly transmitter: SsfTransmitter
  readonly audience: string
}
/** `trouble`: of events that wait. */
type Answers = Pick<PollAsked, 'ack' | 'setErrs'> & { readonly trouble: StreamTrouble | undefined }
const noAnswers: Answers = { ack: [], setErrs: {}, trouble: undefined }
type Came =
  | { readonly outcome: 'answered' }
  | { readonly outcome: 'lost' }
  | { readonly outcome: 'held'; readonly trouble: StreamTrouble }
  | { readonly outcome: 'failed'; readonly trouble: StreamTrouble; readonly retryAfterSeconds?: number }

export async function pollStream(deps: PollDeps, held: HeldStream, turn: Turn): Promise<void> {
  const came = await takeTurn(deps, held, turn)
  if (turn.signal.aborted) return release(deps, held)
  if (came.outcome === 'lost') return
  deps.metrics.count('drawbridge_signal_polls_total', { outcome: came.outcome })
  const now = deps.clock.now()
  const nextPollAt = addSeconds(now, await pauseAfter(deps, held, came))
  const note: PollNote =
    came.outcome === 'answered'
      ? { outcome: 'answered', nextPollAt, now }
      : { outcome: came.outcome, error: came.trouble, nextPollAt, now, alarmBefore: addSeconds(now, -pollTurn.alarmSeconds) }
  await writeDown(deps, held, note)
}

/** Half of it to one and a half: pollers that failed together do not come back together. */
const spread = (deps: PollDeps): number => 0.5 + deps.random.bytes(4).readUInt32BE() / 2 ** 32

async function pauseAfter(deps: PollDeps, held: HeldStream, came: Came): Promise<number> {
  if (came.outcome !== 'failed') return (came.outcome === 'held' ? pollTurn.heldSeconds : pollTurn.idleSeconds) * spread(deps)
  const stream = await renew(deps, held)
  const pause = Math.min(pollTurn.failedSeconds * 2 ** Math.min(stream?.failures ?? 0, 10), pollTurn.longestPauseSeconds) * spread(deps)
  return Math.max(pause, came.retryAfterSeconds ?? 0)
}

async function writeDown(deps: PollDeps, held: HeldStream, note: PollNote): Promise<void> {
  const { tenantId, connectionId } = held
  const noted = await inTenant(deps.database, tenantId, async (db) => {
    const came = await notePoll(db, held, note)
    const kind = came === 'alarmed' ? 'connection.signals_unheard' : came === 'recovered' ? 'connection.signals_heard_again' : undefined
    const detail = note.outcome === 'answered' ? {} : { trouble: note.error }
    if (kind !== undefined) await tellTenant(db, tenantId, { at: note.now, kind, connectionId, detail })
    return came
  })
  if (noted === 'alarmed') deps.metrics.count('drawbridge_signal_stream_alarms_total', { reason: 'unreachable' })
}

/** A worker that stops gives its turn back at once. What it fetched and did not acknowledge comes again. */
async function release(deps: PollDeps, held: HeldStream): Promise<void> {
  const now = deps.clock.now()
  await inTenant(deps.database, held.tenantId, (db) => releaseStream(db, held, now))
}

const renew = (deps: PollDeps, held: HeldStream): Promise<StoredStream | undefined> =>
  inTenant(deps.database, held.tenantId, (db) => renewStreamLease(db, held, addSeconds(deps.clock.now(), pollTurn.leaseSeconds)))

/** Whoever waits for events waits with what it acknowledges already told. */
async function takeTurn(deps: PollDeps, held: HeldStream, turn: Turn): Promise<Came> {
  let [answers, most] = [noAnswers, pollLimits.eventsRead as number]
  let [trouble, isDone]: [StreamTrouble | undefined, boolean] = [undefined, false]
  const waiting = new Set<string>()
  const endsAt = addSeconds(deps.clock.now(), pollTurn.wallSeconds)
  for (let request = 0; !turn.signal.aborted; request += 1) {
    const isLast = isDone || request >= pollTurn.requests || deps.clock.now() >= endsAt
    if (isLast && !saysAnything(answers)) break
    // What waits would be the first of the next answer, too: as many more are asked for, so that those behind it are heard.
    const events = Math.min(most, waiting.size + pollLimits.events)
    const asked = await ask(deps, held, { ...turn, ...answers, maxEvents: isLast ? 0 : events })
    if (asked === 'lost') return { outcome: 'lost' }
    if ('trouble' in asked && asked.trouble === 'transmitter_answer_too_large' && events > 1) {
      most = events > pollLimits.events ? pollLimits.events : Math.floor(events / 10)
      continue
    }
    if ('trouble' in asked) return { outcome: 'failed', ...asked }
    if (isLast) break
    const sets = asked.answer.sets.filter(([id]) => !waiting.has(id))
    answers = await hearAll(deps, asked.stream, sets, waiting)
    trouble ??= answers.trouble
    isDone = waiting.size > 0 && !(asked.answer.moreAvailable && sets.length > 0 && waiting.size < most)
    if (asked.answer.sets.length === 0 && !asked.answer.moreAvailable) break
  }
  return trouble === undefined ? { outcome: 'answered' } : { outcome: 'held', trouble }
}

const saysAnything = ({ ack, setErrs }: Answers): boolean => ack.length > 0 || Object.keys(setErrs).length > 0

type Asking = Pick<PollAsked, 'ack' | 'setErrs' | 'maxEvents'> & Turn
type Asked = { readonly stream: Stream; readonly answer: PollAnswered }

/** Reads everything anew: what an admin has changed since the last request holds for this one. */
async function ask(
  deps: PollDeps,
  held: HeldStream,
  { ack, setErrs, maxEvents, waits, signal }: Asking,
): Promise<Asked | TransmitterFault | 'lost'> {
  const stored = await renew(deps, held)
  if (stored?.pollUrl === undefined) return 'lost'
  const stream = await readStream(deps, held)
  if (stream === undefined) return { trouble: 'connection_hears_nobody' }
  const credential = credentialFor(stream.transmitter, deps.memory.credentialOf(held, stored))
  if (!credential.ok) return { trouble: credential.error }
  const authorization = await authorizationOf(deps.fetchSafely, credential.value, deps.clock.now())
  if (!authorization.ok) return { trouble: authorization.error }
  const asked = { url: stored.pollUrl, authorization: authorization.value, ack, setErrs, maxEvents, waits, signal }
  const answer = await pollTransmitter(deps.fetchSafely, asked)
  return answer.ok ? { stream, answer: answer.value } : forgetIfRefused(credential.value, answer.error)
}

function forgetIfRefused(credential: StreamCredential, fault: TransmitterFault): TransmitterFault {
  if (fault.trouble === 'transmitter_says_no') forgetAuthorization(credential)
  return fault
}

async function readStream(deps: PollDeps, held: HeldStream): Promise<Stream | undefined> {
  const { tenantId, connectionId } = held
  const { connection, issuerUrl } = await inTenant(deps.database, tenantId, async (db) => ({
    connection: await findConnection(db, tenantId, connectionId),
    issuerUrl: (await listIssuers(db, tenantId)).find(({ kind }) => kind === 'tenant')?.url,
  }))
  const configuration = connection && configurationOf(deps, tenantId, connection)
  if (configuration?.ssf === undefined || issuerUrl === undefined) return undefined
  const transmitter = configuration.ssf
  return { held, configuration, transmitter, audience: transmitter.audience ?? receiverUrlOf(issuerUrl, connectionId) }
}

const configurationOf = (deps: PollDeps, tenant: TenantId, connection: StoredConnection): ConnectionConfiguration | undefined =>
  deps.memory.configurationOf(tenant, connection)

/** One after the other, in the order of the answer: of one connection no two at once. `waiting` is told which of them are to come again. */
async function hearAll(deps: PollDeps, stream: Stream, sets: PollAnswered['sets'], waiting: Set<string>): Promise<Answers> {
  const cameAt = deps.clock.now()
  const ack: string[] = []
  const setErrs: Record<string, { err: string; description: string }> = {}
  let trouble: StreamTrouble | undefined
  for (const [id, token] of sets) {
    const heard = await hearOne(deps, stream, { token: token.trim(), cameAt })
    if (heard === 'done') ack.push(id)
    else if (typeof heard === 'string') {
      trouble = heard
      waiting.add(id)
    } else setErrs[id] = heard
  }
  return { ack, setErrs, trouble }
}

type HeardOne = 'done' | StreamTrouble | { readonly err: string; readonly description: string }

type HandedOver = { readonly token: string; readonly cameAt: Instant }

async function hearOne(deps: PollDeps, stream: Stream, { token, cameAt }: HandedOver): Promise<HeardOne> {
  const now: Instant = deps.clock.now()
  const { held, configuration, transmitter, audience } = stream
  const verified = await verifySecurityEvent(deps.fetchSafely, transmitter, { token, audience, now, cameAt })
  try {
    if (!verified.ok) return await refuse(deps, stream, verified.error)
    const { outcome, isMass } = await hearSecurityEvent(deps.database, {
      ...{ tenant: held.tenantId, connectionId: held.connectionId, words: heardWordsOf(configuration, transmitter), event: verified.value },
      ...{ way: 'poll', now, requestId: deps.random.uuid(), newId: () => deps.random.uuid() },
    })
    if (outcome === 'full') return await waitForRoom(deps, stream, verified.value)
    count(deps, outcome)
    if (isMass) deps.metrics.count('drawbridge_mass_revocations_total')
    return 'done'
  } catch (cause) {
    deps.log.error(
      { ...tenantOf(held), cause: cause instanceof Error ? cause.message : String(cause) },
      'a security event could not be kept',
    )
    return 'event_not_kept'
  }
}

/** Whoever is asked over TLS, with our credential, is the transmitter: what it hands over and we do not believe is told, whoever has signed it. */
async function refuse(deps: PollDeps, { held, configuration, transmitter }: Stream, refusal: EventRefusal): Promise<HeardOne> {
  const { reason, isSigned, unheard, detail } = refusal
  if (reason === 'signal_keys_awaited') return 'event_keys_awaited'
  deps.log.warn({ ...tenantOf(held), reason, detail, isSigned }, 'a security event was not believed')
  const misjudged = isSigned ? troubleOf(reason) : undefined
  if (misjudged !== undefined) return misjudged
  count(deps, 'refused')
  const whom = unheard && unheardOf(unheard, heardWordsOf(configuration, transmitter))
  await note(deps, held, { reason, rule: detail?.['rule']?.toString(), unheard: whom })
  return { err: signalErrors[reason].code, description: signalErrors[reason].say }
}

/** It stays at the transmitter, which is told nothing; an admin is, and whom it meant. */
async function waitForRoom(deps: PollDeps, { held, configuration, transmitter }: Stream, event: SecurityEvent): Promise<StreamTrouble> {
  const unheard = unheardOf(event, heardWordsOf(configuration, transmitter))
  await note(deps, held, { reason: 'unmatched_signals_full', rule: undefined, unheard })
  return 'unmatched_signals_full'
}

async function note(deps: PollDeps, { tenantId, connectionId }: HeldStream, said: Pick<RefusedEvent, 'reason' | 'rule' | 'unheard'>) {
  const isAlarm = await noteRefusedEvent(deps.database, {
    ...{ ...said, tenant: tenantId, connectionId, way: 'poll' },
    ...{ now: deps.clock.now(), requestId: deps.random.uuid(), newId: () => deps.random.uuid() },
  })
  if (isAlarm) deps.metrics.count('drawbridge_signal_stream_alarms_total', { reason: 'refused' })
}

const troubleOf = (reason: EventRefusal['reason']): StreamTrouble | undefined =>
  reason === 'set_for_another_audience'
    ? 'event_for_another_audience'
    : reason === 'set_of_another_issuer'
      ? 'event_of_another_issuer'
      : undefined

const count = (deps: PollDeps, outcome: string): void => deps.metrics.count('drawbridge_signals_total', { way: 'poll', outcome })
const tenantOf = ({ tenantId, connectionId }: { readonly tenantId: TenantId; readonly connectionId: ConnectionId }) => ({
  tenant: tenantId,
  connection: connectionId,
})
