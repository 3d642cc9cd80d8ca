/** Whatever is pasted becomes a diagnosis in words from the catalogue; only metadata without an error becomes a configuration. */
import { instant } from '@drawbridge/core/instant'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { algorithms, responseXml } from './fixtures/a-saml-response.js'
import { aKey, bareCertificate, metadataLike, plainMetadata, signCarrying, signMetadata } from './fixtures/vendor-metadata.js'
import { fingerprintOf } from './metadata-changes.js'
import { diagnose } from './metadata-diagnosis.js'
import { isError, type MetadataFindingCode, metadataFindings, severityOf } from './metadata-findings.js'

const now = instant(Date.UTC(2026, 10, 23))
const inDays = (days: number) => new Date(now + days * 86_400_000)
const { certificate: fresh } = aKey()
const { certificate: other } = aKey()
const { certificate: soon } = aKey({ notAfter: inDays(10) })
const { certificate: expired } = aKey({ notAfter: inDays(-100) })
const weak = aFixtureKey({ bits: 1024 }).certificate
const publisher = aFixtureKey()
const codesOf = (document: string, question: Partial<Parameters<typeof diagnose>[1]> = {}) =>
  diagnose(document, { now, ...question }).findings.map(({ code }) => code)
const plain = (parts: Partial<Parameters<typeof plainMetadata>[0]> = {}) => plainMetadata({ certificates: [fresh], ...parts })
const md = 'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"'
const listed = (entities: string, attributes = '') =>
  `<l:EntitiesDescriptor ${md.replace('md', 'l')}${attributes}>${entities}</l:EntitiesDescriptor>`
const role = 'md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"'

test('complete metadata has nothing to say and becomes a configuration that parses', () => {
  const seen = diagnose(plain(), { now })
  expect(seen).toMatchObject({ findings: [], signature: 'absent', entities: ['urn:idp'], vendor: undefined })
  expect(seen.configuration).toEqual({
    idpEntityId: 'urn:idp',
    ssoUrl: 'https://idp.example/sso',
    ssoBinding: 'redirect',
    certificates: [fresh],
  })
  expect(parseConnection('saml', seen.configuration).ok).toBe(true)
})

