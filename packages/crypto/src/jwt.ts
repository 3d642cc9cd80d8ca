/**
 * Signed JWTs of our own. Made and checked synchronously: `node:crypto` with cached key objects costs a few dozen microseconds, less than a turn of
 * the event loop. Only signing with RSA costs more.
 *
 * Only the compact form, and only the algorithm that the key was made for. Foreign tokens are the business of upstream, which uses `jose`.
 *
 * @spec RFC 7515 compact serialization
 * @spec RFC 7518 §3.3 RS256, §3.4 ES256, §3.5 PS256
 * @spec RFC 8037 §3.1 EdDSA
 */
import type { KeyObject } from 'node:crypto'
import { type Instant, toSeconds } from '@drawbridge/core/instant'
import type { TokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import { err, ok, type Result } from '@drawbridge/core/result'
import { signAside, signWith, verifyWith } from './foreign-algorithms.js'

export type SigningKey = { readonly kid: string; readonly algorithm: TokenAlgorithm; readonly privateKey: KeyObject }
export type VerificationKey = { readonly kid: string; readonly algorithm: TokenAlgorithm; readonly publicKey: KeyObject }

export type JwtClaims = Readonly<Record<string, unknown>>
export type JwtRefusal =
  | 'malformed'
  | 'unknown_key'
  | 'wrong_algorithm'
  | 'bad_signature'
  | 'wrong_type'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'expired'
  | 'not_yet_valid'

export type ExpectedJwt = {
  readonly typ: string
  readonly issuer: string
  /** `undefined`: the caller judges `aud` itself, as introspection does. */
  readonly audience: string | undefined
  readonly now: Instant
  readonly skewSeconds: number
}

/** Longer is refused before anything is decoded. */
export const jwtMaxLength = 16_384

const headers = new WeakMap<SigningKey, Map<string, string>>()

function encodedHeader(key: SigningKey, typ: string): string {
  let byType = headers.get(key)
  if (!byType) headers.set(key, (byType = new Map()))
  let encoded = byType.get(typ)
  if (!encoded) byType.set(typ, (encoded = toBase64url({ alg: key.algorithm, typ, kid: key.kid })))
  return encoded
}

const toBase64url = (value: unknown): string => Buffer.from(JSON.stringify(value), 'utf8').toString('base64url')

type OwnHeader = { readonly typ: string }
const signingInput = (key: SigningKey, { typ }: OwnHeader, claims: JwtClaims): string => `${encodedHeader(key, typ)}.${toBase64url(claims)}`

export function signJwt(key: SigningKey, header: OwnHeader, claims: JwtClaims): string {
  const input = signingInput(key, header, claims)
  return `${input}.${signWith(key.algorithm, key.privateKey, Buffer.from(input, 'ascii')).toString('base64url')}`
}

/** As `signJwt`, and no other request waits while an RSA key signs. For the hot path. */
export async function signJwtAside(key: SigningKey, header: OwnHeader, claims: JwtClaims): Promise<string> {
  const input = signingInput(key, header, claims)
  return `${input}.${(await signAside(key.algorithm, key.privateKey, Buffer.from(input, 'ascii'))).toString('base64url')}`
}

/**
 * Says what a token of ours claims, if one of `keys` signed it and it is of the expected kind, now.
 *
 * The algorithm comes from the key, never from the token, and the key is found by `kid` among the issuer's own: a token cannot choose how it is
 * checked, and a key that it carries or points to (`jwk`, `jku`, `x5c`, `x5u`) is not looked at.
 *
 * @spec RFC 8725 §3.1 algorithm verification, §3.11 explicit typing
 */
export function verifyJwt(token: string, keys: readonly VerificationKey[], expected: ExpectedJwt): Result<JwtClaims, JwtRefusal> {
  const opened = openSigned(token, keys)
  return opened.ok ? checkSigned(opened.value, expected) : opened
}

/** What a key has signed, with nothing judged but that it has. */
export type SignedJwt = { readonly key: VerificationKey; readonly type: unknown; readonly claims: JwtClaims }

/** The part of `verifyJwt` whose verdict depends on the token and the key alone. */
export function openSigned(token: string, keys: readonly VerificationKey[]): Result<SignedJwt, JwtRefusal> {
  if (token.length > jwtMaxLength) return err('malformed')
  const parts = token.split('.')
  if (parts.length !== 3 || !parts.every((part) => base64url.test(part))) return err('malformed')
  const [headerPart, claimsPart, signaturePart] = parts as [string, string, string]
  const header = parseObject(headerPart)
  if (!header || 'crit' in header) return err('malformed')
  const key = keys.find((candidate) => candidate.kid === header['kid'])
  if (!key) return err('unknown_key')
  if (header['alg'] !== key.algorithm) return err('wrong_algorithm')
  const signature = Buffer.from(signaturePart, 'base64url')
  const signed = Buffer.from(`${headerPart}.${claimsPart}`, 'ascii')
  if (!verifyWith(key.algorithm, key.publicKey, signed, signature)) return err('bad_signature')
  const claims = parseObject(claimsPart)
  return claims ? ok({ key, type: header['typ'], claims }) : err('malformed')
}

/** The part of `verifyJwt` that is judged at every presentation. */
export function checkSigned({ type, claims }: SignedJwt, expected: ExpectedJwt): Result<JwtClaims, JwtRefusal> {
  return normalType(type) === normalType(expected.typ) ? checkClaims(claims, expected) : err('wrong_type')
}

function checkClaims(claims: JwtClaims, expected: ExpectedJwt): Result<JwtClaims, JwtRefusal> {
  if (claims['iss'] !== expected.issuer) return err('wrong_issuer')
  if (expected.audience !== undefined && !audiences(claims['aud']).includes(expected.audience)) return err('wrong_audience')
  const now = toSeconds(expected.now)
  const { exp, nbf } = claims
  if (exp !== undefined && typeof exp !== 'number') return err('malformed')
  // Equal means expired: RFC 7519 §4.1.4 says "on or after".
  if (typeof exp === 'number' && now >= exp + expected.skewSeconds) return err('expired')
  if (typeof nbf === 'number' && now < nbf - expected.skewSeconds) return err('not_yet_valid')
  return ok(claims)
}

const base64url = /^[A-Za-z0-9_-]+$/
const audiences = (aud: unknown): readonly unknown[] => (Array.isArray(aud) ? aud : [aud])
/** `typ` compares without case and without the `application/` that senders may leave out: RFC 7515 §4.1.9. */
const normalType = (typ: unknown): string => (typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : '')

function parseObject(part: string): JwtClaims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JwtClaims) : undefined
  } catch {
    return undefined
  }
}
