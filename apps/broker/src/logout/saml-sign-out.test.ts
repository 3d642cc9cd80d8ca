/** Whoever signs out here goes to her SAML IdP and comes back with its answer: believed in her browser alone, signed, once, and nothing hangs on it. */

import { type APlainBrowser, hidden } from '@drawbridge/testkit/a-login'
import { type ASamlCompany, aSamlCompany, idIn, idpAddresses, inflated, parameter } from '@drawbridge/testkit/a-saml-company'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { logoutResponseXml, redirectQuery, statusXml } from '@drawbridge/upstream/saml/fixtures/a-logout-message'
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

/** Presses the button of the page that asks her. */
async function signOut(browser: APlainBrowser) {
  const asked = await browser.visit(`${acme.issuer()}/logout`)
  return browser.visit(`${acme.issuer()}/logout`, { proof: hidden(asked.text, 'proof') })
}

const anAnswer = (inResponseTo: string, status = statusXml('Success')): string =>
  logoutResponseXml({
    id: acme.next('answer'),
    status,
    attributes: { IssueInstant: acme.at(0), Destination: `${acme.base()}/slo`, InResponseTo: inResponseTo },
  })
const byRedirect = (browser: APlainBrowser, xml: string, by = acme.key) =>
  browser.visit(`${acme.base()}/slo?${redirectQuery(xml, by, { carries: 'SAMLResponse' })}`)
/** From the IdP's page: without a cookie of ours, and on to where that leads. */
async function byPost(browser: APlainBrowser, xml: string) {
  const answer = await acme.post(`${acme.base()}/slo`, { SAMLResponse: encodeMessage(acme.sign(xml)), RelayState: 'anything' })
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([303, 'no-store'])
  return browser.visit(answer.headers.get('location') ?? '')
}
const ways = [
  { way: 'redirect', send: byRedirect },
  { way: 'POST', send: byPost },
] as const

it('she is out here before she leaves, and the IdP is asked in its own words, signed', async () => {
  const { browser, tokens } = await acme.signIn()
  const left = await signOut(browser)
  expect([await acme.isActive(tokens), await acme.isSignedIn(browser)]).toEqual([false, false])
  expect(left.location).toMatch(/^https:\/\/idp\.acme\.example\/slo\?tenant=7&SAMLRequest=/)
  const xml = inflated(left.location, 'SAMLRequest')
  expect(xml).toContain(`Destination="${idpAddresses.sloUrl}"`)
  expect(xml).toContain(
    '<saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">ada@acme.example</saml:NameID><samlp:SessionIndex>_s1</samlp:SessionIndex>',
  )
  expect(['SigAlg', 'Signature', 'RelayState'].map((name) => parameter(left.location, name) !== '')).toEqual([true, true, true])
})

it('the IdP is told the qualifiers of the name as it wrote them at the login, also those that say no more than the message', async () => {
  const name = `NameQualifier="${fixtureParties.idpEntityId}" SPNameQualifier="${acme.base()}/metadata"`
  const { browser } = await acme.signIn('_s1', `<saml:NameID ${name}>p-1</saml:NameID>`)
  expect(inflated((await signOut(browser)).location, 'SAMLRequest')).toContain(`<saml:NameID ${name}>p-1</saml:NameID>`)
})

