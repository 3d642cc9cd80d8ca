/** What a guard believes when the clock of its machine is set back. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type AnIssuer, anIssuer, resource } from '../test/an-issuer.js'
import { eventually, reasonOf } from '../test/verdicts.js'
import { createGuard, defaultMaxTokenLifeSeconds, type Guard, type GuardOptions } from './create-guard.js'
import { mostStepBackSeconds } from './watched-clock.js'

const issuerUrl = 'https://login.example/t/acme'
let nowMs = 0
let issuer: AnIssuer
const started: Guard[] = []
const now = () => nowMs
const seconds = () => Math.floor(nowMs / 1000)

beforeEach(async () => {
  nowMs = Date.now()
  issuer = await anIssuer({ issuer: issuerUrl, tenant: 'acme', now })
})
afterEach(async () => {
  await Promise.all(started.splice(0).map((guard) => guard.stop()))
})

async function aStartedGuard(over: Partial<GuardOptions> = {}): Promise<Guard> {
  const guard = createGuard({
    resource,
    issuers: [{ issuer: issuerUrl, credential: { id: 'id', secret: 'dbx_secret' } }],
    toolScopes: { search: ['documents:read'] },
    onDeaf: 'refuse',
    fetch: issuer.fetch,
    now,
    ...over,
  })
  started.push(guard)
  await guard.start()
  return guard
}

it('a clock that went far ahead and comes back revives nothing, and a new snapshot is waited for', async () => {
  const guard = await aStartedGuard()
  const notice = await issuer.signNotice({ target: 'subject', targetId: 'ada', epoch: 2 })
  issuer.push({ [notice.jti]: notice.token })
  await eventually(() => issuer.polls.some((poll) => poll.ack.includes(notice.jti)))
  const [revoked, living] = [await issuer.signToken(), await issuer.signToken({ sub: 'clark' })]
  expect(await reasonOf(guard, revoked)).toBe('token_below_barrier')
  nowMs += 2 * defaultMaxTokenLifeSeconds * 1000
  expect(await reasonOf(guard, living)).toBe('token_expired')
  expect(await reasonOf(guard, await issuer.signToken({ sub: 'clark' }))).toBe('deaf')
  nowMs -= 2 * defaultMaxTokenLifeSeconds * 1000
  issuer.snapshot = { acme: { subject: { 2: ['ada'] } } }
  expect(await reasonOf(guard, revoked)).toBe('not_ready')
  await eventually(() => guard.isReady())
  expect([await reasonOf(guard, revoked), await reasonOf(guard, living)]).toEqual(['token_below_barrier', 'let through'])
})

it('a clock that goes back makes nothing fresh that was heard before', async () => {
  const guard = await aStartedGuard()
  const token = await issuer.signToken({ iat: seconds() - 600 })
  issuer.isDown = true
  nowMs -= 300_000
  expect(await reasonOf(guard, token)).toBe('not_ready')
  nowMs += 1000
  expect([await reasonOf(guard, token), guard.isReady()]).toEqual(['not_ready', false])
  issuer.isDown = false
  await eventually(() => guard.isReady())
  expect(await reasonOf(guard, token)).toBe('let through')
})

it('a clock that goes back while a token is verified makes nothing fresh either', async () => {
  const guard = await aStartedGuard({
    fetch: async (input, init) => {
      if (input === `${issuerUrl}/jwks`) nowMs -= 300_000
      return issuer.fetch(input, init)
    },
  })
  expect(await reasonOf(guard, await issuer.signToken({ iat: seconds() - 600 }))).toBe('not_ready')
})

it('a clock that goes back leaves no set of keys fresh for so much longer', async () => {
  const guard = await aStartedGuard()
  const tell = async () => {
    const notice = await issuer.signNotice({ target: 'subject', targetId: 'clark', epoch: 2 })
    issuer.push({ [notice.jti]: notice.token })
    await eventually(() => issuer.polls.some((poll) => poll.ack.includes(notice.jti)))
  }
  const withdrawn = await issuer.signToken({ iat: seconds() - 600 })
  await tell()
  expect(await reasonOf(guard, withdrawn)).toBe('let through')
  expect(issuer.fetched).toEqual({ '/jwks': 1, '/ssf/jwks': 1 })
  issuer.unpublish(issuer.tokenKey.kid)
  await issuer.replaceTokenKey()
  nowMs -= 300_000
  expect(await reasonOf(guard, withdrawn)).toBe('not_ready')
  await eventually(() => guard.isReady())
  expect(await reasonOf(guard, withdrawn)).toBe('token_signature_wrong')
  expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
  await tell()
  expect(issuer.fetched).toEqual({ '/jwks': 2, '/ssf/jwks': 2 })
})

it('a clock that is set back by a little is none of this', async () => {
  const guard = await aStartedGuard()
  nowMs -= mostStepBackSeconds * 1000
  expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
  expect(issuer.opened).toHaveLength(1)
})
