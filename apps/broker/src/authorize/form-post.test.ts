/** Answers that the browser posts to the client (OAuth 2.0 Form Post Response Mode), and requests that a client has the browser post to us. */
import { createHash } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type APage, type APlainBrowser, anAuthorizeUrl, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { asOwner } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let at: SigningIn
let browser: APlainBrowser
const told = toldRefusals()

beforeAll(async () => {
  at = await aSigningIn(() => now, { metrics: told.metrics })
})
afterAll(() => at.close())
const isClient = (change: string) => asOwner(at.fixture.ownerUrl, `UPDATE clients SET ${change}, version = version + 1`)
beforeEach(async () => {
  now = addSeconds(now, 100_000)
  at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  browser = at.browser()
  await isClient(`kind = 'preregistered', pre_approved = true, redirect_uris = ARRAY['${aWebRedirectUri}']`)
  told.take()
})

const address = (change: Record<string, string> = {}) => anAuthorizeUrl(at.issuer, at.acme, { response_mode: 'form_post', ...change })
const ask = (change?: Record<string, string>) => browser.visit(address(change))
const comeHome = (left: APage) => browser.comeHome(left, at.acme.connectionId)

/** The one form that leads to the client, as a browser would post it. */
function formOf({ text, location }: APage): { readonly action: string; readonly fields: Record<string, string> } {
  expect(location).toBe('')
  const form = /<form method="post" action="(https:[^"]+)">(.*?)<button autofocus>[^<]+<\/button><\/form>/.exec(text)
  const inputs = [...(form?.[2] ?? '').matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)]
  return { action: form?.[1] ?? 'none', fields: Object.fromEntries(inputs.map(([, name = '', value = '']) => [name, value])) }
}

