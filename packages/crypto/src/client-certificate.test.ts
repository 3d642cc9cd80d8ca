import { holdsName, parseCertificateName } from '@drawbridge/core/oauth/client-certificate'
import {
  aClientCertificate,
  alternative,
  asByteSequence,
  asPem,
  attribute,
  common,
  der,
  extension,
  nameOf,
  organization,
  sequence,
  stringTags,
  subjectAlternativeNames,
} from '@drawbridge/testkit/a-client-certificate'
import { describe, expect, it, test } from 'vitest'
import { certificateHeaderLength, readClientCertificate } from './client-certificate.js'
import { derTags, insideOf, readDerValue, readDerValues, readObjectIdentifier } from './der.js'

const { octets } = aClientCertificate()
const pem = asPem(octets)

describe('the certificate in a header', () => {
  test.each([
    ['a byte sequence (RFC 9440)', asByteSequence(octets)],
    ['URL-encoded PEM (nginx)', encodeURIComponent(pem)],
    [
      'URL-encoded PEM that leaves + / = as they are (AWS)',
      encodeURIComponent(pem).replaceAll('%2B', '+').replaceAll('%2F', '/').replaceAll('%3D', '='),
    ],
    ['PEM whose lines are parted by spaces (Apache)', pem.replaceAll('\n', ' ')],
    ['PEM whose lines are parted by tabs', pem.replaceAll('\n', '\n\t').trim()],
  ])('is read from %s', (_, header) => {
    expect(readClientCertificate(header)?.subject).toEqual([
      [{ type: '2.5.4.10', text: 'Initech', der: expect.any(String) }],
      [{ type: '2.5.4.3', text: 'reports', der: expect.any(String) }],
    ])
  })
  test.each([
    ['nothing', ''],
    ['no octets', '::'],
    ['two certificates, as Node joins two headers', `${asByteSequence(octets)}, ${asByteSequence(octets)}`],
    ['two certificates in PEM', encodeURIComponent(pem + pem)],
    ['a certificate and what stands behind it', encodeURIComponent(`${pem}x`)],
    ['base64 that is not finished', `:${octets.toString('base64').slice(0, -3)}:`],
    ['base64 of the other alphabet', `:${octets.toString('base64').replaceAll('+', '-').replaceAll('/', '_').replace(/^../, '-_')}:`],
    ['a certificate with an octet more', asByteSequence(Buffer.concat([octets, Buffer.of(0)]))],
    ['a certificate that is cut', asByteSequence(octets.subarray(0, -1))],
    ['a key', encodeURIComponent('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n')],
    ['bare base64', octets.toString('base64')],
    ['a percent sign that encodes nothing', `${encodeURIComponent(pem)}%`],
    ['another octet string', asByteSequence(sequence(der(0x02, Buffer.of(1))))],
    ['more than is read', `:${'A'.repeat(certificateHeaderLength)}:`],
    ['what would cost a regular expression much', `-----BEGIN CERTIFICATE-----${' '.repeat(11_000)}`],
  ])('is none when the header holds %s', (_, header) => {
    expect(readClientCertificate(header)).toBeUndefined()
  })
})

describe('the subject of a certificate', () => {
  const holds = (subject: Buffer, text: string) => {
    const name = parseCertificateName('subject_dn', text)
    const certificate = readClientCertificate(asByteSequence(aClientCertificate({ subject }).octets))
    return name !== undefined && certificate !== undefined && holdsName(certificate, name)
  }
  const good = 'CN=reports,O=Initech'
  test.each([
    ['it is written in UTF-8', nameOf(organization('Initech'), common('reports')), good, true],
    ['it is written in PrintableString', nameOf(attribute('2.5.4.10', 'Initech', stringTags.printable), common('reports')), good, true],
    ['its levels stand in another order', nameOf(common('reports'), organization('Initech')), good, false],
    ['it has a level more', nameOf(organization('Initech'), common('reports'), common('x')), good, false],
    ['a value holds what looks like the rest', nameOf(common('reports,O=Initech')), good, false],
    ['a value holds NUL', nameOf(organization('Initech'), common('reports\0.evil.example')), good, false],
    ['a value holds a line end, as OpenSSL parts levels', nameOf(common('reports\nO=Initech')), good, false],
    ['letters look alike', nameOf(organization('Initech'), common('rеports')), good, false],
    ['an attribute is of another type with the same value', nameOf(organization('Initech'), attribute('2.5.4.11', 'reports')), good, false],
    ['a value is written in BMPString', nameOf(attribute('2.5.4.3', Buffer.from('\0r\0e'), stringTags.bmp)), 'CN=re', false],
    [
      'a value is in BMPString, and is registered as DER',
      nameOf(attribute('2.5.4.3', Buffer.from('\0r\0e'), stringTags.bmp)),
      'CN=#1e0400720065',
      true,
    ],
    ['a value is written in TeletexString', nameOf(attribute('2.5.4.3', 'reports', stringTags.teletex)), 'CN=reports', false],
    ['it is empty', nameOf(), good, false],
  ])('is the registered one or not, exactly: %s', (_, subject, text, expected) => {
    expect(holds(subject, text)).toBe(expected)
  })
})

