/** A client that wants one person by her ID token never gets another's tokens: not by a session that was there, not by who comes home. OIDC Core §3.1.2.1, §3.1.2.2 */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type APage, type APlainBrowser, anAuthorizeUrl, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

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
const comeHomeAs = (sub: string, left: APage) => {
  at.idp.says = { sub, groups: ['staff'], amr: ['pwd', 'otp'], signedInAt: now }
  return browser.comeHome(left, at.acme.connectionId)
}
const answerOf = ({ location }: APage) => {
  const { origin, pathname, searchParams } = new URL(location)
  return `${origin}${pathname}` === aWebRedirectUri
    ? (searchParams.get('error') ?? (searchParams.has('code') ? 'code' : 'nothing'))
    : 'page'
}
/** Her ID token, from a sign-in in another browser. */
async function idTokenOf(sub: string): Promise<string> {
  const mine = browser
  browser = at.browser()
  const home = await comeHomeAs(sub, await ask({}))
  browser = mine
  const { id_token } = (await at.client.post('token', {
    grant_type: 'authorization_code',
    code: new URL(home.location).searchParams.get('code') as string,
    ...{ redirect_uri: aWebRedirectUri, code_verifier: aVerifier, client_id: at.acme.clientId },
  })) as { readonly id_token?: string }
  expect(id_token).toBeDefined()
  return id_token as string
}

it('her own session answers, silently too', async () => {
  const hint = await idTokenOf('ada')
  expect(answerOf(await comeHomeAs('ada', await ask({ id_token_hint: hint })))).toBe('code')
  expect(answerOf(await ask({ id_token_hint: hint }))).toBe('code')
  expect(answerOf(await ask({ id_token_hint: hint, prompt: 'none' }))).toBe('code')
})

it('the session of somebody else does not: silently it is an error, otherwise her IdP is asked, for her', async () => {
  const hint = await idTokenOf('ada')
  expect(answerOf(await comeHomeAs('bob', await ask({})))).toBe('code')
  expect(answerOf(await ask({ id_token_hint: hint, prompt: 'none' }))).toBe('login_required')
  expect(told.take()).toEqual(['login_required'])
  const left = await ask({ id_token_hint: hint })
  expect(at.idp.started.at(-1)).toMatchObject({ forceAuthn: true })
  expect(answerOf(await comeHomeAs('ada', left))).toBe('code')
})

it('whoever comes home instead of her gets the client nothing, and the trail says so', async () => {
  const hint = await idTokenOf('ada')
  expect(answerOf(await comeHomeAs('bob', await ask({ id_token_hint: hint })))).toBe('login_required')
  expect(told.take()).toEqual(['login_of_somebody_else'])
  // Without the hint he is who he is.
  expect(answerOf(await ask({ prompt: 'none' }))).toBe('code')
})

it('a hint that was pushed counts like one in the address', async () => {
  const hint = await idTokenOf('ada')
  expect(answerOf(await comeHomeAs('bob', await ask({})))).toBe('code')
  const url = new URL(anAuthorizeUrl(at.issuer, at.acme, { scope: 'openid read', prompt: 'none', id_token_hint: hint }))
  const pushed = (await at.client.post('par', Object.fromEntries(url.searchParams))) as { readonly request_uri?: string }
  const pushedUrl = `${at.issuer}/authorize?${new URLSearchParams({ client_id: at.acme.clientId, request_uri: pushed.request_uri ?? '' })}`
  expect(answerOf(await browser.visit(pushedUrl))).toBe('login_required')
})

it.each(['ada', 'e30.e30.c2ln'])('a hint that names nobody is a mistake of the client: %s', async (hint) => {
  expect(answerOf(await ask({ id_token_hint: hint }))).toBe('invalid_request')
})
