/** A person signs out: asked first, ended here, led to her IdP, and back to a page that says how far it went. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { signOutLimits } from '@drawbridge/core/logout/sign-out-request'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant, aVerifier } from '@drawbridge/testkit/a-grant'
import {
  type AnIdp,
  type APlainBrowser,
  aCompany,
  anAuthorizeUrl,
  anIdp,
  aPlainBrowser,
  aWebRedirectUri,
  hidden,
} from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { aTokenClient, type TokenAnswer } from '@drawbridge/testkit/a-token-client'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mostPostedBytes } from '../http/form.js'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let company: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})
beforeEach(async () => {
  now = addSeconds(now, 5)
  company = await aCompany(fixture, `bye-${(slugs += 1)}`, now)
  idp.says = { sub: 'ada', sid: 's1', groups: ['staff'], amr: ['pwd', 'otp'] }
  idp.offersLogout = true
  idp.left.length = 0
})

const issuer = () => `http://localhost:4400/t/${company.slug}`
const owner = <Row = Record<string, unknown>>(sql: string): Promise<Row[]> => asOwner<Row>(fixture.ownerUrl, sql, [company.tenantId])
const livingGrants = () => owner('SELECT id FROM grants WHERE tenant_id = $1 AND revoked_at IS NULL')
const isSignedIn = async (browser: APlainBrowser): Promise<boolean> =>
  new URL((await browser.visit(anAuthorizeUrl(issuer(), company))).location).searchParams.has('code')

async function signedIn(): Promise<APlainBrowser> {
  const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
  await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer(), company)), company.connectionId)
  expect(await livingGrants()).not.toEqual([])
  return browser
}
const proofFor = async (browser: APlainBrowser): Promise<string> => hidden((await browser.visit(`${issuer()}/logout`)).text, 'proof')
/** All that the form of a page would post. */
const fieldsOf = (page: string): Record<string, string> =>
  Object.fromEntries(
    [...page.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [
      name as string,
      (value as string).replaceAll('&amp;', '&'),
    ]),
  )
const signOut = async (browser: APlainBrowser) => browser.visit(`${issuer()}/logout`, { proof: await proofFor(browser) })

describe('signing out', () => {
  it('is asked first: coming to the address changes nothing', async () => {
    const browser = await signedIn()
    const page = await browser.visit(`${issuer()}/logout?id_token_hint=x&post_logout_redirect_uri=https://evil.example&state=s`)
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('Sign out of') })
    expect(page.text).not.toContain('evil.example')
    expect(await isSignedIn(browser)).toBe(true)
  })

  it('ends session and grants, and leads on to the IdP with what it wants to see again', async () => {
    const browser = await signedIn()
    const left = await signOut(browser)
    expect(left.location).toMatch(/^https:\/\/idp\.example\/logout\?state=/)
    expect(await livingGrants()).toEqual([])
    const [asked] = idp.left
    expect(asked).toMatchObject({ returnUrl: `${issuer()}/logout/done`, idpSession: { sid: 's1', subject: { sub: 'ada' } } })
    expect(asked?.hint?.reveal()).toBe('id-token-of-ada')
    const kept = 'SELECT sealed_logout_hint FROM browser_sessions WHERE tenant_id = $1'
    expect(await owner(kept)).toEqual([{ sealed_logout_hint: null }])
    expect(await isSignedIn(browser)).toBe(false)
  })

  it('is over here although the IdP offers none', async () => {
    idp.offersLogout = false
    const browser = await signedIn()
    expect(await signOut(browser)).toMatchObject({ status: 200, text: expect.stringContaining('may still know you') })
    expect([await livingGrants(), await isSignedIn(browser)]).toEqual([[], false])
  })

  it('promises no end of what was granted where the tenant lets it outlive a logout', async () => {
    const promised = 'lose their access'
    const browser = await signedIn()
    expect((await browser.visit(`${issuer()}/logout`)).text).toContain(promised)
    await owner('UPDATE tenants SET grants_outlive_logout = true WHERE id = $1')
    const page = await browser.visit(`${issuer()}/logout`)
    expect(page.text).not.toContain(promised)
    expect(page.text).toContain('keep their access')
    await signOut(browser)
    expect([await isSignedIn(browser), (await livingGrants()).length]).toEqual([false, 1])
  })

  it('ends the login that another tab has under way, under whatever name the IdP would give it', async () => {
    const browser = await signedIn()
    const tab = await browser.visit(anAuthorizeUrl(issuer(), company, { prompt: 'login' }))
    await signOut(browser)
    idp.says = { ...idp.says, sid: 's2' }
    expect((await browser.comeHome(tab, company.connectionId)).text).toContain('request_not_of_browser')
    expect(await isSignedIn(browser)).toBe(false)
  })

  it('leaves other browsers alone', async () => {
    const here = await signedIn()
    idp.says = { ...idp.says, sid: 's2' }
    const there = await signedIn()
    await signOut(here)
    expect(await isSignedIn(there)).toBe(true)
  })

  it('of somebody who is not signed in says that she is not', async () => {
    const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    expect((await browser.visit(`${issuer()}/logout`)).text).toContain('You are signed out')
    expect((await browser.visit(`${issuer()}/logout`, {})).text).toContain('You are signed out')
    expect(idp.left).toEqual([])
  })

  it.each([
    { when: 'without the proof of our page', proof: async () => '' },
    { when: 'with the proof of another browser', proof: async () => proofFor(await signedIn()) },
    { when: 'with one that it made up', proof: async () => `1.${'A'.repeat(43)}` },
  ])('$when is refused, and nothing ends', async ({ proof }) => {
    const browser = await signedIn()
    const given = await proof()
    const refused = await browser.visit(`${issuer()}/logout`, { proof: given })
    expect(refused.text).toContain('step_proof_invalid')
    expect(await isSignedIn(browser)).toBe(true)
  })
})

