/**
 * Signed JWTs of strangers: an IdP's ID tokens, and whatever else it signs with the same keys.
 *
 * Reading and verifying are two steps, because the keys may have to be fetched between them. A token never says how it is checked: the
 * keys come from the caller, the algorithm must be on the caller's list and fit the key, and whatever in the header points to other keys
 * (`jku`, `x5u`, `x5c`) is not looked at. An embedded key (`jwk`) is refused outright: no honest IdP sends one.
 *
 * @spec RFC 7515 §4.1, RFC 8725 §3.1 to §3.5
 */
import type { KeyObject } from 'node:crypto'
import { err, ok, type Result } from '@drawbridge/core/result'
import { base64url, parseObject } from './compact-jws.js'
import { type ForeignAlgorithm, fitsAlgorithm, isForeignAlgorithm, signWith, verifyWith } from './foreign-algorithms.js'

export const foreignJwtLimits = {
  /** An ID token with 200 groups has about 12,000 characters. */
  length: 65_536,
  /** Tried for a token that names no key. */
  keys: 16,
} as const

export type ForeignKey = {
  readonly kid: string | undefined
  /** The one algorithm that the JWKS allows for it, if it names one. */
  readonly algorithm: string | undefined
  readonly publicKey: KeyObject
  /** Entra says in each key of a shared JWKS whose tokens it may sign. */
  readonly issuer: string | undefined
}

export type ForeignJwtRefusal =
  | 'malformed'
  | 'encrypted'
  | 'algorithm'
  | 'critical_header'
  | 'embedded_key'
  | 'unknown_key'
  | 'bad_signature'

export type ReadJwt = {
  readonly algorithm: ForeignAlgorithm
  readonly kid: string | undefined
  /** Lower case and without `application/`; undefined: none was said. */
  readonly typ: string | undefined
  /** Not to be believed before `verifyForeignJwt` has said yes. */
  readonly claims: ReadonlyMap<string, unknown>
  readonly signed: Buffer
  readonly signature: Buffer
}

/** Header and claims as they stand, if the header asks for nothing that we refuse. No key is needed yet. */
export function readForeignJwt(token: string, allowed: readonly ForeignAlgorithm[]): Result<ReadJwt, ForeignJwtRefusal> {
  if (token.length > foreignJwtLimits.length) return err('malformed')
  const parts = token.split('.')
  if (parts.length === 5) return err('encrypted')
  const [headerPart = '', claimsPart = '', signaturePart = ''] = parts
  const header = parseObject(headerPart)
  if (parts.length !== 3 || header === undefined) return err('malformed')
  const { alg, kid, typ } = header
  if (!isForeignAlgorithm(alg) || !allowed.includes(alg)) return err('algorithm')
  if ('crit' in header || 'b64' in header) return err('critical_header')
  if ('jwk' in header) return err('embedded_key')
  const claims = parseObject(claimsPart)
  if (claims === undefined || !base64url.test(signaturePart)) return err('malformed')
  if ((kid !== undefined && typeof kid !== 'string') || (typ !== undefined && typeof typ !== 'string')) return err('malformed')
  return ok({
    algorithm: alg,
    kid,
    typ: typ?.toLowerCase().replace(/^application\//, ''),
    claims: new Map(Object.entries(claims)),
    signed: Buffer.from(`${headerPart}.${claimsPart}`, 'ascii'),
    signature: Buffer.from(signaturePart, 'base64url'),
  })
}

/** The key that signed it. `unknown_key` and `bad_signature` may both mean that the issuer has new keys. */
export function verifyForeignJwt(jwt: ReadJwt, keys: readonly ForeignKey[]): Result<ForeignKey, 'unknown_key' | 'bad_signature'> {
  const named = jwt.kid === undefined ? keys : keys.filter((key) => key.kid === jwt.kid)
  const fitting = named
    .filter(({ publicKey, algorithm }) => fitsAlgorithm(publicKey, jwt.algorithm) && isSameAlgorithm(algorithm, jwt.algorithm))
    .slice(0, foreignJwtLimits.keys)
  if (fitting.length === 0) return err('unknown_key')
  const signer = fitting.find(({ publicKey }) => verifyWith(jwt.algorithm, publicKey, jwt.signed, jwt.signature))
  return signer === undefined ? err('bad_signature') : ok(signer)
}

/** Both names of Ed25519 are one algorithm. RFC 9864 §2.2 */
const isSameAlgorithm = (ofKey: string | undefined, ofToken: ForeignAlgorithm): boolean => {
  const plain = (name: string) => (name === 'Ed25519' ? 'EdDSA' : name)
  return ofKey === undefined || plain(ofKey) === plain(ofToken)
}

/** One signed JWT for a stranger. `header` may hold what this one wants beside `alg`. */
export function signForeignJwt(
  key: { readonly algorithm: ForeignAlgorithm; readonly privateKey: KeyObject },
  header: Readonly<Record<string, string>>,
  claims: Readonly<Record<string, unknown>>,
): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value), 'utf8').toString('base64url')
  const input = `${encode({ alg: key.algorithm, ...header })}.${encode(claims)}`
  return `${input}.${signWith(key.algorithm, key.privateKey, Buffer.from(input, 'ascii')).toString('base64url')}`
}
