import { instant } from '@drawbridge/core/instant'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { parseIdpMetadata, toConfiguration } from './idp-metadata.js'
import { buildSpMetadata } from './sp-metadata.js'

const now = instant(Date.UTC(2026, 10, 23))
const bare = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, '')
const fresh = bare(aFixtureKey().certificate)
const soon = bare(aFixtureKey({ notAfter: new Date(Date.UTC(2026, 11, 3)) }).certificate)
const expired = bare(aFixtureKey({ notAfter: new Date(Date.UTC(2026, 5, 1)) }).certificate)

const keyOf = (certificate: string, use = ' use="signing"') =>
  `<md:KeyDescriptor${use}><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>\n${certificate}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
const endpoint = (binding: string, url: string) =>
  `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:${binding}" Location="${url}"/>`
const redirect = endpoint('HTTP-Redirect', 'https://idp.example/sso?idpid=C1&amp;x=1')
const entity = (inside: string, attributes = '') =>
  `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:idp"${attributes}><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">${inside}</md:IDPSSODescriptor></md:EntityDescriptor>`

test('metadata becomes a configuration that parses, with old and new certificates together', () => {
  const read = parseIdpMetadata(
    `\uFEFF<?xml version="1.0"?>\r\n${entity(keyOf(expired) + keyOf(fresh) + keyOf(soon, '') + endpoint('HTTP-POST', 'https://idp.example/post') + redirect)}`,
    now,
  )
  expect(read).toMatchObject({
    ok: true,
    value: {
      entityId: 'urn:idp',
      ssoBinding: 'redirect',
      ssoUrl: 'https://idp.example/sso?idpid=C1&x=1',
      warnings: ['certificate_expired', 'certificate_expires_soon'],
    },
  })
  if (!read.ok) throw new Error(read.error.reason)
  expect(read.value.certificates.map(({ daysLeft }) => Math.sign(daysLeft))).toEqual([-1, 1, 1])
  expect(read.value.certificates[2]?.daysLeft).toBe(10)
  expect(parseConnection('saml', toConfiguration(read.value)).ok).toBe(true)
})

test('a passed validUntil warns and does not refuse', () => {
  const read = parseIdpMetadata(entity(keyOf(fresh) + redirect, ' validUntil="2026-01-01T00:00:00Z"'), now)
  expect(read).toMatchObject({ ok: true, value: { warnings: ['valid_until_passed'] } })
})

describe('is refused', () => {
  test.each([
    { when: 'empty', given: '', reason: 'metadata_malformed' },
    { when: 'our own', given: buildSpMetadata({ entityId: 'urn:sp', acsUrl: 'https://b.example/acs' }), reason: 'metadata_malformed' },
    { when: 'with a DOCTYPE', given: `<!DOCTYPE x>${entity(keyOf(fresh) + redirect)}`, reason: 'saml_doctype' },
    { when: 'without signing key', given: entity(keyOf(fresh, ' use="encryption"') + redirect), reason: 'metadata_no_signing_key' },
    {
      when: 'without usable endpoint',
      given: entity(keyOf(fresh) + endpoint('SOAP', 'https://idp.example')),
      reason: 'metadata_no_endpoint',
    },
    {
      when: 'with an http endpoint',
      given: entity(keyOf(fresh) + endpoint('HTTP-POST', 'http://idp.example')),
      reason: 'connection_url_insecure',
    },
    {
      when: 'of several IdPs',
      given: `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">${entity(keyOf(fresh) + redirect).repeat(2)}</md:EntitiesDescriptor>`,
      reason: 'metadata_several_entities',
    },
  ])('metadata that is $when', ({ given, reason }) => {
    expect(parseIdpMetadata(given, now)).toMatchObject({ ok: false, error: { reason } })
  })
  test('arbitrary text, by value', () => {
    fc.assert(fc.property(fc.string(), (text) => !parseIdpMetadata(text, now).ok))
  })
})

test('our metadata names entity and ACS, escaped', () => {
  const xml = buildSpMetadata({ entityId: 'https://b.example/t/a/saml/c/metadata', acsUrl: 'https://b.example/t/a/saml/c/acs?x=1&y=2' })
  expect(xml).toContain('entityID="https://b.example/t/a/saml/c/metadata"')
  expect(xml).toContain('Location="https://b.example/t/a/saml/c/acs?x=1&amp;y=2"')
})
