/** What a client or a stranger can get wrong: pages where nobody is proven, errors with `iss` where somebody is, nothing for a forger. */
import { openBrowser, type Page } from '@drawbridge/simulator/browser'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, anAttempt, answerOf, logIn, redeem, redirectUri, registerAt, webRedirectUri } from './a-client.js'
import { aProduct, type Product } from './a-product.js'

let product: Product
let clientId = ''

beforeAll(async () => {
  product = await aProduct()
  clientId = await registerAt(product.issuer('acme'))
}, 120_000)
afterAll(() => product.stop(), 60_000)

const attempt = (change: Readonly<Record<string, string | undefined>> = {}) =>
  anAttempt({ issuer: product.issuer('acme'), clientId, resource: product.mcpUrl, change })
/** Wherever a stranger might want it to go, this browser would tell. */
const open = (url: string): Promise<Page> =>
  openBrowser({ stopAt: [redirectUri, webRedirectUri, 'https://evil.example/callback'] }).open(url)

describe('nobody is proven: a page, never a redirect', () => {
  it.each([
    { when: 'the redirect URI is another’s', change: { redirect_uri: 'https://evil.example/callback' }, code: 'redirect_uri_unregistered' },
    { when: 'the redirect URI is longer', change: { redirect_uri: `${redirectUri}/more` }, code: 'redirect_uri_unregistered' },
    { when: 'the redirect URI has a query', change: { redirect_uri: `${redirectUri}?a=b` }, code: 'redirect_uri_unregistered' },
    { when: 'the client is unknown', change: { client_id: 'nobody' }, code: 'client_unknown' },
    {
      when: 'a document may not be fetched',
      change: { client_id: 'http://127.0.0.1:1/client.json' },
      code: 'client_document_unreachable',
    },
    { when: 'the client is missing', change: { client_id: undefined }, code: 'authorization_request_malformed' },
  ])('when $when', async ({ change, code }) => {
    const page = await open(attempt(change).url)
    expect(page).toMatchObject({ isStopped: false, status: 400, text: expect.stringContaining(`Code ${code}`) })
    expect(page.trail).toHaveLength(1)
    expect(page.text).toContain(String(page.headers['x-request-id']))
  })

  it.each(['client_id', 'redirect_uri'])('when %s comes twice', async (name) => {
    const { url } = attempt()
    const page = await open(`${url}&${name}=${encodeURIComponent(new URL(url).searchParams.get(name) ?? '')}`)
    expect(page).toMatchObject({ isStopped: false, status: 400, text: expect.stringContaining('Code authorization_request_malformed') })
  })

  it('when the tenant is unknown', async () => {
    expect(await open(attempt().url.replace('/t/acme/', '/t/nobody/'))).toMatchObject({ isStopped: false, status: 404 })
  })
})

