/** Single logout of the SAML IdP against @node-saml/node-saml, a service provider that nobody here wrote: both ways, and what it refuses. */

import { SAML } from '@node-saml/node-saml'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from '../browser.js'
import { bareCertificate, loadKeys, type SigningPair } from '../keys.js'
import { createSimulator, type Simulator } from '../simulator.js'

const base = 'http://127.0.0.1:9/t/acme/saml/c1'
const [acsUrl, sloUrl, spEntityId] = [`${base}/acs`, `${base}/slo`, `${base}/metadata`]
const persistent = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'

let simulator: Simulator
let url: string
let pair: SigningPair
let waiting: SigningPair
let foreign: SigningPair

beforeAll(async () => {
  const keys = await loadKeys(undefined, new Date())
  pair = keys.globex.current
  waiting = keys.globex.expired
  foreign = keys.acme.current
  const spMetadataUrl = `data:text/xml,${encodeURIComponent(ourMetadata())}`
  simulator = createSimulator({ port: 0, broker: { acme: { acsUrl, spEntityId, spMetadataUrl } } })
  url = (await simulator.start()).url
})
afterAll(() => simulator.close())

/** With a second key in front, as during a rotation. */
function ourMetadata(): string {
  const keyOf = ({ certificatePem }: SigningPair) =>
    `<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${bareCertificate(certificatePem)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
  const at = (name: string, binding: string, location: string) =>
    `<md:${name} Binding="urn:oasis:names:tc:SAML:2.0:bindings:${binding}" Location="${location}"/>`
  return `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${spEntityId}"><md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">${keyOf(waiting)}${keyOf(pair)}${at('SingleLogoutService', 'HTTP-Redirect', sloUrl)}${at('AssertionConsumerService', 'HTTP-POST', acsUrl).replace('/>', ' index="0"/>')}</md:SPSSODescriptor></md:EntityDescriptor>`
}

function service(by = pair): SAML {
  const xml = simulator.metadataXml('acme')
  return new SAML({
    ...{ callbackUrl: acsUrl, issuer: spEntityId, audience: spEntityId, identifierFormat: null, disableRequestedAuthnContext: true },
    entryPoint: /SingleSignOnService[^>]*HTTP-Redirect[^>]*Location="([^"]+)"/.exec(xml)?.[1] ?? '',
    logoutUrl: /SingleLogoutService[^>]*HTTP-Redirect[^>]*Location="([^"]+)"/.exec(xml)?.[1] ?? '',
    idpCert: /<[^>]*X509Certificate>([^<]+)</.exec(xml)?.[1]?.replace(/\s/g, '') ?? '',
    ...{ privateKey: by.privateKeyPem, signatureAlgorithm: 'sha256', wantAssertionsSigned: false, wantAuthnResponseSigned: false },
  })
}

async function signIn() {
  const browser = openBrowser({ submitsSamlForms: false, stopAt: sloUrl })
  const asked = await browser.open(await service().getAuthorizeUrlAsync('', undefined, {}))
  const { fields } = (await asked.form('sign-in-ada').submit({ mfa: 'yes' })).form('SAMLResponse')
  const { profile } = await service().validatePostResponseAsync({ SAMLResponse: fields['SAMLResponse'] ?? '' })
  if (!profile) throw new Error('no profile')
  return { browser, user: { ...profile, nameIDFormat: persistent } }
}
const sessions = async () =>
  [...(await (await fetch(`${url}/acme`)).text()).matchAll(/name="session" value="([^"]+)"/g)].map(([, session]) => session)
const read = (address: string) => {
  const query = address.slice(address.indexOf('?') + 1)
  return service().validateRedirectAsync(Object.fromEntries(new URLSearchParams(query)), query)
}

it('tells the service who signed out here, and believes its answer once', async () => {
  const { browser, user } = await signIn()
  expect(await sessions()).toContain(user.sessionIndex)
  const left = await (await browser.open(`${url}/acme`)).form('session').submit({ session: String(user.sessionIndex) })
  expect(await sessions()).not.toContain(user.sessionIndex)
  const { profile } = await read(left.url)
  expect(profile).toMatchObject({ nameID: user.nameID, nameIDFormat: persistent, sessionIndex: user.sessionIndex })
  const answer = await service().getLogoutResponseUrlAsync(profile as typeof user, '', {}, true)
  expect((await browser.open(answer)).text).toContain('Signed out here, and at the service.')
  expect(await browser.open(answer)).toMatchObject({ status: 400, text: expect.stringContaining('came before') })
})

it('ends the session that the service names, and answers it', async () => {
  const { browser, user } = await signIn()
  const back = await browser.open(await service().getLogoutUrlAsync(user, 'state', {}))
  expect(await read(back.url)).toMatchObject({ loggedOut: true })
  expect(new URL(back.url).searchParams.get('RelayState')).toBe('state')
  expect(await sessions()).not.toContain(user.sessionIndex)
})

it('refuses what the service has not signed, and a session that there is not', async () => {
  const { browser, user } = await signIn()
  const forged = await service(foreign).getLogoutUrlAsync(user, '', {})
  expect(await browser.open(forged)).toMatchObject({ status: 400, text: expect.stringContaining('not signed by the service') })
  const good = await service().getLogoutUrlAsync(user, '', {})
  expect(await browser.open(good.replace(/&SigAlg=.*$/, ''))).toMatchObject({ status: 400 })
  expect(await sessions()).toContain(user.sessionIndex)
  const again = await (await browser.open(`${url}/acme`)).form('session').submit({ session: 'another' })
  expect(again).toMatchObject({ status: 400, text: expect.stringContaining('There is no such session.') })
})
