/** Hashes of credentials. Plain SHA-256 is enough, and right, because every credential we hash holds 256 random bits. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Secret } from '@drawbridge/core/secret'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'

/** What a store keeps of a credential. Never use it for anything that a person chose: guessing would be cheap. */
export function hashCredential(credential: Secret | string): CredentialHash {
  const text = credential instanceof Secret ? credential.reveal() : credential
  return createHash('sha256').update(text, 'utf8').digest() as CredentialHash
}

/** Compares in constant time; hashes of different length are simply different. */
export const sameHash = (a: Uint8Array, b: Uint8Array): boolean => a.byteLength === b.byteLength && timingSafeEqual(a, b)

export const sha256Base64url = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('base64url')
