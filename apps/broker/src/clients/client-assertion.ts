/** The assertion by which a client with a key proves itself (private_key_jwt): what it must say, and which key must have signed it. */
import { fromSeconds, type Instant, toSeconds } from '@drawbridge/core/instant'
import { type Client, clientAssertionAlgorithms } from '@drawbridge/core/oauth/client'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import type { Jwk } from '@drawbridge/core/oauth/json-web-key'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ForeignAlgorithm } from '@drawbridge/crypto/foreign-algorithms'
import { readForeignKey } from '@drawbridge/crypto/foreign-jwks'
import { type ForeignKey, type ReadJwt, readForeignJwt, verifyForeignJwt } from '@drawbridge/crypto/foreign-jwt'

export const clientAssertionLimits = {
  length: 8192,
  lifeSeconds: 600,
  skewSeconds: 30,
  /** Keys of one set that are tried: one and its successor where a client names none, and as many again for whoever is careless. */
  candidates: 4,
} as const

/** An assertion that holds but for one thing: whether it was believed before, which the database knows. */
export type VerifiedAssertion = { readonly jti: string; readonly rememberUntil: Instant }

/** Read, and all right but for its signature. */
export type ReadAssertion = VerifiedAssertion & { readonly jwt: ReadJwt }

/** Another kind of message that the same key signed is no assertion; libraries of before RFC 7523bis send `JWT` or nothing. RFC 8725 §3.11 */
const assertionTypes: readonly unknown[] = ['client-authentication+jwt', 'jwt', undefined]

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
  const read = readForeignJwt(assertion, clientAssertionAlgorithms)
  if (!read.ok) return invalid(read.error)
  const jwt = read.value
  if (!assertionTypes.includes(jwt.typ)) return invalid('type')
  const now = toSeconds(expected.now)
  const [iss, sub, aud, exp, nbf, jti] = ['iss', 'sub', 'aud', 'exp', 'nbf', 'jti'].map((name) => jwt.claims.get(name))
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (iss !== client.id || sub !== client.id) return invalid('client')
  if (audiences.length !== 1 || audiences[0] !== expected.audience) return invalid('audience')
  const { lifeSeconds, skewSeconds } = clientAssertionLimits
  if (typeof exp !== 'number' || now >= exp + skewSeconds || exp > now + lifeSeconds) return invalid('time')
  if (nbf !== undefined && (typeof nbf !== 'number' || now < nbf - skewSeconds)) return invalid('time')
  if (typeof jti !== 'string' || jti === '') return invalid('jti')
  return ok({ jti, rememberUntil: fromSeconds(exp + skewSeconds), jwt })
}

const invalid = (why: string) => err({ reason: 'client_assertion_invalid' as const, detail: { why } })
export const badSignature = invalid('signature')
export const badKeyAddress = invalid('key_address')

/** Who the assertion says it is of; nothing is proven yet. */
export function subjectOfAssertion(assertion: string): unknown {
  const read = readForeignJwt(assertion, clientAssertionAlgorithms)
  return read.ok ? read.value.claims.get('sub') : undefined
}

const keysOf = (jwks: unknown): readonly Jwk[] => {
  const keys = typeof jwks === 'object' && jwks !== null && 'keys' in jwks ? jwks.keys : undefined
  return Array.isArray(keys) ? keys.filter((key): key is Jwk => typeof key === 'object' && key !== null) : []
}

/** Whether one of these keys signed it. */
export type SignatureJudge = (jwt: ReadJwt, jwks: unknown) => boolean

/**
 * A judge of one assertion, for one request: the same keys may come before it several times, of a client that is remembered, of the
 * database, of an address that is read once more, and each is asked once.
 */
export function createSignatureJudge(verifies: (jwt: ReadJwt, key: Jwk) => boolean = isSignedByKey): SignatureJudge {
  const verdicts = new Map<string, boolean>()
  return (jwt, jwks) =>
    candidatesOf(jwt, jwks).some((key) => {
      const text = JSON.stringify(['kty', 'crv', 'x', 'y', 'n', 'e'].map((name) => key[name] ?? null))
      const verdict = verdicts.get(text) ?? verifies(jwt, key)
      verdicts.set(text, verdict)
      return verdict
    })
}

/** Those that it can mean, few: none is looked into before. The algorithm is a property of the key: a token never chooses how it is checked. RFC 8725 §3.1 */
const candidatesOf = ({ kid, algorithm }: ReadJwt, jwks: unknown): readonly Jwk[] =>
  keysOf(jwks)
    .filter((key) => (kid === undefined || key['kid'] === kid) && algorithmOf(key) === algorithm && isForSignatures(key, algorithm))
    .slice(0, clientAssertionLimits.candidates)

const algorithmOf = ({ kty, crv }: Jwk): ForeignAlgorithm | undefined => {
  if (kty === 'RSA') return 'RS256'
  if (kty === 'EC' && crv === 'P-256') return 'ES256'
  return kty === 'OKP' && crv === 'Ed25519' ? 'EdDSA' : undefined
}

/** Both names of Ed25519 are one algorithm. RFC 7517 §4.2 to §4.4, RFC 9864 §2.2 */
const isForSignatures = ({ use, alg, key_ops: operations }: Jwk, algorithm: ForeignAlgorithm): boolean =>
  (use === undefined || use === 'sig') &&
  (alg === undefined || (alg === 'Ed25519' ? 'EdDSA' : alg) === algorithm) &&
  (!Array.isArray(operations) || operations.includes('verify'))

function isSignedByKey(jwt: ReadJwt, jwk: Jwk): boolean {
  const key = imported(jwk)
  return key !== undefined && verifyForeignJwt(jwt, [key]).ok
}

/** To make a key of its members costs as much as a signature. It lasts as long as what it was read from: a version of the client, or one fetch of its keys. */
const known = new WeakMap<Jwk, { readonly key: ForeignKey | undefined }>()
function imported(jwk: Jwk): ForeignKey | undefined {
  const made = known.get(jwk) ?? { key: readForeignKey(jwk) }
  known.set(jwk, made)
  return made.key
}

/** Whether these keys cannot be the last word: the one it names is not among them, or it names none. */
export const mayBeOfNewerKey = ({ kid }: ReadJwt, jwks: unknown): boolean =>
  kid === undefined || keysOf(jwks).every((key) => key['kid'] !== kid)
