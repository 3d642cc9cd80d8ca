/** What a guard does when its issuer is too busy for it, loses an answer, or knows its stream no longer. */
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest'
import { type AnIssuer, anIssuer, resource } from '../test/an-issuer.js'
import { eventually, reasonOf } from '../test/verdicts.js'
import { mostRetryAfterSeconds, parseRetryAfter } from './ask-issuer.js'
import { createGuard, type Guard, type GuardOptions } from './create-guard.js'
import { streamLapsesAfterSeconds } from './receive-notices.js'

const issuerUrl = 'https://login.example/t/acme'
let nowMs = 0
let issuer: AnIssuer
const troubles: string[] = []
const started: Guard[] = []

beforeEach(async () => {
  nowMs = Date.now()
  troubles.length = 0
  issuer = await anIssuer({ issuer: issuerUrl, tenant: 'acme', now: () => nowMs })
})
afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(started.splice(0).map((guard) => guard.stop()))
})

function aGuard(over: Partial<GuardOptions> = {}): Guard {
  const guard = createGuard({
    resource,
    issuers: [{ issuer: issuerUrl, credential: { id: 'id', secret: 'dbx_secret' } }],
    toolScopes: {},
    onDeaf: 'refuse',
    fetch: issuer.fetch,
    now: () => nowMs,
    onTrouble: (_issuer, trouble) => troubles.push(trouble),
    ...over,
  })
  started.push(guard)
  return guard
}
const streamsPolled = () => new Set(issuer.polls.map(({ streamId }) => streamId))
const acknowledged = (jti: string) => issuer.polls.some(({ ack }) => ack.includes(jti))
const aNotice = () => issuer.signNotice({ target: 'subject', targetId: 'ada', epoch: 2 })

describe('an answer that says nothing of the stream', () => {
  test.each([
    { status: 429, retryAfter: '0' },
    { status: 503, retryAfter: '0' },
    { status: 500 },
    { status: 502 },
    { status: 408 },
    { status: 401 },
    { status: 403 },
    'lost' as const,
  ])('%j: the same stream is asked again, and hears', async (answer) => {
    issuer.turnsAway['/ssf/poll'].push(answer, answer)
    const guard = aGuard()
    await guard.start()
    const notice = await aNotice()
    issuer.push({ [notice.jti]: notice.token })
    await eventually(() => acknowledged(notice.jti))
    expect([issuer.opened.length, [...streamsPolled()], troubles.length]).toEqual([1, ['stream-1'], 2])
    expect(await reasonOf(guard, await issuer.signToken())).toBe('token_below_barrier')
  })

  it('what the next poll says once more is what was said in the one that was turned away', async () => {
    await aGuard().start()
    const notice = await aNotice()
    issuer.turnsAway['/ssf/poll'].push({ status: 503 })
    issuer.push({ [notice.jti]: notice.token })
    await eventually(() => issuer.polls.filter(({ ack }) => ack.includes(notice.jti)).length === 2)
  })

  it('counts as nothing heard: a guard that is turned away for long is deaf', async () => {
    const guard = aGuard()
    await guard.start()
    issuer.turnsAway['/ssf/poll'].push(...Array.from({ length: 100 }, () => ({ status: 429 })))
    issuer.push({})
    await eventually(() => troubles.length > 0)
    nowMs += 60_000
    expect(await reasonOf(guard, await issuer.signToken())).toBe('deaf')
    expect(issuer.opened).toHaveLength(1)
  })
})

describe('an answer that says that the stream is gone', () => {
  test.each([404, 410, 400])('%i: a new one is opened, and what that says counts', async (status) => {
    issuer.turnsAway['/ssf/poll'].push({ status })
    const guard = aGuard()
    await guard.start()
    issuer.snapshot = { acme: { subject: { 2: ['ada'] } } }
    await eventually(() => issuer.opened.length === 2)
    await eventually(async () => (await reasonOf(guard, await issuer.signToken())) === 'token_below_barrier')
  })

  it('so does a silence in which the issuer has given it up', async () => {
    await aGuard().start()
    issuer.turnsAway['/ssf/poll'].push(...Array.from({ length: 3 }, () => ({ status: 503 })))
    issuer.push({})
    await eventually(() => troubles.length === 2)
    expect(issuer.opened).toHaveLength(1)
    nowMs += (streamLapsesAfterSeconds + 1) * 1000
    await eventually(() => issuer.opened.length === 2)
  })
})

describe('keys of notices that cannot be fetched', () => {
  it('have no notice refused: it is judged when they can, on the same stream', async () => {
    const guard = aGuard()
    await guard.start()
    const notice = await aNotice()
    issuer.turnsAway['/ssf/jwks'].push({ status: 429 })
    issuer.push({ [notice.jti]: notice.token })
    await eventually(() => troubles.includes('the keys of notices cannot be fetched'))
    expect([acknowledged(notice.jti), issuer.opened.length]).toEqual([false, 1])
    issuer.push({ [notice.jti]: notice.token })
    await eventually(() => acknowledged(notice.jti))
    expect([issuer.opened.length, issuer.polls.flatMap(({ setErrs }) => Object.keys(setErrs))]).toEqual([1, []])
    expect(await reasonOf(guard, await issuer.signToken())).toBe('token_below_barrier')
  })

  it('leave the guard deaf meanwhile: what it could not judge it has not heard', async () => {
    const guard = aGuard()
    await guard.start()
    const notice = await aNotice()
    nowMs += 59_000
    for (let times = 0; times < 20; times++) {
      issuer.turnsAway['/ssf/jwks'].push({ status: 503 })
      issuer.push({ [notice.jti]: notice.token })
    }
    await eventually(() => troubles.length > 0)
    nowMs += 1000
    expect(await reasonOf(guard, await issuer.signToken())).toBe('deaf')
  })
})

