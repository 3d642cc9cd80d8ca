/** What an IdP says of logout over SAML, by each of three ways: what it ends, what it leaves, what it is answered; and that nothing unsigned counts. */

import type { APlainBrowser } from '@drawbridge/testkit/a-login'
import { type ASamlCompany, aSamlCompany, idIn, idpAddresses, inflated, parameter, type Tokens } from '@drawbridge/testkit/a-saml-company'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aFixtureKey, type FixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import {
  type LogoutParts,
  logoutRequestXml,
  logoutResponseXml,
  redirectQuery,
  soapEnvelope,
} from '@drawbridge/upstream/saml/fixtures/a-logout-message'
import { encodeMessage } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isBelievedLately } from '../http/believed-senders.js'

let fixture: TestDatabase
let acme: ASamlCompany

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aSamlCompany(fixture)
})
afterAll(async () => {
  await acme.broker.close()
  await fixture.close()
})
beforeEach(() => acme.begin())

const base = () => acme.base()
const here = (url: string) => acme.here(url)
const at = (seconds: number) => acme.at(seconds)
const post = (url: string, form: Record<string, string>) => acme.post(url, form)
const signIn = (session?: string) => acme.signIn(session)
const isActive = (tokens: Tokens) => acme.isActive(tokens)
const isSignedIn = (browser: APlainBrowser) => acme.isSignedIn(browser)
const refresh = (tokens: Tokens) => acme.refresh(tokens)
const configure = (more: Record<string, unknown>) => acme.configure(more)

const aRequest = (parts: Partial<LogoutParts> = {}, path = '/slo'): string => {
  const attributes = { IssueInstant: at(0), NotOnOrAfter: at(60), Destination: `${base()}${path}`, ...parts.attributes }
  return logoutRequestXml({ id: acme.next('logout'), ...parts, attributes })
}
const bySigned = (xml: string, by?: FixtureKey): string => acme.sign(xml, by)
const overRedirect = (xml: string, more: Parameters<typeof redirectQuery>[2] = {}, by?: FixtureKey) =>
  fetch(here(`${base()}/slo?${redirectQuery(xml, by ?? acme.key, more)}`), { redirect: 'manual' })
const overPost = (xml: string, more: Record<string, string> = {}) => post(`${base()}/slo`, { SAMLRequest: encodeMessage(xml), ...more })
const overSoap = (body: string) =>
  fetch(here(`${base()}/slo/soap`), { method: 'POST', body, headers: { 'content-type': 'text/xml; charset=utf-8' }, redirect: 'manual' })

const ways = [
  { way: 'redirect', send: (parts: Partial<LogoutParts> = {}, by?: FixtureKey) => overRedirect(aRequest(parts), {}, by) },
  { way: 'POST', send: (parts: Partial<LogoutParts> = {}, by?: FixtureKey) => overPost(bySigned(aRequest(parts), by)) },
  {
    way: 'SOAP',
    send: (parts: Partial<LogoutParts> = {}, by?: FixtureKey) => overSoap(soapEnvelope(bySigned(aRequest(parts, '/slo/soap'), by))),
  },
]

