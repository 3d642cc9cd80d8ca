/** Metadata in the shape of each vendor is recognised, needs nothing but the vendor's own advice, and has a preset that parses. */
import { instant } from '@drawbridge/core/instant'
import { describe, expect, test } from 'vitest'
import { parseConnection } from '../connection-configuration.js'
import { aKey, metadataLike } from './fixtures/vendor-metadata.js'
import { diagnose } from './metadata-diagnosis.js'
import { type MetadataFindingCode, severityOf } from './metadata-findings.js'
import { recogniseVendor, type VendorId, vendorOf, vendors } from './metadata-vendors.js'

const now = instant(Date.UTC(2026, 10, 23))
const keys = [aKey().certificate, aKey().certificate, aKey().certificate]
const [first, second] = keys as [string, string, string]
const see = (vendor: string, question: { readonly url?: string } = {}) => diagnose(metadataLike(vendor, keys), { now, ...question })
const codesOf = (vendor: string) => see(vendor).findings.map(({ code }) => code)
const containing = (codes: readonly MetadataFindingCode[]) => expect.arrayContaining([...codes])
const ids = Object.keys(vendors) as VendorId[]

test.each(ids)('%s is recognised by its metadata, and nothing in it is an error', (id) => {
  const seen = see(id)
  expect(seen.vendor).toBe(id)
  expect(seen.findings.map(severityOf)).not.toContain('error')
  expect(seen.findings.map(({ code }) => code)).toEqual(expect.arrayContaining([...vendorOf(id).notices]))
})

test.each(ids)('the preset of %s makes a connection that parses, and what the admin writes wins', (id) => {
  const { preset } = vendorOf(id)
  const parsed = parseConnection('saml', { ...preset, ...see(id).configuration })
  expect(parsed.ok).toBe(true)
  const own = parseConnection('saml', { ...preset, ...see(id).configuration, stableIdAttribute: 'mine', stepUpClassRef: 'urn:mine' })
  expect(own).toMatchObject({ ok: true, value: { stepUpClassRef: 'urn:mine', mapping: { stableId: { from: 'attribute', name: 'mine' } } } })
})

