import { describe, expect, it, test } from 'vitest'
import { instant } from '../instant.js'
import {
  type CertificateNameKind,
  type ClientCertificate,
  canonicalAddress,
  certificateNameFromJson,
  certificateNameOf,
  holdsName,
  isInForce,
  parseCertificateName,
} from './client-certificate.js'

const certificate: ClientCertificate = {
  subject: [[{ type: '2.5.4.3', text: 'reports', der: '0c' }]],
  names: {
    san_dns: ['other.example', 'Reports.Example', '*.wild.example'],
    san_uri: ['spiffe://initech/reports'],
    san_ip: ['192.0.2.7', '2001:db8::1'],
    san_email: ['Reports@initech.example'],
  },
  validFrom: instant(1000),
  validUntil: instant(2000),
}

describe('the name by which a certificate is known (RFC 8705 §2.1.2)', () => {
  test.each<[CertificateNameKind, string, boolean, string]>([
    ['subject_dn', 'CN=reports', true, 'it is the subject'],
    ['subject_dn', 'CN=Reports', false, 'the subject has another case'],
    ['san_dns', 'reports.example', true, 'it is one of the DNS names, in whatever case'],
    ['san_dns', 'a.wild.example', false, 'a wildcard would cover it'],
    ['san_uri', 'spiffe://initech/reports', true, 'it is the URI'],
    ['san_uri', 'spiffe://initech/Reports', false, 'the URI has another case'],
    ['san_uri', 'reports.example:', false, 'it stands under another kind'],
    ['san_ip', '192.0.2.7', true, 'it is the address'],
    ['san_ip', '2001:0DB8:0::0:1', true, 'it is the address, written otherwise'],
    ['san_ip', '2001:db8::2', false, 'the address is another'],
    ['san_email', 'Reports@initech.example', true, 'it is the mail address'],
    ['san_email', 'reports@initech.example', false, 'the mail address has another case'],
  ])('%s %s: held=%s when %s', (kind, value, held) => {
    const name = parseCertificateName(kind, value)
    expect(name !== undefined && holdsName(certificate, name)).toBe(held)
  })
  test.each<[CertificateNameKind, string]>([
    ['subject_dn', 'reports'],
    ['san_dns', '*.wild.example'],
    ['san_dns', 'a b'],
    ['san_dns', 'a..b'],
    ['san_dns', `${'a'.repeat(64)}.example`],
    ['san_uri', 'reports'],
    ['san_uri', 'spiffe://a b'],
    ['san_ip', '192.0.2'],
    ['san_ip', '192.0.2.256'],
    ['san_ip', '192.0.2.07'],
    ['san_ip', 'fe80::1%eth0'],
    ['san_ip', 'reports'],
    ['san_email', 'reports'],
    ['san_email', 'a@b@c'],
    ['san_uri', `a:${'b'.repeat(1024)}`],
  ])('%s %s is none', (kind, value) => {
    expect(parseCertificateName(kind, value)).toBeUndefined()
  })
  it('is exactly one of those that the metadata can say', () => {
    expect(certificateNameOf({})).toBe('none')
    expect(certificateNameOf({ tls_client_auth_san_dns: 'A.example' })).toEqual({ kind: 'san_dns', value: 'a.example' })
    expect(certificateNameOf({ tls_client_auth_san_dns: 'a.example', tls_client_auth_subject_dn: 'CN=a' })).toBe('malformed')
    expect(certificateNameOf({ tls_client_auth_san_dns: ['a.example'] })).toBe('malformed')
    expect(certificateNameOf({ tls_client_auth_subject_dn: '' })).toBe('malformed')
  })
  it('is nobody’s when the store holds what cannot be read', () => {
    expect(certificateNameFromJson({ kind: 'san_dns', value: 'a.example' })).toEqual({ kind: 'san_dns', value: 'a.example' })
    for (const json of [
      null,
      undefined,
      'CN=a',
      {},
      { kind: 'san_x', value: 'a' },
      { kind: 'san_dns', value: 7 },
      { kind: 'san_dns', value: '*' },
    ])
      expect(certificateNameFromJson(json)).toBeUndefined()
  })
})

test('an address has one spelling', () => {
  expect(canonicalAddress('::FFFF:192.0.2.7')).toBe(canonicalAddress('0:0:0:0:0:ffff:c000:207'))
  expect(canonicalAddress('1.2.3.4.5')).toBeUndefined()
})

test.each([
  { at: 999, inForce: false },
  { at: 1000, inForce: true },
  { at: 2000, inForce: true },
  { at: 2001, inForce: false },
])('a certificate from 1000 until 2000 is in force at $at: $inForce', ({ at, inForce }) => {
  expect(isInForce(certificate, instant(at))).toBe(inForce)
})
