// How we would attack this reader: each message is right in all but one thing, and that one thing is meant for us.
import { expect, test } from 'vitest'
import { aSigner, publicKeyOf } from './differential/a-signer.js'
import { idPlaces } from './differential/generate-message.js'
import { identityOf } from './differential/identity.js'
import { randomFrom } from './differential/random.js'
import { signMessage } from './differential/sign-message.js'
import { parseDocument } from './parse-document.js'
import { readSignedElements } from './read-signed-elements.js'

const signer = aSigner()
const keys = [publicKeyOf(signer)]

const saml = 'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
const assertion = (id: string, name: string): string =>
  `<saml:Assertion ${saml} ID="${id}" Version="2.0"><saml:Issuer>https://idp.example</saml:Issuer><!--SIGNATURE ${id}--><saml:Subject><saml:NameID>${name}</saml:NameID></saml:Subject><saml:AttributeStatement><saml:Attribute Name="role"><saml:AttributeValue xsi:type="xs:string" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">staff</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>`
const response = (inside: string): string =>
  `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_response1" Version="2.0"><saml:Issuer ${saml}>https://idp.example</saml:Issuer><!--SIGNATURE _response1-->${inside}</samlp:Response>`

/** Chance decides about algorithm and canonicalisation, so an attack is tried on many seeds. */
const signed = (seed: number, place: 0 | 1): string =>
  signMessage(response(assertion('_assertion1', 'ada')), [idPlaces[place]], [signer], randomFrom(seed))

function verdictOf(message: string): unknown {
  const root = parseDocument(message)
  if (!root.ok) return root.error.reason
  const read = readSignedElements(root.value, keys)
  return read.ok ? read.value.map(({ element }) => identityOf(element)) : read.error.reason
}
const honest = '[["ada"],[["role",["staff"]]]]'
const signature = (message: string): string => /<(\w+:)?Signature .*<\/\1?Signature>/s.exec(message)?.[0] ?? ''

type Attack = {
  readonly name: string
  readonly of: 0 | 1
  readonly change: (message: string) => string
  readonly verdicts: readonly unknown[]
}
const refused = ['signature_invalid']

