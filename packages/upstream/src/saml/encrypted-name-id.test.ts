/** A NameID that is encrypted in a signed assertion: opened where the connection accepts encryption, and nowhere else a way in. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from './fixtures/a-saml-response.js'
import { aServiceProvider, aServiceProviderKey } from './fixtures/a-service-provider.js'
import { type Encryption, encryptAssertion, xenc } from './fixtures/an-encrypted-assertion.js'
import { findAll, insertAfter, outerOf, replaceElement, setInner } from './fixtures/edit-xml.js'
import { noServiceProvider, type ServiceProvider, type ServiceProviderKey } from './service-provider.js'
import { signatureReaderNames } from './signature-reader-name.js'
import { verifySamlResponse } from './verify-response.js'

const idp = aFixtureKey()
let ours: ServiceProvider & { readonly active: ServiceProviderKey }
beforeAll(async () => {
  ours = await aServiceProvider()
}, 30_000)

const name = (value: string) =>
  `<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">${value}</saml:NameID>`
const encrypted = (text: string, how: Partial<Encryption> = {}) =>
  encryptAssertion(text, { certificate: ours.active.certificate, ...how }).replaceAll('saml:EncryptedAssertion', 'saml:EncryptedID')
const signed = (nameId: string, place: 'response' | 'assertion' = 'assertion') =>
  signXml(responseXml({ assertions: assertionXml({ nameId }) }), place === 'assertion' ? '_assertion1' : '_response1', idp)

function told(xml: string, more: Record<string, unknown> = {}, serviceProvider: ServiceProvider = ours) {
  const { idpEntityId, acsUrl, requestId, now } = fixtureParties
  const bare = { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates: [idp.certificate], encryption: 'accepted' }
  const parsed = parseConnection('saml', { ...bare, ...more })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  const connection = parsed.value as SamlConnection
  const expected = { connectionId: 'c1' as ConnectionId, connection, acsUrl, expectedRequestId: requestId, now, serviceProvider }
  const verdict = verifySamlResponse(encodeMessage(xml), expected)
  return verdict.ok ? (verdict.value.nameId?.value ?? 'nobody') : verdict.error.reason
}

describe.each(signatureReaderNames)('read by %s', (signatureReader) => {
  test.each(['response', 'assertion'] as const)('in a signed %s it names ada', (place) => {
    expect(told(signed(encrypted(name('ada')), place), { signatureReader })).toBe('ada')
    expect(told(signed(encrypted(name('ada'), { keyPlace: 'beside' }), place), { signatureReader })).toBe('ada')
  })
  test('with AES-CBC by opt-in', () => {
    const xml = signed(encrypted(name('ada'), { content: xenc.aes256Cbc }))
    expect(told(xml, { signatureReader })).toBe('saml_encryption_cbc_refused')
    expect(told(xml, { signatureReader, contentEncryption: 'gcm-or-cbc' })).toBe('ada')
  })
  test('swapped for another one behind the signature it is refused', () => {
    const xml = signed(encrypted(name('ada')))
    const swapped = replaceElement(xml, 'EncryptedID', encrypted(name('root')))
    expect(told(swapped, { signatureReader })).toBe('saml_signature_invalid')
  })
  test('in a response that nobody signed it is refused', () => {
    const xml = responseXml({ assertions: assertionXml({ nameId: encrypted(name('ada')) }) })
    expect(told(xml, { signatureReader })).toBe('saml_unsigned')
  })
})

const cases = [
  { what: 'where the connection accepts no encryption', more: { encryption: 'off' }, reason: 'saml_name_id_encrypted' },
  { what: 'where whole assertions have to be encrypted', more: { encryption: 'required' }, reason: 'saml_encryption_required' },
]
test.each(cases)('is refused $what', ({ more, reason }) => {
  expect(told(signed(encrypted(name('ada'))), more)).toBe(reason)
})

test('is refused beside a plain one, twice, and without a key of ours', async () => {
  expect(told(signed(name('ada') + encrypted(name('root'))))).toBe('saml_name_id_encrypted')
  expect(told(signed(encrypted(name('ada')).repeat(2)))).toBe('saml_shape_invalid')
  expect(told(signed(encrypted(name('ada'))), {}, noServiceProvider)).toBe('sp_key_missing')
  const theirs = (await aServiceProviderKey()).certificate
  expect(told(signed(encrypted(name('ada'), { certificate: theirs })))).toBe('saml_decryption_failed')
})

const insides = [
  { what: 'an assertion', text: () => assertionXml(), reason: 'saml_encryption_shape_invalid' },
  { what: 'a NameID of no namespace', text: () => '<NameID>ada</NameID>', reason: 'saml_encryption_shape_invalid' },
  { what: 'an empty NameID', text: () => name(' '), reason: 'saml_name_id_missing' },
  { what: 'a NameID with something in it', text: () => name('ada<x/>'), reason: 'saml_shape_invalid' },
  { what: 'a comment', text: () => name('ada<!-- -->.evil'), reason: 'saml_comment' },
  { what: 'a DOCTYPE', text: () => `<!DOCTYPE a>${name('ada')}`, reason: 'saml_doctype' },
  { what: 'two', text: () => name('ada') + name('root'), reason: 'saml_xml_malformed' },
  { what: 'a text', text: () => 'ada', reason: 'saml_decryption_failed' },
]
test.each(insides)('that is $what inside is refused', ({ text, reason }) => {
  expect(told(signed(encrypted(text())))).toBe(reason)
})

describe('is no hiding place', () => {
  const honest = () => signXml(responseXml(), '_assertion1', idp)
  test('for an encrypted assertion', () => {
    const hidden = encryptAssertion(outerOf(honest(), 'Assertion'), { certificate: ours.active.certificate })
    expect(told(signed(`<saml:EncryptedID>${hidden}</saml:EncryptedID>`))).toBe('saml_assertion_count')
  })
  test('for a plain assertion', () => {
    expect(told(signed(`<saml:EncryptedID>${assertionXml({ id: '_evil' })}</saml:EncryptedID>`))).toBe('saml_assertion_count')
  })
  test('outside of the subject it is nothing', () => {
    const extended = setInner(
      insertAfter(honest(), 'Issuer', '<samlp:Extensions> </samlp:Extensions>'),
      'Extensions',
      encrypted(name('root')),
    )
    expect(findAll(extended, 'EncryptedID')).toHaveLength(1)
    expect(told(extended)).toBe('ada@acme.example')
  })
})
