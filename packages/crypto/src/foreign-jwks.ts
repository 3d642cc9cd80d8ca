/** An issuer's published keys, read with suspicion: what is not a usable public signing key is left out, and the rest still counts. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { isWithinKeyLimits, type Jwk } from '@drawbridge/core/oauth/json-web-key'
import { err, ok, type Result } from '@drawbridge/core/result'
import { isRsaWithinLimits } from './foreign-algorithms.js'
import type { ForeignKey } from './foreign-jwt.js'

/** Entra's shared JWKS has about ten; nobody needs more than this many at once. */
export const foreignJwksMaxKeys = 100

const curves: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1']

/** @spec RFC 7517 §5 keys that are not understood are ignored */
export function readForeignJwks(document: unknown): Result<readonly ForeignKey[], 'jwks_malformed'> {
  const keys: unknown = typeof document === 'object' && document !== null && 'keys' in document ? document.keys : undefined
  if (!Array.isArray(keys) || keys.length > foreignJwksMaxKeys) return err('jwks_malformed')
  return ok(keys.flatMap((jwk) => readForeignKey(jwk) ?? []))
}

/** A symmetric or private key has no business in there: it is not read at all. RFC 7517 §4.2 and §4.3 say what a key is for. */
export function readForeignKey(jwk: unknown): ForeignKey | undefined {
  // Judged as text first: nothing that is too large is even made a key of.
  if (typeof jwk !== 'object' || jwk === null || !isWithinKeyLimits(jwk as Jwk)) return undefined
  const { kty, kid, alg, use, key_ops: operations, issuer, d } = jwk as Readonly<Record<string, unknown>>
  if (kty === 'oct' || d !== undefined || (use !== undefined && use !== 'sig')) return undefined
  if (Array.isArray(operations) && !operations.includes('verify')) return undefined
  const publicKey = toPublicKey(jwk as JsonWebKey)
  return publicKey && { kid: textOf(kid), algorithm: textOf(alg), publicKey, issuer: textOf(issuer) }
}

function toPublicKey(jwk: JsonWebKey): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    return isUsable(key) ? key : undefined
  } catch {
    return undefined
  }
}

function isUsable(key: KeyObject): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'rsa') return isRsaWithinLimits(key)
  return type === 'ed25519' || (type === 'ec' && curves.includes(details?.namedCurve ?? ''))
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
