/** Nothing is read of an assertion that a client brings but what a key of the trusted issuer signed, whatever stands in, around or beside it. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { readBroughtAssertion } from './brought-assertion.js'
import { encoded, judge, keys, reasonOf, sign, signed, unsigned } from './fixtures/a-brought-assertion.js'
import { algorithms } from './fixtures/a-saml-response.js'
import { insertAfter, insertLast, outerOf, removeElement, setAttribute, setInner } from './fixtures/edit-xml.js'

describe('what nobody signed is not read:', () => {
  const evil = setInner(setAttribute(unsigned(), 'Assertion', 'ID', '_evil'), 'NameID', 'root@acme.example')
  const good = signed()
  const signature = outerOf(good, 'Signature')
  const bare = removeElement(good, 'Signature')
  const object = (inside: string) => `<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#">${inside}</ds:Object>`
  const inSignature = (inside: string) => insertLast(signature, 'Signature', inside)
  const behindIssuer = (xml: string, piece: string) => insertAfter(xml, 'Issuer', piece)
  test.each<{ what: string; xml: () => string; reason: string }>([
    { what: 'without a signature', xml: () => unsigned(), reason: 'saml_unsigned' },
    { what: 'signed by a stranger', xml: () => sign(unsigned(), keys.foreign), reason: 'saml_signature_invalid' },
    {
      what: 'signed by a stranger who brings his certificate',
      xml: () => sign(unsigned(), keys.foreign, { keyInfoCertificate: keys.foreign.certificate }),
      reason: 'saml_signature_invalid',
    },
    { what: 'changed behind the signature', xml: () => good.replace('ada@', 'eve@'), reason: 'saml_signature_invalid' },
    {
      what: 'with the signature of another',
      xml: () => behindIssuer(unsigned({ id: '_other' }), signature),
      reason: 'saml_reference_invalid',
    },
    {
      what: 'with a signature over a twin of its id',
      xml: () => behindIssuer(setInner(unsigned(), 'NameID', 'root@acme.example'), inSignature(object(bare))),
      reason: 'saml_assertion_count',
    },
    {
      what: 'around the signed one, in an Object',
      xml: () => behindIssuer(evil, inSignature(object(bare))),
      reason: 'saml_assertion_count',
    },
    { what: 'around the signed one, in its signature', xml: () => behindIssuer(evil, inSignature(bare)), reason: 'saml_assertion_count' },
    {
      what: 'around the signed one, as Advice',
      xml: () => insertAfter(evil, 'Conditions', `<saml:Advice>${good}</saml:Advice>`),
      reason: 'saml_assertion_count',
    },
    { what: 'around the signed one, as its last child', xml: () => insertLast(evil, 'Assertion', good), reason: 'saml_assertion_count' },
    {
      what: 'in the signed one, as Advice',
      xml: () => sign(insertAfter(unsigned(), 'Conditions', `<saml:Advice>${evil}</saml:Advice>`)),
      reason: 'saml_assertion_count',
    },
    { what: 'in a wrapper of no meaning', xml: () => `<x>${evil}${good}</x>`, reason: 'saml_not_an_assertion' },
    {
      what: 'with the assertion in another namespace',
      xml: () => good.replace('xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"', 'xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion"'),
      reason: 'saml_not_an_assertion',
    },
    { what: 'with two signatures', xml: () => sign(good), reason: 'saml_signature_shape_invalid' },
    {
      what: 'with a signature that is not where it belongs',
      xml: () => insertLast(bare, 'Assertion', signature),
      reason: 'saml_signature_misplaced',
    },
    {
      what: 'with the same id twice',
      xml: () => insertAfter(good, 'Conditions', '<saml:Advice ID="_assertion1"/>'),
      reason: 'saml_duplicate_id',
    },
    {
      what: 'signed with SHA-1',
      xml: () => sign(unsigned(), keys.idp, { signatureAlgorithm: algorithms.rsaSha1, digestAlgorithm: algorithms.sha1 }),
      reason: 'saml_algorithm_sha1',
    },
    {
      what: 'with a comment in the name',
      xml: () =>
        sign(unsigned({ nameId: '<saml:NameID>root@acme.example</saml:NameID>' })).replace(
          'root@acme.example',
          'root@acme.example<!---->.evil.example',
        ),
      reason: 'saml_comment',
    },
    {
      what: 'with a name in two elements',
      xml: () => signed({ nameId: '<saml:NameID>root@<x/>acme.example</saml:NameID>' }),
      reason: 'saml_shape_invalid',
    },
    {
      what: 'with CDATA in the name',
      xml: () => signed().replace('ada@acme.example', '<![CDATA[ada@acme.example]]>'),
      reason: 'saml_cdata',
    },
    { what: 'with a processing instruction', xml: () => signed().replace('ada@', '<?x?>ada@'), reason: 'saml_processing_instruction' },
    { what: 'with a DOCTYPE', xml: () => `<!DOCTYPE x [<!ENTITY a "b">]>${good}`, reason: 'saml_doctype' },
    { what: 'with something behind it', xml: () => `${good}${evil}`, reason: 'saml_xml_malformed' },
  ])('$what', ({ xml, reason }) => {
    expect(reasonOf(xml())).toBe(reason)
  })

  it('text that is no base64url of one spelling', () => {
    const parameter = encoded(good)
    const base64 = Buffer.from(good).toString('base64')
    for (const other of ['', `${parameter}=`, `${parameter}\n`, ` ${parameter}`, `${parameter}A`.slice(0, 9), base64.replace(/=*$/, '=')])
      expect(readBroughtAssertion(other, undefined)).toMatchObject({ ok: false })
    expect(readBroughtAssertion(encoded(Buffer.from([0xff, 0xfe, 0x3c])), undefined)).toMatchObject({
      error: { reason: 'saml_encoding_not_utf8' },
    })
  })

  it('and no text is anything but read or refused', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof judge(encoded(text)).ok === 'boolean'))
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.constantFrom('', '<', '>', '&', 'x', '"', '\0', '<!---->'), (index, piece) => {
        const changed = good.slice(0, index) + piece + good.slice(index + 1)
        const verdict = judge(encoded(changed))
        return !verdict.ok || verdict.value.nameId?.value === 'ada@acme.example'
      }),
      { numRuns: 400 },
    )
  })
})