describe('an error names what it is, and keeps the metadata from being used', () => {
  const cases: readonly { readonly found: MetadataFindingCode; readonly given: string; readonly entityId?: string }[] = [
    { found: 'document_not_xml', given: '' },
    { found: 'document_not_xml', given: plain().slice(0, -9) },
    { found: 'document_not_xml', given: plain().replace('<md:IDP', '<![CDATA[x]]><md:IDP') },
    { found: 'document_not_xml', given: `${plain()}<!-- never ends` },
    { found: 'document_not_xml', given: plain().replace('entityID', '<!-- --> entityID') },
    { found: 'document_is_html', given: '<!DOCTYPE html><html><body>Sign in</body></html>' },
    { found: 'document_is_json', given: '{"issuer":"https://idp.example"}' },
    { found: 'document_is_certificate', given: fresh },
    { found: 'document_is_certificate', given: bareCertificate(publisher.certificate) },
    { found: 'document_is_message', given: responseXml() },
    { found: 'document_not_metadata', given: '<rss version="2.0"/>' },
    { found: 'document_doctype', given: `<!DOCTYPE EntityDescriptor SYSTEM "file:///etc/passwd">${plain()}` },
    { found: 'document_doctype', given: `<!DOCTYPE b [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>${plain()}` },
    { found: 'document_not_utf8', given: `<?xml version="1.0" encoding="UTF-16"?>${plain()}` },
    { found: 'document_too_large', given: plain().padEnd(1024 * 1024 + 1) },
    {
      found: 'document_too_complex',
      given: `<md:EntitiesDescriptor ${md}>${'<md:EntityDescriptor entityID="x"/>'.repeat(5000)}</md:EntitiesDescriptor>`,
    },
    {
      found: 'document_too_complex',
      given: `<md:EntitiesDescriptor ${md}>${'<md:EntitiesDescriptor>'.repeat(40)}${'</md:EntitiesDescriptor>'.repeat(41)}`,
    },
    { found: 'entity_missing', given: `<md:EntitiesDescriptor ${md}></md:EntitiesDescriptor>` },
    { found: 'entity_several', given: metadataLike('several-entities', [fresh]) },
    { found: 'entity_not_in_document', given: plain(), entityId: 'urn:another' },
    {
      found: 'entity_listed_twice',
      given: `<md:EntitiesDescriptor ${md}>${plain().repeat(2)}</md:EntitiesDescriptor>`,
      entityId: 'urn:idp',
    },
    { found: 'entity_id_invalid', given: plain({ entityId: ' ' }) },
    { found: 'entity_id_invalid', given: plain({ entityId: 'x'.repeat(1025) }) },
    { found: 'role_sp_only', given: plain().replaceAll('IDPSSODescriptor', 'SPSSODescriptor') },
    { found: 'role_missing', given: plain().replace('SAML:2.0:protocol"', 'SAML:1.1:protocol"') },
    { found: 'endpoint_missing', given: plain().replace('HTTP-Redirect', 'SOAP') },
    { found: 'endpoint_insecure', given: plain({ ssoUrl: 'http://idp.example/sso' }) },
    { found: 'endpoint_insecure', given: plain({ ssoUrl: 'javascript:alert(1)' }) },
    { found: 'signing_key_missing', given: plain().replace('use="signing"', 'use="encryption"') },
    { found: 'signing_key_unusable', given: plain({ certificates: [weak] }) },
    {
      found: 'sha1_only',
      given: plain({
        inside: `<md:Extensions><a:SigningMethod xmlns:a="urn:oasis:names:tc:SAML:metadata:algsupport" Algorithm="${algorithms.rsaSha1}"/></md:Extensions>`,
      }),
    },
  ]
  test.each(cases)('$found', ({ found, given, entityId }) => {
    const seen = diagnose(given, { now, entityId })
    expect(seen.findings.filter(isError).map(({ code }) => code)).toEqual([found])
    expect(seen.configuration).toBeUndefined()
  })
})

describe('a warning is told and stops nothing', () => {
  const transient = '<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:transient</md:NameIDFormat>'
  const email = '<md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>'
  const insecure = `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="http://idp.example/sso"/>`
  const chain = plain().replace(
    '</ds:X509Certificate>',
    `</ds:X509Certificate><ds:X509Certificate>${bareCertificate(other)}</ds:X509Certificate>`,
  )
  const cases: readonly { readonly found: readonly MetadataFindingCode[]; readonly given: string }[] = [
    { found: ['endpoint_insecure_ignored'], given: plain({ inside: insecure }) },
    { found: ['certificate_unusable'], given: plain({ certificates: [weak, fresh] }) },
    { found: ['certificate_expired'], given: plain({ certificates: [expired] }) },
    { found: ['certificate_expires_soon'], given: plain({ certificates: [soon] }) },
    { found: ['certificate_not_yet_valid'], given: plain({ certificates: [aKey({ notBefore: inDays(5) }).certificate] }) },
    { found: ['certificate_sha1'], given: plain({ certificates: [aKey({ digest: 'sha1' }).certificate] }) },
    { found: ['certificate_sha1'], given: plain({ certificates: [aFixtureKey({ digest: 'sha1' }).certificate] }) },
    { found: ['certificates_several'], given: plain({ certificates: [fresh, other] }) },
    { found: ['certificate_chain'], given: chain },
    { found: ['valid_until_passed'], given: plain({ attributes: ' validUntil="2026-01-01T00:00:00Z"' }) },
    // Federations write it on the list alone, and it holds for everybody in it: an old list, played back, must not pass for a new one.
    { found: ['valid_until_passed'], given: listed(plain(), ' validUntil="2026-01-01T00:00:00Z"') },
    { found: ['valid_until_passed'], given: listed(listed(plain()), ' validUntil="2026-01-01T00:00:00Z"') },
    { found: ['valid_until_soon'], given: plain({ attributes: ' validUntil="2026-12-01T00:00:00Z"' }) },
    { found: ['valid_until_unreadable'], given: plain({ attributes: ' validUntil="tomorrow"' }) },
    { found: ['signature_unchecked'], given: signMetadata(plain(), publisher) },
    { found: ['signature_intact'], given: signCarrying(plain(), publisher) },
    { found: ['requests_wanted_signed'], given: plain().replace(role, `${role} WantAuthnRequestsSigned="true"`) },
    { found: ['name_id_transient_only'], given: plain({ inside: transient }) },
    { found: ['name_id_mutable'], given: plain({ inside: transient + email }) },
    { found: ['other_protocols_ignored'], given: plain().replace(`<${role}`, `<md:RoleDescriptor/><${role}`) },
  ]
  test.each(cases)('$found', ({ found, given }) => {
    const seen = diagnose(given, { now })
    expect(seen.findings.map(({ code }) => code)).toEqual(found)
    expect(seen.findings.map(severityOf)).not.toContain('error')
    expect(parseConnection('saml', seen.configuration).ok).toBe(true)
  })
})

