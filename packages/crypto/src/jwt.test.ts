import { fromSeconds } from '@drawbridge/core/instant'
import { importJWK, type JWK, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import { signJwt, verifyJwt } from './jwt.js'
import { systemRandom } from './random.js'
import { generateSigningKey, toJwks, toSigningKey, toVerificationKey } from './signing-keys.js'

const made = generateSigningKey(systemRandom(), 'tokens')
const key = toSigningKey(made, made.privateKey)
const keys = [toVerificationKey(made.publicJwk)]
const claims = { iss: 'https://a.example/t/acme', aud: 'https://api.example', exp: 1000, sub: 's' }
const expected = { typ: 'at+jwt', issuer: claims.iss, audience: claims.aud, now: fromSeconds(900), skewSeconds: 0 }
const token = signJwt(key, { typ: 'at+jwt' }, claims)
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a foreign library believes what we sign', async () => {
  const { payload, protectedHeader } = await jwtVerify(token, await importJWK(made.publicJwk as JWK, 'ES256'), {
    currentDate: new Date(900_000),
    typ: 'at+jwt',
  })
  expect(payload).toEqual(claims)
  expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: made.id })
})

test('our own token is believed, whole', () => {
  expect(verifyJwt(token, keys, expected)).toEqual({ ok: true, value: claims })
})

const [head, body, signature] = token.split('.') as [string, string, string]
const other = generateSigningKey(systemRandom(), 'tokens')
test.each([
  { when: 'exp is now: on or after means expired', token, change: { now: fromSeconds(1000) }, error: 'expired' },
  { when: 'another type is expected', token, change: { typ: 'secevent+jwt' }, error: 'wrong_type' },
  { when: 'another issuer is expected', token, change: { issuer: 'https://a.example/t/globex' }, error: 'wrong_issuer' },
  { when: 'another audience is expected', token, change: { audience: 'https://other.example' }, error: 'wrong_audience' },
  { when: 'the claims were changed', token: `${head}.${encode({ ...claims, sub: 'x' })}.${signature}`, change: {}, error: 'bad_signature' },
  { when: 'alg is none', token: `${encode({ alg: 'none', kid: made.id })}.${body}.${signature}`, change: {}, error: 'wrong_algorithm' },
  { when: 'alg is HS256', token: `${encode({ alg: 'HS256', kid: made.id })}.${body}.${signature}`, change: {}, error: 'wrong_algorithm' },
  {
    when: 'the key is unknown',
    token: signJwt(toSigningKey(other, other.privateKey), { typ: 'at+jwt' }, claims),
    change: {},
    error: 'unknown_key',
  },
  {
    when: 'a critical header is not understood',
    token: `${encode({ alg: 'ES256', kid: made.id, crit: ['x'] })}.${body}.${signature}`,
    change: {},
    error: 'malformed',
  },
  { when: 'it is no JWT', token: 'a.b', change: {}, error: 'malformed' },
  { when: 'it is longer than the limit', token: `${token}${'a'.repeat(20_000)}`, change: {}, error: 'malformed' },
])('a token is refused as $error when $when', ({ token: given, change, error }) => {
  expect(verifyJwt(given, keys, { ...expected, ...change })).toEqual({ ok: false, error })
})

test('a compromised key is not published', () => {
  const set = toJwks([
    { state: 'active', publicJwk: made.publicJwk },
    { state: 'compromised', publicJwk: other.publicJwk },
  ])
  expect(set.keys.map(({ kid }) => kid)).toEqual([made.id])
  expect(JSON.stringify(set)).not.toContain('"d"')
})