describe('an answer by form_post (Form Post Response Mode §2)', () => {
  it('is a form with code, state and iss, from a sign-in through pages of ours; its code can be redeemed (RFC 9207 §2)', async () => {
    const consent = await comeHome(await ask({ prompt: 'consent' }))
    const { action, fields } = formOf(await browser.submit(consent.location, { answer: 'allow' }))
    expect(action).toBe(aWebRedirectUri)
    expect(fields).toEqual({ code: expect.stringMatching(/^dbc_/), state: 'xyz', iss: at.issuer })
    const form = { grant_type: 'authorization_code', code: fields['code'] as string, redirect_uri: aWebRedirectUri }
    const tokens = await at.client.post('token', { ...form, code_verifier: aVerifier, client_id: at.acme.clientId })
    expect(tokens).toHaveProperty('access_token')
  })

  it('is a page that goes by itself or by its button, to the origin of the client and nowhere else, kept by nobody', async () => {
    await comeHome(await ask())
    const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(address({ state: '"><script>alert(1)</script>' }).replace('http://localhost:4400', at.broker.url), {
      headers: { cookie },
      redirect: 'manual',
    })
    const text = await response.text()
    const script = /<script>([^<]+)<\/script>/.exec(text)?.[1] as string
    expect([response.status, script, response.headers.get('cache-control')]).toEqual([200, 'document.forms[0].submit()', 'no-store'])
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy.split('; ').filter((each) => /form-action|script-src|default-src/.test(each))).toEqual([
      "default-src 'none'",
      `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
      'form-action https://client.example',
    ])
    expect(text.match(/<script/g)).toHaveLength(1)
    expect(text).toContain('<button autofocus>Continue to client.example</button>')
  })

  it.each([
    { when: 'a session is missing and no page may be shown', change: { prompt: 'none' }, error: 'login_required' },
    { when: 'the request is not acceptable', change: { code_challenge: '' }, error: 'invalid_request' },
    { when: 'nothing that is asked for exists', change: { scope: 'nothing' }, error: 'invalid_scope' },
  ] as { when: string; change: Record<string, string>; error: string }[])('is the error, too, where $when', async ({ change, error }) => {
    const { action, fields } = formOf(await ask(change))
    expect([action, fields]).toEqual([aWebRedirectUri, { error, error_description: expect.any(String), state: 'xyz', iss: at.issuer }])
    expect(told.take()).toHaveLength(1)
  })

  it('is the no of a person and of her policy: a form that she may post from the page that says why', async () => {
    const consent = await comeHome(await ask({ prompt: 'consent' }))
    const { fields } = formOf(await browser.submit(consent.location, { answer: 'deny' }))
    expect(fields).toMatchObject({ error: 'access_denied', iss: at.issuer })
    at.idp.says = { ...at.idp.says, groups: [] }
    browser = at.browser()
    const denied = await comeHome(await ask())
    expect([denied.status, formOf(denied).fields]).toMatchObject([403, { error: 'access_denied', state: 'xyz', iss: at.issuer }])
  })

  it('goes to no web host that nobody vouched for without a click (RFC 9700 §4.11.2)', async () => {
    await isClient(`kind = 'dynamic', pre_approved = false`)
    const page = await ask({ prompt: 'none' })
    expect(page.text).not.toContain('<script')
    expect(formOf(page)).toMatchObject({ action: aWebRedirectUri, fields: { error: 'login_required' } })
  })
})

describe('a response mode that cannot be had is refused by redirect (Multiple Response Types §2.1)', () => {
  it.each([
    { mode: 'fragment', uri: aWebRedirectUri },
    { mode: 'form_post.jwt', uri: aWebRedirectUri },
    { mode: 'form_post', uri: 'com.example.app:/callback' },
  ])('$mode to $uri', async ({ mode, uri }) => {
    await isClient(`redirect_uris = ARRAY['${uri}']`)
    const { location } = await ask({ response_mode: mode, redirect_uri: uri })
    expect([location.startsWith(uri), new URL(location).searchParams.get('error')]).toEqual([true, 'invalid_request'])
    expect(told.take()).toEqual(['response_mode_unsupported'])
  })
  it('none, or one without a value, is query (RFC 6749 §3.1)', async () => {
    expect((await ask({ response_mode: '', prompt: 'none' })).location).toContain('error=login_required')
  })
  it('what can be had is in the metadata (RFC 8414 §2)', async () => {
    const metadata = await browser.visit(`${at.issuer}/.well-known/openid-configuration`)
    expect(JSON.parse(metadata.text)).toMatchObject({ response_modes_supported: ['query', 'form_post'] })
  })
})

describe('a request that is posted (OIDC Core §3.1.2.1)', () => {
  const post = (body: string, contentType = 'application/x-www-form-urlencoded') =>
    fetch(`${at.broker.url}/t/acme/authorize`, { method: 'POST', body, redirect: 'manual', headers: { 'content-type': contentType } })
  const form = (change?: Record<string, string>) => address(change).split('?')[1] as string

  it('is the same as in the address, with the cookies that a form of another site does not bring', async () => {
    await comeHome(await ask())
    const sent = await post(form({ prompt: 'none', state: 'ä+ &=#%' }))
    expect([sent.status, sent.headers.getSetCookie()]).toEqual([303, []])
    expect(formOf(await browser.visit(sent.headers.get('location') as string)).fields).toMatchObject({
      code: expect.any(String),
      state: 'ä+ &amp;=#%',
    })
  })
  it('that repeats a parameter is refused as it would be there', async () => {
    const sent = await post(`${form()}&scope=read&scope=write`)
    expect(formOf(await browser.visit(sent.headers.get('location') as string)).fields).toMatchObject({ error: 'invalid_request' })
  })
  it.each([
    { what: 'JSON', body: '{}', contentType: 'application/json' },
    { what: 'text with a line break', body: 'client_id=a\r\nset-cookie: a=b', contentType: undefined },
    { what: 'text that ends the query', body: 'client_id=a#b', contentType: undefined },
    { what: 'nothing', body: '', contentType: undefined },
  ])('that is no form is refused on a page: $what', async ({ body, contentType }) => {
    const sent = await post(body, contentType)
    expect([sent.status, sent.headers.get('location')]).toEqual([400, null])
    expect(told.take()).toEqual(['authorization_request_malformed'])
  })
  it('that is larger than an address can be is refused', async () => {
    expect((await post(form({ state: 'x'.repeat(20_000) }))).status).toBe(413)
  })
})
