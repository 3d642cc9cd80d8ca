/**
 * A stream of security events is set up at its transmitter: with our credential, to our address and with a bearer token that we make, or to be fetched.
 *
 * What the connection believes changes before the transmitter is asked, so that the first event that it pushes is let in; what it answers is kept
 * afterwards. Breaking off between the two leaves a token that nobody has, and the next attempt finds the stream and changes it.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { eventTypesToRequest } from '@drawbridge/core/signals/signal-effects'
import { type StreamTrouble, streamTroubles } from '@drawbridge/core/signals/stream-trouble'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { findConnection } from '@drawbridge/store/connections'
import { awaitVerification, noteCheck } from '@drawbridge/store/signal-stream-checks'
import { findSignalStream, putSignalStream, type StoredStream } from '@drawbridge/store/signal-streams'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { parseConnection } from '@drawbridge/upstream/connection'
import {
  authorizationOf,
  credentialFor,
  parseKeptCredential,
  type StreamCredential,
  textOfCredential,
} from '@drawbridge/upstream/signals/stream-credential'
import { mostPushTokens, type SsfTransmitter } from '@drawbridge/upstream/signals/transmitter'
import {
  askToVerify,
  deleteStream,
  findTransmitterEndpoints,
  type Managing,
  putStream,
  readStreamStatus,
  type TransmittersStream,
} from '@drawbridge/upstream/signals/transmitter-management'
import type { BrokerDeps } from '../deps.js'
import { ssfReceiverUrlOf } from '../http/connection-addresses.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { type ChangeRefusal, changeTransmitter, pushTokensOf, type WrittenTransmitter, withPushTokens } from './change-transmitter.js'

/** The answer of the stream is looked for after this; then it is asked again at the pace of the worker. */
export const verificationAnswerSeconds = 600

export type StreamAt = { readonly tenant: ResolvedTenant; readonly connectionId: ConnectionId }
export type SetUp = { readonly delivery: 'push' | 'poll'; readonly credential: StreamCredential }
/** By hand: the transmitter has made the stream already. */
export type ByHand = { readonly pollUrl: string; readonly streamId: string | undefined; readonly credential: StreamCredential }
export type SetUpRefusal = ChangeRefusal

/** What is written in the transaction that keeps the stream, and in each that changes what the connection believes. */
type WithAudit = (db: Db, detail: Readonly<Record<string, unknown>>) => Promise<void>

const sealedFor = (deps: BrokerDeps, tenant: TenantId, row: string) => ({
  ...{ installation: deps.installation.id, tenant, table: 'signal_streams', column: 'sealed_credential', row },
})
/** For the transmitter that it was given for, which is the one that was asked. */
const seal = (
  deps: BrokerDeps,
  { tenant, connectionId }: StreamAt,
  { credential, transmitter }: { readonly credential: StreamCredential; readonly transmitter: SsfTransmitter },
): Buffer => deps.sealer.seal(textOfCredential(credential, transmitter), sealedFor(deps, tenant.id, connectionId))

export async function findTransmitter(deps: BrokerDeps, { tenant, connectionId }: StreamAt): Promise<Result<SsfTransmitter, SetUpRefusal>> {
  const stored = await inTenant(deps.database, tenant.id, (db) => findConnection(db, tenant.id, connectionId))
  if (stored === undefined) return err('not_found')
  const parsed = parseConnection(stored.kind, stored.configuration)
  return parsed.ok && parsed.value.ssf !== undefined ? ok(parsed.value.ssf) : err('signals_not_configured')
}

export async function keepByHand(
  deps: BrokerDeps,
  at: StreamAt,
  given: ByHand,
  audit: WithAudit,
): Promise<Result<undefined, SetUpRefusal>> {
  const transmitter = await findTransmitter(deps, at)
  if (!transmitter.ok) return transmitter
  const { pollUrl, streamId, credential } = given
  const now = deps.clock.now()
  const nextCheckAt = streamId === undefined ? undefined : now
  const draft = {
    delivery: 'poll' as const,
    streamId,
    pollUrl,
    sealedCredential: seal(deps, at, { credential, transmitter: transmitter.value }),
    nextPollAt: now,
    nextCheckAt,
    now,
  }
  await inTenant(deps.database, at.tenant.id, async (db) => {
    await putSignalStream(db, at.tenant.id, at.connectionId, draft)
    await audit(db, { delivery: 'poll' })
  })
  return ok(undefined)
}

