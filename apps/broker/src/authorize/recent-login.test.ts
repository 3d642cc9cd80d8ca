/** A client that wants the person asked again, or a recent sign-in, gets that or an error: what the IdP was asked for proves nothing. */
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type APage, type APlainBrowser, anAuthorizeUrl, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { type TokenAnswer } from '@drawbridge/testkit/a-token-client'
import { asOwner } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let at: SigningIn
let browser: APlainBrowser
const told = toldRefusals()

beforeAll(async () => {
  at = await aSigningIn(() => now, { metrics: told.metrics })
})
afterAll(() => at.close())
beforeEach(() => {
  now = addSeconds(now, 100_000)
  at.idp.started.length = 0
  browser = at.browser()
  told.take()
})

const ask = (change: Record<string, string>) => browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope: 'openid read', ...change }))
/** Her IdP says that she signed in so many seconds from now; `undefined`: it says no time. */
const comeHome = (left: APage, signedIn: number | undefined) => {
  at.idp.says = {
    ...{ sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] },
    signedInAt: signedIn === undefined ? undefined : addSeconds(now, signedIn),
  }
  return browser.comeHome(left, at.acme.connectionId)
}
const answerOf = ({ location }: APage) => {
  const { origin, pathname, searchParams } = new URL(location)
  expect(`${origin}${pathname}`).toBe(aWebRedirectUri)
  expect([searchParams.get('state'), searchParams.get('iss')]).toEqual(['xyz', at.issuer])
  return searchParams.get('error') ?? (searchParams.has('code') ? 'code' : 'nothing')
}
const redeem = (home: APage) =>
  at.client.post('token', {
    grant_type: 'authorization_code',
    code: new URL(home.location).searchParams.get('code') as string,
    ...{ redirect_uri: aWebRedirectUri, code_verifier: aVerifier, client_id: at.acme.clientId },
  }) as Promise<TokenAnswer & { id_token: string }>

describe('what came home is judged by the time that the IdP tells (OIDC Core §3.1.2.1)', () => {
  it.each([
    { asks: { prompt: 'login' }, signedIn: 0, answer: 'code' },
    { asks: { prompt: 'login' }, signedIn: -180, answer: 'code' },
    { asks: { prompt: 'login' }, signedIn: -181, answer: 'login_required' },
    { asks: { prompt: 'login' }, signedIn: -3600, answer: 'login_required' },
    { asks: { prompt: 'login' }, signedIn: undefined, answer: 'login_required' },
    { asks: { prompt: 'login', max_age: '7200' }, signedIn: -3600, answer: 'login_required' },
    { asks: { max_age: '0' }, signedIn: 0, answer: 'code' },
    { asks: { max_age: '0' }, signedIn: -181, answer: 'login_required' },
    { asks: { max_age: '0' }, signedIn: undefined, answer: 'login_required' },
    { asks: { max_age: '3600' }, signedIn: -3599, answer: 'code' },
    { asks: { max_age: '3600' }, signedIn: -3600, answer: 'login_required' },
    { asks: { max_age: '3600' }, signedIn: undefined, answer: 'login_required' },
    { asks: {}, signedIn: -3600, answer: 'code' },
    { asks: {}, signedIn: undefined, answer: 'code' },
  ] as { asks: Record<string, string>; signedIn: number | undefined; answer: string }[])(
    '$asks, signed in $signedIn: $answer',
    async ({ asks, signedIn, answer }) => {
      const home = await comeHome(await ask(asks), signedIn)
      expect(answerOf(home)).toBe(answer)
      expect(told.take()).toEqual(answer === 'code' ? [] : ['login_not_renewed'])
    },
  )

  it('a refusal ends the request, is in the audit trail, and leaves nothing that could be sent again', async () => {
    const left = await ask({ prompt: 'login' })
    const home = await comeHome(left, -3600)
    expect(answerOf(home)).toBe('login_required')
    const trail = `SELECT kind, reason, client_id FROM audit_events WHERE at = $1 AND kind = 'login_refused'`
    expect(await asOwner(at.fixture.ownerUrl, trail, [new Date(now)])).toEqual([
      { kind: 'login_refused', reason: 'login_not_renewed', client_id: at.acme.clientId },
    ])
    expect((await comeHome(left, 0)).location).toBe('')
    expect(at.idp.started).toHaveLength(1)
  })

  it('time that passes on our pages makes nobody too old: what counts is that she was asked for this request', async () => {
    const home = await comeHome(await ask({ max_age: '5', prompt: 'consent' }), 0)
    now = addSeconds(now, 200)
    expect(answerOf(await browser.submit(home.location, { answer: 'allow' }))).toBe('code')
  })
})

describe('a session that was there before', () => {
  it.each([
    { told: 'no time', signedIn: undefined },
    { told: 'a time too long ago', signedIn: -60 },
  ])('of which the IdP told $told answers no max_age: not silently, and not without asking (OIDC Core §3.1.2.6)', async ({ signedIn }) => {
    expect(answerOf(await comeHome(await ask({}), signedIn))).toBe('code')
    expect(answerOf(await ask({ prompt: 'none', max_age: '60' }))).toBe('login_required')
    expect((await ask({ max_age: '60' })).location).toContain('https://idp.example/login')
    expect(at.idp.started.at(-1)).toMatchObject({ forceAuthn: true })
    expect(answerOf(await ask({ prompt: 'none' }))).toBe('code')
  })
})

it.each([{ max_age: '3600' }, { max_age: '0', prompt: 'login' }, { max_age: '3600', prompt: 'consent' }])(
  'whoever asked for max_age finds auth_time in the ID token: %o (OIDC Core §2, §3.1.2.1)',
  async (asks) => {
    const left = await comeHome(await ask(asks), -30)
    const home = asks.prompt === 'consent' ? await browser.submit(left.location, { answer: 'allow' }) : left
    expect(decodeJwt((await redeem(home)).id_token)['auth_time']).toBe(toSeconds(addSeconds(now, -30)))
  },
)
