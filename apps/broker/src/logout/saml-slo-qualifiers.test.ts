/** Whom a LogoutRequest means where an IdP writes the qualifiers of a NameID at one of login and logout and leaves them out at the other. ADR 133 */

import { type ASamlCompany, aSamlCompany } from '@drawbridge/testkit/a-saml-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import {
  type LogoutParts,
  logoutParties,
  logoutRequestXml,
  redirectQuery,
  soapEnvelope,
} from '@drawbridge/upstream/saml/fixtures/a-logout-message'
import { encodeMessage, fixtureParties } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

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

const idp = fixtureParties.idpEntityId
const sp = () => `${acme.base()}/metadata`
const aName = (qualifiers: Readonly<Record<string, string>>, format = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'): string => {
  const written = Object.entries({ Format: format, ...qualifiers }).map(([name, value]) => ` ${name}="${value}"`)
  return `<saml:NameID${written.join('')}>p-1</saml:NameID>`
}

const aRequest = (parts: Partial<LogoutParts>, path = '/slo'): string => {
  const attributes = { IssueInstant: acme.at(0), NotOnOrAfter: acme.at(60), Destination: `${acme.base()}${path}` }
  return logoutRequestXml({ id: acme.next('logout'), attributes, ...parts })
}
const to = (path: string): string => acme.here(`${acme.base()}${path}`)
const overRedirect = (parts: Partial<LogoutParts>) => fetch(to(`/slo?${redirectQuery(aRequest(parts), acme.key)}`), { redirect: 'manual' })
const overPost = (parts: Partial<LogoutParts>) =>
  acme.post(`${acme.base()}/slo`, { SAMLRequest: encodeMessage(acme.sign(aRequest(parts))) })
const overSoap = (parts: Partial<LogoutParts>) =>
  fetch(to('/slo/soap'), {
    ...{ method: 'POST', headers: { 'content-type': 'text/xml; charset=utf-8' }, redirect: 'manual' },
    body: soapEnvelope(acme.sign(aRequest(parts, '/slo/soap'))),
  })

describe.each([
  { way: 'redirect', send: overRedirect },
  { way: 'POST', send: overPost },
  { way: 'SOAP', send: overSoap },
])('a LogoutRequest by $way', ({ send }) => {
  it.each([
    {
      when: 'leaves out both qualifiers that the login wrote',
      login: () => ({ NameQualifier: idp, SPNameQualifier: sp() }),
      logout: () => ({}),
    },
    {
      when: 'writes both qualifiers that the login left out',
      login: () => ({}),
      logout: () => ({ NameQualifier: idp, SPNameQualifier: sp() }),
    },
    {
      when: 'writes one qualifier where the login wrote the other',
      login: () => ({ NameQualifier: idp }),
      logout: () => ({ SPNameQualifier: sp() }),
    },
  ])('that $when ends the session, its grants and, without SessionIndex, every session of hers', async ({ login, logout }) => {
    const one = await acme.signIn('_s1', aName(login()))
    expect((await send({ nameId: aName(logout()) })).status).toBeLessThan(400)
    expect([await acme.isActive(one.tokens), await acme.isSignedIn(one.browser)]).toEqual([false, false])
    acme.wait(1)
    const two = await acme.signIn('_s2', aName(login()))
    expect((await send({ nameId: aName(logout()), sessions: '' })).status).toBeLessThan(400)
    expect(await acme.isActive(two.tokens)).toBe(false)
  })

  it.each([
    { when: 'is of an affiliation, at the login', login: () => ({ SPNameQualifier: 'urn:affiliation' }), logout: () => ({}) },
    { when: 'is of an affiliation, at the logout', login: () => ({}), logout: () => ({ SPNameQualifier: 'urn:affiliation' }) },
    { when: 'is of another IdP', login: () => ({ NameQualifier: idp }), logout: () => ({ NameQualifier: 'https://another.example' }) },
    { when: 'is that of the other side', login: () => ({}), logout: () => ({ NameQualifier: sp(), SPNameQualifier: idp }) },
    { when: 'is ours in other letters', login: () => ({}), logout: () => ({ SPNameQualifier: sp().toUpperCase() }) },
  ])('whose qualifier $when ends nobody', async ({ login, logout }) => {
    const { browser, tokens } = await acme.signIn('_s1', aName(login()))
    for (const sessions of [undefined, '']) {
      const parts = { nameId: aName(logout()), ...(sessions !== undefined && { sessions }) }
      expect((await send(parts)).status).toBeLessThan(400)
    }
    expect([await acme.isActive(tokens), await acme.isSignedIn(browser)]).toEqual([true, true])
  })
})

it.each(['1.1:nameid-format:unspecified', '1.1:nameid-format:emailAddress'])('it is so for the format %s, too', async (format) => {
  const name = (qualifiers: Readonly<Record<string, string>>) => aName(qualifiers, `urn:oasis:names:tc:SAML:${format}`)
  const { tokens } = await acme.signIn('_s1', name({ NameQualifier: idp, SPNameQualifier: sp() }))
  expect((await overRedirect({ nameId: name({}) })).status).toBeLessThan(400)
  expect(await acme.isActive(tokens)).toBe(false)
})

it('the qualifier may be what the IdP calls itself in logout messages, and what we are called at this connection', async () => {
  await acme.configure({ sloUrl: 'https://idp.acme.example/slo', sloIssuer: logoutParties.sloIssuer })
  const { tokens } = await acme.signIn('_s1', aName({ NameQualifier: idp }))
  const issuer = `<saml:Issuer>${logoutParties.sloIssuer}</saml:Issuer>`
  expect((await overRedirect({ issuer, nameId: aName({ NameQualifier: logoutParties.sloIssuer }) })).status).toBeLessThan(400)
  expect(await acme.isActive(tokens)).toBe(false)
})

it('a login that was under way when its person was logged out with other qualifiers is not believed', async () => {
  const browser = acme.browser()
  const left = await browser.visit(acme.authorizeUrl())
  const answer = acme.sign(acme.answerTo(left.location, '_s1', aName({ NameQualifier: idp, SPNameQualifier: sp() })))
  expect((await overRedirect({ nameId: aName({}) })).status).toBeLessThan(400)
  const form = { SAMLResponse: encodeMessage(answer), RelayState: new URL(left.location).searchParams.get('RelayState') ?? '' }
  const home = (await acme.post(`${acme.base()}/acs`, form)).headers.get('location') ?? ''
  expect(await browser.visit(home)).toMatchObject({ status: 403, text: expect.stringContaining('idp_session_ended') })
})