/** Our credential at the endpoints that the transmitter lists now. */
async function manage(
  deps: BrokerDeps,
  transmitter: SsfTransmitter,
  credential: StreamCredential,
): Promise<Result<Managing, { trouble: StreamTrouble }>> {
  const endpoints = await findTransmitterEndpoints(deps.fetchSafely, transmitter)
  if (!endpoints.ok) return endpoints
  const authorization = await authorizationOf(deps.fetchSafely, credential, deps.clock.now())
  if (!authorization.ok) return err({ trouble: authorization.error })
  return ok({ fetchSafely: deps.fetchSafely, authorization: authorization.value, endpoints: endpoints.value })
}

export async function setUpStream(
  deps: BrokerDeps,
  at: StreamAt,
  asked: SetUp,
  audit: WithAudit,
): Promise<Result<undefined, SetUpRefusal>> {
  const { tenant, connectionId } = at
  const transmitter = await findTransmitter(deps, at)
  if (!transmitter.ok) return transmitter
  const managing = await manage(deps, transmitter.value, asked.credential)
  if (!managing.ok) return managing
  const before = await inTenant(deps.database, tenant.id, (db) => findSignalStream(db, tenant.id, connectionId))
  const pushToken = asked.delivery === 'push' ? deps.random.token() : undefined
  const hash = pushToken === undefined ? undefined : hashCredential(pushToken).toString('hex')
  if (hash !== undefined) {
    // Where none is asked for, none is until the transmitter has ours: what is pushed by a stream that was made by hand goes on being heard.
    const added = await changeStep(deps, at, audit, {
      step: 'push_token_added',
      change: (ssf) => (pushTokensOf(ssf).length === 0 ? ssf : withPushTokens(ssf, [hash, ...pushTokensOf(ssf).slice(1 - mostPushTokens)])),
    })
    if (!added.ok) return added
  }
  const made = await putStream(
    managing.value,
    {
      delivery:
        pushToken === undefined
          ? { method: 'poll' }
          : { method: 'push', url: ssfReceiverUrlOf(tenant, connectionId), authorization: `Bearer ${pushToken}` },
      eventTypes: eventTypesToRequest(transmitter.value.events),
      description: `Drawbridge ${connectionId}`,
    },
    before?.streamId,
  )
  if (!made.ok) {
    // It said no: the stream is as it was, and so is what we believe. Where we cannot know, both tokens count.
    if (hash !== undefined && !isUncertain(made.error.trouble))
      await changeStep(deps, at, audit, {
        step: 'push_token_withdrawn',
        change: (ssf) =>
          withPushTokens(
            ssf,
            pushTokensOf(ssf).filter((one) => one !== hash),
          ),
      })
    return made
  }
  const kept = await keepStream(deps, at, { asked, stream: made.value, transmitter: transmitter.value, hash }, audit)
  if (!kept.ok) return kept
  await askForVerification(deps, at, managing.value, made.value.id)
  return ok(undefined)
}

type Step = { readonly step: string; readonly change: (ssf: WrittenTransmitter) => WrittenTransmitter }

async function changeStep(
  deps: BrokerDeps,
  { tenant, connectionId }: StreamAt,
  audit: WithAudit,
  { step, change }: Step,
): Promise<Result<undefined, SetUpRefusal>> {
  const changed = await inTenant(deps.database, tenant.id, async (db) => {
    const what = await changeTransmitter(db, { tenant: tenant.id, connectionId, change })
    if (what.ok && Object.keys(what.value).length > 0) await audit(db, { step, ...what.value })
    return what
  })
  deps.configuration.invalidate(tenant.id)
  return changed.ok ? ok(undefined) : changed
}

type Kept = {
  readonly asked: SetUp
  readonly stream: TransmittersStream
  readonly transmitter: SsfTransmitter
  /** Of the bearer token that the transmitter now has, where it pushes. */
  readonly hash: string | undefined
}

/**
 * By which name the transmitter calls us is its to say: what its tokens are for is kept where everything stands that is believed of it, in place of
 * what stood there, which may be what a stream before it was called; the trail has both.
 */
async function keepStream(
  deps: BrokerDeps,
  at: StreamAt,
  { asked, stream, transmitter, hash }: Kept,
  audit: WithAudit,
): Promise<Result<undefined, SetUpRefusal>> {
  const { tenant, connectionId } = at
  const now = deps.clock.now()
  const change = (ssf: WrittenTransmitter): WrittenTransmitter => {
    const isNamed = stream.audiences.includes((ssf['audience'] as string | undefined) ?? ssfReceiverUrlOf(tenant, connectionId))
    const named = isNamed ? ssf : { ...ssf, audience: stream.audiences[0] }
    return hash === undefined ? named : withPushTokens(named, [hash, ...pushTokensOf(ssf).filter((one) => one !== hash)].slice(0, 2))
  }
  const kept = await inTenant(deps.database, tenant.id, async (db) => {
    const changed = await changeTransmitter(db, { tenant: tenant.id, connectionId, change })
    if (!changed.ok) return changed
    await putSignalStream(db, tenant.id, connectionId, {
      ...{ delivery: asked.delivery, streamId: stream.id, pollUrl: stream.pollUrl },
      sealedCredential: seal(deps, at, { credential: asked.credential, transmitter }),
      ...{ nextPollAt: asked.delivery === 'poll' ? now : undefined, nextCheckAt: addSeconds(now, verificationAnswerSeconds), now },
    })
    await audit(db, { delivery: asked.delivery, streamId: stream.id.slice(0, 200), ...changed.value })
    return ok(undefined)
  })
  deps.configuration.invalidate(tenant.id)
  return kept
}

