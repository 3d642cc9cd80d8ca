import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { kindOf } from './algorithms.js'
import { aSigner, publicKeyOf } from './differential/a-signer.js'
import { generateMessage, idPlaces, type SignedPlace } from './differential/generate-message.js'
import { identityOf } from './differential/identity.js'
import { randomFrom } from './differential/random.js'
import { signMessage } from './differential/sign-message.js'
import { parseDocument } from './parse-document.js'
import { readSignedElements } from './read-signed-elements.js'

const rsa = aSigner()
const ec = aSigner('ecdsa')
const keys = [rsa, ec].map(publicKeyOf)

function signed(seed: number, places: readonly SignedPlace[], signers = [rsa, ec]): string {
  const random = randomFrom(seed)
  return signMessage(generateMessage(random), places, signers, random)
}
function verdictOf(message: string, given: readonly KeyObject[] = keys): unknown {
  const root = parseDocument(message)
  if (!root.ok) return root.error.reason
  const read = readSignedElements(root.value, given)
  return read.ok ? read.value.map(({ element }) => element.name) : read.error.reason
}

describe('what is signed is handed out', () => {
  test.each([
    { places: [idPlaces[0]], names: ['Response'] },
    { places: [idPlaces[1]], names: ['Assertion'] },
    { places: idPlaces, names: ['Response', 'Assertion'] },
  ])('$names', ({ places, names }) => {
    for (let seed = 1; seed <= 20; seed += 1) expect(verdictOf(signed(seed, places))).toEqual(names)
  })

  test('without its own signature, and with nothing that leads out of it', () => {
    const root = parseDocument(signed(3, [idPlaces[1]]))
    const read = root.ok ? readSignedElements(root.value, keys) : undefined
    const element = read?.ok ? read.value[0]?.element : undefined
    expect(element?.children.map(({ name }) => name)).toEqual(['Issuer', 'Subject', 'Conditions', 'AuthnStatement', 'AttributeStatement'])
    expect(Object.keys(element ?? {})).not.toContain('parent')
  })
})

describe('keys', () => {
  const message = signed(4, [idPlaces[0]], [rsa])
  const byEc = signed(4, [idPlaces[0]], [ec])
  test.each([
    { when: 'there is none', given: [], text: message },
    { when: 'it is another one', given: [publicKeyOf(aSigner())], text: message },
    { when: 'it is of another family', given: [publicKeyOf(ec)], text: message },
    { when: 'the algorithm names the other family', given: keys, text: message.replaceAll('#rsa-', '#ecdsa-') },
    { when: 'it is private', given: [rsa.privateKey], text: message },
    { when: 'it is a secret', given: [createSecretKey(Buffer.alloc(32))], text: message },
    { when: 'its ECDSA value is cut', given: keys, text: byEc.replace(/(SignatureValue>)[^<]{8}/, '$1') },
  ])('a message is refused when $when', ({ given, text }) => expect(verdictOf(text, given)).toBe('signature_invalid'))

  test('an RSA key of 1024 bits verifies nothing', () => {
    const small = aSigner('rsa', 1024)
    expect(verdictOf(signed(4, [idPlaces[0]], [small]), [publicKeyOf(small)])).toBe('signature_invalid')
  })
  test.each([
    { what: 'with a modulus of 4097 bits', jwk: { n: `AQ${'_'.repeat(682)}`, e: 'AQAB' } },
    { what: 'with an exponent of 33 bits', jwk: { e: 'AQAAAAE' } },
    { what: 'with an even exponent', jwk: { e: 'AQAA' } },
    { what: 'with the exponent 1', jwk: { e: 'AQ' } },
  ])('an RSA key $what verifies nothing', ({ jwk }) => {
    const good = publicKeyOf(rsa).export({ format: 'jwk' })
    const key = createPublicKey({ key: { ...good, ...jwk }, format: 'jwk' })
    expect([kindOf(publicKeyOf(rsa)), kindOf(key)]).toEqual(['rsa', 'unusable'])
    expect(verdictOf(message, [key])).toBe('signature_invalid')
  })
  test('old and new key are tried together', () => {
    expect(verdictOf(message, [publicKeyOf(aSigner()), publicKeyOf(rsa)])).toEqual(['Response'])
  })
})

