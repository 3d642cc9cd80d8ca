/** An IdP that nobody here wrote makes the assertion: SimpleSAMLphp, for a service whose address is our token endpoint. */
import { openBrowser } from '@drawbridge/simulator/browser'
import { type ASamlAgent, aSamlAgent } from '@drawbridge/testkit/a-saml-agent'
import { aSimpleSamlPhp, hasSimpleSamlPhp, type SimpleSamlPhp } from '@drawbridge/testkit/a-simplesamlphp'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { type AnAssertionCompany, anAgent, anAssertionCompany } from '@drawbridge/testkit/an-assertion-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const withSimpleSamlPhp = hasSimpleSamlPhp() ? describe : describe.skip // npm brings no PHP; .ci/run installs and requires it
const people = { ada: { password: 'lovelace', attributes: { uid: ['ada'], groups: ['staff'] } } }
const saml = 'urn:oasis:names:tc:SAML:2.0:assertion'

withSimpleSamlPhp('SimpleSAMLphp', () => {
  let fixture: TestDatabase
  let idp: SimpleSamlPhp
  let acme: AnAssertionCompany
  let agent: ASamlAgent

  beforeAll(async () => {
    fixture = await testDatabase()
    idp = await aSimpleSamlPhp(people)
    acme = await anAssertionCompany(fixture)
    agent = aSamlAgent(acme)
    await acme.begin()
    const configuration = { profile: 'saml2-bearer', clients: [anAgent.id], stableIdAttribute: 'uid', groupsAttribute: 'groups' }
    const metadataXml = await (await fetch(idp.metadataUrl)).text()
    const made = await anAdmin(acme.broker)('POST', `/tenants/${acme.tenant().slug}/assertion-trusts`, {
      name: 'IdP',
      configuration,
      metadataXml,
    })
    expect(made).toMatchObject({ status: 201, body: { configuration: { issuer: idp.entityId } } })
    acme.broker.deps.configuration.invalidate()
    const signature = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
    idp.set({ 'signature.algorithm': signature, 'saml20.sign.assertion': true, 'saml20.sign.response': false })
  }, 60_000)
  afterAll(async () => {
    idp?.close()
    await acme?.broker.close()
    await fixture?.close()
  })

  /** What the IdP sends to a service that nobody asked for, as its portal would: ours are audience and recipient. */
  async function assertionFor(address: string): Promise<string> {
    const place = `<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="${address}" index="0"/>`
    const role = `<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">${place}</md:SPSSODescriptor>`
    idp.trust(
      `<?xml version="1.0"?><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${acme.issuer()}">${role}</md:EntityDescriptor>`,
    )
    const browser = openBrowser({ submitsSamlForms: false })
    const login = await browser.open(`${idp.url}saml2/idp/SSOService.php?spentityid=${encodeURIComponent(acme.issuer())}`)
    const home = await login.form('username').submit({ username: 'ada', password: people.ada.password })
    const response = Buffer.from(home.form('SAMLResponse').fields['SAMLResponse'] ?? '', 'base64').toString()
    const assertion = /<saml:Assertion[\s\S]*<\/saml:Assertion>/.exec(response)?.[0] ?? ''
    // What it inherits from the response around it, exclusive canonicalisation writes where it is used: the signature holds without that.
    return assertion.includes(`xmlns:saml="${saml}"`)
      ? assertion
      : assertion.replace('<saml:Assertion', `<saml:Assertion xmlns:saml="${saml}"`)
  }

  it('makes an assertion for our token endpoint, which becomes a token once', async () => {
    const xml = await assertionFor(`${acme.issuer()}/token`)
    const { status, body } = await agent.redeem(xml)
    expect([status, body['scope']]).toEqual([200, 'read write'])
    expect(decodeJwt(body.access_token ?? '')).toMatchObject({ iss: acme.issuer(), client_id: anAgent.id })
    expect((await agent.redeem(xml)).body.error).toBe('invalid_grant')
    expect((await agent.redeem((await assertionFor(`${acme.issuer()}/token`)).replace('staff', 'root'))).body.error).toBe('invalid_grant')
  })

  it('makes one for a login, which becomes nothing', async () => {
    acme.told.take()
    const xml = await assertionFor(`${acme.issuer()}/saml/${acme.tenant().connectionId}/acs`)
    expect((await agent.redeem(xml)).body.error).toBe('invalid_grant')
    expect(acme.told.take()).toEqual(['assertion_refused'])
    const [line] = await acme.owner(`SELECT detail ->> 'rule' AS rule FROM audit_events WHERE tenant_id = $1 ORDER BY id DESC LIMIT 1`)
    expect(line).toEqual({ rule: 'saml_recipient_wrong' })
  })
})
