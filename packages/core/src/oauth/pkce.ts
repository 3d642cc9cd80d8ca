/** Proof key for code exchange, method S256 only: `plain` protects nothing once the request has been seen. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { err, ok, type Result } from '../result.js'
import type { OAuthError } from './error.js'

const challengeSyntax = /^[A-Za-z0-9_-]{43}$/
const verifierSyntax = /^[A-Za-z0-9._~-]{43,128}$/

/**
 * An absent method means `plain` (RFC 7636 §4.3) and is therefore refused, not taken for S256.
 *
 * @spec RFC 7636 §4.3 challenge and method
 * @spec RFC 9700 §2.1.1 PKCE with S256
 */
export function parseChallenge(
  challenge: string | undefined,
  method: string | undefined,
): Result<string, OAuthError<'pkce_missing' | 'pkce_method_unsupported'>> {
  if (challenge === undefined || challenge === '') return err({ reason: 'pkce_missing' })
  if (method !== 'S256' || !challengeSyntax.test(challenge)) return err({ reason: 'pkce_method_unsupported' })
  return ok(challenge)
}

/** @spec RFC 7636 §4.6 verification; a verifier outside the syntax of §4.1 never matches */
export function matchesChallenge(verifier: string, challenge: string): boolean {
  if (!verifierSyntax.test(verifier) || !challengeSyntax.test(challenge)) return false
  const computed = digestOf(verifier)
  const expected = Buffer.from(challenge, 'base64url')
  return computed.length === expected.length && timingSafeEqual(computed, expected)
}

/** @spec RFC 7636 §4.2 method S256 */
export const challengeOf = (verifier: string): string => digestOf(verifier).toString('base64url')

const digestOf = (verifier: string): Buffer => createHash('sha256').update(verifier, 'ascii').digest()