describe.each(ways)('a LogoutRequest by $way', ({ send }) => {
  it('without any cookie ends browser session, access token and refresh token at once', async () => {
    const { browser, tokens } = await signIn()
    expect([await isActive(tokens), await isSignedIn(browser)]).toEqual([true, true])
    expect((await send()).status).toBeLessThan(400)
    expect([await isActive(tokens), await isSignedIn(browser)]).toEqual([false, false])
    expect(await refresh(tokens)).toBe(400)
  })

  it('for another session or another person ends nothing of hers, and is a success', async () => {
    const { tokens } = await signIn()
    const another = [
      { sessions: '<samlp:SessionIndex>_s2</samlp:SessionIndex>' },
      { nameId: '<saml:NameID>eve@acme.example</saml:NameID>' },
    ]
    for (const parts of another) expect((await send(parts)).status).toBeLessThan(400)
    expect(await isActive(tokens)).toBe(true)
    expect(acme.told.take()).toEqual([])
  })

  it('without SessionIndex ends every session of hers', async () => {
    const [one, two] = [await signIn('_s1'), await signIn('_s2')]
    expect((await send({ sessions: '' })).status).toBeLessThan(400)
    expect([await isActive(one.tokens), await isActive(two.tokens)]).toEqual([false, false])
  })

  it('by a key that is not the IdP’s, or too old, ends nothing', async () => {
    const { browser, tokens } = await signIn()
    expect((await send({}, aFixtureKey())).status).toBe(403)
    expect((await send({ attributes: { IssueInstant: at(-1200) } })).status).toBe(403)
    expect(acme.told.take()).toEqual(['saml_signature_invalid', 'saml_too_old'])
    expect([await isActive(tokens), await isSignedIn(browser)]).toEqual([true, true])
  })

  it('counts once', async () => {
    const id = acme.next('once')
    expect((await send({ id })).status).toBeLessThan(400)
    acme.wait(1)
    const { tokens } = await signIn()
    expect((await send({ id })).status).toBe(403)
    expect(acme.told.take()).toEqual(['saml_logout_replayed'])
    expect(await isActive(tokens)).toBe(true)
  })

  it('is heard though the connection is switched off', async () => {
    const { tokens } = await signIn()
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = now() WHERE tenant_id = $1', [acme.tenant().tenantId])
    acme.broker.deps.configuration.invalidate()
    expect((await send()).status).toBeLessThan(400)
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = NULL WHERE tenant_id = $1', [acme.tenant().tenantId])
    acme.broker.deps.configuration.invalidate()
    expect(await isActive(tokens)).toBe(false)
  })
})

describe('a message that nobody signed ends nothing', () => {
  it.each([
    {
      what: 'a redirect',
      send: () => fetch(here(`${base()}/slo?${redirectQuery(aRequest(), acme.key).replace(/&SigAlg=.*/, '')}`)),
      reason: 'saml_query_unsigned',
    },
    { what: 'a form', send: () => overPost(aRequest()), reason: 'saml_unsigned' },
    { what: 'SOAP', send: () => overSoap(soapEnvelope(aRequest({}, '/slo/soap'))), reason: 'saml_unsigned' },
    { what: 'an empty form', send: () => post(`${base()}/slo`, {}), reason: 'saml_message_missing' },
    {
      what: 'a form with a parameter twice',
      send: () => fetch(here(`${base()}/slo`), { method: 'POST', body: new URLSearchParams('SAMLRequest=a&SAMLRequest=b') }),
      reason: 'saml_message_missing',
    },
    { what: 'an empty address', send: () => fetch(here(`${base()}/slo`)), reason: 'saml_query_malformed' },
    { what: 'no SOAP', send: () => overSoap('hello'), reason: 'saml_xml_malformed' },
    {
      what: 'SOAP that is no text',
      send: () => fetch(here(`${base()}/slo/soap`), { method: 'POST', body: Buffer.from([0xff, 0xfe]) }),
      reason: 'saml_xml_malformed',
    },
  ])('$what', async ({ send, reason }) => {
    const { browser, tokens } = await signIn()
    acme.told.take()
    expect((await send()).status).toBeGreaterThanOrEqual(400)
    expect(acme.told.take()).toEqual([reason])
    expect([await isActive(tokens), await isSignedIn(browser)]).toEqual([true, true])
  })
})

it('a request for one way or one connection counts at no other', async () => {
  const { tokens } = await signIn()
  const soap = bySigned(aRequest({}, '/slo/soap'))
  expect((await overPost(soap)).status).toBe(403)
  const elsewhere = bySigned(aRequest({ attributes: { Destination: `${acme.issuer()}/saml/another/slo` } }))
  expect((await overPost(elsewhere)).status).toBe(403)
  expect(acme.told.take()).toEqual(['saml_logout_destination_wrong', 'saml_logout_destination_wrong'])
  expect(await isActive(tokens)).toBe(true)
})

