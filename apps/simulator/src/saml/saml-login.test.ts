/** The SAML IdP against @node-saml/node-saml, a service provider that nobody here wrote. */

import { SAML, ValidateInResponseTo } from '@node-saml/node-saml'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { openBrowser } from '../browser.js'
import type { FaultId } from '../faults.js'
import { createSimulator, type Simulator } from '../simulator.js'

const acsUrl = 'http://127.0.0.1:9/t/acme/saml/c1/acs'
const spEntityId = 'http://127.0.0.1:9/t/acme/saml/c1/metadata'

let simulator: Simulator
let url: string

beforeAll(async () => {
  simulator = createSimulator({ port: 0, broker: { acme: { acsUrl, spEntityId } } })
  url = (await simulator.start()).url
})
afterAll(() => simulator.close())

/** Trusts what the metadata says, as an administrator would. */
function serviceProvider(more: { authnContext?: string[]; acs?: string; issuer?: string } = {}): SAML {
  const xml = simulator.metadataXml('acme')
  return new SAML({
    callbackUrl: more.acs ?? acsUrl,
    issuer: more.issuer ?? spEntityId,
    audience: spEntityId,
    entryPoint: /SingleSignOnService[^>]*HTTP-Redirect[^>]*Location="([^"]+)"/.exec(xml)?.[1] ?? '',
    idpCert: /<[^>]*X509Certificate>([^<]+)</.exec(xml)?.[1]?.replace(/\s/g, '') ?? '',
    idpIssuer: /entityID="([^"]+)"/.exec(xml)?.[1] ?? '',
    validateInResponseTo: ValidateInResponseTo.always,
    wantAssertionsSigned: false,
    wantAuthnResponseSigned: false,
    acceptedClockSkewMs: 5000,
    identifierFormat: null,
    ...(more.authnContext === undefined ? { disableRequestedAuthnContext: true } : { authnContext: more.authnContext }),
  })
}

/** Signs a person in by the page and hands what reached the ACS to the service provider. */
async function signIn(sp: SAML, name: string, mfa: 'yes' | 'no' = 'yes') {
  const browser = openBrowser({ submitsSamlForms: false })
  const asked = await browser.open(await sp.getAuthorizeUrlAsync('relay-7', undefined, {}))
  const carrying = await asked.form(`sign-in-${name}`).submit({ mfa })
  const form = carrying.form('SAMLResponse')
  expect(form.action).toBe(acsUrl)
  expect(form.fields['RelayState']).toBe('relay-7')
  return sp.validatePostResponseAsync({ SAMLResponse: form.fields['SAMLResponse'] ?? '' })
}

describe('without a fault card', () => {
  it('sends a response that another library accepts', async () => {
    const { profile } = await signIn(serviceProvider(), 'ada')
    expect(profile).toMatchObject({ nameID: 'acme-ada', email: 'ada@acme.example', groups: ['engineering', 'staff'] })
  })

  test.each(['response', 'assertion', 'both'] as const)('is accepted when the %s is signed', async (sign) => {
    simulator.connect('acme', { sign })
    expect((await signIn(serviceProvider(), 'clark', 'no')).profile?.nameID).toBe('acme-clark')
    simulator.connect('acme', { sign: 'both' })
  })

  it('carries 250 groups, and none for who has none stated', async () => {
    expect((await signIn(serviceProvider(), 'max')).profile?.['groups']).toHaveLength(250)
    expect((await signIn(serviceProvider(), 'nora')).profile).not.toHaveProperty('groups')
  })

  it('states MFA only of who has it', async () => {
    const sp = serviceProvider({ authnContext: ['https://refeds.org/profile/mfa'] })
    expect((await signIn(sp, 'ada')).profile?.getAssertionXml?.()).toContain('https://refeds.org/profile/mfa')
    expect((await signIn(sp, 'ada', 'no')).profile?.getAssertionXml?.()).toContain('PasswordProtectedTransport')
    expect((await signIn(sp, 'clark')).profile?.getAssertionXml?.()).toContain('PasswordProtectedTransport')
  })
})