test('old and new certificates are trusted together, each with its days', () => {
  const seen = diagnose(plain({ certificates: [expired, fresh, soon] }), { now })
  expect(seen.certificates.map(({ daysLeft }) => Math.sign(daysLeft))).toEqual([-1, 1, 1])
  expect(seen.certificates[2]).toMatchObject({ daysLeft: 10, subject: 'CN=Test IdP' })
  expect(seen.configuration?.certificates).toEqual([expired, fresh, soon])
})

test('of more certificates than a connection holds those that last longest are taken', () => {
  const many = Array.from({ length: 10 }, (_none, index) => aKey({ notAfter: inDays(100 + index) }).certificate)
  const seen = diagnose(plain({ certificates: many }), { now })
  expect(seen.findings.map(({ code }) => code)).toContain('certificates_too_many')
  expect(seen.configuration?.certificates).toEqual(many.slice(2))
})

test('of several IdPs the one is taken that the admin names, at whatever level it stands', () => {
  const document = metadataLike('several-entities', [fresh, other])
  expect(diagnose(document, { now }).entities).toEqual(['urn:acme:one', 'urn:acme:two'])
  const seen = diagnose(document, { now, entityId: 'urn:acme:two' })
  expect(seen.configuration).toMatchObject({ ssoUrl: 'https://two.acme.example/sso', ssoBinding: 'post', certificates: [other] })
  expect(codesOf(document, { entityId: 'urn:acme:application' })).toEqual(['entity_not_in_document'])
})

describe('signed, and no certificate is pinned', () => {
  test('the certificate that it carries is told by its fingerprint, and its integrity with it', () => {
    const fingerprint = fingerprintOf(publisher.certificate)
    expect(diagnose(signCarrying(plain(), publisher), { now })).toMatchObject({
      signature: 'intact',
      signedBy: fingerprint,
      findings: [{ code: 'signature_intact', detail: { fingerprint } }],
      configuration: { certificates: [fresh] },
    })
  })
  test.each([
    ['an address', (text: string) => text.replace('https://idp.example/sso', 'https://evil.example/sso')],
    ['white space', (text: string) => text.replace('<md:IDP', ' <md:IDP')],
    [
      'the carried certificate',
      (text: string) => text.replace(bareCertificate(publisher.certificate), bareCertificate(aKey().certificate)),
    ],
  ])('%s that was changed after signing refuses it', (_, change) => {
    expect(diagnose(change(signCarrying(plain(), publisher)), { now })).toMatchObject({
      findings: [{ code: 'signature_broken' }],
      configuration: undefined,
    })
  })
  test.each([
    ['in a list that nobody signed', (one: string) => `<md:EntitiesDescriptor ${md} ID="_list">${one}</md:EntitiesDescriptor>`, 'absent'],
    ['with a key too short', () => signCarrying(plain(), aFixtureKey({ bits: 1024 })), 'unchecked'],
  ])('an entity signed by itself %s is called %s', (_, wrap, signature) => {
    const seen = diagnose(wrap(signCarrying(plain(), publisher)), { now })
    expect(seen).toMatchObject({ signature, signedBy: undefined })
  })
})

