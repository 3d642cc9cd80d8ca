/** Of an issuer's set only what tokens may be verified by is left. */
import { expect, test } from 'vitest'
import { onlyUsableKeys, rsaKeyLimits } from './usable-keys.js'

/** An odd number of exactly so many bits. */
const ofBits = (bits: number): string => {
  const digits = ((1n << BigInt(bits - 1)) + 1n).toString(16)
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex').toString('base64url')
}
const { leastBits, mostBits, exponentMostBits } = rsaKeyLimits
const good = { kty: 'RSA', kid: 'k', alg: 'RS256', n: ofBits(leastBits), e: 'AQAB' }

test.each([
  { when: 'its modulus is as short as may be', change: {}, used: true },
  { when: 'its modulus is shorter', change: { n: ofBits(leastBits - 1) }, used: false },
  { when: 'its modulus is as long as may be', change: { n: ofBits(mostBits) }, used: true },
  { when: 'its modulus is longer', change: { n: ofBits(mostBits + 1) }, used: false },
  { when: 'its exponent is 3', change: { e: 'Aw' }, used: true },
  { when: 'its exponent is as long as may be', change: { e: ofBits(exponentMostBits) }, used: true },
  { when: 'its exponent is longer', change: { e: ofBits(exponentMostBits + 1) }, used: false },
  { when: 'its exponent is even', change: { e: 'AQAA' }, used: false },
  { when: 'its exponent is 1', change: { e: 'AQ' }, used: false },
  { when: 'its exponent is absent', change: { e: undefined }, used: false },
])('an RSA key is used=$used when $when', ({ change, used }) => {
  for (const alg of ['RS256', 'PS256']) {
    const key = { ...good, alg, ...change }
    expect(onlyUsableKeys({ keys: [key] })).toEqual({ keys: used ? [key] : [] })
  }
})