describe('under a fault card', () => {
  test.each([
    { fault: 'expired-certificate', says: /signature/i },
    { fault: 'wrong-audience', says: /audience/i },
    { fault: 'unsigned', says: /signature/i },
    { fault: 'signature-wrapping', says: /signature|assertion|digest/i },
    { fault: 'clock-skew', says: /not yet valid/i },
  ] satisfies readonly { fault: FaultId; says: RegExp }[])(
    '$fault is refused, and the next login is good again',
    async ({ fault, says }) => {
      const browser = openBrowser()
      await (await browser.open(`${url}/acme`)).form(`/acme/faults/${fault}`).submit()
      await expect(signIn(serviceProvider(), 'ada')).rejects.toThrow(says)
      await expect(signIn(serviceProvider(), 'ada')).resolves.toBeDefined()
    },
  )

  it('replay is refused, because it answers an earlier request', async () => {
    const sp = serviceProvider()
    simulator.armFault('acme', 'replay')
    await expect(signIn(sp, 'ada')).rejects.toThrow(/InResponseTo/)
  })

  it('missing groups, overage and no MFA are well-signed and say less', async () => {
    simulator.armFault('acme', 'missing-groups')
    expect((await signIn(serviceProvider(), 'ada')).profile).not.toHaveProperty('groups')
    simulator.armFault('acme', 'groups-overage')
    const overage = (await signIn(serviceProvider(), 'max')).profile
    expect(overage).toHaveProperty(['http://schemas.microsoft.com/claims/groups.link'])
    expect(overage).not.toHaveProperty('groups')
    simulator.armFault('acme', 'no-mfa')
    expect((await signIn(serviceProvider(), 'ada')).profile?.getAssertionXml?.()).not.toContain('refeds')
  })

  it('expired metadata stays until it is taken back', async () => {
    const good = simulator.metadataXml('acme')
    simulator.armFault('acme', 'expired-metadata')
    await signIn(serviceProvider(), 'ada')
    const served = await (await fetch(simulator.metadataUrl('acme'))).text()
    expect(Date.parse(/validUntil="([^"]+)"/.exec(served)?.[1] ?? '')).toBeLessThan(Date.now())
    simulator.disarmFault('acme', 'expired-metadata')
    expect(simulator.metadataXml('acme')).toBe(good)
  })
})

describe('the request', () => {
  test.each([
    { when: 'the ACS URL is not registered', more: { acs: 'http://127.0.0.1:9/elsewhere' }, says: 'not registered' },
    { when: 'the service provider is unknown', more: { issuer: 'https://stranger.example' }, says: 'No service provider' },
  ])('is refused with a page when $when', async ({ more, says }) => {
    const page = await openBrowser().open(await serviceProvider(more).getAuthorizeUrlAsync('', undefined, {}))
    expect(page.status).toBe(400)
    expect(page.text).toContain(says)
  })

  test.each(['', '?SAMLRequest=', '?SAMLRequest=%00', `?SAMLRequest=${Buffer.from('<a>').toString('base64')}`])(
    'is refused when malformed: %s',
    async (query) => {
      expect((await openBrowser().open(`${url}/acme/sso${query}`)).status).toBe(400)
    },
  )

  it('is answered once', async () => {
    const asked = await openBrowser({ submitsSamlForms: false }).open(await serviceProvider().getAuthorizeUrlAsync('', undefined, {}))
    expect((await asked.form('sign-in-ada').submit({ mfa: 'yes' })).status).toBe(200)
    expect((await asked.form('sign-in-ada').submit({ mfa: 'yes' })).status).toBe(404)
  })
})

it('keeps the replay card armed while there is nothing to replay', async () => {
  const fresh = createSimulator({ port: 0, broker: { acme: { acsUrl, spEntityId } } })
  await fresh.start()
  const usual = simulator
  simulator = fresh
  try {
    fresh.armFault('acme', 'replay')
    await expect(signIn(serviceProvider(), 'ada')).resolves.toBeDefined()
    await expect(signIn(serviceProvider(), 'ada')).rejects.toThrow(/InResponseTo/)
  } finally {
    simulator = usual
    await fresh.close()
  }
})

test.each([
  { hint: 'ada@acme.example', authnContext: ['https://refeds.org/profile/mfa'], says: 'refeds.org' },
  { hint: 'ada', authnContext: undefined, says: 'PasswordProtectedTransport' },
  { hint: 'clark', authnContext: ['https://refeds.org/profile/mfa'], says: 'PasswordProtectedTransport' },
])('in lab mode $hint is signed in without asking, asked for $authnContext', async ({ hint, authnContext, says }) => {
  const lab = createSimulator({ port: 0, signInWithoutAsking: true, broker: { acme: { acsUrl, spEntityId } } })
  await lab.start()
  const usual = simulator
  simulator = lab
  try {
    const sp = serviceProvider(authnContext === undefined ? {} : { authnContext })
    const carrying = await openBrowser({ submitsSamlForms: false }).open(
      await sp.getAuthorizeUrlAsync('', undefined, { additionalParams: { login_hint: hint } }),
    )
    const xml = Buffer.from(carrying.form('SAMLResponse').fields['SAMLResponse'] ?? '', 'base64').toString()
    expect(xml).toContain(says)
  } finally {
    simulator = usual
    await lab.close()
  }
})

it('sends a response that nobody asked for from its portal, as another library reads it', async () => {
  const browser = openBrowser({ submitsSamlForms: false })
  const carrying = await browser.post(`${url}/acme/tile`, { person: 'acme-ada', relayState: 'documents' })
  const { action, fields } = carrying.form('SAMLResponse')
  expect([action, fields['RelayState']]).toEqual([acsUrl, 'documents'])
  const samlResponse = fields['SAMLResponse'] ?? ''
  expect(Buffer.from(samlResponse, 'base64').toString()).not.toContain('InResponseTo')
  await expect(serviceProvider().validatePostResponseAsync({ SAMLResponse: samlResponse })).rejects.toThrow('InResponseTo')
})
