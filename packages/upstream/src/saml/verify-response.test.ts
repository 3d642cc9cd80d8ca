import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { upstreamErrors } from '../error.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from './fixtures/a-saml-response.js'
import { keptAttackCases } from './fixtures/attack-cases.js'
import { goodCases } from './fixtures/good-cases.js'
import { type SignatureReaderName, signatureReaderNames } from './signature-reader-name.js'
import { type ExpectedSamlResponse, verifySamlResponse } from './verify-response.js'

const folder = join(dirname(fileURLToPath(import.meta.url)), 'fixtures')
const namesIn = (kind: 'good' | 'attacks') => readdirSync(join(folder, kind)).filter((name) => name.endsWith('.xml'))
const base64Of = (kind: 'good' | 'attacks', name: string) => readFileSync(join(folder, kind, name)).toString('base64')

function expectingWith(signatureReader: SignatureReaderName, certificates: readonly string[]): ExpectedSamlResponse {
  const { idpEntityId } = fixtureParties
  const parsed = parseConnection('saml', { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates, signatureReader })
  if (!parsed.ok) throw new Error(parsed.error.reason)
  const { acsUrl, requestId, now } = fixtureParties
  return { connectionId: 'c1' as ConnectionId, connection: parsed.value as SamlConnection, acsUrl, expectedRequestId: requestId, now }
}
const fixtureCertificates = ['idp-rsa.pem', 'idp-ec.pem'].map((name) => readFileSync(join(folder, name), 'utf8'))