describe('a process that stood still while its poll was answered', () => {
  const standStill = (seconds: number, sets: Record<string, string> = {}) => {
    nowMs += seconds * 1000
    issuer.push(sets)
  }

  it('takes the answer for what was heard when it was asked for, and not when it was read', async () => {
    const guard = aGuard()
    await guard.start()
    const token = await issuer.signToken()
    issuer.turnsAway['/ssf/poll'].push(...Array.from({ length: 100 }, () => ({ status: 503 })))
    standStill(61)
    await eventually(() => troubles.length > 0)
    expect(await reasonOf(guard, token)).toBe('deaf')
  })

  it('believes what the answer says, and has the next ones come at once until it has heard again', async () => {
    const guard = aGuard()
    await guard.start()
    await eventually(() => issuer.polls.length === 1)
    const [notice, token] = [await aNotice(), await issuer.signToken()]
    issuer.turnsAway['/ssf/poll'].push({ status: 503 })
    standStill(61, { [notice.jti]: notice.token })
    await eventually(() => issuer.polls.length === 4)
    expect(issuer.polls.map(({ returnImmediately }) => returnImmediately)).toEqual([false, true, true, false])
    expect([await reasonOf(guard, token), await reasonOf(guard, await issuer.signToken({ sub: 'clark' }))]).toEqual([
      'token_below_barrier',
      'let through',
    ])
  })

  it('has heard all that was to be heard where it stood still for less than a poll may take', async () => {
    const guard = aGuard()
    await guard.start()
    await eventually(() => issuer.polls.length === 1)
    standStill(35)
    await eventually(() => issuer.polls.length === 2)
    nowMs += 59_000
    expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
    expect(issuer.polls.map(({ returnImmediately }) => returnImmediately)).toEqual([false, false])
  })

  it('does not take an introspection for news either', async () => {
    const frozen: typeof fetch = async (input, init) => {
      const answer = await issuer.fetch(input, init)
      if (input === `${issuerUrl}/introspect`) nowMs += 6000
      return answer
    }
    const guard = aGuard({ onDeaf: 'introspect', fetch: frozen })
    await guard.start()
    nowMs += 61_000
    expect(await reasonOf(guard, await issuer.signToken())).toBe('issuer_unreachable')
  })

  it('nor keys: what it read late may have been condemned since', async () => {
    let realMs = Date.now()
    vi.spyOn(Date, 'now').mockImplementation(() => realMs)
    try {
      const frozen: typeof fetch = async (input, init) => {
        const answer = await issuer.fetch(input, init)
        if (input === `${issuerUrl}/jwks`) realMs += 6000
        return answer
      }
      const guard = aGuard({ fetch: frozen })
      await guard.start()
      expect(await reasonOf(guard, await issuer.signToken())).toBe('issuer_unreachable')
    } finally {
      vi.restoreAllMocks()
    }
  })
})

describe('Retry-After', () => {
  test.each([
    { said: '3', random: 0, waitsMs: 3000 },
    { said: '3', random: 0.5, waitsMs: 3750 },
    { said: '86400', random: 0, waitsMs: mostRetryAfterSeconds * 1000 },
    { said: 'soon', random: 0, waitsMs: 50 },
    { said: '0', random: 0, waitsMs: 50 },
  ])('"$said" has a guard wait $waitsMs ms where chance is $random, for a poll and for an opening', async ({ said, random, waitsMs }) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    issuer.turnsAway['/ssf/streams'].push({ status: 429, retryAfter: said })
    issuer.turnsAway['/ssf/poll'].push({ status: 503, retryAfter: said })
    const guard = aGuard({ random: () => random })
    const ready = guard.start()
    await vi.advanceTimersByTimeAsync(waitsMs - 1)
    expect(issuer.opened).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    await ready
    // The second time it waits twice as long where it is told nothing.
    const secondMs = Math.max(waitsMs, 100)
    await vi.advanceTimersByTimeAsync(secondMs - 1)
    expect(issuer.polls).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect([issuer.polls.length, issuer.opened.length]).toEqual([2, 1])
  })

  test.each([
    { header: null, seconds: undefined },
    { header: '', seconds: undefined },
    { header: 'soon', seconds: undefined },
    { header: '-1', seconds: 0 },
    { header: '7', seconds: 7 },
    { header: '99999999999', seconds: undefined },
    { header: 'Sun, 29 Nov 2026 10:00:05 GMT', seconds: 5 },
    { header: 'Sun, 29 Nov 2026 09:59:55 GMT', seconds: 0 },
    { header: 'Mon, 30 Nov 2026 10:00:05 GMT', seconds: mostRetryAfterSeconds },
  ])('%j is read', ({ header, seconds }) => {
    expect(parseRetryAfter(header, Date.UTC(2026, 10, 29, 10) / 1000)).toBe(seconds)
  })
})
