/** Security events that have to be fetched, from a transmitter that shares no code with us: what is acknowledged has happened, and nothing is lost. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { createFetchSafely, type FetchOptions, type FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { createSimulator, type Simulator } from '@drawbridge/simulator/simulator'
import type { Stream } from '@drawbridge/simulator/ssf/streams'
import { findSignalStream, putSignalStream, type StoredStream } from '@drawbridge/store/signal-streams'
import { inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { pollLimits } from '@drawbridge/upstream/signals/poll'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { aCompany, countOf, eventually, installationId, jobDeps, random, sealer } from '../test/a-company.js'
import { type PollDeps, pollTurn } from './poll-transmitter.js'
import { pollDueStreams, startPolling, turnsAtOnce } from './poll-transmitters.js'
import { createStreamMemory } from './stream-memory.js'

let fixture: TestDatabase
let simulator: Simulator
let company: Awaited<ReturnType<typeof aCompany>>
let now: Instant = instant(Date.UTC(2026, 10, 23))
let connectionId: ConnectionId
let deps: PollDeps
const asked: { url: string; options: FetchOptions; body: Record<string, unknown> }[] = []
/** Takes the place of the network for one address. */
let instead: FetchSafely | undefined

const transmitter = () => simulator.signals('globex')
const theStream = (): Stream => [...transmitter().streams.all.values()][0] as Stream

beforeAll(async () => {
  fixture = await testDatabase()
  company = await aCompany(fixture, 'acme')
  simulator = createSimulator({ port: 0, now: () => new Date(now) })
  await simulator.start()
  const fetchSafely = createFetchSafely({ allowedOrigins: [], allowLoopback: true })
  deps = {
    ...jobDeps(fixture),
    clock: { now: () => now },
    memory: createStreamMemory({ sealer, installationId }),
    fetchSafely: async (url, options) => {
      if (!url.includes('/poll/')) return fetchSafely(url, options)
      asked.push({ url, options, body: JSON.parse(String(options.body)) as Record<string, unknown> })
      return (instead ?? fetchSafely)(url, options)
    },
  }
})
afterAll(async () => {
  await simulator?.close()
  await fixture?.close()
})

