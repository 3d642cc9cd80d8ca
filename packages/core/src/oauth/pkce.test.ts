// Verifier and challenge of RFC 7636 appendix B.
import { expect, test } from 'vitest'
import { matchesChallenge, parseChallenge } from './pkce.js'

const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

test.each([
  { when: 'the verifier is the one hashed', given: verifier, accepted: true },
  { when: 'one character differs', given: verifier.replace('d', 'e'), accepted: false },
  { when: 'the challenge itself is sent back', given: challenge, accepted: false },
  { when: 'it is shorter than 43 characters', given: 'short', accepted: false },
])('PKCE is accepted=$accepted when $when', ({ given, accepted }) => {
  expect(matchesChallenge(given, challenge)).toBe(accepted)
})

test.each([
  { when: 'challenge and S256', challenge, method: 'S256', reason: undefined },
  { when: 'no challenge', challenge: undefined, method: 'S256', reason: 'pkce_missing' },
  { when: 'plain', challenge: verifier, method: 'plain', reason: 'pkce_method_unsupported' },
  { when: 'no method, which means plain', challenge, method: undefined, reason: 'pkce_method_unsupported' },
])('a request with $when is refused as $reason', ({ challenge: given, method, reason }) => {
  const parsed = parseChallenge(given, method)
  expect(parsed.ok ? undefined : parsed.error.reason).toBe(reason)
})