describe('led here by an application (OpenID Connect RP-Initiated Logout 1.0)', () => {
  const bye = 'https://client.example/bye'
  /** Signed in with `openid`; what the application keeps of it. */
  async function signedInWithHint() {
    await owner(`UPDATE clients SET post_logout_redirect_uris = '{${bye}}' WHERE tenant_id = $1`)
    const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    const asked = await browser.visit(anAuthorizeUrl(issuer(), company, { scope: 'openid read' }))
    const home = await browser.comeHome(asked, company.connectionId)
    const code = new URL(home.location).searchParams.get('code') as string
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: aWebRedirectUri,
      code_verifier: aVerifier,
      client_id: company.clientId,
    }
    const { id_token: hint } = (await aTokenClient(broker, company).post('token', form)) as TokenAnswer & { id_token: string }
    return { browser, hint }
  }
  const lead = (browser: APlainBrowser, asks: Record<string, string>) => browser.visit(`${issuer()}/logout?${new URLSearchParams(asks)}`)
  beforeEach(async () => {
    idp.offersLogout = false
    await aTokenKey(fixture, broker, company)
  })

  it('with the ID token of this session ends it at once, and the browser goes where its client registered, with its state', async () => {
    const { browser, hint } = await signedInWithHint()
    const gone = await lead(browser, { id_token_hint: hint, post_logout_redirect_uri: bye, state: 'a b' })
    expect([gone.status, gone.location]).toEqual([303, `${bye}?state=a+b`])
    expect([await livingGrants(), await isSignedIn(browser)]).toEqual([[], false])
  })

  it('with an ID token that has long expired, too, also of a client that knows her by a sub of its own', async () => {
    await owner("UPDATE clients SET sector_identifier = 'app.example' WHERE tenant_id = $1")
    const { browser, hint } = await signedInWithHint()
    expect(decodeJwt(hint).sub).toHaveLength(43)
    now = addSeconds(now, 3600)
    expect((await lead(browser, { id_token_hint: hint, post_logout_redirect_uri: bye })).location).toBe(bye)
  })

  it('goes by the IdP first where it offers a sign-out, and then on', async () => {
    idp.offersLogout = true
    const { browser, hint } = await signedInWithHint()
    const left = await lead(browser, { id_token_hint: hint, post_logout_redirect_uri: bye })
    expect(left.location).toMatch(/^https:\/\/idp\.example\/logout/)
    expect((await browser.visit(`${issuer()}/logout/done${new URL(left.location).search}`)).location).toBe(bye)
  })

  it('by POST comes back as GET, which has the cookies of this site', async () => {
    const { browser, hint } = await signedInWithHint()
    const posted = await browser.visit(`${issuer()}/logout`, { id_token_hint: hint, post_logout_redirect_uri: bye })
    expect(posted.status).toBe(303)
    expect((await browser.visit(posted.location)).location).toBe(bye)
    expect(await isSignedIn(browser)).toBe(false)
  })

  it('whoever has signed out already is sent on', async () => {
    const { hint } = await signedInWithHint()
    const nobody = aPlainBrowser({ issuer: issuer(), url: broker.url })
    expect((await lead(nobody, { id_token_hint: hint, post_logout_redirect_uri: bye })).location).toBe(bye)
    expect((await lead(nobody, { client_id: company.clientId, post_logout_redirect_uri: bye })).status).toBe(200)
  })

  it.each([
    { when: 'of an earlier session', asks: async () => ({ id_token_hint: (await signedInWithHint()).hint }) },
    { when: 'that nobody signed', asks: async (hint: string) => ({ id_token_hint: `${hint.slice(0, -4)}AAAA` }) },
    { when: 'that is an access token', asks: async () => ({ id_token_hint: await anAccessToken() }) },
    { when: 'of which there is none', asks: async () => ({ client_id: company.clientId as string }) },
  ])('with an ID token $when she is asked, and goes where the page said', async ({ asks }) => {
    const { browser, hint } = await signedInWithHint()
    const given: Record<string, string> = await asks(hint)
    const page = await lead(browser, { ...given, client_id: company.clientId, post_logout_redirect_uri: bye })
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('Sign out of') })
    expect(page.text).toContain('<strong>client.example</strong>')
    expect(await isSignedIn(browser)).toBe(true)
    const done = await browser.visit(`${issuer()}/logout`, fieldsOf(page.text))
    expect([done.location, await isSignedIn(browser)]).toEqual([bye, false])
  })

  it('the page keeps the state for the way back', async () => {
    const { browser } = await signedInWithHint()
    const page = await lead(browser, { client_id: company.clientId, post_logout_redirect_uri: bye, state: 'a b&c' })
    expect((await browser.visit(`${issuer()}/logout`, fieldsOf(page.text))).location).toBe(`${bye}?state=a+b%26c`)
  })

  it.each([{ to: 'https://evil.example/' }, { to: `${bye}/` }, { to: `${bye}?x=1` }])(
    'nobody is sent to $to, though she is signed out',
    async ({ to }) => {
      const { browser, hint } = await signedInWithHint()
      const gone = await lead(browser, { id_token_hint: hint, post_logout_redirect_uri: to })
      expect([gone.status, gone.location, await isSignedIn(browser)]).toEqual([200, '', false])
    },
  )

  it('the page leads nowhere but where it said: another address has another proof', async () => {
    const { browser } = await signedInWithHint()
    const proof = hidden((await lead(browser, {})).text, 'proof')
    const elsewhere = { client_id: company.clientId, post_logout_redirect_uri: bye }
    const refused = await browser.visit(`${issuer()}/logout`, { proof, ...elsewhere })
    expect([refused.text.includes('step_proof_invalid'), await isSignedIn(browser)]).toEqual([true, true])
  })

  it('a form is sent on with what we know of it, and nothing else', async () => {
    const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    const known = { id_token_hint: 'x', client_id: 'c', post_logout_redirect_uri: bye, state: 's' }
    const posted = await browser.visit(`${issuer()}/logout`, { ...known, connection: 'x', logout_hint: 'y'.repeat(100) })
    expect(posted.location).toBe(`${issuer()}/logout?${new URLSearchParams(known)}`)
  })

  it.each([
    ['a state that is too long', { state: 'x'.repeat(signOutLimits.state + 1) }, 400],
    ['a body that is too long', { unknown: 'x'.repeat(mostPostedBytes) }, 413],
  ])('a form with %s is sent nowhere', async (_, form, status) => {
    const refused = await aPlainBrowser({ issuer: issuer(), url: broker.url }).visit(`${issuer()}/logout`, form)
    expect([refused.status, refused.location]).toEqual([status, ''])
  })

  it('a form that would be too long as an address, though it came short, is sent nowhere', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = `id_token_hint=${'/'.repeat(mostPostedBytes / 2)}`
    const refused = await fetch(`${broker.url}/t/${company.slug}/logout`, { method: 'POST', headers, body, redirect: 'manual' })
    expect([refused.status, refused.headers.get('location')]).toEqual([400, null])
  })

  describe('by a client that nobody vouches for', () => {
    const unvouched = (more = '') => owner(`UPDATE clients SET kind = 'dynamic', pre_approved = false ${more} WHERE tenant_id = $1`)
    const back = 'Return to client.example'

    it('whoever is signed out already is shown its host, and goes there by a click alone', async () => {
      const { hint } = await signedInWithHint()
      await unvouched()
      const nobody = aPlainBrowser({ issuer: issuer(), url: broker.url })
      const page = await lead(nobody, { id_token_hint: hint, post_logout_redirect_uri: bye, state: 's' })
      expect([page.status, page.location]).toEqual([200, ''])
      expect(page.text).toContain(`<a href="${bye}?state=s">${back}</a>`)
    })

    it('whoever is signed out already goes back to a program on her own machine', async () => {
      const { hint } = await signedInWithHint()
      await unvouched(", redirect_uris = '{http://127.0.0.1/callback}', post_logout_redirect_uris = '{http://127.0.0.1/bye}'")
      const nobody = aPlainBrowser({ issuer: issuer(), url: broker.url })
      const at = 'http://127.0.0.1:5000/bye'
      expect((await lead(nobody, { id_token_hint: hint, post_logout_redirect_uri: at })).location).toBe(at)
    })

    it('with the ID token of this session she is sent on at once', async () => {
      const { browser, hint } = await signedInWithHint()
      await unvouched()
      expect((await lead(browser, { id_token_hint: hint, post_logout_redirect_uri: bye })).location).toBe(bye)
    })

    it('that registered another host before that was refused leads nowhere, though she is signed out', async () => {
      const { browser, hint } = await signedInWithHint()
      const elsewhere = 'https://evil.example/bye'
      await unvouched(`, post_logout_redirect_uris = '{${elsewhere}}'`)
      const gone = await lead(browser, { id_token_hint: hint, post_logout_redirect_uri: elsewhere })
      expect([gone.status, gone.location, await isSignedIn(browser)]).toEqual([200, '', false])
      expect(gone.text).not.toContain('evil.example')
    })
  })

  describe.each([
    { what: 'that is blocked', shut: () => owner('UPDATE clients SET blocked_at = now() WHERE tenant_id = $1') },
    {
      what: 'whose way of registration is closed',
      shut: () =>
        owner(
          `UPDATE tenants SET client_registration = '{"metadataDocuments": true, "documentHosts": [], "dynamic": true, "preregistered": false}' WHERE id = $1`,
        ),
    },
  ])('by a client $what', ({ shut }) => {
    it('leads nowhere, though she is signed out', async () => {
      const { browser, hint } = await signedInWithHint()
      await shut()
      const gone = await lead(browser, { id_token_hint: hint, post_logout_redirect_uri: bye })
      expect([gone.status, gone.location, await livingGrants()]).toEqual([200, '', []])
    })

    it('leads nowhere from a page that was shown before', async () => {
      const { browser } = await signedInWithHint()
      const page = await lead(browser, { client_id: company.clientId, post_logout_redirect_uri: bye })
      await shut()
      const gone = await browser.visit(`${issuer()}/logout`, fieldsOf(page.text))
      expect([gone.status, gone.location, await livingGrants()]).toEqual([200, '', []])
    })

    it('leads nowhere from an IdP to which she was sent before', async () => {
      idp.offersLogout = true
      const { browser, hint } = await signedInWithHint()
      const left = await lead(browser, { id_token_hint: hint, post_logout_redirect_uri: bye })
      await shut()
      const home = await browser.visit(`${issuer()}/logout/done${new URL(left.location).search}`)
      expect([home.status, home.location]).toEqual([200, ''])
      expect(home.text).toContain('has signed you out, too')
    })
  })

  it.each([
    ['sign_out_of_other_client', { client_id: 'another' }],
    ['sign_out_malformed', { state: 'x'.repeat(2049) }],
  ])('%s is said, and nothing ends', async (reason, asks) => {
    const { browser, hint } = await signedInWithHint()
    const refused = await lead(browser, { id_token_hint: hint, ...asks })
    expect([refused.status, refused.text.includes(reason), await isSignedIn(browser)]).toEqual([400, true, true])
  })

  async function anAccessToken(): Promise<string> {
    const { code } = await aGrant(fixture, company, { now })
    return (await aTokenClient(broker, company).redeem(code)).access_token
  }
})

