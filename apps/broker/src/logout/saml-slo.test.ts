/** What an IdP says of logout over SAML, by each of three ways: what it ends, what it leaves, what it is answered; and that nothing unsigned counts. */
import { inflateRawSync } from 'node:zlib'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type APlainBrowser, aCompany, anAuthorizeUrl, aPlainBrowser, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import {
  type LogoutParts,
  logoutRequestXml,
  logoutResponseXml,
  redirectQuery,
  soapEnvelope,
} from '@drawbridge/upstream/saml/fixtures/a-logout-message'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'

const key = aFixtureKey()
const told = toldRefusals()
let now: Instant = fixtureParties.now
let fixture: TestDatabase
let broker: TestBroker
let company: ATenant
let count = 0

beforeAll(async () => {
  fixture = await testDatabase()
  broker = await aBroker(fixture.database, { clock: { now: () => now }, metrics: told.metrics })
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})
beforeEach(async () => {
  now = addSeconds(now, 2)
  company = await aCompany(fixture, `slo-${(count += 1)}`, now)
  await asOwner(fixture.ownerUrl, "UPDATE connections SET kind = 'saml' WHERE tenant_id = $1", [company.tenantId])
  await configure()
  await aSigningKey()
  told.take()
})

const idp = { idpEntityId: fixtureParties.idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates: [key.certificate] }
const atIdp = { sloUrl: 'https://idp.acme.example/slo?tenant=7', sloResponseUrl: 'https://idp.acme.example/slo/answers' }

/** By the admin API, so that keys of ours are made where they are needed. */
async function configure(more: Record<string, unknown> = atIdp) {
  const draft = { kind: 'saml', name: 'IdP', configuration: { ...idp, mapping: { groups: { from: ['groups'] } }, ...more } }
  const saved = await anAdmin(broker)('PUT', `/tenants/${company.slug}/connections/${company.connectionId}`, draft)
  expect(saved.status).toBe(200)
  broker.deps.configuration.invalidate()
}

async function aSigningKey(): Promise<void> {
  const { tenantId, issuerId } = company
  const made = generateSigningKey(broker.deps.random, 'tokens')
  const place = { tenant: tenantId, table: 'signing_keys', column: 'sealed_private_key', row: made.id }
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at)
     VALUES ($1, $2, $3, 'tokens', 'ES256', 'active', $4, $5, now())`,
    [
      ...[tenantId, made.id, issuerId, JSON.stringify(made.publicJwk)],
      broker.deps.sealer.seal(made.privateKey, { installation: broker.deps.installation.id, ...place }),
    ],
  )
}

const issuer = () => `http://localhost:4400/t/${company.slug}`
const base = () => `${issuer()}/saml/${company.connectionId}`
const here = (url: string) => url.replace('http://localhost:4400', broker.url)
const post = (url: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(here(url), { method: 'POST', body: new URLSearchParams(form), headers, redirect: 'manual' })

const parameter = (location: string, name: string): string => new URL(location).searchParams.get(name) ?? ''
const at = (seconds: number) => new Date(now + seconds * 1000).toISOString()

/** What the IdP answers to the request that this browser was sent with. */
function answerTo(location: string, session = '_s1'): string {
  const request = inflateRawSync(Buffer.from(parameter(location, 'SAMLRequest'), 'base64')).toString()
  const id = / ID="([^"]+)"/.exec(request)?.[1] ?? ''
  const to = `InResponseTo="${id}"`
  const statement = `<saml:AuthnStatement AuthnInstant="${at(-1)}" SessionIndex="${session}"/>`
  const assertion = assertionXml({
    id: `_assertion${(count += 1)}`,
    attributes: `Version="2.0" IssueInstant="${at(0)}"`,
    confirmationData: `${to} Recipient="${base()}/acs" NotOnOrAfter="${at(300)}"`,
    conditions: `<saml:AudienceRestriction><saml:Audience>${base()}/metadata</saml:Audience></saml:AudienceRestriction>`,
    conditionsAttributes: `NotOnOrAfter="${at(300)}"`,
    authnStatement: statement,
  })
  const head = `Version="2.0" IssueInstant="${at(0)}" Destination="${base()}/acs" ${to}`
  return responseXml({ responseId: `_response${count}`, responseAttributes: head, assertions: assertion })
}

const aBrowser = () => aPlainBrowser({ issuer: issuer(), url: broker.url })
type Tokens = { readonly access_token: string; readonly refresh_token: string }

async function signIn(session?: string): Promise<{ readonly browser: APlainBrowser; readonly tokens: Tokens }> {
  const browser = aBrowser()
  const left = await browser.visit(anAuthorizeUrl(issuer(), company))
  const signed = signXml(answerTo(left.location, session), `_response${count}`, key)
  const parked = await post(`${base()}/acs`, { SAMLResponse: encodeMessage(signed), RelayState: parameter(left.location, 'RelayState') })
  const home = await browser.visit(parked.headers.get('location') ?? '')
  return { browser, tokens: await redeem(home.location) }
}

