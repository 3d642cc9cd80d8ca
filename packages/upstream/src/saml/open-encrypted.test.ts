/** Encrypted assertions: a signature decides, and what is wrong with a text is told to nobody who could have changed it. */
import { Buffer } from 'node:buffer'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { algorithms, assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from './fixtures/a-saml-response.js'
import { aServiceProvider, aServiceProviderKey } from './fixtures/a-service-provider.js'
import { type Encryption, encryptAssertion, xenc } from './fixtures/an-encrypted-assertion.js'
import { noServiceProvider, type ServiceProvider, type ServiceProviderKey } from './service-provider.js'
import { type SignatureReaderName, signatureReaderNames } from './signature-reader-name.js'
import { verifySamlResponse } from './verify-response.js'

const idp = aFixtureKey()
const stranger = aFixtureKey()
let ours: ServiceProvider & { readonly active: ServiceProviderKey }
beforeAll(async () => {
  ours = await aServiceProvider()
}, 30_000)

type Options = {
  readonly more?: Record<string, unknown>
  readonly reader?: SignatureReaderName
  readonly serviceProvider?: ServiceProvider
}

function judge(xml: string, { more = {}, reader = 'xml-signature', serviceProvider = ours }: Options = {}) {
  const { idpEntityId, acsUrl, requestId, now } = fixtureParties
  const bare = { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates: [idp.certificate], signatureReader: reader }
  const parsed = parseConnection('saml', { ...bare, encryption: 'accepted', contentEncryption: 'gcm-or-cbc', ...more })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  const connection = parsed.value as SamlConnection
  const expected = { connectionId: 'c1' as ConnectionId, connection, acsUrl, expectedRequestId: requestId, now, serviceProvider }
  return verifySamlResponse(encodeMessage(xml), expected)
}
const told = (xml: string, options?: Options): string => {
  const verdict = judge(xml, options)
  return verdict.ok ? (verdict.value.nameId?.value ?? 'nobody') : verdict.error.reason
}

const signedAssertion = () => signXml(assertionXml(), '_assertion1', idp)
const encrypt = (text: string | Buffer, more: Partial<Encryption> = {}) =>
  encryptAssertion(text, { certificate: ours.active.certificate, ...more })
const responseWith = (encrypted: string) => responseXml({ assertions: encrypted })
const signResponse = (xml: string) => signXml(xml, '_response1', idp)
const cbc = { content: xenc.aes256Cbc }

describe.each(signatureReaderNames)('read by %s', (reader) => {
  const shapes = [
    { what: 'the key inside', keyPlace: 'inside' },
    { what: 'the key beside, pointed to, as Shibboleth writes it', keyPlace: 'beside' },
    { what: 'the key beside without a pointer', keyPlace: 'beside-without-pointer' },
  ] as const
  test.each(shapes)('an assertion signed inside is believed: $what', ({ keyPlace }) => {
    expect(told(responseWith(encrypt(signedAssertion(), { keyPlace })), { reader })).toBe('ada@acme.example')
  })

  test('a signature on the response vouches for the cipher text in it', () => {
    expect(told(signResponse(responseWith(encrypt(assertionXml()))), { reader })).toBe('ada@acme.example')
  })

  test('where both are signed, both must hold', () => {
    expect(told(signResponse(responseWith(encrypt(signedAssertion()))), { reader })).toBe('ada@acme.example')
    const foreign = signXml(assertionXml(), '_assertion1', stranger)
    expect(told(signResponse(responseWith(encrypt(foreign))), { reader })).toBe('saml_signature_invalid')
    expect(told(signXml(responseWith(encrypt(signedAssertion())), '_response1', stranger), { reader })).toBe('saml_signature_invalid')
  })

  test('anybody can encrypt to our key: what nobody signed is refused', () => {
    expect(told(responseWith(encrypt(assertionXml())), { reader })).toBe('saml_unsigned')
    expect(told(responseWith(encrypt(assertionXml(), cbc)), { reader })).toBe('saml_decryption_failed')
  })

  test('a letter changed behind the signature is refused', () => {
    expect(told(responseWith(encrypt(signedAssertion().replace('ada@', 'eve@'))), { reader })).toBe('saml_signature_invalid')
  })

  const texts = [
    {
      what: 'is no assertion',
      text: () => '<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">x</saml:Issuer>',
      reason: 'saml_encryption_shape_invalid',
    },
    { what: 'is an assertion of another namespace', text: () => '<Assertion ID="_assertion1"/>', reason: 'saml_encryption_shape_invalid' },
    { what: 'has a DOCTYPE', text: () => `<!DOCTYPE a [<!ENTITY b "c">]>${signedAssertion()}`, reason: 'saml_doctype' },
    {
      what: 'has two roots',
      text: () => signedAssertion() + signedAssertion().replaceAll('_assertion1', '_assertion2'),
      reason: 'saml_xml_malformed',
    },
    { what: 'closes more than it opens', text: () => `${signedAssertion()}</x:Response><x:Response>`, reason: 'saml_xml_malformed' },
    { what: 'begins with white space', text: () => ` ${signedAssertion()}`, reason: 'saml_decryption_failed' },
    { what: 'ends with white space', text: () => `${signedAssertion()}\n`, reason: 'saml_decryption_failed' },
    { what: 'has an XML declaration', text: () => `<?xml version="1.0"?>${signedAssertion()}`, reason: 'saml_decryption_failed' },
    {
      what: 'is no UTF-8',
      text: () => Buffer.concat([Buffer.from('<a>'), Buffer.from([0xff]), Buffer.from('</a>')]),
      reason: 'saml_decryption_failed',
    },
    { what: 'is UTF-16', text: () => Buffer.from(signedAssertion(), 'utf16le'), reason: 'saml_decryption_failed' },
    { what: 'is empty', text: () => '', reason: 'saml_decryption_failed' },
    { what: 'is encrypted again', text: () => encrypt(signedAssertion()), reason: 'saml_encryption_shape_invalid' },
    {
      what: 'holds something encrypted',
      text: () => signXml(assertionXml({ extra: `<saml:Advice>${encrypt('<a/>')}</saml:Advice>` }), '_assertion1', idp),
      reason: 'saml_encryption_shape_invalid',
    },
    {
      what: 'holds another assertion',
      text: () => signXml(assertionXml({ extra: `<saml:Advice>${assertionXml({ id: '_inner' })}</saml:Advice>` }), '_assertion1', idp),
      reason: 'saml_assertion_count',
    },
    { what: 'is deep', text: () => `${'<a>'.repeat(30)}${'</a>'.repeat(30)}`, reason: 'saml_limit_exceeded' },
  ]
  test.each(texts)('a text that $what is refused, and told in AES-CBC as anything else is', ({ text, reason }) => {
    expect(told(responseWith(encrypt(text())), { reader })).toBe(reason)
    expect(told(responseWith(encrypt(text(), cbc)), { reader })).toBe('saml_decryption_failed')
  })
})

describe('refused before anything is decrypted', () => {
  const twice = () => encrypt(signedAssertion()) + encrypt(signedAssertion())
  const cases = [
    {
      what: 'RSA with PKCS #1 v1.5 padding',
      xml: () => responseWith(encrypt(signedAssertion(), { transport: xenc.rsa15 })),
      reason: 'saml_encryption_refused',
    },
    {
      what: 'a cipher that is not on the list',
      xml: () => responseWith(encrypt(signedAssertion(), { content: xenc.tripleDes })),
      reason: 'saml_encryption_refused',
    },
    {
      what: 'AES-CBC where the connection wants GCM',
      xml: () => responseWith(encrypt(signedAssertion(), cbc)),
      more: { contentEncryption: 'gcm' },
      reason: 'saml_encryption_cbc_refused',
    },
    {
      what: 'two encrypted keys',
      xml: () => responseWith(encrypt(signedAssertion(), { keyPlace: 'both' })),
      reason: 'saml_encryption_shape_invalid',
    },
    {
      what: 'no encrypted key',
      xml: () => responseWith(encrypt(signedAssertion(), { keyPlace: 'nowhere' })),
      reason: 'saml_encryption_shape_invalid',
    },
    {
      what: 'a pointer to another key',
      xml: () => responseWith(encrypt(signedAssertion(), { keyPlace: 'beside' }).replace('URI="#_key1"', 'URI="#_key2"')),
      reason: 'saml_encryption_shape_invalid',
    },
    {
      what: 'a cipher text that is elsewhere',
      xml: () =>
        responseWith(
          encrypt(signedAssertion()).replace(
            /<xenc:CipherValue>[^<]+<\/xenc:CipherValue><\/xenc:CipherData><\/xenc:EncryptedData>/,
            '<xenc:CipherReference URI="https://evil.example"/></xenc:CipherData></xenc:EncryptedData>',
          ),
        ),
      reason: 'saml_encryption_shape_invalid',
    },
    {
      what: 'content in place of an element',
      xml: () => responseWith(encrypt(signedAssertion(), { dataType: 'http://www.w3.org/2001/04/xmlenc#Content' })),
      reason: 'saml_encryption_shape_invalid',
    },
    { what: 'two encrypted assertions', xml: () => responseWith(twice()), reason: 'saml_assertion_count' },
    {
      what: 'an encrypted one beside a plain one',
      xml: () => responseWith(encrypt(signedAssertion()) + signedAssertion()),
      reason: 'saml_assertion_count',
    },
    {
      what: 'an encrypted one that is hidden',
      xml: () => responseXml({ extensions: `<samlp:Extensions>${encrypt(signedAssertion())}</samlp:Extensions>`, assertions: '' }),
      reason: 'saml_assertion_count',
    },
    {
      what: 'encrypted data where no assertion was',
      xml: () => responseXml({ assertions: encrypt(signedAssertion()).replace(/<\/?saml:EncryptedAssertion[^>]*>/g, '') }),
      reason: 'saml_assertion_count',
    },
    {
      what: 'a plain assertion where encryption is required',
      xml: () => signXml(responseXml(), '_assertion1', idp),
      more: { encryption: 'required' },
      reason: 'saml_encryption_required',
    },
    {
      what: 'an encrypted one where encryption is off',
      xml: () => responseWith(encrypt(signedAssertion())),
      more: { encryption: 'off' },
      reason: 'saml_encrypted_assertion',
    },
    {
      what: 'a cipher text beyond the limit',
      xml: () => responseWith(encrypt(`<a>${'x'.repeat(300_000)}</a>`)),
      reason: 'saml_message_too_large',
    },
  ]
  test.each(cases)('$what', ({ xml, reason, more = {} }) => {
    expect(told(xml(), { more })).toBe(reason)
  })

  test('what we have no key for', () => {
    expect(told(responseWith(encrypt(signedAssertion())), { serviceProvider: noServiceProvider })).toBe('sp_key_missing')
  })
})

describe('one answer to whoever probes', () => {
  const flip = (octet: number) => (octets: Buffer) => {
    const changed = Buffer.from(octets)
    changed[octet < 0 ? changed.length + octet : octet] = ((changed[octet < 0 ? changed.length + octet : octet] as number) ^ 0x41) & 0xff
    return changed
  }

  test('each value of the last octet of AES-CBC, which decides about its padding', () => {
    const captured = encrypt(signedAssertion(), cbc)
    const [, value = ''] = /<\/ds:KeyInfo><xenc:CipherData><xenc:CipherValue>([^<]+)/.exec(captured) ?? []
    const octets = Buffer.from(value, 'base64')
    const answers = new Set<string>()
    for (let guess = 1; guess < 256; guess += 1) {
      const probe = Buffer.from(octets.subarray(0, 64))
      probe[47] = (probe[47] as number) ^ guess
      answers.add(JSON.stringify(judge(responseWith(captured.replace(value, probe.toString('base64'))))))
    }
    expect([...answers]).toEqual(['{"ok":false,"error":{"reason":"saml_decryption_failed"}}'])
  })

  const probes: readonly { readonly what: string; readonly more: Partial<Encryption> }[] = [
    { what: 'a bit of the wrapped key', more: { changeKey: flip(-1) } },
    { what: 'a bit of the wrapped key over AES-CBC', more: { ...cbc, changeKey: flip(-1) } },
    { what: 'a wrapped key that is cut', more: { changeKey: (octets) => octets.subarray(0, 100) } },
    { what: 'a wrapped key that is too long', more: { changeKey: (octets) => Buffer.concat([octets, octets]) } },
    { what: 'a wrapped key of zeros', more: { changeKey: (octets) => Buffer.alloc(octets.length) } },
    { what: 'a bit of the vector', more: { ...cbc, change: flip(3) } },
    { what: 'a bit of the text', more: { ...cbc, change: flip(200) } },
    { what: 'a bit of the tag of AES-GCM', more: { change: flip(-1) } },
    { what: 'a cipher text that is cut', more: { ...cbc, change: (octets) => octets.subarray(0, 161) } },
    { what: 'a cipher text of one block', more: { ...cbc, change: (octets) => octets.subarray(0, 16) } },
    { what: 'a cipher text without a tag', more: { change: (octets) => octets.subarray(0, 20) } },
  ]
  test.each(probes)('$what', ({ more }) => {
    expect(judge(responseWith(encrypt(signedAssertion(), more)))).toEqual({ ok: false, error: { reason: 'saml_decryption_failed' } })
  })

  test('a block in the KeyInfo of a signature that holds, whether it is text or not, of an assertion that was for another login', () => {
    const { acsUrl, requestId } = fixtureParties
    const forAnother = `InResponseTo="_another" Recipient="${acsUrl}" NotOnOrAfter="2099-01-01T00:00:00Z"`
    const keyInfo = { keyInfoCertificate: idp.certificate }
    const captured = signXml(assertionXml({ confirmationData: forAnother }), '_assertion1', idp, keyInfo)
    const spliced = (block: string) => captured.replace(/(<(?:ds:)?X509Certificate>).{16}/s, (_, tag: string) => `${tag}${block}`)
    const texts = [captured, spliced('sixteen letters.'), spliced('sixteen\u0001letters.'), spliced('sixteen <1etters')]
    const answers = (how: Partial<Encryption>) => texts.map((text) => told(responseWith(encrypt(text, how))))
    expect(captured).not.toContain(requestId)
    expect(answers(cbc)).toEqual(texts.map(() => 'saml_decryption_failed'))
    const untold = ['saml_in_response_to_wrong', 'saml_in_response_to_wrong', 'saml_xml_malformed', 'saml_xml_malformed']
    expect(answers({})).toEqual(untold)
    expect(told(signResponse(responseWith(encrypt(captured, cbc))))).toBe('saml_in_response_to_wrong')
  })

  test('AES-GCM presented as AES-CBC', () => {
    const captured = encrypt(signedAssertion()).replace(xenc.aes256Gcm, xenc.aes256Cbc)
    expect(told(responseWith(captured))).toBe('saml_decryption_failed')
  })

  test('a text for somebody else, and the same message twice', async () => {
    const theirs = await aServiceProviderKey()
    const message = responseWith(encrypt(signedAssertion(), { certificate: theirs.certificate }))
    expect([told(message), told(message)]).toEqual(['saml_decryption_failed', 'saml_decryption_failed'])
  })

  test('two encrypted keys swapped between two messages', () => {
    const [one, two] = [encrypt(signedAssertion()), encrypt(signedAssertion())]
    const keyOf = (xml: string) => /<xenc:EncryptedKey.*<\/xenc:EncryptedKey>/.exec(xml)?.[0] ?? ''
    expect(told(responseWith(one.replace(keyOf(one), keyOf(two))))).toBe('saml_decryption_failed')
  })
})

test('the next key and the one retired last open, too; a condemned one does not', async () => {
  const [active, next] = ours.published as [ServiceProviderKey, ServiceProviderKey]
  const toNext = responseWith(encrypt(signedAssertion(), { certificate: next.certificate }))
  expect(told(toNext)).toBe('ada@acme.example')
  const rotated = { ...ours, active: next, published: [next], decrypting: [next, active] }
  expect(told(responseWith(encrypt(signedAssertion())), { serviceProvider: rotated })).toBe('ada@acme.example')
  expect(told(responseWith(encrypt(signedAssertion())), { serviceProvider: { ...rotated, decrypting: [next] } })).toBe(
    'saml_decryption_failed',
  )
})

test('SHA-1 inside is refused by name where that tells nothing', () => {
  const weak = signXml(assertionXml(), '_assertion1', idp, { signatureAlgorithm: algorithms.rsaSha1, digestAlgorithm: algorithms.sha1 })
  expect(told(responseWith(encrypt(weak)))).toBe('saml_algorithm_sha1')
})
