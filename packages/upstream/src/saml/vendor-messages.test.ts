/** Each vendor's response, in the shape in which it sends it, comes in on the first try with the preset that is proposed for the vendor. */
import { authenticationStrength } from '@drawbridge/core/identity/authentication-strength'
import { beforeAll, describe, expect, test } from 'vitest'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { algorithms } from './fixtures/a-saml-response.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { connectionTo, expectationOf, finishLogin, identityOf, told, vendorLogins } from './fixtures/a-vendor-login.js'
import { attributeOf, innerOf, removeElement, replaceElement, setAttribute, setInner } from './fixtures/edit-xml.js'
import { entraGroups, entraOverage } from './fixtures/messages-of-microsoft.js'
import { duo, onelogin } from './fixtures/messages-of-services.js'
import { sent, vendorMessage, vendorMessages } from './fixtures/vendor-messages.js'
import { at } from './fixtures/vendor-words.js'
import type { ServiceProvider, ServiceProviderKey } from './service-provider.js'
import { signatureReaderNames } from './signature-reader-name.js'

const key = aFixtureKey()
let ours: ServiceProvider & { readonly active: ServiceProviderKey }
beforeAll(async () => {
  ours = await aServiceProvider()
}, 30_000)

const { loginOf, tell } = vendorLogins(key, () => ours)

describe.each(signatureReaderNames)('read by %s', (signatureReader) => {
  test.each(vendorMessages.map(({ name }) => name))(
    '%s: who it is, her claims, groups, evidence and session, with the preset',
    async (name) => {
      const identity = await identityOf(await loginOf(name, undefined, { signatureReader }))
      const { strength, ...expected } = expectationOf(vendorMessage(name)).expected
      expect(told(identity)).toEqual(expected)
      expect(authenticationStrength((identity as Exclude<typeof identity, string>).authentication)).toBe(strength)
    },
  )
})

describe('Okta', () => {
  test('its class is a setting of the application, so not even one that says MFA is evidence', async () => {
    const change = (xml: string) => setInner(removeElement(xml, 'Attribute', 5), 'AuthnContextClassRef', 'https://refeds.org/profile/mfa')
    expect(await tell('okta signs both', change)).toMatchObject({ acr: undefined, amr: [] })
  })
  test('without a filter for groups it sends none, which is not “no groups”', async () => {
    expect(await tell('okta signs both', (xml) => removeElement(xml, 'Attribute', 4))).toMatchObject({ groups: 'unknown' })
  })
})

describe('Microsoft Entra ID', () => {
  test('a link in the place of more than 150 groups leaves them unknown', async () => {
    expect(await tell('entra signs the assertion', (xml) => xml.replace(entraGroups, entraOverage))).toMatchObject({ groups: 'unknown' })
    expect(await tell('entra signs the assertion', (xml) => xml.replace(entraGroups, entraGroups + entraOverage))).toMatchObject({
      groups: 'unknown',
    })
  })
  test('no groups at all leave them unknown', async () => {
    expect(await tell('entra signs the assertion', (xml) => xml.replace(entraGroups, ''))).toMatchObject({ groups: 'unknown' })
  })
  test('a password alone is one factor, though the class never changes', async () => {
    const change = (xml: string) => xml.replace('<AttributeValue>http://schemas.microsoft.com/claims/multipleauthn</AttributeValue>', '')
    const identity = await identityOf(await loginOf('entra signs the assertion', change))
    expect(identity).toMatchObject({ authentication: { amr: ['pwd'] } })
    expect(authenticationStrength((identity as Exclude<typeof identity, string>).authentication)).toBe('single_factor')
  })
  test('SHA-1, which may still be chosen there, is refused by name', async () => {
    const weak = {
      ...vendorMessage('entra signs the assertion'),
      style: { signatureAlgorithm: algorithms.rsaSha1, digestAlgorithm: algorithms.sha1 },
    }
    expect(await identityOf({ connection: connectionTo(weak, [key.certificate]), message: sent(weak, key) })).toBe('saml_algorithm_sha1')
  })
})