/** A connection that hears the simulator, with ada, and a stream at the simulator that is due. */
async function listening(credential: Record<string, unknown> = { bearerToken: transmitter().bearerToken }): Promise<void> {
  await asOwner(fixture.ownerUrl, 'DELETE FROM signal_streams')
  const { streams, issuer } = transmitter()
  for (const id of streams.all.keys()) streams.remove(id)
  const stream = streams.create((id) => ({ method: 'urn:ietf:rfc:8936', endpoint_url: `${issuer}/ssf/poll/${id}` }), [])
  connectionId = random.uuid() as ConnectionId
  const configuration = { issuer, clientId: 'drawbridge', ssf: { issuer, audience: stream.audience } }
  const owner = (sql: string, ...more: unknown[]) => asOwner(fixture.ownerUrl, sql, [company.tenant, connectionId, new Date(now), ...more])
  await owner(
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', 'Corporate', $4, $3)`,
    JSON.stringify(configuration),
  )
  await owner(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
     VALUES ($1, gen_random_uuid(), $2, 'globex-ada', '{}', $3, $3, $3)`,
  )
  await begin(stream.delivery.endpoint_url, credential)
}
const begin = (pollUrl: string, credential: Record<string, unknown>): Promise<void> => {
  const place = {
    installation: installationId,
    tenant: company.tenant,
    table: 'signal_streams',
    column: 'sealed_credential',
    row: connectionId,
  }
  const sealedCredential = sealer.seal(Buffer.from(JSON.stringify(credential)), place)
  const draft = { delivery: 'poll' as const, streamId: undefined, pollUrl, sealedCredential, nextPollAt: now, nextCheckAt: undefined, now }
  return inTenant(fixture.database, company.tenant, (db) => putSignalStream(db, company.tenant, connectionId, draft))
}
beforeEach(async () => {
  instead = undefined
  transmitter().waitMs = 0
  await listening()
  asked.length = 0
})

const poll = async (room = turnsAtOnce): Promise<number> => {
  const turns = await pollDueStreams(deps, room, { waits: true, signal: new AbortController().signal })
  await Promise.all(turns)
  return turns.length
}
const wait = (seconds: number): void => {
  now = addSeconds(now, seconds)
}
const stored = async (): Promise<StoredStream> =>
  (await inTenant(fixture.database, company.tenant, (db) => findSignalStream(db, company.tenant, connectionId))) as StoredStream
const ada = async () =>
  (
    await asOwner<{ epoch: number; gone: boolean }>(
      fixture.ownerUrl,
      `SELECT epoch, deactivated_at IS NOT NULL AS gone FROM subjects WHERE tenant_id = $1 AND connection_id = $2`,
      [company.tenant, connectionId],
    )
  )[0]
const audits = (kind: string) => countOf(fixture, 'audit_events WHERE connection_id = $1 AND kind = $2', [connectionId, kind])

describe('a stream that is fetched', () => {
  it('ends what the event says, and acknowledges only after that', async () => {
    const [jti] = await transmitter().emit('account-disabled', 'globex-ada')
    expect(await poll()).toBe(1)
    expect(await ada()).toMatchObject({ gone: true })
    expect(theStream().waiting.size).toBe(0)
    expect(asked.map(({ body }) => body['ack'])).toEqual([undefined, [jti]])
    const { lastEventAt, lastEventIssuedAt, answeredAt, failures } = await stored()
    expect([Number(lastEventAt), Number(lastEventIssuedAt), Number(answeredAt), failures]).toEqual([now, now, now, 0])
    // Its turn is over, and it is nobody's again until it is due.
    expect(await poll()).toBe(0)
    wait(pollTurn.idleSeconds * 2)
    expect(await poll()).toBe(1)
  })

  it('by client credentials, too, with one token for many requests', async () => {
    await listening({ ...transmitter().client })
    await transmitter().emit('session-revoked', 'globex-ada')
    await poll()
    expect([theStream().waiting.size, (await ada())?.epoch]).toEqual([0, 2])
    expect(new Set(asked.map(({ options }) => options.headers?.['authorization'])).size).toBe(1)
  })

  it('has everything fetched where there is more than one answer holds', async () => {
    await transmitter().emit('account-disabled', 'globex-nobody')
    for (let count = 0; count < pollLimits.events + 5; count += 1) await transmitter().emit('session-revoked', 'globex-nobody')
    await transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    expect([theStream().waiting.size, (await ada())?.gone]).toEqual([0, true])
    expect(asked.length).toBeGreaterThan(2)
  })

  it('is not acknowledged what could not be written: it comes again, and what came with it is not held back', async () => {
    await transmitter().emit('account-disabled', 'globex-ada')
    const [other] = await transmitter().emit('session-revoked', 'globex-nobody')
    await asOwner(
      fixture.ownerUrl,
      `ALTER TABLE deprovisioning_events ADD CONSTRAINT no_ada CHECK (reason <> 'account-disabled') NOT VALID`,
      [],
    )
    await poll()
    expect([theStream().waiting.size, (await ada())?.gone]).toEqual([1, false])
    expect(asked[1]?.body).toMatchObject({ ack: [other], maxEvents: 0 })
    expect(await stored()).toMatchObject({ failures: 1, lastError: 'event_not_kept' })
    await asOwner(fixture.ownerUrl, 'ALTER TABLE deprovisioning_events DROP CONSTRAINT no_ada', [])
    wait(60)
    await poll()
    expect([theStream().waiting.size, (await ada())?.gone]).toEqual([0, true])
    expect(await stored()).toMatchObject({ failures: 0 })
  })

  it('whose acknowledgement was lost is delivered again and counts once', async () => {
    await transmitter().emit('session-revoked', 'globex-ada')
    const real = createFetchSafely({ allowedOrigins: [], allowLoopback: true })
    instead = async (url, options) => {
      if ('ack' in (JSON.parse(String(options.body)) as object)) return { ok: false, error: { reason: 'unreachable' } }
      return real(url, options)
    }
    await poll()
    expect([theStream().waiting.size, (await ada())?.epoch]).toEqual([1, 2])
    instead = undefined
    wait(60)
    await poll()
    expect([theStream().waiting.size, (await ada())?.epoch]).toEqual([0, 2])
  })

  it('says which event it does not believe, and why, and goes on', async () => {
    theStream().waiting.set('forged', 'a.b.c')
    const [jti] = await transmitter().emit('session-revoked', 'globex-ada')
    await poll()
    expect([...theStream().refused]).toEqual([['forged', 'invalid_request']])
    expect(asked[1]?.body).toMatchObject({ ack: [jti], setErrs: { forged: { err: 'invalid_request' } } })
    expect((await ada())?.epoch).toBe(2)
  })

  it('is of one connection: what another transmitter signs is not believed', async () => {
    const { issuer } = simulator.signals('acme')
    await asOwner(
      fixture.ownerUrl,
      `UPDATE connections SET configuration = jsonb_set(configuration, '{ssf,issuer}', to_jsonb($2::text)) WHERE id = $1`,
      [connectionId, issuer],
    )
    await transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    expect([...theStream().refused.values()]).toEqual(['invalid_issuer'])
    expect((await ada())?.gone).toBe(false)
  })

  it('of a suspended company and of a connection that is switched off is still heard', async () => {
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = created_at WHERE id = $1', [connectionId])
    await transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    expect((await ada())?.gone).toBe(true)
  })

  it('says that it stands still: an alarm', async () => {
    await transmitter().streams.setStatus(theStream(), 'paused', 'maintenance')
    theStream().status = 'enabled'
    await poll()
    expect(await stored()).toMatchObject({ status: 'paused', statusReason: 'maintenance' })
    expect(await audits('connection.signal_alarm')).toBe(1)
  })
})

describe('a transmitter that does not answer well', () => {
  const says =
    (status: number, body: string, headers: Record<string, string> = {}): FetchSafely =>
    () =>
      Promise.resolve({ ok: true, value: { status, headers, body: Buffer.from(body) } })
  it.each([
    { answer: says(500, ''), trouble: 'transmitter_unreachable' },
    { answer: says(401, ''), trouble: 'transmitter_says_no' },
    { answer: says(404, ''), trouble: 'stream_gone' },
    { answer: says(429, '', { 'retry-after': '200' }), trouble: 'transmitter_busy' },
    { answer: says(200, 'no JSON'), trouble: 'transmitter_answer_malformed' },
    { answer: says(200, '[]'), trouble: 'transmitter_answer_malformed' },
    { answer: () => Promise.resolve({ ok: false, error: { reason: 'type_refused' } }), trouble: 'transmitter_answer_malformed' },
    { answer: () => Promise.resolve({ ok: false, error: { reason: 'too_large' } }), trouble: 'transmitter_answer_too_large' },
    { answer: () => Promise.resolve({ ok: false, error: { reason: 'address_refused' } }), trouble: 'transmitter_unreachable' },
  ] as readonly { answer: FetchSafely; trouble: string }[])('$trouble', async ({ answer, trouble }) => {
    instead = answer
    await poll()
    const { lastError, nextPollAt, failures } = await stored()
    expect([lastError, failures]).toEqual([trouble, 1])
    expect(Number(nextPollAt)).toBeGreaterThanOrEqual(addSeconds(now, trouble === 'transmitter_busy' ? 200 : pollTurn.failedSeconds / 2))
  })

  it('is asked for less where it answers with more than is read', async () => {
    const limits: unknown[] = []
    const real = createFetchSafely({ allowedOrigins: [], allowLoopback: true })
    instead = async (url, options) => {
      const { maxEvents } = JSON.parse(String(options.body)) as { maxEvents: number }
      limits.push(maxEvents)
      return maxEvents > 10 ? { ok: false, error: { reason: 'too_large' } } : real(url, options)
    }
    await transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    expect(limits.slice(0, 2)).toEqual([pollLimits.events, 10])
    expect((await ada())?.gone).toBe(true)
  })

  it('is given longer pauses, is told after a named time once, and is told of again when it is back', async () => {
    instead = says(500, '')
    const began = now
    for (let last = 0; now < addSeconds(began, pollTurn.alarmSeconds * 2); ) {
      await poll()
      const pause = Number((await stored()).nextPollAt) - now
      expect(pause).toBeLessThanOrEqual(pollTurn.longestPauseSeconds * 1500)
      last = pause
      now = addSeconds(now, last / 1000)
    }
    expect(await audits('connection.signals_unheard')).toBe(1)
    instead = undefined
    await poll()
    expect(await audits('connection.signals_heard_again')).toBe(1)
    expect((await stored()).alarmedAt).toBeUndefined()
  })

  it.each([
    {
      is: 'has no transmitter',
      change: `UPDATE connections SET configuration = configuration - 'ssf' WHERE id = $1`,
      trouble: 'connection_hears_nobody',
    },
    {
      is: 'has a credential of another place',
      change: `UPDATE signal_streams SET sealed_credential = '\\x01020304' WHERE id = $1`,
      trouble: 'credential_unreadable',
    },
  ])('nobody is asked where the connection $is', async ({ change, trouble }) => {
    await asOwner(fixture.ownerUrl, change, [connectionId])
    await poll()
    expect([(await stored()).lastError, asked.length]).toEqual([trouble, 0])
  })

  it('whose token endpoint does not know us is not asked', async () => {
    await listening({ ...transmitter().client, clientSecret: 'another' })
    await poll()
    expect([(await stored()).lastError, asked.length]).toEqual(['token_endpoint_says_no', 0])
  })

  it('whose keys cannot be had is heard later: the event is neither acknowledged nor refused', async () => {
    const real = deps.fetchSafely
    const without: PollDeps = {
      ...{ ...deps, memory: createStreamMemory({ sealer, installationId }) },
      fetchSafely: (url, options) =>
        url.includes('/poll/') ? real(url, options) : Promise.resolve({ ok: false, error: { reason: 'unreachable' } }),
    }
    await transmitter().emit('account-disabled', 'globex-ada')
    await Promise.all(await pollDueStreams(without, 1, { waits: false, signal: new AbortController().signal }))
    expect([theStream().waiting.size, theStream().refused.size, (await stored()).lastError]).toEqual([1, 0, 'event_keys_awaited'])
    wait(60)
    await poll()
    expect((await ada())?.gone).toBe(true)
  })
})

describe('among several workers', () => {
  it('each stream has one poller at a time', async () => {
    const signal = new AbortController().signal
    const both = await Promise.all([1, 2, 3].map(() => pollDueStreams(deps, turnsAtOnce, { waits: false, signal })))
    await Promise.all(both.flat())
    expect(both.flat()).toHaveLength(1)
  })

  it('the turn of one that died is another’s when its lease ends, and what the dead one would write counts no more', async () => {
    let goOn: () => void = () => {}
    instead = () =>
      new Promise((resolve) => {
        goOn = () => resolve({ ok: true, value: { status: 500, headers: {}, body: Buffer.alloc(0) } })
      })
    const [late] = await pollDueStreams(deps, 1, { waits: true, signal: new AbortController().signal })
    await eventually(() => asked.length === 1)
    expect(await poll()).toBe(0)
    wait(pollTurn.leaseSeconds + 1)
    instead = undefined
    await transmitter().emit('account-disabled', 'globex-ada')
    expect(await poll()).toBe(1)
    expect((await ada())?.gone).toBe(true)
    goOn()
    await late
    expect(await stored()).toMatchObject({ failures: 0 })
  })

  it('nobody is kept waiting where more are due than there is room for', async () => {
    await poll(1)
    expect(asked[0]?.body).toMatchObject({ returnImmediately: true })
    wait(60)
    asked.length = 0
    await poll(2)
    expect(asked[0]?.body).toMatchObject({ returnImmediately: false, maxEvents: pollLimits.events })
  })

  it('a worker that stops breaks off its requests and gives its turns back', async () => {
    transmitter().waitMs = 60_000
    const poller = startPolling(deps)
    await eventually(() => asked.length === 1)
    await poller.stop()
    expect(await poll(1)).toBe(1)
    expect(await stored()).toMatchObject({ failures: 0 })
  })

  it('an event that comes while a request waits is heard at once', async () => {
    transmitter().waitMs = 60_000
    const poller = startPolling(deps)
    await eventually(() => asked.length === 1)
    await transmitter().emit('account-disabled', 'globex-ada')
    await eventually(async () => (await ada())?.gone === true)
    await poller.stop()
  })
})
