/** Evidence of real IdPs and what it proves: categories are counted, not values, and what nobody defined proves nothing. */
import { describe, expect, test } from 'vitest'
import { type AuthenticationStrength, authenticationStrength, authenticationStrengths, isAtLeast } from './authentication-strength.js'

const classes = 'urn:oasis:names:tc:SAML:2.0:ac:classes:'
const by = (amr: readonly string[], acr?: string): AuthenticationStrength =>
  authenticationStrength({ acr, amr, authenticatedAt: undefined })

describe('methods, RFC 8176 and those of vendors', () => {
  test.each(['pwd', 'pin', 'kba'])('%s is knowledge: one factor, also with another of its kind', (method) => {
    expect([by([method]), by([method, 'pwd', 'kba'])]).toEqual(['single_factor', 'single_factor'])
    expect(by([method, 'otp'])).toBe('multi_factor')
  })
  test.each(['otp', 'sms', 'tel', 'swk', 'hwk', 'pop', 'okta_verify', 'duo', 'rsa', 'google_otp', 'symantec', 'yubikey'])(
    '%s is possession: one factor, two with a password',
    (method) => {
      expect([by([method]), by([method, 'sms']), by([method, 'pwd'])]).toEqual(['single_factor', 'single_factor', 'multi_factor'])
    },
  )
  test.each(['face', 'fpt', 'iris', 'retina', 'vbm'])('%s is inherence: one factor, two with a password', (method) => {
    expect([by([method]), by([method, 'pwd'])]).toEqual(['single_factor', 'multi_factor'])
  })
  test.each(['user', 'rba', 'geo', 'wia', 'fed', 'mca', 'email', 'unheard-of', ''])('%s raises nothing', (method) => {
    expect([by([method]), by([method, 'pwd'])]).toEqual(['unknown', 'single_factor'])
  })
  test.each(['mfa', 'ngcmfa'])('%s says several factors outright', (method) => {
    expect([by([method]), by([method, 'pwd'])]).toEqual(['multi_factor', 'multi_factor'])
  })
  test.each([['phr'], ['sc'], ['pop', 'user'], ['pop', 'pin'], ['pop', 'fpt']])('%s, %s cannot be phished', (...amr) => {
    expect(by(amr.filter((method) => typeof method === 'string'))).toBe('phishing_resistant')
  })
  test.each([['hwk'], ['hwk', 'user'], ['swk', 'user'], ['otp', 'user']])('%s, %s is one factor', (...amr) => {
    expect(by(amr.filter((method) => typeof method === 'string'))).toBe('single_factor')
  })
  test('phrh alone says hardware, which is more than every other', () => {
    expect([by(['phrh']), by(['phr', 'hwk']), by(['sc', 'hwk'])]).toEqual([
      'phishing_resistant_hardware',
      'phishing_resistant',
      'phishing_resistant',
    ])
    expect(authenticationStrengths.map((demanded) => isAtLeast(by(['phrh']), demanded))).toEqual([true, true, true, true, true])
    expect(authenticationStrengths.map((demanded) => isAtLeast(by(['phr']), demanded))).toEqual([true, true, true, true, false])
  })
  test('no order, repetition or case of letters adds a factor', () => {
    expect([by(['pwd', 'pwd']), by(['PWD', 'OTP']), by(['otp', 'user', 'otp'])]).toEqual(['single_factor', 'unknown', 'single_factor'])
  })
})

describe('classes seen in the wild', () => {
  test.each([
    { acr: `${classes}PasswordProtectedTransport`, strength: 'single_factor' },
    { acr: `${classes}Password`, strength: 'single_factor' },
    { acr: 'urn:federation:authentication:windows', strength: 'single_factor' },
    { acr: `${classes}unspecified`, strength: 'unknown' },
    { acr: `${classes}X509`, strength: 'phishing_resistant' },
    { acr: `${classes}TLSClient`, strength: 'phishing_resistant' },
    { acr: `${classes}Smartcard`, strength: 'phishing_resistant' },
    { acr: 'http://schemas.microsoft.com/claims/multipleauthn', strength: 'multi_factor' },
    { acr: 'https://refeds.org/profile/mfa', strength: 'multi_factor' },
    { acr: 'https://refeds.org/profile/sfa', strength: 'single_factor' },
    { acr: 'https://refeds.org/profile/MFA', strength: 'unknown' },
    { acr: 'http://eidas.europa.eu/LoA/low', strength: 'unknown' },
    { acr: 'http://eidas.europa.eu/LoA/high', strength: 'unknown' },
    { acr: 'urn:okta:loa:2fa:any', strength: 'multi_factor' },
    { acr: 'urn:okta:loa:2fa:any:ifpossible', strength: 'unknown' },
    { acr: 'phr', strength: 'phishing_resistant' },
    { acr: 'phrh', strength: 'phishing_resistant_hardware' },
    { acr: '1', strength: 'unknown' },
    { acr: 'c1', strength: 'unknown' },
  ] as const)('$acr is $strength', ({ acr, strength }) => {
    expect(by([], acr)).toBe(strength)
  })
  test('the better of class and methods counts', () => {
    expect(by(['pwd', 'otp'], `${classes}Password`)).toBe('multi_factor')
    expect(by(['pwd'], 'https://refeds.org/profile/mfa')).toBe('multi_factor')
  })
})
