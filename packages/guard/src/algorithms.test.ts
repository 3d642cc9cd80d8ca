/** Algorithms, as an attacker and as four kinds of true issuer use them: the key says how its tokens are verified, never the token. */
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { JWK } from 'jose'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { type AnIssuer, anIssuer, resource, sessionRevoked } from '../test/an-issuer.js'
import { eventually, reasonOf } from '../test/verdicts.js'
import { createGuard, type Guard } from './create-guard.js'

const issuerUrl = 'https://login.example/t/acme'
const now = () => Date.now()
let issuer: AnIssuer
let guard: Guard

beforeEach(async () => {
  issuer = await anIssuer({ issuer: issuerUrl, tenant: 'acme', now })
  const issuers = [{ issuer: issuerUrl, credential: { id: 'id', secret: 'dbx_secret' } }]
  guard = createGuard({ resource, issuers, toolScopes: {}, baseScopes: ['documents:read'], onDeaf: 'refuse', fetch: issuer.fetch, now })
  await guard.start()
})
afterEach(() => guard.stop())

type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
const rsaPair: Pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const shortPair: Pair = generateKeyPairSync('rsa', { modulusLength: 1024 })
const ecPair: Pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const edPair: Pair = generateKeyPairSync('ed25519')

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
const signers: Readonly<Record<string, (key: KeyObject, input: Buffer) => Buffer>> = {
  ES256: (key, input) => sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (key, input) => sign(null, input, key),
  RS256: (key, input) => sign('sha256', input, key),
  PS256: (key, input) => sign('sha256', input, { key, ...pss }),
}
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwkOf = ({ publicKey }: Pair, members: JWK): JWK => ({ ...(publicKey.export({ format: 'jwk' }) as JWK), use: 'sig', ...members })

/** True claims under any header, with any signature. */
async function forged(header: Readonly<Record<string, unknown>>, signWith: (input: Buffer) => Buffer): Promise<string> {
  const [, claims] = (await issuer.signToken()).split('.')
  const input = `${encode({ typ: 'at+jwt', ...header })}.${claims}`
  return `${input}.${signWith(Buffer.from(input)).toString('base64url')}`
}
const signedBy = (pair: Pair, alg: string) => (input: Buffer) => (signers[alg] as (typeof signers)[string])(pair.privateKey, input)

const kinds = [
  { alg: 'ES256', pair: ecPair },
  { alg: 'EdDSA', pair: edPair },
  { alg: 'RS256', pair: rsaPair },
  { alg: 'PS256', pair: rsaPair },
]

test.each(kinds)('a token that a published $alg key signed is let through', async ({ alg, pair }) => {
  issuer.publish('/jwks', jwkOf(pair, { kid: 'k', alg }))
  expect(await reasonOf(guard, await forged({ alg, kid: 'k' }, signedBy(pair, alg)))).toBe('let through')
})

test.each(kinds)('a notice that a published $alg key signed is believed', async ({ alg, pair }) => {
  issuer.publish('/ssf/jwks', jwkOf(pair, { kid: 'k', alg }))
  const token = await issuer.signToken()
  expect(await reasonOf(guard, token)).toBe('let through')
  const iat = Math.floor(now() / 1000)
  const told = { target: 'subject', targetId: 'ada', epoch: 2 }
  const set = { iss: issuerUrl, aud: resource, iat, jti: 'told', events: { [sessionRevoked]: {} }, drawbridge: { tenant: 'acme', ...told } }
  const input = `${encode({ alg, kid: 'k', typ: 'secevent+jwt' })}.${encode(set)}`
  issuer.push({ told: `${input}.${signedBy(pair, alg)(Buffer.from(input)).toString('base64url')}` })
  await eventually(async () => (await reasonOf(guard, token)) === 'token_below_barrier')
})