describe('the IdP is answered', () => {
  it('by redirect at its address for answers, signed, with its RelayState', async () => {
    const request = aRequest()
    const answer = await overRedirect(request, { relayState: 'a b&c' })
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([303, 'no-store'])
    const location = answer.headers.get('location') ?? ''
    expect(location).toMatch(/^https:\/\/idp\.acme\.example\/slo\/answers\?SAMLResponse=/)
    expect(parameter(location, 'RelayState')).toBe('a b&c')
    expect(parameter(location, 'Signature')).not.toBe('')
    expect(inflated(location, 'SAMLResponse')).toMatch(
      new RegExp(`Destination="${idpAddresses.sloResponseUrl}" InResponseTo="${idIn(request)}"`),
    )
    expect(inflated(location, 'SAMLResponse')).toContain('status:Success"')
    expect(inflated(location, 'SAMLResponse')).toContain(`<saml:Issuer>${base()}/metadata</saml:Issuer>`)
  })

  it('by a form where it wants that; the page leads nowhere else', async () => {
    await configure({ sloUrl: idpAddresses.sloUrl, sloBinding: 'post' })
    const answer = await overPost(bySigned(aRequest()), { RelayState: '"><script>' })
    const page = await answer.text()
    expect(answer.headers.get('content-security-policy')).toContain("form-action 'self' https://idp.acme.example;")
    expect(page).toContain('action="https://idp.acme.example/slo?tenant=7"')
    expect(page).toContain('value="&quot;&gt;&lt;script&gt;"')
    const xml = Buffer.from(/name="SAMLResponse" value="([^"]+)"/.exec(page)?.[1] ?? '', 'base64').toString()
    expect(xml).toMatch(/<ds:Signature[ >]/)
  })

  it('by SOAP in the answer itself', async () => {
    const request = aRequest({}, '/slo/soap')
    const answer = await overSoap(soapEnvelope(bySigned(request)))
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/xml; charset=utf-8'])
    const xml = await answer.text()
    expect(xml).toMatch(new RegExp(`<S:Body><samlp:LogoutResponse .*InResponseTo="${idIn(request)}".*<ds:Signature .*status:Success"`))
  })

  it('by a SOAP fault that says the reason', async () => {
    const answer = await overSoap(soapEnvelope(aRequest({}, '/slo/soap')))
    expect(answer.status).toBe(403)
    expect(await answer.text()).toContain('<faultstring>saml_unsigned: ')
  })

  it('with a page where it has no address for answers', async () => {
    await configure({})
    const { tokens } = await signIn()
    const answer = await overRedirect(aRequest())
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('You are signed out')])
    expect(await isActive(tokens)).toBe(false)
  })

  it('by SOAP with a fault where we have no key to sign with, and the session has ended all the same', async () => {
    await asOwner(fixture.ownerUrl, "DELETE FROM signing_keys WHERE tenant_id = $1 AND purpose = 'saml'", [acme.tenant().tenantId])
    acme.broker.deps.configuration.invalidate()
    const { tokens } = await signIn()
    expect((await overSoap(soapEnvelope(bySigned(aRequest({}, '/slo/soap'))))).status).toBe(422)
    expect(acme.told.take()).toEqual(['sp_key_missing'])
    expect(await isActive(tokens)).toBe(false)
  })
})

it('a LogoutResponse that nobody here asked for is refused', async () => {
  const attributes = { IssueInstant: at(0), Destination: `${base()}/slo` }
  expect((await overRedirect(logoutResponseXml({ attributes }), { carries: 'SAMLResponse' })).status).toBe(403)
  expect(acme.told.take()).toEqual(['saml_logout_unsolicited'])
})

it('there is nothing at a connection that is not SAML', async () => {
  for (const path of ['/slo', '/slo/soap']) expect((await post(`${acme.issuer()}/saml/unknown${path}`, {})).status).toBe(422)
  expect(acme.told.take()).toEqual(['saml_logout_unavailable', 'saml_logout_unavailable'])
})

