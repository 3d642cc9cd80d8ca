import fc from 'fast-check'
import { expect, test } from 'vitest'
import { longestIdTokenHint, parseIdTokenHint } from './id-token-hint.js'

const tokenOf = (claims: unknown): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`

test.each<{ when: string; hint: string | undefined; says: ReturnType<typeof parseIdTokenHint> }>([
  { when: 'there is none', hint: undefined, says: { ok: true, value: undefined } },
  { when: 'it has no value', hint: '', says: { ok: true, value: undefined } },
  { when: 'it names somebody', hint: tokenOf({ sub: 'ada' }), says: { ok: true, value: 'ada' } },
  { when: 'it names nobody', hint: tokenOf({ aud: 'x' }), says: { ok: false, error: 'malformed' } },
  { when: 'who it names is no text', hint: tokenOf({ sub: 1 }), says: { ok: false, error: 'malformed' } },
  { when: 'who it names is a control character', hint: tokenOf({ sub: '\u0000' }), says: { ok: false, error: 'malformed' } },
  { when: 'who it names is longer than any sub', hint: tokenOf({ sub: 'x'.repeat(256) }), says: { ok: false, error: 'malformed' } },
  { when: 'it says null', hint: tokenOf(null), says: { ok: false, error: 'malformed' } },
  { when: 'it is no token', hint: 'ada', says: { ok: false, error: 'malformed' } },
  { when: 'it is too long', hint: tokenOf({ sub: 'ada', x: 'x'.repeat(longestIdTokenHint) }), says: { ok: false, error: 'malformed' } },
])('the hint when $when', ({ hint, says }) => {
  expect(parseIdTokenHint(hint)).toEqual(says)
})

test('it never throws', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseIdTokenHint(text)))
  fc.assert(fc.property(fc.string(), (text) => void parseIdTokenHint(`e30.${Buffer.from(text).toString('base64url')}.c2ln`)))
})