describe('where a certificate is pinned', () => {
  const pinned = [publisher.certificate]
  const signed = signMetadata(plain(), publisher)
  const evil = plainMetadata({ certificates: [other], ssoUrl: 'https://evil.example/sso' })

  test('what it signed is read', () => {
    expect(diagnose(signed, { now, pinned })).toMatchObject({
      signature: 'verified',
      findings: [],
      configuration: { certificates: [fresh] },
    })
  })
  test('comments that its signature leaves out are left out', () => {
    expect(diagnose(signed.replace('<md:IDP', '<!-- hello --><md:IDP'), { now, pinned })).toMatchObject({ signature: 'verified' })
  })
  test.each([
    { when: 'nobody signed it', given: plain(), found: 'signature_absent' },
    { when: 'somebody else signed it', given: signMetadata(plain(), aFixtureKey()), found: 'signature_invalid' },
    {
      when: 'it was changed afterwards',
      given: signed.replace('https://idp.example/sso', 'https://evil.example/sso'),
      found: 'signature_invalid',
    },
    { when: 'it was signed with SHA-1', given: signMetadata(plain(), publisher, algorithms.rsaSha1), found: 'signature_sha1' },
    {
      when: 'the signed entity is wrapped beside another',
      given: `<md:EntitiesDescriptor ${md} ID="_o">${evil.replace('_metadata', '_evil')}${signed}</md:EntitiesDescriptor>`,
      found: 'signature_absent',
    },
    {
      when: 'the signature stands in a root of the attacker, the signed entity in its extensions',
      given: evil
        .replace('_metadata', '_evil')
        .replace('<md:IDP', `${/<ds:Signature.*<\/ds:Signature>/s.exec(signed)?.[0]}<md:Extensions>${signed}</md:Extensions><md:IDP`),
      found: 'signature_invalid',
    },
    {
      when: 'the attacker’s root has the ID of the signed one',
      given: evil.replace(
        '<md:IDP',
        `${/<ds:Signature.*<\/ds:Signature>/s.exec(signed)?.[0]}<md:Extensions>${signed}</md:Extensions><md:IDP`,
      ),
      found: 'signature_invalid',
    },
  ])('nothing is used when $when', ({ given, found }) => {
    const seen = diagnose(given, { now, pinned })
    expect(seen.findings.map(({ code }) => code)).toEqual([found])
    expect(seen.configuration).toBeUndefined()
  })
})

test('any text becomes a diagnosis, always the same one, and never a configuration by chance', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(2000), (text, at) => {
      const mutated = plain().slice(0, at) + text + plain().slice(at)
      for (const given of [text, mutated]) expect(diagnose(given, { now })).toEqual(diagnose(given, { now }))
      return diagnose(text, { now }).configuration === undefined
    }),
    { numRuns: 50 },
  )
})

test('a hostile document costs no more than its length', () => {
  const bombs = [
    '<'.repeat(500_000),
    '<!--'.repeat(200_000),
    `<a ${'x="" '.repeat(100_000)}/>`,
    `<!--${'-'.repeat(900_000)}`,
    '<a>'.repeat(300_000),
  ]
  for (const bomb of bombs) expect(diagnose(bomb, { now }).configuration).toBeUndefined()
})

test('every finding has a cause and a remedy in a sentence', () => {
  for (const { cause, remedy } of Object.values(metadataFindings)) for (const text of [cause, remedy]) expect(text).toMatch(/^[A-Z].*[.]$/)
})