describe.each(ways)('its answer by $way', ({ send }) => {
  const leave = async () => {
    const { browser } = await acme.signIn()
    const { location } = await signOut(browser)
    return { browser, id: idIn(inflated(location, 'SAMLRequest')) }
  }

  it.each([
    { status: statusXml('Success'), says: 'has signed you out, too' },
    { status: statusXml('Success', 'PartialLogout'), says: 'some applications may not have heard' },
    { status: statusXml('Responder'), says: 'may still know you' },
  ])('$status is told as “$says”', async ({ status, says }) => {
    const { browser, id } = await leave()
    expect((await send(browser, anAnswer(id, status))).text).toContain(says)
    expect(acme.told.take()).toEqual(says.startsWith('may') ? ['saml_logout_failed'] : [])
  })

  it('counts once, in the browser that left, for the request that it left with', async () => {
    const { browser, id } = await leave()
    const { browser: other } = await leave()
    expect((await send(acme.browser(), anAnswer(id))).text).toContain('saml_logout_unsolicited')
    expect((await send(other, anAnswer(id))).text).toContain('may still know you')
    expect(acme.told.take()).toEqual(['saml_logout_unsolicited', 'saml_logout_unsolicited'])
    expect((await send(browser, anAnswer(id))).text).toContain('signed you out, too')
    expect((await send(browser, anAnswer(id))).text).toContain('saml_logout_unsolicited')
  })
})

it('an answer that another key signed says nothing of the IdP, and takes no place of the one that it signs', async () => {
  const { browser } = await acme.signIn()
  const { location } = await signOut(browser)
  const answer = await byRedirect(browser, anAnswer(idIn(inflated(location, 'SAMLRequest'))), aFixtureKey())
  expect(answer.text).toContain('may still know you')
  expect(acme.told.take()).toEqual(['saml_signature_invalid'])
  const genuine = await byRedirect(browser, anAnswer(idIn(inflated(location, 'SAMLRequest'))))
  expect(genuine.text).toContain('signed you out, too')
})

it('by POST where the IdP wants that, over a page that leads nowhere else', async () => {
  await acme.configure({ sloUrl: 'https://idp.acme.example/slo', sloBinding: 'post' })
  const { browser } = await acme.signIn()
  const page = await signOut(browser)
  expect(page.text).toContain('action="https://idp.acme.example/slo"')
  const xml = Buffer.from(hidden(page.text, 'SAMLRequest'), 'base64').toString()
  expect(xml).toMatch(/<saml:Issuer>[^<]+<\/saml:Issuer><ds:Signature[ >]/)
})

it('another IdP that has taken the place of hers is told nothing, and the log says so', async () => {
  const { browser, tokens } = await acme.signIn()
  const asked = await browser.visit(`${acme.issuer()}/logout`)
  await acme.configure({ ...idpAddresses, idpEntityId: 'https://new-idp.acme.example/metadata' })
  const answer = await browser.visit(`${acme.issuer()}/logout`, { proof: hidden(asked.text, 'proof') })
  expect(answer.text).toContain('may still know you')
  expect([acme.told.take(), await acme.isActive(tokens)]).toEqual([['idp_session_of_another'], false])
})

it.each([
  { when: 'the IdP has no address for it', set: () => acme.configure({}) },
  { when: 'the connection does not go there', set: () => acme.configure({ ...idpAddresses, logoutUpstream: false }) },
  {
    when: 'we have no key to sign with',
    set: async () => {
      await asOwner(fixture.ownerUrl, "DELETE FROM signing_keys WHERE tenant_id = $1 AND purpose = 'saml'", [acme.tenant().tenantId])
      acme.broker.deps.configuration.invalidate()
    },
  },
])('she is out here alone when $when', async ({ set }) => {
  await set()
  const { browser, tokens } = await acme.signIn()
  expect((await signOut(browser)).text).toContain('may still know you')
  expect(await acme.isActive(tokens)).toBe(false)
})

it('what goes round is small, and nothing but an answer', async () => {
  const large = await acme.post(`${acme.base()}/slo`, {
    SAMLResponse: Buffer.from(crypto.getRandomValues(new Uint8Array(20_000))).toString('base64'),
  })
  expect([large.status, acme.told.take()]).toEqual([400, ['saml_message_too_large']])
  for (const message of ['', '!', 'x'.repeat(6001)])
    expect((await acme.browser().visit(`${acme.base()}/slo/continue?message=${message}`)).text).toContain('saml_message_missing')
})
