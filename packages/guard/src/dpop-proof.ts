/**
 * The DPoP proof of a request: that whoever sends it holds the key that its access token is bound to.
 *
 * `readProof` looks at what the proof says, which costs nothing; `verifyProof` at its signature, once the token is known to be good. Whether it was
 * seen before is asked last, of `proof-memory`.
 *
 * @spec RFC 9449 §4.2, §4.3, §7.1
 */
import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, compactVerify, decodeJwt, decodeProtectedHeader, importJWK, type JWK } from 'jose'
import { err, type GuardRefusal, ok, type Result } from './refusal.js'
import { isOfAlgorithm } from './usable-keys.js'

/** Both names of Ed25519 are one algorithm: RFC 9864 §2.2. */
export const proofAlgorithms = ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256']

/** How long ago a proof may have been made, by its sender's clock, and how far ahead that clock may be. */
export const proofOldestSeconds = 120
export const proofAheadSeconds = 30
/** Longer than an honest one with an RSA key of 4096 bits and a token's hash. */
export const maxProofCharacters = 4096
export const maxProofIdCharacters = 256

export type ReadProof = {
  readonly proof: string
  readonly algorithm: string
  /** The public members alone. */
  readonly jwk: JWK
  readonly id: string
  /** By the clock of whoever made it. */
  readonly issuedAtSeconds: number
}

export type ExpectedOfProof = {
  readonly method: string
  /** As the world addresses this request, by configuration: never what a Host header says. */
  readonly url: string | undefined
  /** The token that came with it, as text. */
  readonly token: string
  readonly nowSeconds: number
}

const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const isText = (value: unknown, most: number): value is string => typeof value === 'string' && value !== '' && value.length <= most

/** Two headers arrive as one with a comma in it, which is no proof. */
export function readProof(proof: string, expected: ExpectedOfProof): Result<ReadProof, GuardRefusal> {
  const parts = proof.length <= maxProofCharacters && compact.test(proof) ? decode(proof) : undefined
  if (parts === undefined) return err('proof_malformed')
  const { header, claims } = parts
  if (header['typ'] !== 'dpop+jwt' || 'crit' in header || 'b64' in header) return err('proof_malformed')
  const key = readKey(header)
  if (key === undefined) return err('proof_key_unusable')
  const { jti, htm, htu, iat, ath } = claims
  if (!isText(jti, maxProofIdCharacters) || !isText(htm, maxProofCharacters) || !isText(htu, maxProofCharacters))
    return err('proof_malformed')
  if (typeof iat !== 'number' || !Number.isFinite(iat) || !isText(ath, maxProofCharacters)) return err('proof_malformed')
  const target = targetOf(htu)
  if (htm !== expected.method || target === undefined || expected.url === undefined || target !== targetOf(expected.url))
    return err('proof_of_other_request')
  const age = expected.nowSeconds - iat
  if (age >= proofOldestSeconds || age < -proofAheadSeconds) return err('proof_not_of_now')
  if (ath !== hashOf(expected.token)) return err('proof_of_other_token')
  return ok({ proof, ...key, id: jti, issuedAtSeconds: iat })
}

type Members = Readonly<Record<string, unknown>>

function decode(proof: string): { readonly header: Members; readonly claims: Members } | undefined {
  try {
    return { header: decodeProtectedHeader(proof) as Members, claims: decodeJwt(proof) }
  } catch {
    return undefined
  }
}

/** @spec RFC 9449 §4.3 checks 5, 6 and 7; RFC 7518 §6.3.2 */
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

function readKey({ alg, jwk }: Members): { readonly algorithm: string; readonly jwk: JWK } | undefined {
  if (typeof alg !== 'string' || !proofAlgorithms.includes(alg)) return undefined
  if (typeof jwk !== 'object' || jwk === null || secretMembers.some((name) => Object.hasOwn(jwk, name))) return undefined
  if (!isOfAlgorithm(jwk as Members, alg)) return undefined
  const { kty, crv, x, y, n, e } = jwk as Record<string, string>
  const members = Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => typeof value === 'string')
  return { algorithm: alg, jwk: Object.fromEntries(members) as JWK }
}

/**
 * Says whether this proof is signed by the key that the token is bound to.
 *
 * @spec RFC 9449 §4.3 check 7, §7.1 check 12
 */
export async function verifyProof({ proof, algorithm, jwk }: ReadProof, thumbprint: string): Promise<Result<undefined, GuardRefusal>> {
  try {
    if ((await calculateJwkThumbprint(jwk)) !== thumbprint) return err('token_of_other_key')
    await compactVerify(proof, await importJWK(jwk, algorithm), { algorithms: [algorithm] })
    return ok(undefined)
  } catch {
    return err('proof_signature_wrong')
  }
}

/** `ath`. @spec RFC 9449 §4.2 */
const hashOf = (token: string): string => createHash('sha256').update(token, 'ascii').digest('base64url')

/** No userinfo, no backslash, no control: nothing that a URL parser would mend. */
const webAddress = /^https?:\/\/[A-Za-z0-9.:_[\]-]+(?:[/?#][\x21-\x5b\x5d-\x7e]*)?$/i

/** The same text for all spellings of an address that RFC 3986 §6.2 calls equivalent, without query and fragment. */
export function targetOf(url: string): string | undefined {
  if (!webAddress.test(url) || !URL.canParse(url)) return undefined
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}
