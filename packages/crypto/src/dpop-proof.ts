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
import { isWithinKeyLimits, type Jwk } from '@drawbridge/core/oauth/json-web-key'
import { err, ok, type Result } from '@drawbridge/core/result'
import { base64url, parseObject } from './compact-jws.js'
import { fitsAlgorithm, verifyWith } from './foreign-algorithms.js'
import { thumbprint } from './signing-keys.js'

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

/** Its size is judged on the text, before any arithmetic is done for it. */
function publicKeyOf(jwk: unknown, algorithm: DpopAlgorithm): KeyObject | undefined {
  if (typeof jwk !== 'object' || jwk === null || secretMembers.some((name) => Object.hasOwn(jwk, name))) return undefined
  if (!isWithinKeyLimits(jwk as Jwk)) return undefined
  const { kty, crv, x, y, n, e } = jwk as JsonWebKey
  const members = Object.fromEntries(Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined))
  try {
    const key = createPublicKey({ key: members, format: 'jwk' })
    return fitsAlgorithm(key, algorithm) ? key : undefined
  } catch {
    return undefined
  }
}
