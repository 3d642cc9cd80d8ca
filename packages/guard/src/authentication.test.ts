/** How somebody must have signed in: what a token must say, what the challenge tells, and what cannot be demanded (RFC 9470). */
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { type AnIssuer, anIssuer, resource } from '../test/an-issuer.js'
import { leastMaxAgeSeconds, strictest } from './authentication.js'
import { createGuard, type Guard, type GuardOptions } from './create-guard.js'
import { demandOfRequest, maxMessagesPerBatch } from './mcp.js'

const issuerUrl = 'https://login.example/t/acme'
let nowMs = 0
let issuer: AnIssuer
let guard: Guard | undefined

beforeEach(async () => {
  nowMs = Date.now()
  issuer = await anIssuer({ issuer: issuerUrl, tenant: 'acme', now: () => nowMs })
})
afterEach(() => guard?.stop())

const aGuard = async (over: Partial<GuardOptions> = {}): Promise<Guard> => {
  guard = createGuard({
    resource,
    issuers: [{ issuer: issuerUrl, credential: { id: 'id', secret: 'dbx_secret' } }],
    toolScopes: { search: ['documents:read'], pay: ['documents:write'] },
    baseScopes: ['documents:read'],
    onDeaf: 'refuse',
    fetch: issuer.fetch,
    now: () => nowMs,
    ...over,
  })
  await guard.start()
  return guard
}
const seconds = () => Math.floor(nowMs / 1000)
const strong = { acrValues: ['multi_factor', 'phr'] }

describe('a token', () => {
  test.each([
    { when: 'it says one of the values', demand: strong, claims: () => ({ acr: 'phr' }), passes: true },
    { when: 'it says another', demand: strong, claims: () => ({ acr: 'single_factor' }), passes: false },
    { when: 'it says part of one', demand: strong, claims: () => ({ acr: 'ph' }), passes: false },
    { when: 'it says none', demand: strong, claims: () => ({}), passes: false },
    { when: 'it says something else than text', demand: strong, claims: () => ({ acr: ['phr'] as never }), passes: false },
    { when: 'she signed in lately', demand: { maxAgeSeconds: 300 }, claims: () => ({ auth_time: seconds() - 300 }), passes: true },
    { when: 'she signed in before', demand: { maxAgeSeconds: 300 }, claims: () => ({ auth_time: seconds() - 301 }), passes: false },
    { when: 'nobody knows when', demand: { maxAgeSeconds: 300 }, claims: () => ({}), passes: false },
    { when: 'the time is no number', demand: { maxAgeSeconds: 300 }, claims: () => ({ auth_time: `${seconds()}` }), passes: false },
  ])('passes ($passes) where $when', async ({ demand, claims, passes }) => {
    const verdict = await (await aGuard()).check(`Bearer ${await issuer.signToken(claims())}`, [], demand)
    expect(verdict.ok || verdict.error.reason).toBe(passes || 'authentication_insufficient')
  })

  it('that falls short is challenged with all that the client has to ask for (RFC 9470 §3)', async () => {
    const it = await aGuard({ authentication: { maxAgeSeconds: 3600 } })
    const verdict = await it.check(`Bearer ${await issuer.signToken()}`, ['documents:write'], { ...strong, maxAgeSeconds: 600 })
    expect(verdict).toMatchObject({ ok: false, error: { status: 401, reason: 'authentication_insufficient' } })
    const header = verdict.ok ? '' : verdict.error.headers['WWW-Authenticate']
    expect(header).toMatch(/^Bearer error="insufficient_user_authentication", error_description="[^"]+", scope="documents:write", /)
    expect(header).toContain('acr_values="multi_factor phr", max_age="600", resource_metadata="')
  })

  it('is judged by what holds for everything here, too, and never by this before it is believed', async () => {
    const it = await aGuard({ authentication: strong })
    const told = async (claims: Record<string, unknown>) => {
      const verdict = await it.check(`Bearer ${await issuer.signToken(claims)}`)
      return verdict.ok || verdict.error.reason
    }
    expect([await told({}), await told({ acr: 'phr' })]).toEqual(['authentication_insufficient', true])
    expect(await told({ aud: 'https://other.example/mcp' })).toBe('token_for_other_resource')
  })
})

