/** The assertion by which a client with a key proves itself (private_key_jwt): what it must say, and which key must have signed it. */
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { fromSeconds, type Instant, toSeconds } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'

export const longestAssertion = 8192
const limits = { lifeSeconds: 600, skewSeconds: 30 } as const

/** An assertion that holds but for one thing: whether it was believed before, which the database knows. */
export type VerifiedAssertion = { readonly jti: string; readonly rememberUntil: Instant }

/** Read, and all right but for its signature. */
export type ReadAssertion = VerifiedAssertion & {
  readonly kid: unknown
  readonly algorithm: unknown
  readonly signed: Buffer
  readonly signature: Buffer
}

/**
 * Judges all that needs no key, so that nothing is fetched for an assertion that is worth nothing.
 *
 * @spec RFC 7523 §3 iss, sub, aud, exp, jti; aud is our issuer, RFC 7523bis §4
 */
export function readClientAssertion(
  client: Client,
  assertion: string,
  expected: { readonly audience: string; readonly now: Instant },
): Result<ReadAssertion, JsonRefusal> {
  const [head, body, signature, ...rest] = assertion.split('.')
  const header = readPart(head)
  const claims = readPart(body)
  if (!header || !claims || !signature || rest.length > 0 || 'crit' in header || !assertionTypes.includes(header['typ']))
    return badSignature
  const now = toSeconds(expected.now)
  const { iss, sub, aud, exp, nbf, jti } = claims
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (iss !== client.id || sub !== client.id) return invalid('client')
  if (audiences.length !== 1 || audiences[0] !== expected.audience) return invalid('audience')
  if (typeof exp !== 'number' || now >= exp + limits.skewSeconds || exp > now + limits.lifeSeconds) return invalid('time')
  if (nbf !== undefined && (typeof nbf !== 'number' || now < nbf - limits.skewSeconds)) return invalid('time')
  if (typeof jti !== 'string' || jti === '') return invalid('jti')
  return ok({
    jti,
    rememberUntil: fromSeconds(exp + limits.skewSeconds),
    kid: header['kid'],
    algorithm: header['alg'],
    signed: Buffer.from(`${head}.${body}`, 'ascii'),
    signature: Buffer.from(signature, 'base64url'),
  })
}

const invalid = (why: string) => err({ reason: 'client_assertion_invalid' as const, detail: { why } })
export const badSignature = invalid('signature')

/** Who the assertion says it is of; nothing is proven yet. */
export const subjectOfAssertion = (assertion: string): unknown => readPart(assertion.split('.')[1])?.['sub']

/** Another kind of message that the same key signed is no assertion; libraries of before RFC 7523bis send `JWT` or nothing. RFC 8725 §3.11 */
const assertionTypes: readonly unknown[] = ['client-authentication+jwt', 'JWT', undefined]

type Jwk = JsonWebKey & { readonly kid?: string; readonly use?: string }
const keysOf = (jwks: unknown): readonly Jwk[] => ((jwks as { keys?: unknown } | undefined)?.keys ?? []) as readonly Jwk[]

/** The algorithm is a property of the key: a token never chooses how it is checked. RFC 8725 §3.1 */
export const isSignedBy = ({ kid, algorithm, signed, signature }: ReadAssertion, jwks: unknown): boolean =>
  keysOf(jwks)
    .filter((key) => (kid === undefined || key.kid === kid) && key.use !== 'enc' && algorithmOf(key) === algorithm)
    .some((key) => verifies(key, signed, signature))

/** Whether these keys cannot be the last word: the one it names is not among them, or it names none. */
export const mayBeOfNewerKey = ({ kid }: ReadAssertion, jwks: unknown): boolean =>
  kid === undefined || keysOf(jwks).every((key) => key.kid !== kid)

const algorithmOf = (key: JsonWebKey): string | undefined =>
  key.kty === 'EC' && key.crv === 'P-256'
    ? 'ES256'
    : key.kty === 'RSA'
      ? 'RS256'
      : key.kty === 'OKP' && key.crv === 'Ed25519'
        ? 'EdDSA'
        : undefined

function verifies(jwk: JsonWebKey, signed: Buffer, signature: Buffer): boolean {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    if (jwk.kty === 'RSA' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) return false
    if (jwk.kty === 'OKP') return verify(null, signed, key, signature)
    return verify('sha256', signed, jwk.kty === 'EC' ? { key, dsaEncoding: 'ieee-p1363' } : key, signature)
  } catch {
    return false
  }
}

function readPart(part: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