async function redeem(location: string): Promise<Tokens> {
  const code = parameter(location, 'code')
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: aWebRedirectUri,
    code_verifier: aVerifier,
    client_id: company.clientId,
  }
  const answer = await post(`${issuer()}/token`, form)
  expect(answer.status).toBe(200)
  return (await answer.json()) as Tokens
}

async function isActive({ access_token: token }: Tokens): Promise<boolean> {
  const basic = Buffer.from(`${company.credentialId}:${company.credentialSecret}`).toString('base64')
  const answer = await post(`${issuer()}/introspect`, { token }, { authorization: `Basic ${basic}` })
  return ((await answer.json()) as { active: boolean }).active
}
const refresh = async ({ refresh_token }: Tokens): Promise<number> =>
  (await post(`${issuer()}/token`, { grant_type: 'refresh_token', refresh_token, client_id: company.clientId })).status
const isSignedIn = async (browser: APlainBrowser): Promise<boolean> =>
  (await browser.visit(anAuthorizeUrl(issuer(), company))).location.startsWith(aWebRedirectUri)

const aRequest = (parts: Partial<LogoutParts> = {}, path = '/slo'): string => {
  const attributes = { IssueInstant: at(0), NotOnOrAfter: at(60), Destination: `${base()}${path}`, ...parts.attributes }
  return logoutRequestXml({ id: `_logout${(count += 1)}`, ...parts, attributes })
}
const idOf = (xml: string): string => / ID="([^"]+)"/.exec(xml)?.[1] ?? ''
const bySigned = (xml: string, by = key): string => signXml(xml, idOf(xml), by)
const overRedirect = (xml: string, more: Parameters<typeof redirectQuery>[2] = {}, by = key) =>
  fetch(here(`${base()}/slo?${redirectQuery(xml, by, more)}`), { redirect: 'manual' })
const overPost = (xml: string, more: Record<string, string> = {}) => post(`${base()}/slo`, { SAMLRequest: encodeMessage(xml), ...more })
const overSoap = (body: string) =>
  fetch(here(`${base()}/slo/soap`), { method: 'POST', body, headers: { 'content-type': 'text/xml; charset=utf-8' }, redirect: 'manual' })

const ways = [
  { way: 'redirect', send: (parts: Partial<LogoutParts> = {}, by = key) => overRedirect(aRequest(parts), {}, by) },
  { way: 'POST', send: (parts: Partial<LogoutParts> = {}, by = key) => overPost(bySigned(aRequest(parts), by)) },
  { way: 'SOAP', send: (parts: Partial<LogoutParts> = {}, by = key) => overSoap(soapEnvelope(bySigned(aRequest(parts, '/slo/soap'), by))) },
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
    expect(told.take()).toEqual([])
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
    expect(told.take()).toEqual(['saml_signature_invalid', 'saml_too_old'])
    expect([await isActive(tokens), await isSignedIn(browser)]).toEqual([true, true])
  })

  it('counts once', async () => {
    const id = `_once${(count += 1)}`
    expect((await send({ id })).status).toBeLessThan(400)
    now = addSeconds(now, 1)
    const { tokens } = await signIn()
    expect((await send({ id })).status).toBe(403)
    expect(told.take()).toEqual(['saml_logout_replayed'])
    expect(await isActive(tokens)).toBe(true)
  })

  it('is heard though the connection is switched off', async () => {
    const { tokens } = await signIn()
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = now() WHERE tenant_id = $1', [company.tenantId])
    broker.deps.configuration.invalidate()
    expect((await send()).status).toBeLessThan(400)
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = NULL WHERE tenant_id = $1', [company.tenantId])
    broker.deps.configuration.invalidate()
    expect(await isActive(tokens)).toBe(false)
  })
})

