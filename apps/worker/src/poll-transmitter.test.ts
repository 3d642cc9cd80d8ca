/** Security events that have to be fetched, from a transmitter that shares no code with us: what is acknowledged has happened, and nothing is lost. */
import { addSeconds } from '@drawbridge/core/instant'
import type { FetchOptions, FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { refusedEventLimits } from '@drawbridge/store/refused-security-events'
import { issuerKeyLimits } from '@drawbridge/upstream/oidc/issuer-keys'
import { pollLimits } from '@drawbridge/upstream/signals/poll'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { installationId, sealer } from '../test/a-company.js'
import { aListeningCompany } from '../test/a-listening-company.js'
import { type PollDeps, pollTurn } from './poll-transmitter.js'
import { pollDueStreams, turnsAtOnce } from './poll-transmitters.js'
import { createStreamMemory } from './stream-memory.js'

let acme: Awaited<ReturnType<typeof aListeningCompany>>
const asked: { url: string; options: FetchOptions; body: Record<string, unknown> }[] = []
/** Takes the place of the network for one address. */
let instead: FetchSafely | undefined

beforeAll(async () => {
  acme = await aListeningCompany('acme', (real) => async (url, options) => {
    if (!url.includes('/poll/')) return real(url, options)
    asked.push({ url, options, body: JSON.parse(String(options.body)) as Record<string, unknown> })
    return (instead ?? real)(url, options)
  })
})
afterAll(() => acme?.close())
beforeEach(async () => {
  instead = undefined
  acme.transmitter().waitMs = 0
  await acme.listen()
  asked.length = 0
})

const poll = async (room = turnsAtOnce): Promise<number> => {
  const turns = await pollDueStreams(acme.deps, room, { waits: true, signal: new AbortController().signal })
  await Promise.all(turns.map(({ done }) => done))
  return turns.length
}

describe('a stream that is fetched', () => {
  it('ends what the event says, and acknowledges only after that', async () => {
    const [jti] = await acme.transmitter().emit('account-disabled', 'globex-ada')
    expect(await poll()).toBe(1)
    expect(await acme.ada()).toMatchObject({ gone: true })
    expect(acme.theStream().waiting.size).toBe(0)
    expect(asked.map(({ body }) => body['ack'])).toEqual([undefined, [jti]])
    const { lastEventAt, lastEventIssuedAt, answeredAt, failures } = await acme.stored()
    expect([Number(lastEventAt), Number(lastEventIssuedAt), Number(answeredAt), failures]).toEqual([acme.now(), acme.now(), acme.now(), 0])
    // Its turn is over, and it is nobody's again until it is due.
    expect(await poll()).toBe(0)
    acme.wait(pollTurn.idleSeconds * 2)
    expect(await poll()).toBe(1)
  })

  it('by client credentials, too, with one token for many requests', async () => {
    await acme.listen({ credential: { ...acme.transmitter().client } })
    await acme.transmitter().emit('session-revoked', 'globex-ada')
    await poll()
    expect([acme.theStream().waiting.size, (await acme.ada())?.epoch]).toEqual([0, 2])
    expect(new Set(asked.map(({ options }) => options.headers?.['authorization'])).size).toBe(1)
  })

  it('has everything fetched where there is more than one answer holds', async () => {
    await acme.transmitter().emit('account-disabled', 'globex-nobody')
    for (let count = 0; count < pollLimits.events + 5; count += 1) await acme.transmitter().emit('session-revoked', 'globex-nobody')
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    expect([acme.theStream().waiting.size, (await acme.ada())?.gone]).toEqual([0, true])
    expect(asked.length).toBeGreaterThan(2)
  })

  it('is not acknowledged what could not be written: it comes again, and what came with it is not held back', async () => {
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    const [other] = await acme.transmitter().emit('session-revoked', 'globex-nobody')
    await acme.owner(`ALTER TABLE deprovisioning_events ADD CONSTRAINT no_ada CHECK (reason <> 'account-disabled') NOT VALID`, [])
    await poll()
    expect([acme.theStream().waiting.size, (await acme.ada())?.gone]).toEqual([1, false])
    expect(asked[1]?.body).toMatchObject({ ack: [other], maxEvents: 0 })
    expect(await acme.stored()).toMatchObject({ failures: 0, answeredAt: acme.now(), lastError: 'event_not_kept' })
    await acme.owner('ALTER TABLE deprovisioning_events DROP CONSTRAINT no_ada', [])
    acme.wait(pollTurn.heldSeconds * 2)
    await poll()
    expect([acme.theStream().waiting.size, (await acme.ada())?.gone]).toEqual([0, true])
    expect(await acme.stored()).toMatchObject({ failures: 0, failingSince: undefined })
  })

  it('has what could not be written tried again at an even pace, and it is an alarm when it lasts', async () => {
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await acme.owner(`ALTER TABLE deprovisioning_events ADD CONSTRAINT no_ada CHECK (reason <> 'account-disabled') NOT VALID`, [])
    const began = acme.now()
    while (acme.now() < addSeconds(began, pollTurn.alarmSeconds * 1.5)) {
      await poll()
      const pause = Number((await acme.stored()).nextPollAt) - acme.now()
      expect(pause).toBeLessThanOrEqual(pollTurn.heldSeconds * 1500)
      acme.wait(pause / 1000)
    }
    await acme.owner('ALTER TABLE deprovisioning_events DROP CONSTRAINT no_ada', [])
    expect([(await acme.stored()).failures, await acme.audits('connection.signals_unheard')]).toEqual([0, 1])
  })

  it('has everything else fetched in the same turn, where one of more than an answer holds cannot be written', async () => {
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    for (let count = 0; count < pollLimits.events * 2; count += 1) await acme.transmitter().emit('session-revoked', 'globex-nobody')
    await acme.owner(`ALTER TABLE deprovisioning_events ADD CONSTRAINT no_ada CHECK (reason <> 'account-disabled') NOT VALID`, [])
    await poll()
    await acme.owner('ALTER TABLE deprovisioning_events DROP CONSTRAINT no_ada', [])
    expect([acme.theStream().waiting.size, (await acme.stored()).lastError]).toEqual([1, 'event_not_kept'])
  })

  it('of whose events many are of a key that nobody has, has all of them judged at once: keys that came after them are final', async () => {
    await acme.transmitter().emit('session-revoked', 'globex-ada')
    const [token = ''] = acme.theStream().waiting.values()
    await poll()
    const header = { ...(JSON.parse(String(Buffer.from(token.split('.')[0] ?? '', 'base64url'))) as object), kid: 'nobody’s' }
    const forged = [Buffer.from(JSON.stringify(header)).toString('base64url'), ...token.split('.').slice(1)].join('.')
    for (let count = 0; count < 5; count += 1) acme.theStream().waiting.set(`forged ${count}`, forged)
    acme.wait(issuerKeyLimits.refetchPauseSeconds)
    await poll()
    expect([acme.theStream().refused.size, acme.theStream().waiting.size, (await acme.stored()).lastError]).toEqual([5, 0, undefined])
  })

  it('whose acknowledgement was lost is delivered again and counts once', async () => {
    await acme.transmitter().emit('session-revoked', 'globex-ada')
    const { real } = acme
    instead = async (url, options) => {
      if ('ack' in (JSON.parse(String(options.body)) as object)) return { ok: false, error: { reason: 'unreachable' } }
      return real(url, options)
    }
    await poll()
    expect([acme.theStream().waiting.size, (await acme.ada())?.epoch]).toEqual([1, 2])
    instead = undefined
    acme.wait(60)
    await poll()
    expect([acme.theStream().waiting.size, (await acme.ada())?.epoch]).toEqual([0, 2])
  })

  it('says which event it does not believe, and why, and goes on', async () => {
    acme.theStream().waiting.set('forged', 'a.b.c')
    const [jti] = await acme.transmitter().emit('session-revoked', 'globex-ada')
    await poll()
    expect([...acme.theStream().refused]).toEqual([['forged', 'invalid_request']])
    expect(await acme.stored()).toMatchObject({ refusals: 1, refusal: expect.stringMatching(/^set_malformed: /), refusedAt: acme.now() })
    expect(asked[1]?.body).toMatchObject({ ack: [jti], setErrs: { forged: { err: 'invalid_request' } } })
    expect((await acme.ada())?.epoch).toBe(2)
  })

  it('is of one transmitter: what another signs is not believed', async () => {
    const other = acme.simulator.signals('acme')
    const theirs = other.streams.create((id) => ({ method: 'urn:ietf:rfc:8936', endpoint_url: `${other.issuer}/ssf/poll/${id}` }), [])
    await other.emit('account-disabled', 'globex-ada')
    for (const [jti, token] of theirs.waiting) acme.theStream().waiting.set(jti, token)
    await poll()
    expect([...acme.theStream().refused.values()]).toEqual(['invalid_issuer'])
    expect((await acme.ada())?.gone).toBe(false)
  })

  it.each([
    { what: 'for another audience', wrong: () => ({ audience: 'mistyped' }), trouble: 'event_for_another_audience' },
    {
      what: 'of another issuer',
      wrong: () => ({ issuer: 'https://renamed.example', jwksUri: `${acme.transmitter().issuer}/jwks` }),
      trouble: 'event_of_another_issuer',
    },
  ])('$what than the connection says, and signed by its transmitter, is not lost: it waits until that is mended', async (one) => {
    const right = { issuer: acme.transmitter().issuer, audience: acme.theStream().audience }
    await acme.configure(one.wrong(), { isGiven: true })
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    acme.wait(pollTurn.alarmSeconds)
    await poll()
    expect([acme.theStream().waiting.size, acme.theStream().refused.size, (await acme.ada())?.gone]).toEqual([1, 0, false])
    expect([(await acme.stored()).lastError, await acme.audits('connection.signals_unheard')]).toEqual([one.trouble, 1])
    await acme.configure(right, { isGiven: true })
    acme.wait(pollTurn.longestPauseSeconds * 2)
    await poll()
    expect([acme.theStream().waiting.size, (await acme.ada())?.gone, await acme.audits('connection.signals_heard_again')]).toEqual([
      0,
      true,
      1,
    ])
  })

  it('for another audience is neither lost nor refused while the keys cannot be had', async () => {
    await acme.configure({ audience: 'mistyped', jwksUri: 'http://127.0.0.1:1/jwks' })
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    expect([acme.theStream().waiting.size, (await acme.stored()).lastError]).toEqual([1, 'event_keys_awaited'])
  })

  it('that is only too old is refused, is an alarm with whom it meant, and so is she in the trail; the others of the hour are counted', async () => {
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await acme.transmitter().emit('session-revoked', 'globex-eve')
    acme.wait(8 * 86_400)
    await poll()
    const [refusals, named] = [(await acme.stored()).refusals, `signal:${acme.connectionId()}:globex-ada`]
    expect([acme.theStream().refused.size, refusals, (await acme.ada())?.gone]).toEqual([2, 2, false])
    const told = await acme.owner(`SELECT detail FROM audit_events WHERE connection_id = $1 AND kind = 'connection.signal_alarm'`, [
      acme.connectionId(),
    ])
    expect(told).toEqual([{ detail: { event: 'refused', reason: 'set_malformed', rule: 'too_old', named } }])
    const unmatched = await acme.owner<{ target_id: string }>(
      'SELECT target_id FROM deprovisioning_events WHERE received_at = $1 AND NOT matched',
      [new Date(acme.now())],
    )
    expect(unmatched.map((row) => row.target_id)).toEqual([named, `signal:${acme.connectionId()}:globex-eve`])
  })

  it('that nobody believes is an alarm once in an hour', async () => {
    for (const seconds of [0, 60, refusedEventLimits.alarmWindowSeconds]) {
      acme.wait(seconds)
      acme.theStream().waiting.set(`forged ${seconds}`, 'a.b.c')
      await poll()
    }
    expect([(await acme.stored()).refusals, await acme.audits('connection.signal_alarm')]).toEqual([3, 2])
  })

  it('of a suspended company and of a connection that is switched off is still heard', async () => {
    await acme.owner('UPDATE connections SET disabled_at = created_at WHERE id = $1', [acme.connectionId()])
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    expect((await acme.ada())?.gone).toBe(true)
  })

  it('says that it stands still: an alarm', async () => {
    await acme.transmitter().streams.setStatus(acme.theStream(), 'paused', 'maintenance')
    acme.theStream().status = 'enabled'
    await poll()
    expect(await acme.stored()).toMatchObject({ status: 'paused', statusReason: 'maintenance' })
    expect(await acme.audits('connection.signal_alarm')).toBe(1)
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
    const { lastError, nextPollAt, failures } = await acme.stored()
    expect([lastError, failures]).toEqual([trouble, 1])
    expect(Number(nextPollAt)).toBeGreaterThanOrEqual(
      addSeconds(acme.now(), trouble === 'transmitter_busy' ? 200 : pollTurn.failedSeconds / 2),
    )
  })

  it('is asked for less where it answers with more than is read', async () => {
    const limits: unknown[] = []
    const { real } = acme
    instead = async (url, options) => {
      const { maxEvents } = JSON.parse(String(options.body)) as { maxEvents: number }
      limits.push(maxEvents)
      return maxEvents > 10 ? { ok: false, error: { reason: 'too_large' } } : real(url, options)
    }
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    expect(limits.slice(0, 2)).toEqual([pollLimits.events, 10])
    expect((await acme.ada())?.gone).toBe(true)
  })

  it('is given longer pauses, is told after a named time once, and is told of again when it is back', async () => {
    instead = says(500, '')
    const began = acme.now()
    for (let last = 0; acme.now() < addSeconds(began, pollTurn.alarmSeconds * 2); ) {
      await poll()
      const pause = Number((await acme.stored()).nextPollAt) - acme.now()
      expect(pause).toBeLessThanOrEqual(pollTurn.longestPauseSeconds * 1500)
      last = pause
      acme.wait(last / 1000)
    }
    expect(await acme.audits('connection.signals_unheard')).toBe(1)
    instead = undefined
    await poll()
    expect(await acme.audits('connection.signals_heard_again')).toBe(1)
    expect((await acme.stored()).alarmedAt).toBeUndefined()
  })

  it.each([
    { is: 'another', change: { issuer: 'https://another.example' } },
    { is: 'at another address', change: { configurationUrl: 'https://evil.example/.well-known/ssf-configuration' } },
  ])('is $is than our credential was given for: nobody is asked, nothing is taken, and it is an alarm', async ({ change }) => {
    await acme.configure(change)
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    acme.wait(pollTurn.alarmSeconds * 2)
    await poll()
    expect([asked.length, acme.theStream().refused.size, acme.theStream().waiting.size]).toEqual([0, 0, 1])
    expect((await acme.stored()).lastError).toBe('stream_of_another_transmitter')
    expect(await acme.audits('connection.signals_unheard')).toBe(1)
  })

  it('is not known of a credential that was kept without it: nobody is asked', async () => {
    await acme.owner('UPDATE signal_streams SET sealed_credential = $1', [
      acme.seal(Buffer.from(JSON.stringify({ bearerToken: acme.transmitter().bearerToken }))),
    ])
    await poll()
    expect([(await acme.stored()).lastError, asked.length]).toEqual(['stream_of_another_transmitter', 0])
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
    await acme.owner(change, [acme.connectionId()])
    await poll()
    expect([(await acme.stored()).lastError, asked.length]).toEqual([trouble, 0])
  })

  it('whose token endpoint does not know us is not asked', async () => {
    await acme.listen({ credential: { ...acme.transmitter().client, clientSecret: 'another' } })
    await poll()
    expect([(await acme.stored()).lastError, asked.length]).toEqual(['token_endpoint_says_no', 0])
  })

  it('whose keys cannot be had is heard later: the event is neither acknowledged nor refused', async () => {
    const real = acme.deps.fetchSafely
    const without: PollDeps = {
      ...{ ...acme.deps, memory: createStreamMemory({ sealer, installationId }) },
      fetchSafely: (url, options) =>
        url.includes('/poll/') ? real(url, options) : Promise.resolve({ ok: false, error: { reason: 'unreachable' } }),
    }
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    const [turn] = await pollDueStreams(without, 1, { waits: false, signal: new AbortController().signal })
    await turn?.done
    expect([acme.theStream().waiting.size, acme.theStream().refused.size, (await acme.stored()).lastError]).toEqual([
      1,
      0,
      'event_keys_awaited',
    ])
    acme.wait(pollTurn.heldSeconds * 2)
    await poll()
    expect((await acme.ada())?.gone).toBe(true)
  })
})
