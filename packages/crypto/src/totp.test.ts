/** The codes of RFC 6238 appendix B, cut to six digits, and what is none. */
import { instant } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import { describe, expect, it, test } from 'vitest'
import { systemRandom } from './random.js'
import { newTotpSecret, totpStepOf, totpUri } from './totp.js'

// "12345678901234567890" in base 32
const secret = new Secret('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
const at = (seconds: number) => instant(seconds * 1000)

describe('a code', () => {
  test.each([
    [59, '287082', 1],
    [1111111109, '081804', 37037036],
    [1111111111, '050471', 37037037],
    [1234567890, '005924', 41152263],
    [2000000000, '279037', 66666666],
    [20000000000, '353130', 666666666],
  ])('of %i s is %s, of step %i', (seconds, code, step) => {
    expect(totpStepOf(secret, code, at(seconds))).toBe(step)
  })
  test.each([
    ['the step before', 59 + 30, 1],
    ['the step after', 59 - 30, 1],
    ['two steps before', 59 + 60, undefined],
    ['two steps after', 59 - 60, undefined],
  ])('of %s', (_, seconds, step) => {
    expect(totpStepOf(secret, '287082', at(seconds))).toBe(step)
  })
  test.each(['287 082', ' 287082\n'])('may be typed as the app shows it: %j', (code) => {
    expect(totpStepOf(secret, code, at(59))).toBe(1)
  })
  test.each(['', '28708', '2870822', '94287082', '28708a', '٢٨٧٠٨٢', '-87082', '287083'])('is none: %j', (code) => {
    expect(totpStepOf(secret, code, at(59))).toBeUndefined()
  })
})

describe('a new secret', () => {
  it('has 160 bits, and is another one each time', () => {
    const [one, other] = [newTotpSecret(systemRandom()).reveal(), newTotpSecret(systemRandom()).reveal()]
    expect(one).toMatch(/^[A-Z2-7]{32}$/)
    expect(one).not.toBe(other)
  })
  it('is told to an app with its names, and printed nowhere', () => {
    const uri = totpUri(secret, { issuer: 'Acme', label: 'ada@acme.example' })
    expect(uri.reveal()).toMatch(/^otpauth:\/\/totp\/Acme:ada%40acme\.example\?issuer=Acme&secret=GEZDG/)
    expect(String(uri)).toBe('[secret]')
  })
})