it('a key that we do not know makes us ask for the IdP’s metadata again', async () => {
  const { tenantId, connectionId } = acme.tenant()
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO metadata_sources (tenant_id, connection_id, url, next_fetch_at, created_at)
     VALUES ($1, $2, 'https://idp.acme.example/metadata', '2030-01-01', now())`,
    [tenantId, connectionId],
  )
  const nextAt = async () =>
    (
      await asOwner<{ at: Date }>(fixture.ownerUrl, 'SELECT next_fetch_at AS at FROM metadata_sources WHERE tenant_id = $1', [tenantId])
    )[0]?.at.getTime()
  const before = await nextAt()
  await overRedirect(aRequest(), {}, aFixtureKey())
  expect(await nextAt()).not.toBe(before)
})

describe('the answer to a login by redirect', () => {
  const begin = async () => {
    const browser = acme.browser()
    const { location } = await browser.visit(acme.authorizeUrl())
    const query = (by: FixtureKey = acme.key) =>
      redirectQuery(acme.answerTo(location), by, { carries: 'SAMLResponse', relayState: parameter(location, 'RelayState') })
    return { browser, location, query }
  }
  const come = (browser: APlainBrowser, query: string) => browser.visit(`${base()}/acs?${query}`)

  it('is judged at once in the browser that asked, and counts once', async () => {
    await configure({ responseBinding: 'redirect' })
    const { browser, query, location } = await begin()
    expect(inflated(location, 'SAMLRequest')).toContain('bindings:HTTP-Redirect"')
    const message = query()
    const home = await come(browser, message)
    expect(await isActive(await acme.redeem(home.location))).toBe(true)
    expect((await come(browser, message)).text).toContain('request_not_of_browser')
  })

  it('is judged in no other browser, and a forged one leaves the login open', async () => {
    await configure({ responseBinding: 'redirect' })
    const { browser, query } = await begin()
    expect((await come(acme.browser(), query())).text).toContain('request_not_of_browser')
    const { browser: stranger } = await begin()
    expect((await come(stranger, query())).text).toContain('request_not_of_browser')
    expect((await come(browser, query(aFixtureKey()))).text).toContain('saml_signature_invalid')
    expect((await come(browser, `${query()}&RelayState=x`)).text).toContain('saml_query_malformed')
    expect((await come(browser, query())).location).toContain('code=')
  })

  it('is refused where the connection does not ask for it, and a form where it does', async () => {
    const { browser, query } = await begin()
    expect((await come(browser, query())).text).toContain('saml_binding_unsupported')
    await configure({ responseBinding: 'redirect' })
    const { browser: second, location } = await begin()
    const signed = acme.sign(acme.answerTo(location))
    const parked = await post(`${base()}/acs`, { SAMLResponse: encodeMessage(signed), RelayState: parameter(location, 'RelayState') })
    expect((await second.visit(parked.headers.get('location') ?? '')).text).toContain('saml_binding_unsupported')
  })

  it('that nobody asked for is refused', async () => {
    await configure({ responseBinding: 'redirect' })
    const { browser, location } = await begin()
    const query = redirectQuery(acme.answerTo(location), acme.key, { carries: 'SAMLResponse' })
    expect((await come(browser, query)).text).toContain('login_unsolicited')
  })
})

it('from where the IdP’s own server was believed it is not counted with strangers, and no browser that brings its word is marked', async () => {
  const [, tenant = '', connection = ''] = /\/t\/([^/]+)\/saml\/([^/]+)$/.exec(base()) ?? []
  const isMarked = () => isBelievedLately(acme.broker.deps, { address: '127.0.0.1', params: { tenant, connection } })
  const form = new URLSearchParams({ SAMLRequest: encodeMessage(bySigned(aRequest())) })
  const brought = await fetch(here(`${base()}/slo`), {
    method: 'POST',
    body: form,
    headers: { 'sec-fetch-site': 'cross-site' },
    redirect: 'manual',
  })
  expect([brought.status < 400, isMarked()]).toEqual([true, false])
  expect((await overSoap(soapEnvelope(aRequest({}, '/slo/soap')))).status).toBeGreaterThanOrEqual(400)
  expect(isMarked()).toBe(false)
  expect((await overSoap(soapEnvelope(bySigned(aRequest({}, '/slo/soap'))))).status).toBe(200)
  expect(isMarked()).toBe(true)
})