describe('Google Workspace', () => {
  test('fields that nobody filled in are there and empty: no claim, and no groups', async () => {
    const { connection, message } = await loginOf('google signs the assertion', (xml) => setInner(xml, 'Attribute', '', 4))
    const assertion = await finishLogin({ connection, message })
    expect(assertion).toMatchObject({ ok: true })
    expect(assertion.ok && [assertion.value.attributes.get('title'), assertion.value.attributes.get('department')]).toEqual([[], []])
    expect(told(await identityOf({ connection, message }))).toMatchObject({ groups: [], claims: { given_name: 'Ada' } })
  })
})

describe('AD FS', () => {
  test('without a claim rule there is no NameID: refused by name, unless an attribute says who it is', async () => {
    const change = (xml: string) => removeElement(xml, 'NameID')
    expect(await tell('adfs signs the assertion', change, { stableIdAttribute: undefined })).toBe('saml_name_id_missing')
    expect(await tell('adfs signs the assertion', change)).toMatchObject({ stableId: 'k4mO0Q8pVEq1w3Zb2n0h9A==', nameId: undefined })
  })
  test('a NameID that is there and empty is refused in any case', async () => {
    expect(await tell('adfs signs the assertion', (xml) => setInner(xml, 'NameID', ''))).toBe('saml_name_id_missing')
  })
})

describe('Ping', () => {
  test.each([
    { idpSessionEnd: 'ignore', end: undefined },
    { idpSessionEnd: 'honour', end: 300 },
    { idpSessionEnd: { floorSeconds: 3600 }, end: 3600 },
  ])(
    'PingOne ends the session with the assertion, five minutes away: by the choice $idpSessionEnd it ends at $end',
    async ({ idpSessionEnd, end }) => {
      expect(await tell('pingone signs the assertion', undefined, { mapping: { idpSessionEnd } })).toMatchObject({ sessionEndsAt: end })
    },
  )
  test('a region and a NameID without a format change nothing', async () => {
    expect(innerOf(vendorMessage('pingone signs the assertion').xml, 'Issuer')).toContain('auth.pingone.eu')
    expect(attributeOf(vendorMessage('pingone signs the assertion').xml, 'NameID', 'Format')).toBeUndefined()
  })
  test('PingFederate under a virtual server ID has another Issuer, which only its own connection believes', async () => {
    const own = { idpEntityId: 'acme:federation:idp' }
    expect(await tell('pingfederate signs the response', (xml) => xml.replaceAll('acme:federation:idp', 'acme:virtual:2'), own)).toBe(
      'saml_response_issuer_wrong',
    )
  })
})

describe('whoever stamps the moment of issue as AuthnInstant', () => {
  test.each(['pingone signs the assertion', 'onelogin signs the assertion', 'keycloak signs the response'] as const)(
    '%s: it is believed only where a fresh sign-in was demanded',
    async (name) => {
      expect(await tell(name)).toMatchObject({ signedInAt: undefined })
      expect(await tell(name, undefined, {}, true)).toMatchObject({ signedInAt: 0 })
      expect(await tell(name, undefined, { authnInstant: 'untrusted' }, true)).toBe('saml_authn_not_fresh')
    },
  )
  test.each(['okta signs both', 'google signs the assertion', 'shibboleth without encryption', 'simplesamlphp signs both'] as const)(
    '%s says when she really signed in, so an old sign-in is no fresh one',
    async (name) => {
      expect(await tell(name, undefined, {}, true)).toBe('saml_authn_not_fresh')
      const now = (xml: string) => setAttribute(xml, 'AuthnStatement', 'AuthnInstant', at(-5))
      expect(await tell(name, now, {}, true)).toMatchObject({ signedInAt: -5 })
    },
  )
})

describe('OneLogin', () => {
  test('a Recipient that the admin mistyped is refused by name', async () => {
    const change = (xml: string) => setAttribute(xml, 'SubjectConfirmationData', 'Recipient', 'https://broker.example/t/acme/saml/c1/acs/')
    expect(await tell('onelogin signs the assertion', change)).toBe('saml_recipient_wrong')
  })
  test('without multi-value parameters several groups are one text, which is taken as it is', async () => {
    expect(await tell('onelogin signs the assertion', () => onelogin(['Engineering;Staff']))).toMatchObject({
      groups: ['Engineering;Staff'],
    })
  })
})