const attacks: readonly Attack[] = [
  { name: 'nothing is changed', of: 1, change: (message) => message, verdicts: [[honest]] },
  {
    name: 'the text is continued by a reference',
    of: 1,
    change: (message) => message.replace('>ada<', '>ada&#64;evil<'),
    verdicts: refused,
  },
  {
    name: 'the same text is written by references',
    of: 1,
    change: (message) => message.replace('>ada<', '>&#x61;d&#97;<'),
    verdicts: [[honest]],
  },
  { name: 'a zero-width character joins the name', of: 1, change: (message) => message.replace('>ada<', '>ada\u200B<'), verdicts: refused },
  { name: 'a byte order mark stands in the name', of: 1, change: (message) => message.replace('>ada<', '>\uFEFFada<'), verdicts: refused },
  {
    name: 'a line end of another kind stands in a text',
    of: 1,
    change: (message) => message.replace('</saml:Subject>', '\u0085</saml:Subject>'),
    verdicts: refused,
  },
  {
    name: 'an attribute that looks like a declaration',
    of: 1,
    change: (message) => message.replace('<saml:Subject>', '<saml:Subject xmlnsx="y">'),
    verdicts: ['xml_malformed'],
  },
  {
    name: 'an attribute of a prefix that begins with xmlns',
    of: 1,
    change: (message) => message.replace('<saml:Subject>', '<saml:Subject xmlns:xmlnsx="u:x" xmlnsx:y="z">'),
    verdicts: ['xml_malformed'],
  },
  {
    name: 'a prefix of a name that objects have',
    of: 1,
    change: (message) => message.replace('<saml:Subject>', '<saml:Subject xmlns:__proto__="u:x" __proto__:constructor="z">'),
    verdicts: refused,
  },
  {
    name: 'an attribute with xml: prefix on an element inside',
    of: 1,
    change: (message) => message.replace('<saml:Subject>', '<saml:Subject xml:lang="en">'),
    verdicts: refused,
  },
  {
    name: 'elements put into the signed element beside the signature',
    of: 1,
    change: (message) => message.replace('<saml:Subject>', '<saml:Subject><saml:NameID>root</saml:NameID></saml:Subject><saml:Subject>'),
    verdicts: refused,
  },
  {
    name: 'a second assertion in the KeyInfo of the signature',
    of: 1,
    change: (message) =>
      message.replace(
        /<\/(\w+:)?Signature>/,
        (all, prefix: string | undefined) =>
          `<${prefix ?? ''}KeyInfo>${assertion('_evil', 'root').replace(/<!--.*?-->/, '')}</${prefix ?? ''}KeyInfo>${all}`,
      ),
    verdicts: [[honest]],
  },
  {
    name: 'a second assertion beside the signed one',
    of: 1,
    change: (message) => message.replace('</samlp:Response>', `${assertion('_evil', 'root').replace(/<!--.*?-->/, '')}</samlp:Response>`),
    verdicts: [[honest]],
  },
  {
    name: 'the signature moved to the response',
    of: 1,
    change: (message) => message.replace(signature(message), '').replace('</saml:Issuer>', () => `</saml:Issuer>${signature(message)}`),
    verdicts: ['reference_invalid'],
  },
  {
    name: 'the signature moved to the response, which takes the identifier',
    of: 1,
    change: (message) =>
      message
        .replace(signature(message), '')
        .replace('</saml:Issuer>', () => `</saml:Issuer>${signature(message)}`)
        .replace('ID="_assertion1"', 'ID="_evil"')
        .replace('ID="_response1"', 'ID="_assertion1"'),
    verdicts: refused,
  },
  {
    name: 'the assertion wrapped in an assertion of the same identifier',
    of: 1,
    change: (message) =>
      message.replace(
        /<saml:Assertion .*<\/saml:Assertion>/s,
        (one) => `<saml:Assertion ${saml} ID="_assertion1"><saml:Advice>${one}</saml:Advice></saml:Assertion>`,
      ),
    verdicts: ['duplicate_id'],
  },
  {
    name: 'the identifier in another case',
    of: 1,
    change: (message) => message.replace(' ID="_assertion1"', ' Id="_assertion1"'),
    verdicts: ['reference_invalid'],
  },
  {
    name: 'the identifier with a line end',
    of: 1,
    change: (message) =>
      message.replace(' ID="_assertion1"', ' ID="_assertion1&#10;"').replace('URI="#_assertion1"', 'URI="#_assertion1&#10;"'),
    verdicts: ['reference_invalid'],
  },
  {
    name: 'the digest of another octet sequence',
    of: 1,
    change: (message) => message.replace(/(DigestValue>)..../, '$1AAAA'),
    verdicts: refused,
  },
  {
    name: 'a digest longer than its hash',
    of: 1,
    change: (message) => message.replace(/(DigestValue>)([^<]+)/, '$1AAAA$2'),
    verdicts: refused,
  },
  {
    name: 'the response carries an attribute that inclusive canonicalisation would inherit, where the assertion is signed',
    of: 1,
    change: (message) => message.replace('<samlp:Response ', '<samlp:Response xml:lang="en" '),
    verdicts: [[honest], ...refused],
  },
  {
    name: 'a namespace is declared around the signed assertion',
    of: 1,
    change: (message) => message.replace('<samlp:Response ', '<samlp:Response xmlns:evil="urn:evil" '),
    verdicts: [[honest], ...refused],
  },
  {
    name: 'an extension put into a signed response',
    of: 0,
    change: (message) => message.replace('<saml:Assertion ', '<samlp:Extensions/><saml:Assertion '),
    verdicts: refused,
  },
  {
    name: 'text put around the signature of a signed response',
    of: 0,
    change: (message) => message.replace(signature(message), (one) => `x${one}`),
    verdicts: refused,
  },
  {
    name: 'the assertion taken out of a signed response',
    of: 0,
    change: (message) => message.replace(/<saml:Assertion .*<\/saml:Assertion>/s, ''),
    verdicts: refused,
  },
]

test.each(attacks)('$name', ({ of, change, verdicts }) => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const message = signed(seed, of)
    expect(verdictOf(message)).toEqual([honest])
    expect(verdicts).toContainEqual(verdictOf(change(message)))
  }
})