describe('the client is proven: back to it, with state and iss', () => {
  it.each([
    { when: 'PKCE is missing', change: { code_challenge: undefined }, error: 'invalid_request' },
    { when: 'PKCE is plain', change: { code_challenge_method: 'plain' }, error: 'invalid_request' },
    { when: 'the challenge is no hash', change: { code_challenge: 'short' }, error: 'invalid_request' },
    { when: 'the resource is unknown', change: { resource: 'https://elsewhere.example/mcp' }, error: 'invalid_target' },
    { when: 'the resource has a fragment', change: { resource: 'https://elsewhere.example/mcp#a' }, error: 'invalid_target' },
    { when: 'no scope is known', change: { scope: 'everything' }, error: 'invalid_scope' },
    { when: 'the scope is malformed', change: { scope: 'a"b' }, error: 'invalid_scope' },
    { when: 'a token is asked for directly', change: { response_type: 'token' }, error: 'unsupported_response_type' },
    { when: 'a fragment is asked for', change: { response_mode: 'fragment' }, error: 'invalid_request' },
    { when: 'a request object comes', change: { request: 'e30.e30.' }, error: 'request_not_supported' },
    { when: 'one is elsewhere', change: { request_uri: 'https://agent.example/request' }, error: 'request_uri_not_supported' },
    { when: 'nobody may be asked', change: { prompt: 'none' }, error: 'login_required' },
    { when: 'the answer may travel in no such way', change: { response_mode: 'fragment' }, error: 'invalid_request' },
    { when: 'acr_values are no words', change: { acr_values: 'a"b' }, error: 'invalid_request' },
  ])('$error when $when', async ({ change, error }) => {
    const wrong = attempt(change)
    const page = await open(wrong.url)
    expect(page.isStopped).toBe(true)
    expect(answerOf(page)).toEqual({ error, error_description: expect.any(String), state: wrong.state, iss: product.issuer('acme') })
  })

  it.each([
    ['scope', 'invalid_request'],
    ['code_challenge', 'invalid_request'],
    ['login_hint', 'invalid_request'],
    // Several are well formed (RFC 8707 §2), but a token is for one.
    ['resource', 'invalid_target'],
  ])('when %s comes twice: %s', async (name, error) => {
    const twice = attempt({ login_hint: 'ada@acme.example' })
    const page = await open(`${twice.url}&${name}=again`)
    expect(answerOf(page)).toMatchObject({ error, state: twice.state, iss: product.issuer('acme') })
  })

  it('without a state when the state comes twice, for which one was meant?', async () => {
    const page = await open(`${attempt().url}&state=again`)
    expect(answerOf(page)).toEqual({ error: 'invalid_request', error_description: expect.any(String), iss: product.issuer('acme') })
  })

  it('access_denied when the person says no', async () => {
    const asked = attempt()
    const { page, seen } = await logIn(asked, { name: 'ada', atConsent: 'deny' })
    expect(seen).toEqual(['notice', 'sign-in', 'consent'])
    expect(answerOf(page)).toMatchObject({ error: 'access_denied', state: asked.state, iss: product.issuer('acme') })
  })

  it('access_denied when she turns back at the notice', async () => {
    const asked = attempt()
    const page = await (await open(asked.url)).form('answer=cancel').submit({ answer: 'cancel' })
    expect(answerOf(page)).toMatchObject({ error: 'access_denied', state: asked.state, iss: product.issuer('acme') })
  })
})

describe('a consent that the person did not give', () => {
  const atConsent = async () => {
    const asked = attempt()
    const browser = aBrowser()
    const { page } = await logIn(asked, { name: 'ada', atConsent: 'wait' }, browser)
    const { action, fields } = page.form('answer=allow')
    return { asked, browser, page, action: new URL(action, page.url).href, fields: { ...fields, answer: 'allow' } }
  }

  it('is refused without the page’s proof, and still hers to give', async () => {
    const { browser, page, action, fields, asked } = await atConsent()
    const { proof: _proof, ...without } = fields as Record<string, string>
    expect(await browser.post(action, without, page.url)).toMatchObject({ isStopped: false, status: 403 })
    const wrong = { ...fields, proof: `1.${'A'.repeat(43)}` }
    expect(await browser.post(action, wrong, page.url)).toMatchObject({ isStopped: false, status: 403 })
    const foreign = await browser.post(action, fields, 'https://evil.example/')
    expect(foreign).toMatchObject({ isStopped: false, status: 400, text: expect.stringContaining('request_not_of_browser') })
    const back = await page.form('answer=allow').submit({ answer: 'allow' })
    expect((await redeem(asked, back, product.issuer('acme'))).status).toBe(200)
  })

  it('is refused from another browser, even with the proof', async () => {
    const { action, fields } = await atConsent()
    const stranger = await aBrowser().post(action, fields)
    expect(stranger).toMatchObject({ isStopped: false, status: 400, text: expect.stringContaining('request_not_of_browser') })
  })

  it('is refused with the proof of another person’s page', async () => {
    const [hers, his] = [await atConsent(), await atConsent()]
    const mixed = { ...hers.fields, proof: (his.fields as Record<string, string>)['proof'] ?? '' }
    const page = await hers.browser.post(hers.action, mixed, hers.page.url)
    expect(page).toMatchObject({ isStopped: false, status: 403, text: expect.stringContaining('step_proof_invalid') })
  })

  it('is given once: the second press finds the request answered', async () => {
    const { page } = await atConsent()
    expect((await page.form('answer=allow').submit({ answer: 'allow' })).isStopped).toBe(true)
    expect(await page.form('answer=allow').submit({ answer: 'allow' })).toMatchObject({ isStopped: false, status: 400 })
  })
})
