/**
 * Signing keys of an issuer: one set per purpose, each key in one of four states.
 *
 * `next` is published so that verifiers know it before it signs; `active` signs; `retired` no longer signs but is published until
 * the last token that it signed has expired; `compromised` leaves the JWKS at once and nothing that it signed is believed.
 */
import { createECDH, createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { assert } from '@drawbridge/core/assert'
import { sha256Base64url } from './hash.js'
import type { SigningKey, VerificationKey } from './jwt.js'
import type { Random } from './random.js'

export const keyPurposes = ['tokens', 'notices', 'saml'] as const
export type KeyPurpose = (typeof keyPurposes)[number]

export const keyStates = ['next', 'active', 'retired', 'compromised'] as const
export type KeyState = (typeof keyStates)[number]

/** SAML's XML signatures are RSA because that is what corporate IdPs accept; everything of ours is ES256. */
export type KeyAlgorithm = 'ES256' | 'RS256'

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
export const generateSigningKey = (random: Random, purpose: 'tokens' | 'notices'): GeneratedKey<'tokens' | 'notices'> =>
  describeKey(ecKeyFrom(random), purpose, 'ES256')

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

/** @spec RFC 7638 §3 JWK thumbprint */
export function thumbprint(jwk: JsonWebKey): string {
  const members = jwk.kty === 'EC' ? { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y } : { e: jwk.e, kty: jwk.kty, n: jwk.n }
  return sha256Base64url(JSON.stringify(members))
}

export const toPrivateKey = (pkcs8: Buffer): KeyObject => createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })

/** Opens a key for signing; call it once per key and keep the result, parsing costs more than signing. */
export function toSigningKey(id: string, pkcs8: Buffer): SigningKey {
  const privateKey = toPrivateKey(pkcs8)
  assert(privateKey.asymmetricKeyType === 'ec', 'JWTs of ours are signed with EC keys')
  return { kid: id, algorithm: 'ES256', privateKey }
}

export const toVerificationKey = (jwk: PublicJwk): VerificationKey => ({
  kid: jwk.kid,
  algorithm: 'ES256',
  publicKey: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }),
})

/** What the JWKS shows: every key that a verifier may have to believe, now or soon. @spec RFC 7517 §5 */
export function toJwks(keys: readonly { readonly state: KeyState; readonly publicJwk: PublicJwk }[]): {
  readonly keys: readonly PublicJwk[]
} {
  return { keys: keys.filter((key) => isPublished(key.state)).map((key) => key.publicJwk) }
}

export const isPublished = (state: KeyState): boolean => state !== 'compromised'