describe.each(signatureReaderNames)('read by %s', (reader) => {
  const expecting = (certificates: readonly string[]): ExpectedSamlResponse => expectingWith(reader, certificates)
  const expected = expecting(fixtureCertificates)

  describe('messages of honest IdPs', () => {
    test.each(namesIn('good'))('%s is accepted and names ada', (name) => {
      const verdict = verifySamlResponse(base64Of('good', name), expected)
      expect(verdict).toMatchObject({
        ok: true,
        value: { nameId: { value: 'ada@acme.example' }, issuer: fixtureParties.idpEntityId, assertionId: '_assertion1' },
      })
    })

    test('OneTimeUse and ProxyRestriction are conditions that we know: the first we keep always, the second is not about us', () => {
      const key = aFixtureKey()
      const audience = `<saml:AudienceRestriction><saml:Audience>${fixtureParties.spEntityId}</saml:Audience></saml:AudienceRestriction>`
      const verdictOn = (more: string) =>
        verifySamlResponse(
          encodeMessage(signXml(responseXml({ assertions: assertionXml({ conditions: `${audience}${more}` }) }), '_response1', key)),
          expecting([key.certificate]),
        )
      expect(verdictOn('<saml:OneTimeUse/><saml:ProxyRestriction Count="0"/>')).toMatchObject({ ok: true })
      expect(verdictOn('<saml:OneTimeUse/><saml:TwoTimeUse/>')).toMatchObject({ ok: false, error: { reason: 'saml_condition_unknown' } })
    })

    test('attributes are merged by name, and an empty one stays visible', () => {
      const verdict = verifySamlResponse(base64Of('good', 'response-signed.xml'), expected)
      expect(verdict.ok && [...verdict.value.attributes]).toEqual([
        ['groups', ['engineering', 'staff']],
        ['department', []],
      ])
    })
  })

  describe('attacks', () => {
    test.each(namesIn('attacks'))('%s is refused for the reason beside it', (name) => {
      const reason = readFileSync(join(folder, 'attacks', name.replace(/xml$/, 'reason')), 'utf8').trim()
      expect(verifySamlResponse(base64Of('attacks', name), expected)).toMatchObject({ ok: false, error: { reason } })
      expect(reason in upstreamErrors).toBe(true)
    })

    test('the files are those that the generator builds', () => {
      const keys = { rsa: aFixtureKey(), ec: aFixtureKey({ type: 'ec' }), foreign: aFixtureKey() }
      expect(namesIn('attacks').sort()).toEqual(
        keptAttackCases(keys)
          .map(({ name }) => `${name}.xml`)
          .sort(),
      )
      expect(namesIn('good').sort()).toEqual(
        goodCases(keys.rsa, keys.ec)
          .map(({ name }) => `${name}.xml`)
          .sort(),
      )
    })
  })

  describe('what a response may leave out', () => {
    const key = aFixtureKey()
    const anonymous = responseXml({ responseIssuer: '' })
    const verdictOn = (message: string) => verifySamlResponse(encodeMessage(message), expecting([key.certificate]))
    test('its Issuer, where it is not signed itself', () => {
      expect(verdictOn(signXml(anonymous, '_assertion1', key)).ok).toBe(true)
      expect(verdictOn(signXml(anonymous, '_response1', key, { first: true }))).toMatchObject({
        ok: false,
        error: { reason: 'saml_response_issuer_wrong' },
      })
    })
    test('never its ID, nor that of the assertion, by which a second one of it is known', () => {
      const unnamed = signXml(responseXml({ responseId: '' }), '_assertion1', key)
      const inside = signXml(responseXml({ assertions: assertionXml({ id: '' }) }), '_response1', key)
      for (const message of [unnamed, unnamed.replace(' ID=""', ''), inside])
        expect(verdictOn(message)).toMatchObject({ ok: false, error: { reason: 'saml_shape_invalid' } })
    })
  })

  describe('what is in an assertion in a way that means two things', () => {
    const key = aFixtureKey()
    const verdictOn = (parts: Parameters<typeof assertionXml>[0]) =>
      verifySamlResponse(
        encodeMessage(signXml(responseXml({ assertions: assertionXml(parts) }), '_response1', key)),
        expecting([key.certificate]),
      )
    const context = (name: string) =>
      `<saml:AuthnContext><saml:AuthnContextClassRef>${name}</saml:AuthnContextClassRef></saml:AuthnContext>`
    const attribute = (name: string, values: string) =>
      `<saml:AttributeStatement><saml:Attribute Name="${name}">${values}</saml:Attribute></saml:AttributeStatement>`
    test.each([
      {
        what: 'two encrypted names beside a plain one',
        parts: { nameId: '<saml:NameID>ada@acme.example</saml:NameID><saml:EncryptedID/><saml:EncryptedID/>' },
      },
      {
        what: 'two contexts in one statement',
        parts: {
          authnStatement: `<saml:AuthnStatement AuthnInstant="2026-11-23T11:59:40Z">${context('urn:a')}${context('urn:b')}</saml:AuthnStatement>`,
        },
      },
      { what: 'an attribute whose name is empty', parts: { attributeStatement: attribute('  ', '') } },
      ...[
        { what: 'a value that holds an element other than a NameID', value: '<saml:Issuer>ada</saml:Issuer>' },
        { what: 'a value that holds a NameID of another namespace', value: '<NameID xmlns="urn:x">ada</NameID>' },
        { what: 'a value that holds two NameIDs', value: '<saml:NameID>ada</saml:NameID><saml:NameID>root</saml:NameID>' },
        { what: 'a value that holds text before its NameID', value: 'root<saml:NameID>ada</saml:NameID>' },
        { what: 'a value that holds text after its NameID', value: '<saml:NameID>ada</saml:NameID>root' },
        { what: 'a value whose NameID holds another', value: '<saml:NameID>ada<saml:NameID>root</saml:NameID></saml:NameID>' },
      ].map(({ what, value }) => ({
        what,
        parts: { attributeStatement: attribute('a', `<saml:AttributeValue>${value}</saml:AttributeValue>`) },
      })),
    ])('$what is refused', ({ parts }) => {
      expect(verdictOn(parts)).toMatchObject({ ok: false, error: { reason: 'saml_shape_invalid' } })
    })
    test('no value is one that XML Schema calls so, and no other', () => {
      const xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
      const values = ['xsi:nil="true"', 'xsi:nil="1"', 'xsi:nil="false"', 'nil="true"', 'xsi:type="true"', 'xmlns:x="urn:x" x:nil="true"']
      const written = values.map((said, index) => `<saml:AttributeValue ${xsi} ${said}>v${index}</saml:AttributeValue>`).join('')
      const verdict = verdictOn({ attributeStatement: attribute('a', written) })
      expect(verdict.ok && verdict.value.attributes.get('a')).toEqual(['v2', 'v3', 'v4', 'v5'])
    })
  })

  describe('what no signature covers, though it stands inside of what is signed', () => {
    const key = aFixtureKey()
    const signed = signXml(responseXml({ assertions: assertionXml({}) }), '_response1', key)
    const verdictOn = (message: string) => verifySamlResponse(encodeMessage(message), expecting([key.certificate]))
    test.each([
      {
        what: 'an attribute that the library takes for a namespace',
        at: /<saml:Subject/,
        more: ' xmlnsx="y"',
        reason: 'saml_xml_malformed',
      },
      { what: 'such an attribute in SignedInfo', at: /<(\w+:)?Transforms/, more: ' xmlnsx="y"', reason: 'saml_xml_malformed' },
      {
        what: 'an attribute with such a prefix',
        at: /<saml:Subject/,
        more: ' xmlns:xmlnsx="urn:x" xmlnsx:Recipient="y"',
        reason: 'saml_xml_malformed',
      },
      { what: 'text in the signature', at: /<\/(\w+:)?SignatureValue>/, more: 'text', reason: 'saml_signature_shape_invalid' },
      {
        what: 'white space there that is none of XML',
        at: /<\/(\w+:)?SignatureValue>/,
        more: '\uFEFF',
        reason: 'saml_signature_shape_invalid',
      },
    ])('$what is refused', ({ at, more, reason }) => {
      expect(verdictOn(signed).ok).toBe(true)
      const message = signed.replace(at, (tag) => tag + more)
      expect(message).not.toBe(signed)
      expect(verdictOn(message)).toMatchObject({ ok: false, error: { reason } })
    })
  })

  describe('the envelope of the parameter', () => {
    const good = base64Of('good', 'response-signed.xml')
    test.each([
      { when: 'empty', message: '', reason: 'saml_response_missing' },
      { when: 'not base64', message: '%%%%', reason: 'saml_base64_invalid' },
      { when: 'base64url', message: `${good.slice(0, -4)}-_8=`, reason: 'saml_base64_invalid' },
      { when: 'padded with bits set', message: 'QUJDRB==', reason: 'saml_base64_invalid' },
      { when: 'larger than the limit', message: Buffer.alloc(300_000, 0x20).toString('base64'), reason: 'saml_message_too_large' },
    ])('a parameter that is $when is refused', ({ message, reason }) => {
      expect(verifySamlResponse(message, expected)).toMatchObject({ ok: false, error: { reason } })
    })

    test('line folding inside base64 is allowed', () => {
      expect(verifySamlResponse(good.replace(/(.{76})/g, '$1\r\n'), expected).ok).toBe(true)
    })
  })

  describe('keys come from the connection alone', () => {
    const key = aFixtureKey()
    const message = encodeMessage(signXml(responseXml(), '_response1', key, { keyInfoCertificate: key.certificate }))
    test('a message signed with its own KeyInfo is refused by a connection that does not list the key', () => {
      expect(verifySamlResponse(message, expected)).toMatchObject({ ok: false, error: { reason: 'saml_signature_invalid' } })
    })
    test('during a rollover the old and the new certificate are trusted together', () => {
      expect(verifySamlResponse(message, expecting([aFixtureKey().certificate, key.certificate])).ok).toBe(true)
    })
    test('an expired certificate still verifies: metadata keys are raw trust', () => {
      const old = aFixtureKey({ notAfter: new Date(Date.UTC(2026, 1, 1)) })
      expect(verifySamlResponse(encodeMessage(signXml(responseXml(), '_assertion1', old)), expecting([old.certificate])).ok).toBe(true)
    })
  })

  describe('mutations of valid messages', () => {
    const key = aFixtureKey()
    const fuzzed = expecting([key.certificate])
    const seeds = [
      signXml(responseXml(), '_response1', key),
      signXml(responseXml({ assertions: assertionXml({ nameId: '<saml:NameID>ada@acme.example</saml:NameID>' }) }), '_assertion1', key),
    ]
    const tokens = [
      '<',
      '>',
      '/>',
      '"',
      '&',
      '&amp;',
      '&#0;',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<saml:NameID>root</saml:NameID>',
      'ID="_assertion1"',
      ' xmlns:saml="urn:x"',
      '\u0000',
      '\uFFFF',
      'é',
      '<ds:Signature/>',
      '<?x?>',
    ]
    const mutation = fc.record({
      at: fc.nat(),
      length: fc.nat(40),
      kind: fc.constantFrom('cut', 'repeat', 'insert', 'flip', 'move'),
      token: fc.constantFrom(...tokens),
      to: fc.nat(),
    })
    const mutate = (
      text: string,
      { at, length, kind, token, to }: { at: number; length: number; kind: string; token: string; to: number },
    ): string => {
      const from = at % text.length
      const piece = text.slice(from, from + length)
      if (kind === 'cut') return text.slice(0, from) + text.slice(from + length)
      if (kind === 'repeat') return text.slice(0, from) + piece + text.slice(from)
      if (kind === 'insert') return text.slice(0, from) + token + text.slice(from)
      if (kind === 'flip') return text.slice(0, from) + String.fromCharCode(text.charCodeAt(from) ^ (1 + (to % 6))) + text.slice(from + 1)
      const rest = text.slice(0, from) + text.slice(from + length)
      return rest.slice(0, to % (rest.length + 1)) + piece + rest.slice(to % (rest.length + 1))
    }

    test('never throw, and never name another identity', () => {
      const property = fc.property(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 4 }), (seed, mutations) => {
        const verdict = verifySamlResponse(encodeMessage(mutations.reduce(mutate, seed)), fuzzed)
        if (verdict.ok)
          expect([verdict.value.nameId?.value, verdict.value.attributes.get('groups')]).toEqual([
            'ada@acme.example',
            ['engineering', 'staff'],
          ])
        else expect(verdict.error.reason in upstreamErrors).toBe(true)
      })
      fc.assert(property, { numRuns: 600 })
    })

    test('arbitrary text is refused by value', () => {
      fc.assert(
        fc.property(fc.string(), (text) => !verifySamlResponse(text, fuzzed).ok && !verifySamlResponse(encodeMessage(text), fuzzed).ok),
        { numRuns: 300 },
      )
    })
  })
})
