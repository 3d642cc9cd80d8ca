import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addSeconds, instant } from '../instant.js'
import { dpopLimits, judgeProof, targetOf } from './dpop-proof.js'

const target = 'https://login.example/t/acme/token'

test.each([
  { text: 'HTTPS://LOGIN.EXAMPLE/t/acme/token', same: true },
  { text: 'https://login.example:443/t/acme/token', same: true },
  { text: 'https://login.example/t/./acme/x/../token', same: true },
  { text: `${target}?a=b#c`, same: true },
  { text: `${target}/`, same: false },
  { text: 'https://login.example/t/acme//token', same: false },
  { text: 'https://login.example/t/ACME/token', same: false },
  { text: 'https://login.example:8443/t/acme/token', same: false },
  { text: 'http://login.example/t/acme/token', same: false },
  { text: 'https://login.example./t/acme/token', same: false },
  { text: 'https://user@login.example/t/acme/token', same: false },
  { text: 'https:///login.example/t/acme/token', same: false },
  { text: 'https:\\\\login.example\\t\\acme\\token', same: false },
  { text: 'https://login.example\\t\\acme\\token', same: false },
  { text: 'https://login.example/t/acme/tok\ten', same: false },
  { text: ` ${target}`, same: false },
  { text: 'https://l%6fgin.example/t/acme/token', same: false },
])('$text is the same target=$same (RFC 9449 §4.3, RFC 3986 §6.2)', ({ text, same }) => {
  expect(targetOf(text) === targetOf(target)).toBe(same)
})

const now = instant(1_800_000_000_000)
const seconds = 1_800_000_000
const judge = (claims: object) => judgeProof(new Map(Object.entries(claims)), { method: 'POST', url: target, now })
const honest = { jti: 'j', htm: 'POST', htu: target, iat: seconds }

test.each([
  { iat: seconds - dpopLimits.oldestSeconds, good: false },
  { iat: seconds - dpopLimits.oldestSeconds + 1, good: true },
  { iat: seconds + 0.5, good: true },
  { iat: seconds + dpopLimits.aheadSeconds, good: true },
  { iat: seconds + dpopLimits.aheadSeconds + 1, good: false },
])('a proof of second $iat is good=$good at second 1800000000', ({ iat, good }) => {
  expect(judge({ ...honest, iat }).ok).toBe(good)
})

test('a proof is remembered until its own time refuses it', () => {
  const judged = judge({ ...honest, iat: seconds + 10 })
  expect(judged).toMatchObject({ ok: true, value: { rememberUntil: addSeconds(now, 10 + dpopLimits.oldestSeconds) } })
})

test('whatever a proof says, it is judged and throws nothing', () => {
  fc.assert(
    fc.property(
      fc.record({ jti: fc.anything(), htm: fc.anything(), htu: fc.anything(), iat: fc.anything(), nonce: fc.anything() }),
      (claims) => {
        expect(judge(claims).ok).toBe(false)
      },
    ),
  )
})