describe('Keycloak', () => {
  test('conditions of a minute hold for as long as the skew of clocks allows', async () => {
    const since = (seconds: number) => (xml: string) => setAttribute(xml, 'Conditions', 'NotOnOrAfter', at(58 - seconds))
    expect(await tell('keycloak signs the response', since(230))).toMatchObject({ sessionEndsAt: 36_000 })
    expect(await tell('keycloak signs the response', since(240))).toBe('saml_expired')
  })
  test('a role of one value is a list of one', async () => {
    const change = (xml: string) => removeElement(removeElement(xml, 'Attribute', 2), 'Attribute', 1)
    expect(await tell('keycloak signs the response', change)).toMatchObject({ claims: { roles: ['uma_authorization'] } })
  })
  test('the name of another key beside the signature changes nothing', async () => {
    const { connection, message } = await loginOf('keycloak signs the response')
    expect(message).toContain('<dsig:KeyName>')
    expect(told(await identityOf({ connection, message: setInner(message, 'KeyName', 'evil') }))).toMatchObject({
      stableId: expect.any(String),
    })
  })
})

describe('Auth0', () => {
  test('SHA-1, its default, is refused by name', async () => {
    const weak = {
      ...vendorMessage('auth0 signs the assertion'),
      style: { signatureAlgorithm: algorithms.rsaSha1, digestAlgorithm: algorithms.sha1 },
    }
    expect(await identityOf({ connection: connectionTo(weak, [key.certificate]), message: sent(weak, key) })).toBe('saml_algorithm_sha1')
  })
})

describe('Duo', () => {
  test.each([
    { amr: [''], strength: 'single_factor' },
    { amr: ['pwd,duo'], strength: 'multi_factor' },
  ])('a bridge attribute of $amr proves $strength', async ({ amr, strength }) => {
    const identity = await identityOf(await loginOf('duo signs both', () => duo(amr)))
    expect(authenticationStrength((identity as Exclude<typeof identity, string>).authentication)).toBe(strength)
  })
})

describe('Shibboleth', () => {
  test('a transient NameID is nobody’s key', async () => {
    expect(await tell('shibboleth without encryption', undefined, { stableIdAttribute: undefined })).toBe('identity_stable_id_not_stable')
  })
  test('it answers NoAuthnContext where it cannot reach the class that was asked for', async () => {
    const status =
      '<saml2p:Status><saml2p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><saml2p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"/></saml2p:StatusCode></saml2p:Status>'
    const { connection } = await loginOf('shibboleth without encryption')
    const message = removeElement(replaceElement(vendorMessage('shibboleth without encryption').xml, 'Status', status), 'Assertion')
    expect(await identityOf({ connection, message })).toBe('saml_authn_context_unmet')
  })
  test('a targeted id, which is a NameID inside of an attribute, can be the key', async () => {
    expect(await tell('shibboleth encrypts with GCM', undefined, { stableIdAttribute: 'urn:oid:1.3.6.1.4.1.5923.1.1.1.10' })).toMatchObject(
      { stableId: 'k9Zt3vQ=' },
    )
  })
})

describe('Rippling', () => {
  test('installed anew it has other keys and another entity ID, so the old connection refuses it', async () => {
    const { connection } = await loginOf('rippling signs the assertion')
    const again = { ...vendorMessage('rippling signs the assertion') }
    expect(await identityOf({ connection, message: sent(again, aFixtureKey()) })).toBe('saml_signature_invalid')
    const elsewhere = { ...again, xml: again.xml.replaceAll('5f1a2b3c4d5e6f7a8b9c0d1e', '6a1a2b3c4d5e6f7a8b9c0d1e') }
    expect(await identityOf({ connection, message: sent(elsewhere, key) })).toBe('saml_response_issuer_wrong')
  })
})

describe('JumpCloud', () => {
  test('two companies may have typed the same entity ID: only the key of the connection decides', async () => {
    const { connection } = await loginOf('jumpcloud signs the assertion')
    expect(await identityOf({ connection, message: sent(vendorMessage('jumpcloud signs the assertion'), aFixtureKey()) })).toBe(
      'saml_signature_invalid',
    )
  })
})
