/** The four algorithms by which we sign: made, signed and verified here, believed by a library that is not ours, and confused by nobody. */
import { constants, createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey, sign, verify } from 'node:crypto'
import { fromSeconds } from '@drawbridge/core/instant'
import { type TokenAlgorithm, tokenAlgorithms } from '@drawbridge/core/oauth/token-algorithm'
import { calculateJwkThumbprint, importJWK, type JWK, jwtVerify } from 'jose'
import { beforeAll, describe, expect, it, test } from 'vitest'
import { leftHalfHash } from './hash.js'
import { signJwt, signJwtAside, verifyJwt } from './jwt.js'
import { systemRandom } from './random.js'
import { type GeneratedKey, generateTokenKey, type PublicJwk, tokenModulusBits, toSigningKey, toVerificationKey } from './signing-keys.js'

const claims = { iss: 'https://a.example/t/acme', aud: 'https://api.example', exp: 1000, sub: 's' }
const expected = { typ: 'at+jwt', issuer: claims.iss, audience: claims.aud, now: fromSeconds(900), skewSeconds: 0 }
const made = {} as Record<TokenAlgorithm, GeneratedKey>
beforeAll(async () => {
  for (const algorithm of tokenAlgorithms) made[algorithm] = await generateTokenKey(systemRandom(), 'tokens', algorithm)
}, 60_000)

const tokenOf = (algorithm: TokenAlgorithm) => signJwt(toSigningKey(made[algorithm], made[algorithm].privateKey), { typ: 'at+jwt' }, claims)
const keysOf = (...algorithms: TokenAlgorithm[]) => algorithms.map((algorithm) => toVerificationKey(made[algorithm].publicJwk))
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe.each(tokenAlgorithms)('%s', (algorithm) => {
  it('is believed by us, whole, and by a foreign library under the key id of RFC 7638', async () => {
    const { id, publicJwk } = made[algorithm]
    expect(verifyJwt(tokenOf(algorithm), keysOf(algorithm), expected)).toEqual({ ok: true, value: claims })
    const key = await importJWK(publicJwk as JWK)
    const { protectedHeader } = await jwtVerify(tokenOf(algorithm), key, { currentDate: new Date(900_000), typ: 'at+jwt' })
    expect(protectedHeader).toEqual({ alg: algorithm, typ: 'at+jwt', kid: id })
    expect(id).toBe(await calculateJwkThumbprint(publicJwk as JWK))
    expect(publicJwk).toMatchObject({ alg: algorithm, use: 'sig', kid: id })
    expect(publicJwk).not.toHaveProperty('d')
  })

  it('is believed as well when it was signed beside the event loop', async () => {
    const token = await signJwtAside(toSigningKey(made[algorithm], made[algorithm].privateKey), { typ: 'at+jwt' }, claims)
    expect(verifyJwt(token, keysOf(algorithm), expected)).toEqual({ ok: true, value: claims })
  })

  it('is refused when one octet of it was changed', () => {
    const [head, body, signature = ''] = tokenOf(algorithm).split('.')
    const changed = Buffer.from(signature, 'base64url')
    changed.writeUInt8(changed.readUInt8(7) ^ 1, 7)
    const error = 'bad_signature'
    expect(verifyJwt(`${head}.${body}.${changed.toString('base64url')}`, keysOf(algorithm), expected)).toEqual({ ok: false, error })
    expect(verifyJwt(`${head}.${encode({ ...claims, sub: 'x' })}.${signature}`, keysOf(algorithm), expected)).toEqual({ ok: false, error })
  })
})

it('makes RSA keys of the named length', () => {
  const { publicJwk } = made.PS256
  expect(createPublicKey({ key: publicJwk as JsonWebKey, format: 'jwk' }).asymmetricKeyDetails?.modulusLength).toBe(tokenModulusBits)
})

