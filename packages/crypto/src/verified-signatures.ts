/**
 * JWTs of our own whose signatures have held, remembered by hash: an ECDSA verification costs 80 us, which is the dearest part of an
 * introspection, and a resource server asks about the same token again and again.
 *
 * What is remembered is that this key signed these octets, which stays true; everything that may change is judged at every call: whether
 * the key is still one of `keys`, so a condemned key counts at once, and type, issuer, audience and times. Whether a token is alive is
 * nothing that this knows. A refused signature is not remembered, so whoever guesses fills nothing; and tokens are kept as hashes only.
 */
import { createHash } from 'node:crypto'
import { err, ok, type Result } from '@drawbridge/core/result'
import {
  checkSigned,
  type ExpectedJwt,
  type JwtClaims,
  type JwtRefusal,
  jwtMaxLength,
  openSigned,
  type SignedJwt,
  type VerificationKey,
} from './jwt.js'

/** Some 2 KB each with their claims, so 8 MB at most. */
export const verifiedSignatureLimits = { mostTokens: 4096 } as const

export type VerifiedSignatures = {
  /** As `verifyJwt`, without verifying the same signature twice. */
  verify(token: string, keys: readonly VerificationKey[], expected: ExpectedJwt): Result<JwtClaims, JwtRefusal>
}

export function createVerifiedSignatures(mostTokens: number = verifiedSignatureLimits.mostTokens): VerifiedSignatures {
  const kept = new Map<string, SignedJwt>() // the longest unused first
  const open = (token: string, keys: readonly VerificationKey[]): Result<SignedJwt, JwtRefusal> => {
    const hash = createHash('sha256').update(token, 'utf8').digest('base64')
    const known = kept.get(hash)
    kept.delete(hash)
    const opened = known && keys.some((key) => isSameKey(key, known.key)) ? ok(known) : openSigned(token, keys)
    if (!opened.ok) return opened
    kept.set(hash, opened.value)
    if (kept.size > mostTokens) kept.delete(kept.keys().next().value as string)
    return opened
  }
  return {
    verify: (token, keys, expected) => {
      if (token.length > jwtMaxLength) return err('malformed')
      const opened = open(token, keys)
      return opened.ok ? checkSigned(opened.value, expected) : opened
    },
  }
}

/** A tenant that is loaded anew has other objects for the same keys. */
const isSameKey = (one: VerificationKey, other: VerificationKey): boolean =>
  one === other || (one.kid === other.kid && one.algorithm === other.algorithm && one.publicKey.equals(other.publicKey))
