/**
 * Verifies DPoP proofs: signed by the very key that they carry, which is why that key is held to more than any other.
 *
 * What costs least comes first: shape, then what the proof says, then the size of its key, and its signature last. A key is made of the public
 * members that its kind has, and of nothing else that stood beside them; a private one is refused, because whoever reads the request has it too.
 *
 * @spec RFC 9449 §4.2, §4.3
 * @spec RFC 8725 §3.1, §3.2, §3.11
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import {
  type DpopAlgorithm,
  type DpopRefusal,
  dpopAlgorithms,
  dpopLimits,
  dpopProofType,
  type ExpectedOfProof,
  judgeProof,
  type KeyThumbprint,
  type ProofClaims,
  type ProvenKey,
} from '@drawbridge/core/oauth/dpop-proof'
import { err, ok, type Result } from '@drawbridge/core/result'
import { base64url, parseObject } from './compact-jws.js'
import { fitsAlgorithm, rsaMinBits, verifyWith } from './foreign-algorithms.js'
import { thumbprint } from './signing-keys.js'

/** Larger keys make each verification dearer, for us alone. */
export const dpopRsaMaxBits = 4096
/** 65537 has three octets; with an exponent as long as the modulus one verification costs as much as a signature. */
const rsaExponentMaxOctets = 4

/** Read and judged by all that it says; nobody has shown yet that it is signed. */
export type ReadProof = ProofClaims & { readonly verify: () => Result<ProvenKey, DpopRefusal> }

/** Reads one proof. `verify` looks at the key and the signature: call it when nothing cheaper is left to refuse for. */
export function readDpopProof(proof: string, expected: ExpectedOfProof): Result<ReadProof, DpopRefusal> {
  if (proof.length > dpopLimits.proofLength) return err('dpop_proof_malformed')
  const [headerPart = '', claimsPart = '', signaturePart = '', ...rest] = proof.split('.')
  const header = parseObject(headerPart)
  const claims = parseObject(claimsPart)
  if (header === undefined || claims === undefined || rest.length > 0 || !base64url.test(signaturePart)) return err('dpop_proof_malformed')
  const { typ, alg, jwk } = header
  if (typ !== dpopProofType || 'crit' in header || 'b64' in header) return err('dpop_proof_malformed')
  if (!isDpopAlgorithm(alg)) return err('dpop_proof_key_unusable')
  const judged = judgeProof(new Map(Object.entries(claims)), expected)
  if (!judged.ok) return judged
  const verify = (): Result<ProvenKey, DpopRefusal> => {
    const key = publicKeyOf(jwk, alg)
    if (key === undefined) return err('dpop_proof_key_unusable')
    const signed = Buffer.from(`${headerPart}.${claimsPart}`, 'ascii')
    if (!verifyWith(alg, key, signed, Buffer.from(signaturePart, 'base64url'))) return err('dpop_proof_signature_wrong')
    const { jti, rememberUntil } = judged.value
    return ok({ thumbprint: thumbprintOf(key), jti, rememberUntil } as ProvenKey)
  }
  return ok({ ...judged.value, verify })
}

const isDpopAlgorithm = (value: unknown): value is DpopAlgorithm => dpopAlgorithms.some((known) => known === value)

/** Of the key itself, whatever spelling of its numbers was sent. */
const thumbprintOf = (key: KeyObject): KeyThumbprint => thumbprint(key.export({ format: 'jwk' })) as KeyThumbprint

/** @spec RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2 */
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

function publicKeyOf(jwk: unknown, algorithm: DpopAlgorithm): KeyObject | undefined {
  if (typeof jwk !== 'object' || jwk === null || secretMembers.some((name) => Object.hasOwn(jwk, name))) return undefined
  const members = publicMembers(jwk as JsonWebKey)
  if (members === undefined) return undefined
  try {
    const key = createPublicKey({ key: members, format: 'jwk' })
    return fitsAlgorithm(key, algorithm) && !isTooLarge(key) ? key : undefined
  } catch {
    return undefined
  }
}

/** Sizes are judged on the text, before any arithmetic is done for it. */
function publicMembers({ kty, crv, x, y, n, e }: JsonWebKey): JsonWebKey | undefined {
  if (kty === 'EC' && crv === 'P-256') return isOctets(x, 32) && isOctets(y, 32) ? { kty, crv, x: x as string, y: y as string } : undefined
  if (kty === 'OKP' && crv === 'Ed25519') return isOctets(x, 32) ? { kty, crv, x: x as string } : undefined
  if (kty !== 'RSA' || !isOctets(n, dpopRsaMaxBits / 8, rsaMinBits / 8) || !isOctets(e, rsaExponentMaxOctets, 1)) return undefined
  return { kty, n: n as string, e: e as string }
}

function isOctets(text: unknown, most: number, least = most): boolean {
  if (typeof text !== 'string' || !base64url.test(text)) return false
  const octets = Math.floor((text.length * 3) / 4)
  return octets >= least && octets <= most
}

const isTooLarge = ({ asymmetricKeyDetails }: KeyObject): boolean => (asymmetricKeyDetails?.modulusLength ?? 0) > dpopRsaMaxBits
