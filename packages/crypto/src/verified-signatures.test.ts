import { fromSeconds } from '@drawbridge/core/instant'
import { expect, test } from 'vitest'
import { signJwt, verifyJwt } from './jwt.js'
import { systemRandom } from './random.js'
import { generateSigningKey, toSigningKey, toVerificationKey } from './signing-keys.js'
import { createVerifiedSignatures } from './verified-signatures.js'

const made = generateSigningKey(systemRandom(), 'tokens')
const other = generateSigningKey(systemRandom(), 'tokens')
const key = toSigningKey(made, made.privateKey)
const keys = [toVerificationKey(made.publicJwk)]
const claims = { iss: 'https://a.example/t/acme', aud: 'https://api.example', exp: 1000, sub: 's' }
const expected = { typ: 'at+jwt', issuer: claims.iss, audience: claims.aud, now: fromSeconds(900), skewSeconds: 0 }
const token = signJwt(key, { typ: 'at+jwt' }, claims)
const [head, body, signature] = token.split('.') as [string, string, string]
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a remembered token is believed as one that is verified: the same claims, from the same octets', () => {
  const signatures = createVerifiedSignatures()
  const first = signatures.verify(token, keys, expected)
  const again = signatures.verify(token, keys, expected)
  expect([first, again]).toEqual([verifyJwt(token, keys, expected), first])
  // What is remembered is not parsed anew.
  expect(again.ok && first.ok && again.value === first.value).toBe(true)
})

test.each([
  { when: 'it has expired meanwhile', given: token, by: keys, change: { now: fromSeconds(1000) }, error: 'expired' },
  { when: 'another type is expected', given: token, by: keys, change: { typ: 'secevent+jwt' }, error: 'wrong_type' },
  {
    when: 'it is brought to another issuer',
    given: token,
    by: keys,
    change: { issuer: 'https://a.example/t/globex' },
    error: 'wrong_issuer',
  },
  { when: 'another audience is expected', given: token, by: keys, change: { audience: 'https://other.example' }, error: 'wrong_audience' },
  { when: 'its key is none of the keys any more', given: token, by: [], change: {}, error: 'unknown_key' },
  {
    when: 'its key has given its name to another',
    given: token,
    by: [toVerificationKey({ ...other.publicJwk, kid: made.id })],
    change: {},
    error: 'bad_signature',
  },
  {
    when: 'its claims were changed',
    given: `${head}.${encode({ ...claims, sub: 'x' })}.${signature}`,
    by: keys,
    change: {},
    error: 'bad_signature',
  },
  {
    when: 'its signature is that of another token',
    given: `${head}.${body}.${signJwt(key, { typ: 'at+jwt' }, { ...claims, sub: 'x' }).split('.')[2]}`,
    by: keys,
    change: {},
    error: 'bad_signature',
  },
])('a remembered token is refused as $error when $when', ({ given, by, change, error }) => {
  const signatures = createVerifiedSignatures()
  for (const times of [1, 2]) {
    expect({ times, seen: signatures.verify(token, keys, expected).ok }).toEqual({ times, seen: true })
    expect(signatures.verify(given, by, { ...expected, ...change })).toEqual({ ok: false, error })
  }
})

test('a configuration that was loaded anew has other objects for the same keys, and they count', () => {
  const signatures = createVerifiedSignatures()
  const first = signatures.verify(token, keys, expected)
  const again = signatures.verify(token, [toVerificationKey(other.publicJwk), toVerificationKey(made.publicJwk)], expected)
  expect(again.ok && first.ok && again.value === first.value).toBe(true)
})

test('only so many are remembered, and the longest unused goes first', () => {
  const signatures = createVerifiedSignatures(2)
  const tokens = ['a', 'b', 'c'].map((sub) => signJwt(key, { typ: 'at+jwt' }, { ...claims, sub }))
  const [a, b, c] = tokens as [string, string, string]
  const seen = (one: string) => {
    const verified = signatures.verify(one, keys, expected)
    return verified.ok ? verified.value : undefined
  }
  const [ofA, ofB] = [seen(a), seen(b)]
  expect(seen(a)).toBe(ofA)
  seen(c)
  expect(seen(a)).toBe(ofA)
  expect(seen(b)).toEqual(ofB)
  expect(seen(b) === ofB).toBe(false) // verified anew
})

test('what is longer than any token of ours is refused before it is hashed', () => {
  expect(createVerifiedSignatures().verify('a'.repeat(20_000), keys, expected)).toEqual({ ok: false, error: 'malformed' })
})