describe('the one shape of a signature', () => {
  const message = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
  const good = signed(11, [idPlaces[1]], [rsa])
    .replaceAll(
      /<(\/?)(?:ds:|dsig:)?(Signature|SignedInfo|Reference|Transforms?|Digest\w+|Signature\w+|CanonicalizationMethod)(?=[ >/])/g,
      '<$1$2',
    )
    .replace(/<Signature xmlns:\w+=/, '<Signature xmlns=')
  const change = (from: string | RegExp, to: string): unknown => {
    expect(good.search(from)).toBeGreaterThanOrEqual(0)
    return verdictOf(good.replace(from, () => to))
  }
  test('text between its elements', () => expect(change('</SignedInfo>', '</SignedInfo>x')).toBe('signature_shape_invalid'))
  test('text in SignedInfo', () => expect(change('<SignatureMethod', 'x<SignatureMethod')).toBe('signature_shape_invalid'))
  test('an attribute that the schema does not know', () =>
    expect(change('<Reference ', '<Reference x="y" ')).toBe('signature_shape_invalid'))
  test('an attribute of enormous length', () =>
    expect(change('<Reference ', `<Reference Id="${'x'.repeat(2000)}" `)).toBe('signature_shape_invalid'))
  test('an object', () => expect(change('</SignatureValue>', '</SignatureValue><Object/>')).toBe('signature_shape_invalid'))
  test('a value that is not base64', () => expect(change(/<SignatureValue>./, '<SignatureValue>*')).toBe('signature_shape_invalid'))
  test('an empty digest', () => expect(change(/<DigestValue>[^<]*/, '<DigestValue>')).toBe('reference_invalid'))
  test('two references', () => expect(change('</Reference>', '</Reference><Reference/>')).toBe('reference_invalid'))
  test('a reference to all of the document', () => expect(change('URI="#_assertion1"', 'URI=""')).toBe('reference_invalid'))
  test('a reference to the response', () => expect(change('URI="#_assertion1"', 'URI="#_response1"')).toBe('reference_invalid'))
  test('comments in the canonicalisation', () => expect(change('xml-exc-c14n#"', 'xml-exc-c14n#WithComments"')).toBe('transform_refused'))
  test('more than one prefix list in the transform that has no use for any', () => {
    const list = '<InclusiveNamespaces PrefixList="xs"/>'
    const enveloped = '<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"'
    expect(change(`${enveloped}/>`, `${enveloped}>${list}</Transform>`)).toBe('signature_invalid')
    expect(change(`${enveloped}/>`, `${enveloped}>${list}${list}</Transform>`)).toBe('transform_refused')
  })
  test('a child in the signature method', () =>
    expect(
      change(
        /<SignatureMethod ([^>]*)\/>/,
        '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"><HMACOutputLength>8</HMACOutputLength></SignatureMethod>',
      ),
    ).toBe('algorithm_refused'))
  test('HMAC', () => expect(change(/#rsa-sha\d+/, '#hmac-sha256')).toBe('algorithm_refused'))
  test('SHA-1, by name', () => expect(change(/http:[^"]*#rsa-sha\d+/, 'http://www.w3.org/2000/09/xmldsig#rsa-sha1')).toBe('algorithm_sha1'))
  test('a signature elsewhere', () => expect(change(/<Subject|<\w+:Subject/, `${message}</ds:Signature>$&`)).not.toEqual(['Assertion']))
})

describe('identifiers', () => {
  const withNote = (attribute: string): string => signed(12, [idPlaces[1]]).replace(/(<(?:\w+:)?Status)([ >])/, `$1 ${attribute}$2`)
  test.each([
    'ID="_assertion1"',
    'Id="_assertion1"',
    'id="_assertion1"',
    'iD=" _assertion1 "',
    'xml:id="_assertion1"',
    'AssertionID="_assertion1"',
    'xmlns:x="u:x" x:ID="_assertion1"',
    'ID="_n" xml:id="_m"',
  ])('%s beside the signed element is refused', (attribute) => expect(verdictOf(withNote(attribute))).toBe('duplicate_id'))
  test('another identifier is not', () => expect(verdictOf(withNote('ID="_note"'))).toEqual(['Assertion']))
})

describe('properties', () => {
  const message = signed(21, idPlaces)
  const outer = /SignatureValue>[^<]*/g
  const honest = parseDocument(message)
  const identities = (text: string): unknown => {
    const root = parseDocument(text)
    const read = root.ok ? readSignedElements(root.value, keys) : undefined
    return read?.ok ? read.value.map(({ element }) => identityOf(element)) : undefined
  }
  const honestIdentities = identities(message)

  test('the same message has the same verdict', () => {
    expect(honest.ok && outer.test(message)).toBe(true)
    for (let again = 0; again < 3; again += 1) expect(identities(message)).toEqual(honestIdentities)
  })

  test('a flipped bit is refused, or was in nothing that is signed or means anything', () => {
    const octets = Buffer.from(message)
    const property = fc.property(fc.nat(octets.length - 1), fc.nat(7), (at, bit) => {
      const flipped = Buffer.from(octets)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
      const read = identities(flipped.toString('utf8'))
      if (read !== undefined) expect(read).toEqual(honestIdentities)
    })
    fc.assert(property, { numRuns: 1500 })
  })

  test('a flipped bit in the canonical octets is never the signed element', () => {
    const read = honest.ok ? readSignedElements(honest.value, keys) : undefined
    const canonical = read?.ok ? (read.value[0]?.canonical ?? '') : ''
    const texts = [...canonical.matchAll(/>([^<>]{3,})</g)].map(([, text]) => text ?? '').filter((text) => message.includes(`>${text}<`))
    expect(texts.length).toBeGreaterThan(3)
    for (const text of texts) expect(identities(message.replace(`>${text}<`, `>${text.slice(0, -1)}_<`))).toBeUndefined()
  })
})