describe('alternative names', () => {
  it('are read by kind', () => {
    const extensions = [
      subjectAlternativeNames(
        alternative('email', 'a@b.example'),
        alternative('dns', 'a.example'),
        alternative('dns', 'b.example'),
        alternative('uri', 'spiffe://a/b'),
        alternative('ip', Buffer.of(192, 0, 2, 7)),
        alternative('ip', Buffer.from('20010db8000000000000000000000001', 'hex')),
        der(0xa4, nameOf(common('a directory name'))),
      ),
    ]
    expect(readClientCertificate(asByteSequence(aClientCertificate({ extensions }).octets))?.names).toEqual({
      san_email: ['a@b.example'],
      san_dns: ['a.example', 'b.example'],
      san_uri: ['spiffe://a/b'],
      san_ip: ['192.0.2.7', '2001:db8::1'],
    })
  })
  test.each([
    [
      'the extension is there twice',
      [subjectAlternativeNames(alternative('dns', 'a.example')), subjectAlternativeNames(alternative('dns', 'b.example'))],
    ],
    ['an address has five octets', [subjectAlternativeNames(alternative('ip', Buffer.of(1, 2, 3, 4, 5)))]],
    ['a name is not ASCII', [subjectAlternativeNames(alternative('dns', Buffer.of(0xe9)))]],
    ['something stands behind the names', [extension('2.5.29.17', Buffer.concat([sequence(alternative('dns', 'a.example')), der(0x05)]))]],
  ])('make the certificate unreadable when %s', (_, extensions) => {
    expect(readClientCertificate(asByteSequence(aClientCertificate({ extensions }).octets))).toBeUndefined()
  })
  it('are none of what another extension says', () => {
    const extensions = [extension('2.5.29.18', sequence(alternative('dns', 'issuer.example')))]
    expect(readClientCertificate(asByteSequence(aClientCertificate({ extensions }).octets))?.names.san_dns).toEqual([])
  })
})

it('says from when and until when a certificate is in force', () => {
  const [from, until] = [new Date('2026-01-02T03:04:05Z'), new Date('2051-01-02T03:04:05Z')]
  const read = readClientCertificate(asByteSequence(aClientCertificate({ from, until }).octets))
  expect([read?.validFrom, read?.validUntil]).toEqual([from.getTime(), until.getTime()])
})

describe('DER is read in one way alone', () => {
  test.each([
    ['an endless length', '3080020101'],
    ['a length that is longer than needed', '308103020101'],
    ['a long length that is longer than needed', '3082000302010103'],
    ['a length of four octets', '308400000003020101'],
    ['a tag of several octets', '3f8101020101'],
    ['a length beyond the end', '3004020101'],
    ['a tag alone', '30'],
    ['something behind it', '300302010105'],
    ['another tag', '3103020101'],
  ])('%s is none', (_, hex) => {
    expect(() => readDerValue(Buffer.from(hex, 'hex'), derTags.sequence)).toThrow(RangeError)
  })
  it('reads object identifiers, and none that could be written shorter', () => {
    const read = (hex: string) => readObjectIdentifier(readDerValues(Buffer.from(hex, 'hex'))[0] as never)
    expect(read('0603550403')).toBe('2.5.4.3')
    expect(read('06092a864886f70d010901')).toBe('1.2.840.113549.1.9.1')
    expect(read('0602883703'.slice(0, 8))).toBe('2.999')
    for (const hex of ['0600', '060255', '06028001', '020101', '060188']) {
      if (hex === '060255') expect(() => readDerValues(Buffer.from(hex, 'hex'))).toThrow(RangeError)
      else expect(() => read(hex)).toThrow(RangeError)
    }
  })
  it('takes nothing primitive for a list', () => {
    expect(() => insideOf(readDerValues(Buffer.from('020101', 'hex'))[0], derTags.sequence)).toThrow(RangeError)
    expect(() => insideOf(undefined, derTags.sequence)).toThrow(RangeError)
  })
})
