/** The cryptography of one signature: is SignedInfo signed by one of these keys, and is its digest that of the element? */
import { createHash, type KeyObject, timingSafeEqual, verify } from 'node:crypto'
import { kindOf, type SignatureMethod } from './algorithms.js'
import { canonicalize } from './canonicalize.js'
import type { PlacedSignature } from './find-signatures.js'
import type { SignatureFacts } from './read-signature.js'

/**
 * The canonical octets of the signed element, as the UTF-8 text that they are, or undefined.
 *
 * The signature comes first: what no key vouches for is not worth canonicalising a quarter of a megabyte.
 */
export function verifySignature(
  { path, signature }: PlacedSignature,
  facts: SignatureFacts,
  keys: readonly KeyObject[],
): string | undefined {
  const signedInfo = Buffer.from(canonicalize([...path, signature, facts.signedInfo], facts.canonicalization), 'utf8')
  if (!keys.some((key) => isSignedBy(key, facts.method, signedInfo, facts.value))) return undefined
  const canonical = canonicalize(path, facts.reference.canonicalization, signature)
  const digest = createHash(facts.reference.hash).update(canonical, 'utf8').digest()
  const { digest: claimed } = facts.reference
  return digest.length === claimed.length && timingSafeEqual(digest, claimed) ? canonical : undefined
}

/** A key is tried only for the family that it belongs to. ECDSA values are r and s side by side (RFC 9231 §2.3.6), not DER. */
function isSignedBy(key: KeyObject, method: SignatureMethod, signed: Buffer, value: Buffer): boolean {
  if (kindOf(key) !== method.keyKind) return false
  try {
    return verify(method.hash, signed, { key, dsaEncoding: 'ieee-p1363' }, value)
  } catch {
    // OpenSSL throws on values that cannot be a signature of this key, such as one that is too long.
    return false
  }
}
