/**
 * Asks the streams of security events to verify themselves, and their transmitters how they are. A stream that stands still looks like one with
 * nothing to say: what nobody asks for is found out when somebody who should have been out is still in.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { StreamTrouble } from '@drawbridge/core/signals/stream-trouble'
import { findConnection } from '@drawbridge/store/connections'
import {
  awaitVerification,
  claimDueChecksAcrossTenants,
  type DueCheck,
  failingChecksOf,
  forgetVerification,
  lockSignalStream,
  markAlarmed,
  markSilent,
  markTaken,
  noteCheck,
  putOffCheck,
} from '@drawbridge/store/signal-stream-checks'
import { findSignalStream, type StoredStream } from '@drawbridge/store/signal-streams'
import { alarm } from '@drawbridge/store/signals'
import { acrossTenants, type Db, inTenant } from '@drawbridge/store/transaction'
import { authorizationOf, credentialFor } from '@drawbridge/upstream/signals/stream-credential'
import { askToVerify, findTransmitterEndpoints, type Managing, readStreamStatus } from '@drawbridge/upstream/signals/transmitter-management'
import type { JobDeps } from '../deps.js'
import { pollTurn } from '../poll-transmitter.js'
import { createStreamMemory, type StreamMemory } from '../stream-memory.js'
import { tellTenant } from '../tell-tenant.js'

export const streamChecks = {
  /** A stream that works is asked so often. */
  everySeconds: 3600,
  /** It must have answered after this; until then a transmitter may be slow. */
  answerSeconds: 600,
  /** Of one run. */
  atOnce: 8,
  perRun: 64,
  /** What a worker that died had taken comes up again. */
  takenForSeconds: 300,
} as const

type CheckDeps = JobDeps & { readonly memory: StreamMemory }

export async function checkSignalStreams(deps: JobDeps): Promise<void> {
  const now = deps.clock.now()
  const claim = { now, limit: streamChecks.perRun, putOffUntil: addSeconds(now, streamChecks.takenForSeconds) }
  const waiting = [...(await acrossTenants(deps.database, (db) => claimDueChecksAcrossTenants(db, claim)))]
  const withMemory = { ...deps, memory: createStreamMemory(deps) }
  const lane = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { tenantId: tenant, connectionId: connection } = next
      await checkStream(withMemory, next).catch((cause: unknown) =>
        deps.log.error({ tenant, connection, cause: cause instanceof Error ? cause.message : String(cause) }, 'a check of a stream failed'),
      )
    }
  }
  await Promise.all(Array.from({ length: streamChecks.atOnce }, lane))
}

async function checkStream(deps: CheckDeps, due: DueCheck): Promise<void> {
  const { tenantId, connectionId } = due
  const stream = await inTenant(deps.database, tenantId, (db) => findSignalStream(db, tenantId, connectionId))
  if (stream?.streamId === undefined) return
  const isOpen = await settleLast(deps, due)
  if (!isOpen) return
  const managing = await manage(deps, due, stream)
  if ('trouble' in managing) return noteTrouble(deps, due, managing.trouble)
  const status = managing.endpoints.status === undefined ? undefined : await readStreamStatus(managing, stream.streamId)
  if (status?.ok === false) return noteTrouble(deps, due, status.error.trouble)
  if (status !== undefined) await noteStatus(deps, due, status.value)
  const now = deps.clock.now()
  if (managing.endpoints.verification === undefined) return noteTaken(deps, due, addSeconds(now, streamChecks.everySeconds))
  const asking = { state: deps.random.token(), now, nextCheckAt: addSeconds(now, streamChecks.answerSeconds) }
  await inTenant(deps.database, tenantId, (db) => awaitVerification(db, tenantId, connectionId, asking))
  const asked = await askToVerify(managing, stream.streamId, asking.state)
  if (!asked.ok) return noteTrouble(deps, due, asked.error.trouble)
  await noteTaken(deps, due, asking.nextCheckAt)
  deps.metrics.count('drawbridge_signal_verifications_total', { outcome: 'asked' })
}

/** What the last verification came to. False: there is nothing to ask now. */
async function settleLast(deps: CheckDeps, { tenantId, connectionId }: DueCheck): Promise<boolean> {
  const now = deps.clock.now()
  return inTenant(deps.database, tenantId, async (db) => {
    const stream = await lockSignalStream(db, tenantId, connectionId)
    if (stream === undefined) return false
    const { verificationState: awaited, verificationAskedAt: askedAt, silentSince, verifiedAt } = stream
    if (awaited !== undefined && askedAt !== undefined) {
      const lateAt = addSeconds(askedAt, streamChecks.answerSeconds)
      if (now < lateAt) {
        await putOffCheck(db, tenantId, connectionId, lateAt)
        return false
      }
      if (silentSince === undefined) await tellSilent(deps, db, { tenantId, connectionId }, askedAt)
      return true
    }
    // That nobody awaits an answer any more is none.
    if (silentSince !== undefined && verifiedAt !== undefined && verifiedAt >= silentSince) {
      await markSilent(db, tenantId, connectionId, undefined)
      await tellTenant(db, tenantId, { at: now, kind: 'connection.signals_heard_again', connectionId })
    }
    const nextAt = askedAt === undefined ? now : addSeconds(askedAt, streamChecks.everySeconds)
    if (now >= nextAt) return true
    await putOffCheck(db, tenantId, connectionId, nextAt)
    return false
  })
}

