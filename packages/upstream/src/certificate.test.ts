/** Parsing once must never make one certificate another, nor keep what is none. */
import { expect, test } from 'vitest'
import { certificateOf, mostKnownCertificates, readCertificate } from './certificate.js'
import { aFixtureKey } from './saml/fixtures/a-certificate.js'

const [one, other] = [aFixtureKey({ type: 'ec' }).certificate, aFixtureKey({ type: 'ec' }).certificate]
const bare = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '')

test('the same certificate is parsed once, however it is written', () => {
  const first = readCertificate(one)
  expect(first?.toString()).toBe(one)
  expect(readCertificate(bare(one))).toBe(first)
  expect(readCertificate(`  ${bare(one).replace(/.{40}/g, '$&\r\n')}`)).toBe(first)
})

test('another certificate is another one', () => {
  expect(certificateOf(other).fingerprint256).not.toBe(certificateOf(one).fingerprint256)
})

test.each(['', 'no certificate', '-----BEGIN CERTIFICATE-----', bare(one).slice(0, -8), `${bare(one)}*`])('%j is none', (text) => {
  expect(readCertificate(text)).toBeUndefined()
  expect(() => certificateOf(text)).toThrow('invariant broken')
})

test('what is remembered is bounded, and the longest unused goes first', () => {
  const first = readCertificate(one)
  const many = Array.from({ length: mostKnownCertificates }, () => aFixtureKey({ type: 'ec' }).certificate)
  for (const certificate of many) {
    readCertificate(certificate)
    expect(readCertificate(one)).toBe(first)
  }
  const second = readCertificate(many[0] as string)
  for (const certificate of many.slice(1)) readCertificate(certificate)
  expect(readCertificate(one)).not.toBe(first)
  expect(second?.toString()).toBe(many[0])
})
