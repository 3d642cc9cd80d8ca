import { describe, expect, test } from 'vitest'
import { holdsKeyBeyondLimits, isWithinKeyLimits, publicKeyLimits } from './json-web-key.js'

const { rsaLeastBits, rsaMostBits, exponentMostBits } = publicKeyLimits
/** An odd number of exactly so many bits. */
const ofBits = (bits: number): string => octets(bits === 1 ? 1n : (1n << BigInt(bits - 1)) + 1n)
const octets = (number: bigint): string => {
  const digits = number.toString(16)
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex').toString('base64url')
}
const rsa = (change: object = {}) => ({ kty: 'RSA', n: ofBits(2048), e: 'AQAB', ...change })
const coordinate = (length: number) => Buffer.alloc(length, 7).toString('base64url')

describe('an RSA key', () => {
  test.each([
    { when: 'its modulus is as short as may be', change: { n: ofBits(rsaLeastBits) }, within: true },
    { when: 'its modulus is a bit shorter', change: { n: ofBits(rsaLeastBits - 1) }, within: false },
    { when: 'its modulus is as long as may be', change: { n: ofBits(rsaMostBits) }, within: true },
    { when: 'its modulus is a bit longer', change: { n: ofBits(rsaMostBits + 1) }, within: false },
    { when: 'its modulus has leading zeros', change: { n: `AAAA${ofBits(rsaLeastBits)}` }, within: true },
    { when: 'its short modulus is filled with zeros', change: { n: `${'AAAA'.repeat(64)}${ofBits(1024)}` }, within: false },
    { when: 'its exponent is 3', change: { e: octets(3n) }, within: true },
    { when: 'its exponent is as long as may be', change: { e: ofBits(exponentMostBits) }, within: true },
    { when: 'its exponent is a bit longer', change: { e: ofBits(exponentMostBits + 1) }, within: false },
    { when: 'its exponent is as long as its modulus', change: { e: ofBits(2047) }, within: false },
    { when: 'its exponent is even', change: { e: octets(65_536n) }, within: false },
    { when: 'its exponent is 1', change: { e: octets(1n) }, within: false },
    { when: 'its exponent is 0', change: { e: 'AA' }, within: false },
    { when: 'it has no modulus', change: { n: undefined }, within: false },
    { when: 'it has no exponent', change: { e: undefined }, within: false },
    { when: 'its modulus is no text', change: { n: 7 }, within: false },
  ])('is within the limits=$within when $when', ({ change, within }) => {
    expect(isWithinKeyLimits(rsa(change))).toBe(within)
  })
})

test.each([
  { curve: 'P-256', most: 32 },
  { curve: 'P-384', most: 48 },
  { curve: 'P-521', most: 66 },
])('a coordinate of $curve has $most octets at most', ({ curve, most }) => {
  const key = { kty: 'EC', crv: curve, x: coordinate(most), y: coordinate(most) }
  expect(isWithinKeyLimits(key)).toBe(true)
  expect(isWithinKeyLimits({ ...key, x: coordinate(most + 1) })).toBe(false)
  expect(isWithinKeyLimits({ ...key, y: coordinate(most + 1) })).toBe(false)
  expect(isWithinKeyLimits({ ...key, y: undefined })).toBe(false)
})

test('a key of Ed25519 has 32 octets at most', () => {
  expect(isWithinKeyLimits({ kty: 'OKP', crv: 'Ed25519', x: coordinate(32) })).toBe(true)
  expect(isWithinKeyLimits({ kty: 'OKP', crv: 'Ed25519', x: coordinate(33) })).toBe(false)
})

test('of a kind or curve that we do not know nothing is said', () => {
  for (const key of [{}, { kty: 'AKP', pub: 'x' }, { kty: 'EC', crv: 'secp256k1', x: 'x' }, { kty: 'OKP', crv: 'X25519', x: 'x' }])
    expect(isWithinKeyLimits(key)).toBe(true)
})

test('one such key among others is seen', () => {
  expect(holdsKeyBeyondLimits(undefined)).toBe(false)
  expect(holdsKeyBeyondLimits({ keys: [rsa(), rsa()] })).toBe(false)
  expect(holdsKeyBeyondLimits({ keys: [rsa(), rsa({ n: ofBits(8192) })] })).toBe(true)
})