async function tellSilent(deps: CheckDeps, db: Db, { tenantId, connectionId }: DueCheck, since: Instant) {
  await markSilent(db, tenantId, connectionId, since)
  const detail = { trouble: 'verification_unanswered' }
  await tellTenant(db, tenantId, { at: deps.clock.now(), kind: 'connection.signals_unheard', connectionId, detail })
  deps.metrics.count('drawbridge_signal_stream_alarms_total', { reason: 'silent' })
  deps.metrics.count('drawbridge_signal_verifications_total', { outcome: 'unanswered' })
}

type Trouble = { readonly trouble: StreamTrouble }

async function manage(deps: CheckDeps, due: DueCheck, stream: StoredStream): Promise<Managing | Trouble> {
  const { tenantId, connectionId } = due
  const connection = await inTenant(deps.database, tenantId, (db) => findConnection(db, tenantId, connectionId))
  const transmitter = connection && deps.memory.configurationOf(tenantId, connection)?.ssf
  if (transmitter === undefined) return { trouble: 'connection_hears_nobody' }
  const credential = credentialFor(transmitter, deps.memory.credentialOf(due, stream))
  if (!credential.ok) return { trouble: credential.error }
  const endpoints = await findTransmitterEndpoints(deps.fetchSafely, transmitter)
  if (!endpoints.ok) return endpoints.error
  const authorization = await authorizationOf(deps.fetchSafely, credential.value, deps.clock.now())
  if (!authorization.ok) return { trouble: authorization.error }
  return { fetchSafely: deps.fetchSafely, authorization: authorization.value, endpoints: endpoints.value }
}

/** While the polls of a stream that is fetched fail, too, theirs is the alarm. */
async function noteTrouble(deps: CheckDeps, { tenantId, connectionId }: DueCheck, trouble: StreamTrouble): Promise<void> {
  const now = deps.clock.now()
  deps.metrics.count('drawbridge_signal_verifications_total', { outcome: 'failed' })
  await inTenant(deps.database, tenantId, async (db) => {
    // Too often for this transmitter: it answers, and is asked again in its time.
    if (trouble === 'transmitter_busy') return forgetVerification(db, tenantId, connectionId, addSeconds(now, streamChecks.everySeconds))
    await noteCheck(db, tenantId, connectionId, { kind: 'trouble', trouble, now })
    await putOffCheck(db, tenantId, connectionId, addSeconds(now, streamChecks.answerSeconds))
    const stream = await lockSignalStream(db, tenantId, connectionId)
    if (stream === undefined || (stream.delivery === 'poll' && stream.failingSince !== undefined)) return
    const { failingSince, alarmedAt } = failingChecksOf(stream)
    if (failingSince === undefined || failingSince > addSeconds(now, -pollTurn.alarmSeconds) || alarmedAt !== undefined) return
    await markAlarmed(db, tenantId, connectionId, now)
    await tellTenant(db, tenantId, { at: now, kind: 'connection.signals_unheard', connectionId, detail: { trouble } })
    deps.metrics.count('drawbridge_signal_stream_alarms_total', { reason: stream.delivery === 'poll' ? 'unmanaged' : 'unreachable' })
  })
}

/** The transmitter answered everything: whether the stream does, the next check sees. */
async function noteTaken(deps: CheckDeps, { tenantId, connectionId }: DueCheck, nextCheckAt: Instant): Promise<void> {
  await inTenant(deps.database, tenantId, async (db) => {
    const stream = await lockSignalStream(db, tenantId, connectionId)
    if (stream === undefined) return
    await putOffCheck(db, tenantId, connectionId, nextCheckAt)
    await markTaken(db, tenantId, connectionId)
    if (failingChecksOf(stream).alarmedAt === undefined) return
    await tellTenant(db, tenantId, { at: deps.clock.now(), kind: 'connection.signals_heard_again', connectionId })
  })
}

type Said = { readonly status: 'enabled' | 'paused' | 'disabled'; readonly reason?: string | undefined }

/** Told when it changes: whoever paused it has done so without telling us, or we did not hear of it. */
async function noteStatus(deps: CheckDeps, { tenantId, connectionId }: DueCheck, said: Said): Promise<void> {
  const now = deps.clock.now()
  await inTenant(deps.database, tenantId, async (db) => {
    const before = await lockSignalStream(db, tenantId, connectionId)
    if (before === undefined) return
    await noteCheck(db, tenantId, connectionId, { kind: 'status', status: said.status, reason: said.reason, now })
    if (said.status === 'enabled' || before.status === said.status) return
    const at = { tenant: tenantId, connectionId, now, requestId: deps.random.uuid() }
    await alarm(db, at, 'connection.signal_alarm', { event: 'stream status', status: said.status })
  })
}