const isUncertain = (trouble: StreamTrouble): boolean =>
  trouble === 'transmitter_unreachable' || trouble === 'transmitter_answer_malformed' || trouble === 'transmitter_answer_too_large'

/** What is awaited is written before it is asked for. That the transmitter does not take the question is recorded, and is no refusal. */
async function askForVerification(
  deps: BrokerDeps,
  { tenant, connectionId }: StreamAt,
  managing: Managing,
  streamId: string,
): Promise<void> {
  const asking = { state: deps.random.token(), now: deps.clock.now(), nextCheckAt: addSeconds(deps.clock.now(), verificationAnswerSeconds) }
  await inTenant(deps.database, tenant.id, (db) => awaitVerification(db, tenant.id, connectionId, asking))
  const asked = await askToVerify(managing, streamId, asking.state)
  const status = asked.ok ? await readStreamStatus(managing, streamId) : asked
  const now = deps.clock.now()
  await inTenant(deps.database, tenant.id, (db) =>
    noteCheck(
      db,
      tenant.id,
      connectionId,
      status.ok
        ? { kind: 'status', status: status.value.status, reason: status.value.reason, now }
        : { kind: 'trouble', trouble: status.error.trouble, now },
    ),
  )
}

export type Managed = StoredStream & { readonly streamId: string; readonly sealedCredential: Buffer }
export const isManaged = (stream: StoredStream | undefined): stream is Managed =>
  stream?.streamId !== undefined && stream.sealedCredential !== undefined

async function manageStored(deps: BrokerDeps, at: StreamAt, stream: Managed): Promise<Result<Managing, SetUpRefusal>> {
  const transmitter = await findTransmitter(deps, at)
  if (!transmitter.ok) return transmitter
  const opened = deps.sealer.open(stream.sealedCredential, sealedFor(deps, at.tenant.id, at.connectionId))
  const credential = credentialFor(transmitter.value, opened.ok ? parseKeptCredential(opened.value) : undefined)
  return credential.ok ? manage(deps, transmitter.value, credential.value) : err({ trouble: credential.error })
}

export async function verifyStream(deps: BrokerDeps, at: StreamAt, stream: Managed): Promise<void> {
  const managing = await manageStored(deps, at, stream)
  if (managing.ok) return askForVerification(deps, at, managing.value, stream.streamId)
  const trouble = typeof managing.error === 'string' ? 'connection_hears_nobody' : managing.error.trouble
  await inTenant(deps.database, at.tenant.id, (db) =>
    noteCheck(db, at.tenant.id, at.connectionId, { kind: 'trouble', trouble, now: deps.clock.now() }),
  )
}

/** At the transmitter; what we keep of it is the caller's to delete, once this has succeeded. */
export async function retireStream(deps: BrokerDeps, at: StreamAt, stream: Managed): Promise<Result<undefined, SetUpRefusal>> {
  const managing = await manageStored(deps, at, stream)
  return managing.ok ? deleteStream(managing.value, stream.streamId) : managing
}

/** Before a connection is removed, what tells the transmitter so afterwards. A transmitter that cannot be told keeps nobody's connection alive. */
export async function retirementOf(deps: BrokerDeps, at: StreamAt): Promise<() => Promise<void>> {
  const stored = await inTenant(deps.database, at.tenant.id, (db) => findSignalStream(db, at.tenant.id, at.connectionId))
  if (!isManaged(stored)) return () => Promise.resolve()
  const managing = await manageStored(deps, at, stored)
  return async () => {
    const told = managing.ok ? await deleteStream(managing.value, stored.streamId) : managing
    if (told.ok) return
    const trouble = typeof told.error === 'string' ? told.error : told.error.trouble
    deps.log.warn(
      { tenant: at.tenant.id, connection: at.connectionId, trouble },
      'a stream of a removed connection may be left at its transmitter',
    )
  }
}

export const sayOf = (trouble: string): string =>
  Object.hasOwn(streamTroubles, trouble) ? streamTroubles[trouble as StreamTrouble] : trouble