describe('what each vendor does differently', () => {
  test('Okta: the entity ID is an http URL, one certificate, either NameID changes', () => {
    expect(see('okta').configuration).toMatchObject({ idpEntityId: 'http://www.okta.com/exk1fcia6d6EMsf331d8', certificates: [first] })
    expect(codesOf('okta')).toEqual(containing(['name_id_mutable', 'stable_id_needs_mapping', 'groups_need_filter']))
  })
  test('Okta under a domain of the company and an entity ID of its own is recognised by its address', () => {
    expect(recogniseVendor('urn:acme', ['https://login.acme.example/app/acme_x_1/exk1fcia6d6EMsf331d8/sso/saml'])).toBe('okta')
  })
  test('Entra: several keys, of the SAML role alone; WS-Federation is left unread; the object id is the person', () => {
    const seen = see('entra')
    expect(seen.configuration?.certificates).toEqual([first, second])
    expect(seen).toMatchObject({ signature: 'unchecked' })
    expect(codesOf('entra')).toEqual(
      containing(['certificates_several', 'signature_unchecked', 'other_protocols_ignored', 'groups_overage', 'logout_redirect_only']),
    )
    expect(vendorOf('entra').preset.stableIdAttribute).toBe('http://schemas.microsoft.com/identity/claims/objectidentifier')
  })
  test('Entra: an address without appid gives the keys of the whole directory', () => {
    const url = 'https://login.microsoftonline.com/9f3c2a10-6b1d-4f7e-8a52-3d1f0c9b7e21/federationmetadata/2007-06/federationmetadata.xml'
    expect(see('entra', { url }).findings).toContainEqual({ code: 'tenant_keys_not_of_application' })
    expect(see('entra', { url: `${url}?appid=1` }).findings).not.toContainEqual({ code: 'tenant_keys_not_of_application' })
  })
  test('Google: validUntil lies five years ahead; when it has passed that is a warning and logins go on', () => {
    expect(codesOf('google')).toEqual(containing(['no_metadata_url', 'no_mfa_evidence', 'logout_unsupported']))
    const late = diagnose(metadataLike('google', keys), { now: instant(Date.UTC(2032, 0, 1)) })
    expect(late.findings.map(({ code }) => code)).toContain('valid_until_passed')
    expect(late.configuration?.certificates).toEqual([first])
  })
  test('AD FS: two signing certificates, the encryption key is none of them, the role as application is not read', () => {
    const seen = see('adfs')
    expect(seen.configuration).toMatchObject({ idpEntityId: 'http://fs.acme.example/adfs/services/trust', certificates: [first, second] })
    expect(codesOf('adfs')).toEqual(containing(['claim_rules_needed', 'encrypts_when_offered']))
    expect(seen.facts?.signOut.map(({ binding }) => binding)).toEqual(['redirect', 'post'])
    expect(vendorOf('adfs').preset.stepUpClassRef).toBe('http://schemas.microsoft.com/claims/multipleauthn')
  })
  test('PingOne: its region is part of the address, and the end of the assertion is not the end of the session', () => {
    expect(see('pingone').configuration?.ssoUrl).toBe('https://auth.pingone.eu/5f6d3f0e-8c6b-4d5c-9d70-0f6a7c1a2b3c/saml20/idp/sso')
    expect(vendorOf('pingone').preset).toMatchObject({ authnInstant: 'when-forced', mapping: { idpSessionEnd: 'ignore' } })
    expect(codesOf('pingone')).toEqual(
      containing(['session_end_is_assertion_end', 'authn_instant_is_issue_time', 'requested_class_ignored']),
    )
    for (const region of ['com', 'asia', 'ca', 'com.au']) expect(recogniseVendor(`https://auth.pingone.${region}/x`, [])).toBe('pingone')
  })
  test('PingFederate: the entity ID is any name, POST is its only browser binding, and it wants signed requests', () => {
    expect(see('pingfederate').configuration).toMatchObject({ idpEntityId: 'acme:federation:idp', ssoBinding: 'post' })
    expect(codesOf('pingfederate')).toContain('requests_wanted_signed')
  })
  test('OneLogin: SOAP is passed over, and SHA-1 and a typed Recipient are warned of', () => {
    expect(see('onelogin').configuration).toMatchObject({ ssoBinding: 'redirect' })
    expect(codesOf('onelogin')).toEqual(containing(['sha1_by_default', 'recipient_typed_by_hand']))
  })
  test('JumpCloud: the entity ID is what an admin typed, so its address tells', () => {
    expect(see('jumpcloud').configuration?.idpEntityId).toBe('JumpCloud')
    expect(recogniseVendor('https://accounts.google.com/typed-by-somebody', ['https://sso.jumpcloud.com/saml2/x'])).toBe('jumpcloud')
    expect(codesOf('jumpcloud')).toContain('entity_id_typed_by_hand')
  })
  test('Keycloak: every key of the realm is listed with its KeyName, and all are trusted', () => {
    expect(see('keycloak').configuration?.certificates).toEqual([first, second])
    expect(codesOf('keycloak')).toContain('keys_of_whole_realm')
    expect(recogniseVendor('https://id.example/auth/realms/old', [])).toBe('keycloak')
  })
  test('Auth0: SHA-1 until it is told otherwise, attributes of the assertion namespace in the role', () => {
    expect(codesOf('auth0')).toEqual(containing(['sha1_by_default']))
  })
  test('Duo: one entity per application, and evidence of a second factor only by a bridge attribute', () => {
    expect(vendorOf('duo').preset.mapping?.methods).toContain('AMR')
    expect(codesOf('duo')).toContain('no_mfa_evidence')
  })
  test('Shibboleth: comments, scopes, SAML 1.1 beside SAML 2.0, two signing keys, transient NameIDs', () => {
    const seen = see('shibboleth')
    expect(seen.configuration).toMatchObject({
      ssoUrl: 'https://idp.acme.example/idp/profile/SAML2/Redirect/SSO',
      certificates: [first, second],
    })
    expect(codesOf('shibboleth')).toEqual(containing(['name_id_transient_only', 'encrypts_when_offered']))
    expect(vendorOf('shibboleth').preset.groupsAttribute).toBe('urn:oid:1.3.6.1.4.1.5923.1.5.1.1')
  })
  test('SimpleSAMLphp: one key for signing and encryption; the address of version 1 is known too', () => {
    expect(see('simplesamlphp').configuration?.certificates).toEqual([first])
    expect(recogniseVendor('x', ['https://idp.example/simplesaml/saml2/idp/SSOService.php'])).toBe('simplesamlphp')
  })
})

test('an address that only looks like a vendor’s is not taken for it', () => {
  for (const url of [
    'https://acme.okta.com.evil.example/app',
    'https://evil.example/?x=https://sso.jumpcloud.com/saml2/',
    'http://acme.okta.com/app',
  ])
    expect(recogniseVendor('urn:x', [url])).toBeUndefined()
})

test('an endless address is looked at in time that grows with its length alone', () => {
  const hosts = ['https://a', 'https://a.onelogin.com', 'https://login.microsoftonline.com']
  for (const part of ['/', '/a', '/realms/', '/idp', '/app/a', '?', 'a'])
    for (const host of hosts) expect(() => recogniseVendor(host + part.repeat(200_000), [host + part.repeat(200_000)])).not.toThrow()
})