describe('RFC 8725 §3.1: a token is refused', () => {
  const rsaPem = rsaPair.publicKey.export({ format: 'pem', type: 'spki' })
  const rsaJwk = JSON.stringify(rsaPair.publicKey.export({ format: 'jwk' }))
  const hmac = (secret: string | Buffer) => (input: Buffer) => createHmac('sha256', secret).update(input).digest()
  const rs = { kid: 'k', alg: 'RS256' }

  test.each([
    { when: 'it is HS256 with the public key as PEM', jwk: jwkOf(rsaPair, rs), header: { alg: 'HS256' }, by: hmac(rsaPem) },
    { when: 'it is HS256 with the public key as JWK', jwk: jwkOf(rsaPair, rs), header: { alg: 'HS256' }, by: hmac(rsaJwk) },
    { when: 'it is not signed', jwk: jwkOf(rsaPair, rs), header: { alg: 'none' }, by: () => Buffer.of() },
    { when: 'none is written otherwise', jwk: jwkOf(rsaPair, rs), header: { alg: 'nOnE' }, by: () => Buffer.of() },
    { when: 'it is PS256 by a key for RS256', jwk: jwkOf(rsaPair, rs), header: { alg: 'PS256' }, by: signedBy(rsaPair, 'PS256') },
    {
      when: 'it is RS256 by a key for PS256',
      jwk: jwkOf(rsaPair, { kid: 'k', alg: 'PS256' }),
      header: { alg: 'RS256' },
      by: signedBy(rsaPair, 'RS256'),
    },
    { when: 'it says PS256 and is RS256', jwk: jwkOf(rsaPair, rs), header: { alg: 'PS256' }, by: signedBy(rsaPair, 'RS256') },
    {
      when: 'it says RS256 and its key is an EC one',
      jwk: jwkOf(ecPair, { kid: 'k', alg: 'ES256' }),
      header: { alg: 'RS256' },
      by: signedBy(ecPair, 'ES256'),
    },
    {
      when: 'its key is an EC one that calls itself RS256',
      jwk: jwkOf(ecPair, { kid: 'k', alg: 'RS256' }),
      header: { alg: 'RS256' },
      by: signedBy(ecPair, 'ES256'),
    },
    {
      when: 'its key names no algorithm',
      jwk: jwkOf(rsaPair, { kid: 'k' }),
      header: { alg: 'RS256' },
      by: signedBy(rsaPair, 'RS256'),
    },
    {
      when: 'its key is for an algorithm that is not on the list',
      jwk: jwkOf(rsaPair, { kid: 'k', alg: 'RS512' }),
      header: { alg: 'RS512' },
      by: (input: Buffer) => sign('sha512', input, rsaPair.privateKey),
    },
    { when: 'its RSA key is short', jwk: jwkOf(shortPair, rs), header: { alg: 'RS256' }, by: signedBy(shortPair, 'RS256') },
    {
      when: 'the set has a symmetric key',
      jwk: { kty: 'oct', kid: 'k', alg: 'HS256', k: 'c2VjcmV0' },
      header: { alg: 'HS256' },
      by: hmac('secret'),
    },
    {
      when: 'its key is for encryption',
      jwk: jwkOf(rsaPair, { ...rs, use: 'enc' }),
      header: { alg: 'RS256' },
      by: signedBy(rsaPair, 'RS256'),
    },
  ])('when $when', async ({ jwk, header, by }) => {
    issuer.publish('/jwks', jwk)
    expect(await reasonOf(guard, await forged({ kid: 'k', ...header }, by))).toMatch(/^token_(signature_wrong|malformed)$/)
  })

  test.each([
    { when: 'it carries its key', header: { jwk: jwkOf(ecPair, { alg: 'ES256' }) } },
    { when: 'it points to its key', header: { jku: 'https://evil.example/jwks', kid: 'evil' } },
    { when: 'it carries a certificate', header: { x5c: ['MIIB'], x5u: 'https://evil.example/cert' } },
    { when: 'its key id is a path', header: { kid: '../../dev/null' } },
    { when: 'its key id is a query', header: { kid: "t1' OR '1'='1" } },
    { when: 'its key id is no text', header: { kid: ['t1'] } },
  ])('when $when (RFC 8725 §3.10), and nobody else is asked', async ({ header }) => {
    const asked = issuer.fetched['/jwks']
    const token = await forged({ alg: 'ES256', kid: issuer.tokenKey.kid, ...header }, signedBy(ecPair, 'ES256'))
    expect(await reasonOf(guard, token)).toMatch(/^token_(signature_wrong|malformed)$/)
    expect(issuer.fetched['/jwks'] - asked).toBeLessThanOrEqual(1)
  })

  it('when it has a critical header that is not understood (RFC 7515 §4.1.11)', async () => {
    issuer.publish('/jwks', jwkOf(ecPair, { kid: 'k', alg: 'ES256' }))
    for (const crit of [['x'], ['b64'], [], 'exp'])
      expect(await reasonOf(guard, await forged({ alg: 'ES256', kid: 'k', crit, b64: false, x: 1 }, signedBy(ecPair, 'ES256')))).toMatch(
        /^token_(signature_wrong|malformed)$/,
      )
  })

  it('when two published keys have its key id', async () => {
    issuer.publish('/jwks', jwkOf(ecPair, { kid: 'k', alg: 'ES256' }))
    issuer.publish('/jwks', jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }), { kid: 'k', alg: 'ES256' }))
    expect(await reasonOf(guard, await forged({ alg: 'ES256', kid: 'k' }, signedBy(ecPair, 'ES256')))).not.toBe('let through')
  })
})

it('believes the other keys of a set in which some are of no use', async () => {
  issuer.publish('/jwks', jwkOf(shortPair, { kid: 'short', alg: 'RS256' }))
  issuer.publish('/jwks', { kty: 'AKP', kid: 'future', alg: 'ML-DSA-65' })
  expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
})
