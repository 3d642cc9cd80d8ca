/** A stream that stands still is found out: it is asked to verify itself, and its transmitter how it is, against one that shares no code with us. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { createFetchSafely, type FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { createSimulator, type Simulator } from '@drawbridge/simulator/simulator'
import type { Stream } from '@drawbridge/simulator/ssf/streams'
import { findSignalStream, putSignalStream, type StoredStream } from '@drawbridge/store/signal-streams'
import { inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals'
import { aCompany, countOf, installationId, jobDeps, random, sealer } from '../../test/a-company.js'
import type { JobDeps } from '../deps.js'
import { pollTurn } from '../poll-transmitter.js'
import { pollDueStreams } from '../poll-transmitters.js'
import { createStreamMemory } from '../stream-memory.js'
import { checkSignalStreams, streamChecks } from './check-signal-streams.job.js'

let fixture: TestDatabase
let simulator: Simulator
let company: Awaited<ReturnType<typeof aCompany>>
let now: Instant = instant(Date.UTC(2026, 10, 23))
let connectionId: ConnectionId
let deps: JobDeps
let stream: Stream
let asked: string[] = []
let broken: readonly [end: string, status: number] | undefined

beforeAll(async () => {
  fixture = await testDatabase()
  company = await aCompany(fixture, 'acme')
  simulator = createSimulator({ port: 0, now: () => new Date(now) })
  await simulator.start()
  const real = createFetchSafely({ allowedOrigins: [], allowLoopback: true })
  const fetchSafely: FetchSafely = async (url, options) => {
    const path = new URL(url).pathname
    asked.push(path.slice(path.lastIndexOf('/') + 1))
    if (broken !== undefined && path.endsWith(broken[0]))
      return { ok: true, value: { status: broken[1], headers: {}, body: Buffer.alloc(0) } }
    return real(url, options)
  }
  deps = { ...jobDeps(fixture), clock: { now: () => now }, fetchSafely }
})
afterAll(async () => {
  await simulator?.close()
  await fixture?.close()
})
beforeEach(async () => {
  broken = undefined
  await asOwner(fixture.ownerUrl, 'DELETE FROM signal_streams')
  await listening('poll')
  asked = []
})

async function listening(delivery: 'push' | 'poll'): Promise<void> {
  const { streams, issuer, bearerToken } = simulator.signals('globex')
  stream = streams.create((id) => ({ method: 'urn:ietf:rfc:8936', endpoint_url: `${issuer}/ssf/poll/${id}` }), [])
  connectionId = random.uuid() as ConnectionId
  const configuration = JSON.stringify({ issuer, clientId: 'drawbridge', ssf: { issuer, audience: stream.audience } })
  const connection = `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', 'Corporate', $3, $4)`
  await asOwner(fixture.ownerUrl, connection, [company.tenant, connectionId, configuration, new Date(now)])
  const place = {
    installation: installationId,
    tenant: company.tenant,
    table: 'signal_streams',
    column: 'sealed_credential',
    row: connectionId,
  }
  const sealedCredential = sealer.seal(Buffer.from(JSON.stringify({ bearerToken })), place)
  const polled =
    delivery === 'poll' ? { pollUrl: stream.delivery.endpoint_url, nextPollAt: now } : { pollUrl: undefined, nextPollAt: undefined }
  await inTenant(fixture.database, company.tenant, (db) =>
    putSignalStream(db, company.tenant, connectionId, {
      delivery,
      streamId: stream.id,
      ...polled,
      sealedCredential,
      nextCheckAt: now,
      now,
    }),
  )
}
const wait = (seconds: number): void => {
  now = addSeconds(now, seconds)
}
const poll = async (): Promise<void> => {
  const memory = createStreamMemory({ sealer, installationId })
  await Promise.all(await pollDueStreams({ ...deps, memory }, 8, { waits: false, signal: new AbortController().signal }))
}
const stored = async (): Promise<StoredStream> =>
  (await inTenant(fixture.database, company.tenant, (db) => findSignalStream(db, company.tenant, connectionId))) as StoredStream
const audits = (kind: string) => countOf(fixture, 'audit_events WHERE connection_id = $1 AND kind = $2', [connectionId, kind])

it('a stream that answers is asked again after an hour, and not before', async () => {
  await checkSignalStreams(deps)
  expect(asked).toEqual(['globex', 'status', 'verification'])
  await poll()
  expect(await stored()).toMatchObject({ verifiedAt: now, status: 'enabled', verificationState: undefined })
  for (let minutes = 0; minutes < 55; minutes += 1) {
    wait(60)
    await checkSignalStreams(deps)
  }
  expect(asked.filter((what) => what === 'verification')).toHaveLength(1)
  wait(600)
  await checkSignalStreams(deps)
  expect(asked.filter((what) => what === 'verification')).toHaveLength(2)
  expect(await audits('connection.signals_unheard')).toBe(0)
})

it('a stream that does not answer is an alarm, once, and is told of again when it speaks', async () => {
  await checkSignalStreams(deps)
  const since = now
  for (let times = 0; times < 3; times += 1) {
    wait(streamChecks.answerSeconds)
    await checkSignalStreams(deps)
  }
  expect(await audits('connection.signals_unheard')).toBe(1)
  expect((await stored()).silentSince).toBe(since)
  await poll()
  wait(streamChecks.answerSeconds)
  await checkSignalStreams(deps)
  expect([await audits('connection.signals_heard_again'), (await stored()).silentSince]).toEqual([1, undefined])
})

it('a stream that was paused without a word is an alarm', async () => {
  stream.status = 'paused'
  await checkSignalStreams(deps)
  expect([(await stored()).status, await audits('connection.signal_alarm')]).toEqual(['paused', 1])
})

it.each([
  { broken: ['/status', 500] as const, alarms: 1 },
  { broken: ['/verification', 403] as const, alarms: 1 },
  { broken: ['/ssf-configuration/globex', 404] as const, alarms: 1 },
  { broken: ['/verification', 429] as const, alarms: 0 },
])('a pushed stream whose transmitter answers $broken is an alarm after a named time: $alarms', async ({ broken: how, alarms }) => {
  await listening('push')
  broken = how
  for (let seconds = 0; seconds <= pollTurn.alarmSeconds * 3; seconds += 300) {
    await checkSignalStreams(deps)
    wait(300)
  }
  expect(await audits('connection.signals_unheard')).toBe(alarms)
  broken = undefined
  wait(streamChecks.everySeconds)
  await checkSignalStreams(deps)
  expect(await audits('connection.signals_heard_again')).toBe(alarms)
})

it('a stream without a name at the transmitter, and what is gone meanwhile, is asked nothing', async () => {
  await asOwner(fixture.ownerUrl, 'UPDATE signal_streams SET stream_id = NULL')
  await checkSignalStreams(deps)
  await asOwner(fixture.ownerUrl, 'DELETE FROM signal_streams')
  await checkSignalStreams(deps)
  expect(asked).toEqual([])
})