describe('the way back from the IdP', () => {
  const done = (browser: APlainBrowser, query: string) => browser.visit(`${issuer()}/logout/done${query}`)
  const leftWith = async (browser: APlainBrowser) => new URL((await signOut(browser)).location).search

  it('says that she is signed out there, too, and says it once', async () => {
    const browser = await signedIn()
    const query = await leftWith(browser)
    expect((await done(browser, query)).text).toContain('has signed you out, too')
    expect((await done(browser, query)).text).toContain('may still know you')
  })
  it.each([
    {
      when: 'to another browser',
      act: async (_: APlainBrowser, query: string) => ({ browser: await signedIn(), query }),
    },
    { when: 'with another state', act: async (browser: APlainBrowser) => ({ browser, query: '?state=other' }) },
    { when: 'with nothing', act: async (browser: APlainBrowser) => ({ browser, query: '' }) },
    {
      when: 'after a long time',
      act: async (browser: APlainBrowser, query: string) => {
        now = addSeconds(now, 601)
        return { browser, query }
      },
    },
  ])('says only what is sure where it leads $when', async ({ act }) => {
    const first = await signedIn()
    const { browser, query } = await act(first, await leftWith(first))
    expect(await done(browser, query)).toMatchObject({ status: 200, text: expect.stringContaining('may still know you') })
  })
  it('of a cookie that is none says no more', async () => {
    const browser = await signedIn()
    await leftWith(browser)
    browser.jar.set(`drawbridge-logout-${company.slug}`, 'AAAA')
    expect((await done(browser, '?state=x')).text).toContain('may still know you')
  })
})