describe('a message that nobody signed ends nothing', () => {
  it.each([
    {
      what: 'a redirect',
      send: () => fetch(here(`${base()}/slo?${redirectQuery(aRequest(), key).replace(/&SigAlg=.*/, '')}`)),
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
    told.take()
    expect((await send()).status).toBeGreaterThanOrEqual(400)
    expect(told.take()).toEqual([reason])
    expect([await isActive(tokens), await isSignedIn(browser)]).toEqual([true, true])
  })
})

it('a request for one way or one connection counts at no other', async () => {
  const { tokens } = await signIn()
  const soap = bySigned(aRequest({}, '/slo/soap'))
  expect((await overPost(soap)).status).toBe(403)
  const elsewhere = bySigned(aRequest({ attributes: { Destination: `${issuer()}/saml/another/slo` } }))
  expect((await overPost(elsewhere)).status).toBe(403)
  expect(told.take()).toEqual(['saml_logout_destination_wrong', 'saml_logout_destination_wrong'])
  expect(await isActive(tokens)).toBe(true)
})

describe('the IdP is answered', () => {
  const inflated = (location: string) => inflateRawSync(Buffer.from(parameter(location, 'SAMLResponse'), 'base64')).toString()

  it('by redirect at its address for answers, signed, with its RelayState', async () => {
    const request = aRequest()
    const answer = await overRedirect(request, { relayState: 'a b&c' })
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([303, 'no-store'])
    const location = answer.headers.get('location') ?? ''
    expect(location).toMatch(/^https:\/\/idp\.acme\.example\/slo\/answers\?SAMLResponse=/)
    expect(parameter(location, 'RelayState')).toBe('a b&c')
    expect(parameter(location, 'Signature')).not.toBe('')
    expect(inflated(location)).toMatch(new RegExp(`Destination="${atIdp.sloResponseUrl}" InResponseTo="${idOf(request)}"`))
    expect(inflated(location)).toContain('status:Success"')
    expect(inflated(location)).toContain(`<saml:Issuer>${base()}/metadata</saml:Issuer>`)
  })

  it('by a form where it wants that; the page leads nowhere else', async () => {
    await configure({ sloUrl: atIdp.sloUrl, sloBinding: 'post' })
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
    expect(xml).toMatch(new RegExp(`<S:Body><samlp:LogoutResponse .*InResponseTo="${idOf(request)}".*<ds:Signature .*status:Success"`))
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
    await asOwner(fixture.ownerUrl, "DELETE FROM signing_keys WHERE tenant_id = $1 AND purpose = 'saml'", [company.tenantId])
    broker.deps.configuration.invalidate()
    const { tokens } = await signIn()
    expect((await overSoap(soapEnvelope(bySigned(aRequest({}, '/slo/soap'))))).status).toBe(422)
    expect(told.take()).toEqual(['sp_key_missing'])
    expect(await isActive(tokens)).toBe(false)
  })
})

it('a LogoutResponse that nobody here asked for is refused', async () => {
  const attributes = { IssueInstant: at(0), Destination: `${base()}/slo` }
  expect((await overRedirect(logoutResponseXml({ attributes }), { carries: 'SAMLResponse' })).status).toBe(403)
  expect(told.take()).toEqual(['saml_logout_unsolicited'])
})

it('there is nothing at a connection that is not SAML', async () => {
  for (const path of ['/slo', '/slo/soap']) expect((await post(`${issuer()}/saml/unknown${path}`, {})).status).toBe(422)
  expect(told.take()).toEqual(['saml_logout_unavailable', 'saml_logout_unavailable'])
})

it('a key that we do not know makes us ask for the IdP’s metadata again', async () => {
  const { tenantId, connectionId } = company
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
    const browser = aBrowser()
    const { location } = await browser.visit(anAuthorizeUrl(issuer(), company))
    const query = (by = key) =>
      redirectQuery(answerTo(location), by, { carries: 'SAMLResponse', relayState: parameter(location, 'RelayState') })
    return { browser, location, query }
  }
  const come = (browser: APlainBrowser, query: string) => browser.visit(`${base()}/acs?${query}`)

  it('is judged at once in the browser that asked, and counts once', async () => {
    await configure({ responseBinding: 'redirect' })
    const { browser, query, location } = await begin()
    expect(inflateRawSync(Buffer.from(parameter(location, 'SAMLRequest'), 'base64')).toString()).toContain('bindings:HTTP-Redirect"')
    const message = query()
    const home = await come(browser, message)
    expect(await isActive(await redeem(home.location))).toBe(true)
    expect((await come(browser, message)).text).toContain('request_not_of_browser')
  })

  it('is judged in no other browser, and a forged one leaves the login open', async () => {
    await configure({ responseBinding: 'redirect' })
    const { browser, query } = await begin()
    expect((await come(aBrowser(), query())).text).toContain('request_not_of_browser')
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
    const signed = signXml(answerTo(location), `_response${count}`, key)
    const parked = await post(`${base()}/acs`, { SAMLResponse: encodeMessage(signed), RelayState: parameter(location, 'RelayState') })
    expect((await second.visit(parked.headers.get('location') ?? '')).text).toContain('saml_binding_unsupported')
  })

  it('that nobody asked for is refused', async () => {
    await configure({ responseBinding: 'redirect' })
    const { browser, location } = await begin()
    const query = redirectQuery(answerTo(location), key, { carries: 'SAMLResponse' })
    expect((await come(browser, query)).text).toContain('login_unsolicited')
  })
})
