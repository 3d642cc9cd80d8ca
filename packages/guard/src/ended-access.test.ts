/** What was let through and runs on is told when it would be let through no longer, once and soon. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AnIssuer, anIssuer, resource } from '../test/an-issuer.js'
import { eventually } from '../test/verdicts.js'
import { createGuard, type Guard, type GuardOptions } from './create-guard.js'
import { askAgainSeconds, lookAgainSeconds } from './ended-access.js'
import type { GuardRefusal } from './refusal.js'
import type { VerifiedToken } from './verify-access-token.js'

const issuerUrl = 'https://login.example/t/acme'
let nowMs = 0
let issuer: AnIssuer
let introspections = 0
let guard: Guard
let ended: GuardRefusal[] = []

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  nowMs = Date.now()
  ended = []
  introspections = 0
  issuer = await anIssuer({ issuer: issuerUrl, tenant: 'acme', now: () => nowMs })
})
afterEach(async () => {
  vi.useRealTimers()
  await guard.stop()
})

async function begin(over: Partial<GuardOptions> = {}): Promise<VerifiedToken> {
  const counting: typeof fetch = (input, init) => {
    if (input === `${issuerUrl}/introspect`) introspections += 1
    return issuer.fetch(input, init)
  }
  guard = createGuard({
    ...{ resource, issuers: [{ issuer: issuerUrl, credential: { id: 'id', secret: 'dbx_secret' } }], toolScopes: {} },
    ...{ onDeaf: 'refuse', fetch: counting, now: () => nowMs, ...over },
  })
  await guard.start()
  return letIn()
}
const letIn = async (claims = {}): Promise<VerifiedToken> => {
  const checked = await guard.check(`Bearer ${await issuer.signToken(claims)}`)
  if (!checked.ok) throw new Error(checked.error.reason)
  return checked.value
}
const watch = (checked: VerifiedToken) => guard.onEnded(checked, (reason) => ended.push(reason))
const looks = async (times = 1) => {
  for (let time = 0; time < times; time += 1) await vi.advanceTimersByTimeAsync(lookAgainSeconds * 1000)
}
const hear = async (notice: { readonly jti: string; readonly token: string }) => {
  issuer.push({ [notice.jti]: notice.token })
  await eventually(() => issuer.polls.some(({ ack }) => ack.includes(notice.jti)))
}

describe('what was let through', () => {
  it('runs on while it would be let through, and is told once when its access has ended', async () => {
    watch(await begin())
    await looks(3)
    expect(ended).toEqual([])
    await hear(await issuer.signNotice({ target: 'subject', targetId: 'ada', epoch: 2 }))
    await looks(3)
    expect(ended).toEqual(['token_below_barrier'])
  })

  it.each([
    { when: 'its token expires', happens: () => void (nowMs += 900_000), reason: 'token_expired' },
    { when: 'the guard is deaf', happens: () => void (nowMs += 60_000), reason: 'deaf' },
    { when: 'the guard is stopped', happens: () => guard.stop(), reason: 'not_ready' },
    { when: 'its key is condemned', happens: async () => hear(await issuer.signCondemnation('t1')), reason: 'token_key_condemned' },
  ])('is told when $when', async ({ happens, reason }) => {
    watch(await begin())
    await happens()
    await looks()
    expect(ended).toEqual([reason])
  })

  it('ends with a grant that its own was opened from', async () => {
    await begin()
    watch(await letIn({ parents: [{ gid: 'parent', client_id: 'other', epochs: '1.1.1.1.1' }] }))
    await hear(await issuer.signNotice({ target: 'grant', targetId: 'parent', epoch: 2 }))
    await looks()
    expect(ended).toEqual(['token_below_barrier'])
  })

  it('is told at once where it had ended before anybody listened, and where this guard never let it through', async () => {
    const checked = await begin()
    await hear(await issuer.signNotice({ target: 'subject', targetId: 'ada', epoch: 2 }))
    watch(checked)
    watch({ ...checked })
    await eventually(() => ended.length === 2)
    expect(ended).toEqual(['token_below_barrier', 'token_of_unknown_issuer'])
  })

  it('is told nothing when the request is over, and no timer is left', async () => {
    const isOver = watch(await begin())
    isOver()
    expect(vi.getTimerCount()).toBe(0)
    nowMs += 900_000
    await looks()
    expect(ended).toEqual([])
  })

  it('is asked about at the issuer now and then, where the guard is deaf and its owner chose so', async () => {
    const checked = await begin({ onDeaf: 'introspect' })
    nowMs += 61_000
    watch(checked)
    await eventually(() => introspections === 1)
    await looks(askAgainSeconds)
    expect([introspections, ended]).toEqual([1, []])
    issuer.isActive = false
    await looks()
    await eventually(() => ended.length === 1)
    expect([introspections, ended]).toEqual([2, ['token_inactive']])
  })

  it('runs on where the guard introspected it when it came', async () => {
    await begin({ onDeaf: 'introspect' })
    nowMs += 61_000
    watch(await letIn())
    await eventually(() => introspections === 2)
    expect(ended).toEqual([])
  })
})