describe('tools that demand sign-ins which exclude each other', () => {
  const toolAuthentication = { search: { acrValues: ['gold'] }, pay: { acrValues: ['silver'] } }

  it('are each used by whoever signed in so', async () => {
    const it = await aGuard({ toolAuthentication })
    const verdict = await it.check(`Bearer ${await issuer.signToken({ acr: 'gold' })}`, [], toolAuthentication.search)
    expect(verdict.ok).toBe(true)
  })

  it.each([undefined, 'gold', 'silver'])(
    'are refused in one batch, whatever was reached (%s), and nobody is sent to step up',
    async (acr) => {
      const it = await aGuard({ toolAuthentication })
      const together = demandOfRequest(it.toolAuthentication, [call('search'), call('pay')])
      const verdict = await it.check(`Bearer ${await issuer.signToken(acr === undefined ? {} : { acr })}`, [], together)
      expect(verdict).toMatchObject({ ok: false, error: { status: 400, reason: 'authentication_impossible' } })
      const challenge = verdict.ok ? undefined : verdict.error
      expect(challenge?.headers['WWW-Authenticate']).not.toMatch(/acr_values|insufficient_user_authentication/)
      expect(challenge?.body).toContain('in requests of their own')
    },
  )

  it('are not told to a stranger', async () => {
    const it = await aGuard({ toolAuthentication })
    const verdict = await it.check('Bearer x', [], demandOfRequest(it.toolAuthentication, [call('search'), call('pay')]))
    expect(verdict).toMatchObject({ ok: false, error: { status: 401 } })
  })
})

test.each([
  { what: 'no value', over: { authentication: { acrValues: [] } } },
  { what: 'a value with a space', over: { authentication: { acrValues: ['a b'] } } },
  { what: 'an age that no client can meet', over: { authentication: { maxAgeSeconds: leastMaxAgeSeconds - 1 } } },
  { what: 'an age that is no whole number', over: { authentication: { maxAgeSeconds: Number.NaN } } },
  { what: 'a tool that there is not', over: { toolAuthentication: { drop: strong } } },
  {
    what: 'values of a tool that the resource never takes',
    over: { authentication: strong, toolAuthentication: { pay: { acrValues: ['gold'] } } },
  },
] as { what: string; over: Partial<GuardOptions> }[])('$what stops the start', async ({ over }) => {
  await expect(aGuard(over)).rejects.toThrow(/^guard: /)
})

const call = (name: unknown) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })
test.each([
  { when: 'a tool demands', body: call('pay'), demand: strong },
  { when: 'a tool demands nothing', body: call('search'), demand: {} },
  { when: 'two tools demand', body: [call('pay'), call('sign')], demand: { acrValues: ['phr'], maxAgeSeconds: 300 } },
  { when: 'the last of many demands', body: [...Array(maxMessagesPerBatch - 1).fill(call('search')), call('pay')], demand: strong },
  { when: 'the name is one of Object', body: call('constructor'), demand: {} },
  { when: 'it is no message', body: 'x', demand: {} },
])('where $when, $demand is demanded', ({ body, demand }) => {
  expect(demandOfRequest({ pay: strong, sign: { acrValues: ['phr'], maxAgeSeconds: 300 } }, body)).toEqual(demand)
})

test('of two demands what meets both is left, and what cannot be is met by nobody', () => {
  expect(strictest([{ maxAgeSeconds: 600 }, { acrValues: ['a', 'b'] }, { acrValues: ['b'], maxAgeSeconds: 300 }])).toEqual({
    acrValues: ['b'],
    maxAgeSeconds: 300,
  })
  expect(strictest([{ acrValues: ['a'] }, { acrValues: ['b'] }])).toEqual({ acrValues: [] })
})
