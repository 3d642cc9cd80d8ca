/**
 * Signing keys of an issuer: one set per purpose, each key in one of four states.
 *
 * `next` is published so that verifiers know it before it signs; `active` signs; `retired` no longer signs but is published until
 * the last token that it signed has expired; `compromised` leaves the JWKS at once and nothing that it signed is believed.
 */
import { createECDH, createPrivateKey, createPublicKey, generateKeyPair, type JsonWebKey, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { assert } from '@drawbridge/core/assert'
import { isTokenAlgorithm, type TokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import { fitsAlgorithm } from './foreign-algorithms.js'
import { sha256Base64url } from './hash.js'
import type { SigningKey, VerificationKey } from './jwt.js'
import type { Random } from './random.js'

export const keyPurposes = ['tokens', 'notices', 'saml', 'id_jag'] as const
export type KeyPurpose = (typeof keyPurposes)[number]
/** What signs JWTs. */
export type JwtPurpose = Exclude<KeyPurpose, 'saml'>

export const keyStates = ['next', 'active', 'retired', 'compromised'] as const
export type KeyState = (typeof keyStates)[number]

/** What a key is kept to. SAML's XML signatures are RSA because that is what corporate IdPs accept; such a key is `RS256` here. */
export type KeyAlgorithm = TokenAlgorithm

export type PublicJwk = Readonly<JsonWebKey> & { readonly kid: string; readonly alg: KeyAlgorithm; readonly use: 'sig' }

export type GeneratedKey<Purpose extends KeyPurpose = KeyPurpose> = {
  readonly id: string
  readonly purpose: Purpose
  readonly algorithm: KeyAlgorithm
  readonly publicJwk: PublicJwk
  /** PKCS #8 DER: seal it, then forget it. */
  readonly privateKey: Buffer
}

/**
 * Makes a key pair for JWTs of ours: 256 bits of `random`. The id is the key's thumbprint. Keys for SAML are made in `saml-key`.
 *
 * @spec RFC 7638
 */
export const generateSigningKey = (random: Random, purpose: JwtPurpose): GeneratedKey<JwtPurpose> =>
  describeKey(ecKeyFrom(random), purpose, 'ES256')

/** Of RSA keys that sign tokens: good beyond 2030 by NIST SP 800-57 part 1, table 4. What is verified may have 2048 (RFC 7518 §3.3). */
export const tokenModulusBits = 3072

/** Makes a key pair for one of the algorithms that a tenant may choose. An RSA pair takes a moment, in another thread, and its randomness is OpenSSL's own. */
export async function generateTokenKey(random: Random, purpose: JwtPurpose, algorithm: TokenAlgorithm): Promise<GeneratedKey<JwtPurpose>> {
  if (algorithm === 'ES256') return generateSigningKey(random, purpose)
  if (algorithm === 'EdDSA') return describeKey(toPrivateKey(Buffer.concat([ed25519Pkcs8, random.bytes(32)])), purpose, algorithm)
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: tokenModulusBits })
  return describeKey(privateKey, purpose, algorithm)
}

/** What stands before the 32 octets of a private key. RFC 8410 §7 */
const ed25519Pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')

export function describeKey<Purpose extends KeyPurpose>(
  privateKey: KeyObject,
  purpose: Purpose,
  algorithm: KeyAlgorithm,
): GeneratedKey<Purpose> {
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' })
  const id = thumbprint(jwk)
  return {
    id,
    purpose,
    algorithm,
    publicJwk: { ...jwk, kid: id, alg: algorithm, use: 'sig' },
    privateKey: privateKey.export({ format: 'der', type: 'pkcs8' }),
  }
}

/** OpenSSL refuses a scalar outside the group's order (one draw in 2^32); draw again then. */
function ecKeyFrom(random: Random): KeyObject {
  const curve = createECDH('prime256v1')
  for (;;) {
    const scalar = random.bytes(32)
    try {
      curve.setPrivateKey(scalar)
    } catch {
      continue
    }
    const point = curve.getPublicKey()
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      d: scalar.toString('base64url'),
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
    }
    return createPrivateKey({ key: jwk, format: 'jwk' })
  }
}

/** @spec RFC 7638 §3 JWK thumbprint · RFC 8037 §2 of an octet key pair */
export const thumbprint = (jwk: JsonWebKey): string => sha256Base64url(JSON.stringify(thumbprintMembers(jwk)))

function thumbprintMembers({ kty, crv, x, y, e, n }: JsonWebKey): Readonly<Record<string, string | undefined>> {
  if (kty === 'EC') return { crv, kty, x, y }
  return kty === 'OKP' ? { crv, kty, x } : { e, kty, n }
}

export const toPrivateKey = (pkcs8: Buffer): KeyObject => createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })

/** Opens a key for signing; call it once per key and keep the result, parsing costs more than signing. */
export function toSigningKey({ id, algorithm }: { readonly id: string; readonly algorithm: string }, pkcs8: Buffer): SigningKey {
  const privateKey = toPrivateKey(pkcs8)
  assert(
    isTokenAlgorithm(algorithm) && fitsAlgorithm(privateKey, algorithm),
    'a key for JWTs of ours is of the kind that its algorithm takes',
  )
  return { kid: id, algorithm, privateKey }
}

export function toVerificationKey(jwk: PublicJwk): VerificationKey {
  const publicKey = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
  assert(isTokenAlgorithm(jwk.alg) && fitsAlgorithm(publicKey, jwk.alg), 'a published key is of the kind that its algorithm takes')
  return { kid: jwk.kid, algorithm: jwk.alg, publicKey }
}

/** What the JWKS shows: every key that a verifier may have to believe, now or soon. @spec RFC 7517 §5 */
export function toJwks(keys: readonly { readonly state: KeyState; readonly publicJwk: PublicJwk }[]): {
  readonly keys: readonly PublicJwk[]
} {
  return { keys: keys.filter((key) => isPublished(key.state)).map((key) => key.publicJwk) }
}

export const isPublished = (state: KeyState): boolean => state !== 'compromised'
