import { createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { CompactSign, importJWK, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { type ForeignAlgorithm, fitsAlgorithm, foreignAlgorithms } from './foreign-algorithms.js'
import { foreignJwksMaxKeys, readForeignJwks } from './foreign-jwks.js'
import { readForeignJwt, signForeignJwt, verifyForeignJwt } from './foreign-jwt.js'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pairs: Readonly<Record<ForeignAlgorithm, { publicKey: KeyObject; privateKey: KeyObject }>> = {
  RS256: rsa,
  RS384: rsa,
  RS512: rsa,
  PS256: rsa,
  PS384: rsa,
  PS512: rsa,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: generateKeyPairSync('ed25519'),
  Ed25519: generateKeyPairSync('ed25519'),
}
const jwkOf = (algorithm: ForeignAlgorithm, more = {}) => ({ ...pairs[algorithm].publicKey.export({ format: 'jwk' }), kid: 'k', ...more })
/** An odd number of so many bits. */
const modulusOf = (bits: number) => {
  const octets = Buffer.alloc(Math.ceil(bits / 8), 0x55)
  octets[0] = 1 << ((bits - 1) % 8)
  return octets.toString('base64url')
}
const keysOf = (...jwks: readonly unknown[]) => {
  const read = readForeignJwks({ keys: jwks })
  if (!read.ok) throw new Error('the key set was refused')
  return read.value
}
/** Signed by jose, so that both sides are not one program. */
const signed = async (algorithm: ForeignAlgorithm, header = {}, claims = {}): Promise<string> =>
  new SignJWT({ sub: 'ada', ...claims })
    .setProtectedHeader({ alg: algorithm, kid: 'k', ...header })
    .sign(await importJWK(pairs[algorithm].privateKey.export({ format: 'jwk' }), algorithm))
const judge = (token: string, keys = keysOf(jwkOf('RS256')), allowed: readonly ForeignAlgorithm[] = foreignAlgorithms) => {
  const read = readForeignJwt(token, allowed)
  if (!read.ok) return read.error
  const verified = verifyForeignJwt(read.value, keys)
  return verified.ok ? 'believed' : verified.error
}
const plain = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe.each(foreignAlgorithms)('%s', (algorithm) => {
  test('of somebody else’s library is believed, and of ours by it', async () => {
    const keys = keysOf(jwkOf(algorithm))
    expect(judge(await signed(algorithm), keys)).toBe('believed')
    const ours = signForeignJwt({ algorithm, privateKey: pairs[algorithm].privateKey }, { kid: 'k' }, { sub: 'ada' })
    expect(judge(ours, keys)).toBe('believed')
  })
  test('is refused where the connection does not allow it, by another key, and over other octets', async () => {
    const token = await signed(algorithm)
    const others = foreignAlgorithms.filter((other) => other !== algorithm)
    expect(judge(token, keysOf(jwkOf(algorithm)), others)).toBe('algorithm')
    const [header, , signature] = token.split('.')
    expect(judge(`${header}.${plain({ sub: 'root' })}.${signature}`, keysOf(jwkOf(algorithm)))).toBe('bad_signature')
    const stranger = algorithm.startsWith('RS') || algorithm.startsWith('PS') ? 'ES256' : 'RS256'
    expect(judge(token, keysOf(jwkOf(stranger)))).toBe('unknown_key')
  })
})

describe('a token is refused', () => {
  test('unsigned, in any spelling', () => {
    for (const alg of ['none', 'None', 'NONE', '', undefined, 7])
      expect(judge(`${plain({ alg })}.${plain({ sub: 'ada' })}.`)).toMatch(/^(algorithm|malformed)$/)
  })
  test('signed with the public key as a shared secret', async () => {
    const secret = new TextEncoder().encode(rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString())
    expect(judge(await new SignJWT({}).setProtectedHeader({ alg: 'HS256', kid: 'k' }).sign(secret))).toBe('algorithm')
  })
  test('whose header demands what we do not know, or brings its own key', async () => {
    const privateKey = await importJWK(rsa.privateKey.export({ format: 'jwk' }), 'RS256')
    const critical = await new CompactSign(Buffer.from('{}'))
      .setProtectedHeader({ alg: 'RS256', crit: ['b64'], b64: true })
      .sign(privateKey as never)
    expect(judge(critical)).toBe('critical_header')
    expect(judge(await signed('RS256', { jwk: jwkOf('RS256') }))).toBe('embedded_key')
  })
  test('encrypted, cut, padded or too long', async () => {
    const token = await signed('RS256')
    expect(judge('a.b.c.d.e')).toBe('encrypted')
    for (const broken of ['', '.', '..', `${token}=`, `${token} `, token.slice(0, -3), `${token}.`, `x${token}`])
      expect(judge(broken)).not.toBe('believed')
    expect(judge(`${token}${'A'.repeat(70_000)}`)).toBe('malformed')
  })
  test('whose key is of the same kind and not meant for its algorithm', async () => {
    expect(judge(await signed('RS256'), keysOf(jwkOf('RS256', { alg: 'PS256' })))).toBe('unknown_key')
  })
})

test('where a token says its keys are is not looked at', async () => {
  const elsewhere = { jku: 'https://evil.example/jwks', x5u: 'https://evil.example/cert', x5c: ['AAAA'] }
  expect(judge(await signed('RS256', elsewhere))).toBe('believed')
})

test('a token that names no key is tried with those that fit', async () => {
  const token = await signed('ES256', { kid: undefined })
  expect(judge(token, keysOf(jwkOf('RS256'), jwkOf('ES384'), jwkOf('ES256', { kid: undefined })))).toBe('believed')
  expect(judge(token, keysOf(jwkOf('RS256')))).toBe('unknown_key')
})

describe('of a key set', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
  test.each([
    { what: 'a key for encryption', jwk: jwkOf('RS256', { use: 'enc' }) },
    { what: 'a key that may not verify', jwk: jwkOf('RS256', { key_ops: ['encrypt'] }) },
    { what: 'a shared secret', jwk: { kty: 'oct', k: 'AAAA', kid: 'k' } },
    { what: 'a private key', jwk: { ...pairs.ES256.privateKey.export({ format: 'jwk' }), kid: 'k' } },
    { what: 'a short RSA key', jwk: { ...short, kid: 'k' } },
    { what: 'an RSA key that is too long', jwk: jwkOf('RS256', { n: modulusOf(4097) }) },
    { what: 'an RSA key whose exponent is too long', jwk: jwkOf('RS256', { e: 'AQAAAAE' }) },
    { what: 'an RSA key whose exponent is even', jwk: jwkOf('RS256', { e: 'AQAA' }) },
    { what: 'an RSA key whose exponent is 1', jwk: jwkOf('RS256', { e: 'AQ' }) },
    { what: 'a key of an unknown curve', jwk: { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA', kid: 'k' } },
    { what: 'something else', jwk: 'key' },
  ])('$what is left out', ({ jwk }) => {
    expect(keysOf(jwk, jwkOf('ES256'))).toHaveLength(1)
  })
  test('nothing is read that is none, or that is endless', () => {
    for (const document of [null, 'x', {}, { keys: 'x' }, { keys: Array.from({ length: foreignJwksMaxKeys + 1 }, () => jwkOf('ES256')) }])
      expect(readForeignJwks(document)).toEqual({ ok: false, error: 'jwks_malformed' })
  })
})

test.each([
  { when: 'its modulus is too long', jwk: { n: modulusOf(4097) } },
  { when: 'its modulus is too short', jwk: { n: modulusOf(2047) } },
  { when: 'its exponent is too long', jwk: { e: 'AQAAAAE' } },
  { when: 'its exponent is even', jwk: { e: 'AQAA' } },
  { when: 'its exponent is 1', jwk: { e: 'AQ' } },
])('an RSA key fits no algorithm, wherever it comes from, when $when', ({ jwk }) => {
  const [good, bad] = [jwkOf('RS256'), jwkOf('RS256', jwk)].map((key) => createPublicKey({ key: key as JsonWebKey, format: 'jwk' }))
  for (const algorithm of ['RS256', 'PS512'] as const) {
    expect(fitsAlgorithm(good as KeyObject, algorithm)).toBe(true)
    expect(fitsAlgorithm(bad as KeyObject, algorithm)).toBe(false)
  }
})

test('any text is judged and none is believed', () => {
  const part = fc.oneof(
    fc.base64String(),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
  )
  const keys = keysOf(jwkOf('RS256'))
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.tuple(part, part, part).map((parts) => parts.join('.')),
      ),
      (text) => judge(text, keys) !== 'believed',
    ),
  )
})

test('one flipped bit is refused', async () => {
  const token = await signed('RS256')
  const keys = keysOf(jwkOf('RS256'))
  const last = token.length - 1
  fc.assert(
    fc.property(fc.nat(last - 1), fc.constantFrom('A', 'Q', 'g', 'w', 'z', '-', '_', '.'), (at, letter) => {
      const changed = token.slice(0, at) + letter + token.slice(at + 1)
      return changed === token || judge(changed, keys) !== 'believed'
    }),
  )
})