describe('RFC 8725 §3.1: the algorithm is the word of the key', () => {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  /** Signed by the true key of `by`, under a header that says `alg`. */
  const forge = (by: TokenAlgorithm, header: object, signature: (input: Buffer) => Buffer) => {
    const input = `${encode({ typ: 'at+jwt', kid: made[by].id, ...header })}.${encode(claims)}`
    return `${input}.${signature(Buffer.from(input)).toString('base64url')}`
  }
  const privateOf = (by: TokenAlgorithm) => toSigningKey(made[by], made[by].privateKey).privateKey
  const pem = (by: TokenAlgorithm) =>
    createPublicKey({ key: made[by].publicJwk as JsonWebKey, format: 'jwk' }).export({ format: 'pem', type: 'spki' })

  test.each([
    {
      when: 'RS256 by a key for PS256',
      by: 'PS256',
      alg: 'RS256',
      signature: (input: Buffer) => sign('sha256', input, privateOf('PS256')),
    },
    {
      when: 'PS256 by a key for RS256',
      by: 'RS256',
      alg: 'PS256',
      signature: (input: Buffer) => sign('sha256', input, { key: privateOf('RS256'), ...pss }),
    },
    {
      when: 'RS256 by an EC key',
      by: 'ES256',
      alg: 'RS256',
      signature: (input: Buffer) => sign('sha256', input, { key: privateOf('ES256'), dsaEncoding: 'ieee-p1363' }),
    },
    {
      when: 'HS256 by the public key',
      by: 'RS256',
      alg: 'HS256',
      signature: (input: Buffer) => createHmac('sha256', pem('RS256')).update(input).digest(),
    },
    { when: 'Ed25519, the other name', by: 'EdDSA', alg: 'Ed25519', signature: (input: Buffer) => sign(null, input, privateOf('EdDSA')) },
    { when: 'none', by: 'RS256', alg: 'none', signature: () => Buffer.of(0) },
    { when: 'no text', by: 'RS256', alg: ['RS256'], signature: (input: Buffer) => sign('sha256', input, privateOf('RS256')) },
  ] as const)('refused: $when', ({ by, alg, signature }) => {
    expect(verifyJwt(forge(by, { alg }, signature), keysOf(...tokenAlgorithms), expected)).toEqual({ ok: false, error: 'wrong_algorithm' })
  })

  test.each([
    { when: 'PKCS #1 under the header PS256', by: 'PS256', signature: (input: Buffer) => sign('sha256', input, privateOf('PS256')) },
    {
      when: 'ECDSA in DER, which JWS does not have (RFC 7518 §3.4)',
      by: 'ES256',
      signature: (input: Buffer) => sign('sha256', input, privateOf('ES256')),
    },
    {
      when: 'PSS with a salt of another length (RFC 7518 §3.5)',
      by: 'PS256',
      signature: (input: Buffer) => sign('sha256', input, { key: privateOf('PS256'), ...pss, saltLength: 0 }),
    },
  ] as const)('refused, though the true key signed it: $when', ({ by, signature }) => {
    const token = forge(by, { alg: by }, signature)
    expect(verifyJwt(token, keysOf(by), expected)).toEqual({ ok: false, error: 'bad_signature' })
  })

  test.each([
    { member: 'jwk', value: (jwk: PublicJwk) => jwk },
    { member: 'jku', value: () => 'https://evil.example/jwks' },
    { member: 'x5u', value: () => 'https://evil.example/cert' },
    { member: 'x5c', value: () => ['MIIB'] },
  ])('a key in the header member $member is not looked at (RFC 8725 §3.10)', async ({ member, value }) => {
    const evil = await generateTokenKey(systemRandom(), 'tokens', 'EdDSA')
    const key = toSigningKey(evil, evil.privateKey).privateKey
    const known = forge('EdDSA', { alg: 'EdDSA', [member]: value(evil.publicJwk) }, (input) => sign(null, input, key))
    expect(verifyJwt(known, keysOf('EdDSA'), expected)).toEqual({ ok: false, error: 'bad_signature' })
    const unknown = forge('EdDSA', { alg: 'EdDSA', kid: evil.id, [member]: value(evil.publicJwk) }, (input) => sign(null, input, key))
    expect(verifyJwt(unknown, keysOf('EdDSA'), expected)).toEqual({ ok: false, error: 'unknown_key' })
  })
})

test('a key is not opened under an algorithm that it was not made for', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const shortDer = short.privateKey.export({ format: 'der', type: 'pkcs8' })
  const shortJwk = { ...short.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256', use: 'sig' } as PublicJwk
  for (const algorithm of ['RS256', 'EdDSA', 'HS256', 'none', ''])
    expect(() => toSigningKey({ id: 'k', algorithm }, made.ES256.privateKey)).toThrow('of the kind that its algorithm takes')
  expect(() => toSigningKey({ id: 'k', algorithm: 'RS256' }, shortDer)).toThrow('of the kind')
  expect(() => toVerificationKey(shortJwk)).toThrow('of the kind')
  expect(() => toVerificationKey({ ...made.ES256.publicJwk, alg: 'EdDSA' })).toThrow('of the kind')
})

describe('at_hash and c_hash (OIDC Core §3.1.3.6)', () => {
  it('are those of the examples in OIDC Core appendix A.4 and A.6', () => {
    for (const algorithm of ['ES256', 'RS256', 'PS256'] as const) {
      expect(leftHalfHash(algorithm, 'jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y')).toBe('77QmUPtjPfzWtF2AnpK9RQ')
      expect(leftHalfHash(algorithm, 'Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk')).toBe('LDktKdoQak3Pk0cnXxCltA')
    }
  })

  it('are half of SHA-512 where Ed25519 signs', () => {
    expect(leftHalfHash('EdDSA', 'YmJiZTAwYmYtMzgyOC00NzhkLTkyOTItNjJjNDM3MGYzOWIy9sFhvH8K_x8UIHj1osisS57f5DduL')).toMatch(/^[\w-]{43}$/)
  })
})

test('node and we mean the same by EdDSA', () => {
  const [head, body, signature = ''] = tokenOf('EdDSA').split('.')
  const key = createPublicKey({ key: made.EdDSA.publicJwk as JsonWebKey, format: 'jwk' })
  expect(verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))).toBe(true)
})
