/** Hashes of credentials. Plain SHA-256 is enough, and right, because every credential we hash holds 256 random bits. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { TokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import { Secret } from '@drawbridge/core/secret'
import type { CredentialHash, TenantSlug } from '@drawbridge/core/tenant/ids'

/** What a store keeps of a credential. Never use it for anything that a person chose: guessing would be cheap. */
export function hashCredential(credential: Secret | string): CredentialHash {
  const text = credential instanceof Secret ? credential.reveal() : credential
  return createHash('sha256').update(text, 'utf8').digest() as CredentialHash
}

/**
 * Under what a tenant keeps a credential that was given at the front issuer before it was known whose it is: another hash than there, and than at every other
 * tenant, which whoever knows the first can make.
 */
export const hashAtTenant = (hash: CredentialHash, tenant: TenantSlug): CredentialHash =>
  hashCredential(`${tenant} ${Buffer.from(hash).toString('base64url')}`)

/** Compares in constant time; hashes of different length are simply different. */
export const sameHash = (a: Uint8Array, b: Uint8Array): boolean => a.byteLength === b.byteLength && timingSafeEqual(a, b)

export const sha256Base64url = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('base64url')

/**
 * What an ID token says of what was issued with it (`at_hash`, `c_hash`): the left half of the hash that the ID token's own algorithm uses.
 * For Ed25519 that is SHA-512, which it uses inside (RFC 8032 §5.1).
 *
 * @spec OpenID Connect Core §3.1.3.6, §3.3.2.11
 */
export function leftHalfHash(algorithm: TokenAlgorithm, issued: string): string {
  const hash = createHash(algorithm === 'EdDSA' ? 'sha512' : 'sha256')
    .update(issued, 'ascii')
    .digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}
