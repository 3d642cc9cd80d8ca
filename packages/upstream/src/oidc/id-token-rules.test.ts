import { addSeconds, instant, toSeconds } from '@drawbridge/core/instant'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkIdTokenClaims, type ExpectedIdToken, mergeUserinfo } from './id-token-rules.js'

const now = instant(Date.UTC(2026, 10, 23))
const expected: ExpectedIdToken = { issuer: 'https://idp.example', clientId: 'c', nonce: 'n', freshSince: undefined, now }
const good = { iss: 'https://idp.example', sub: 'ada', aud: 'c', nonce: 'n', iat: toSeconds(now), exp: toSeconds(now) + 300 }
const check = (claims: Record<string, unknown>) => checkIdTokenClaims(new Map(Object.entries({ ...good, ...claims })), expected).ok

test.each([
  { when: 'it is as it should be', claims: {}, accepted: true },
  { when: 'aud is a list with us and azp is us', claims: { aud: ['c', 'd'], azp: 'c' }, accepted: true },
  { when: 'aud is a list with us and azp is missing', claims: { aud: ['c', 'd'] }, accepted: false },
  { when: 'aud is a list without us', claims: { aud: ['d'] }, accepted: false },
  { when: 'sub is empty', claims: { sub: '' }, accepted: false },
  { when: 'sub is a number', claims: { sub: 7 }, accepted: false },
  { when: 'sub is as long as it may be', claims: { sub: 'x'.repeat(255) }, accepted: true },
  { when: 'sub is longer', claims: { sub: 'x'.repeat(256) }, accepted: false },
  { when: 'exp is text', claims: { exp: '9999999999' }, accepted: false },
  { when: 'exp is in milliseconds', claims: { exp: now + 300_000 }, accepted: false },
  { when: 'iat is missing', claims: { iat: undefined }, accepted: false },
  // Entra writes it into every token.
  { when: 'nbf is now', claims: { nbf: toSeconds(now) }, accepted: true },
  { when: 'nbf is ahead by no more than the skew', claims: { nbf: toSeconds(now) + 180 }, accepted: true },
  { when: 'iat is ahead by no more than the skew', claims: { iat: toSeconds(now) + 180 }, accepted: true },
  { when: 'it is as old as it may be', claims: { iat: toSeconds(now) - 780 }, accepted: true },
  { when: 'it is older', claims: { iat: toSeconds(now) - 781 }, accepted: false },
  { when: 'nbf is in the future', claims: { nbf: toSeconds(now) + 181 }, accepted: false },
  { when: 'nbf is no time', claims: { nbf: 'x' }, accepted: false },
  // It would be newer than any barrier that is still to come, and no barrier could end what it proves.
  { when: 'auth_time is in the future', claims: { auth_time: toSeconds(now) + 181 }, accepted: false },
  { when: 'auth_time is ahead by no more than the skew', claims: { auth_time: toSeconds(now) + 180 }, accepted: true },
  { when: 'exp is exactly the skew ago', claims: { exp: toSeconds(now) - 180 }, accepted: false },
  { when: 'exp is a second less than the skew ago', claims: { exp: toSeconds(now) - 179 }, accepted: true },
])('an ID token is accepted=$accepted when $when', ({ claims, accepted }) => {
  expect(check(claims)).toBe(accepted)
})

test.each([
  { secondsBefore: -60, accepted: true },
  { secondsBefore: 180, accepted: true },
  { secondsBefore: 181, accepted: false },
])('a sign-in $secondsBefore s before it was demanded anew is accepted=$accepted', ({ secondsBefore, accepted }) => {
  const asked = { ...expected, freshSince: addSeconds(now, -60) }
  const claims = { ...good, auth_time: toSeconds(now) - 60 - secondsBefore }
  expect(checkIdTokenClaims(new Map(Object.entries(claims)), asked).ok).toBe(accepted)
})

test('any other value in a required claim is refused, never thrown on', () => {
  const names = fc.constantFrom('iss', 'sub', 'aud', 'nonce', 'iat', 'exp')
  fc.assert(
    fc.property(names, fc.jsonValue(), (name, value) => {
      const verdict = check({ [name]: value })
      const mayHold =
        name === 'sub'
          ? typeof value === 'string' && value !== ''
          : JSON.stringify(value)?.includes(String(good[name as keyof typeof good]))
      return !verdict || mayHold === true || (typeof value === 'number' && (name === 'exp' || name === 'iat'))
    }),
  )
})

test('userinfo adds, and never replaces or invents evidence', () => {
  const merged = mergeUserinfo(new Map(Object.entries({ sub: 'ada', email: 'a@x' })), {
    sub: 'root',
    email: 'b@x',
    acr: 'mfa',
    amr: ['mfa'],
    groups: ['g'],
    none: null,
  })
  expect(Object.fromEntries(merged)).toEqual({ sub: 'ada', email: 'a@x', groups: ['g'] })
})
