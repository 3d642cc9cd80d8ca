/**
 * The one place where the bearer of a Global Token Revocation is believed: a JWT of exactly that kind, for exactly this endpoint, signed by a
 * key of this connection. Okta calls it Universal Logout.
 *
 * Anybody may send one: what its text shows to be wrong is refused before the network is touched. Whom it takes away from stands in the body
 * beside it, which the JWT does not sign; TLS and the short life of the JWT are all that binds the two, so the body can name people of this
 * connection alone.
 *
 * @spec draft-parecki-oauth-global-token-revocation §4 JWT authentication
 * @spec RFC 8725 §3.11 kept apart from everything else that the same keys sign, by typ and by an audience that nothing else has
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ReadJwt, readForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import type { ConnectionConfiguration } from '../connection-configuration.js'
import { instantOf } from '../oidc/id-token-rules.js'
import { algorithmsOf, issuersOfConnection, verifyConnectionSignature } from './connection-signature.js'
import type { SignalRefusal } from './signal-refusal.js'

export const globalTokenRevocationLimits = {
  skewSeconds: 180,
  /** From its issue to its end: Okta's live for five minutes. */
  lifeSeconds: 900,
  length: 16_384,
  idLength: 1024,
} as const

export type GlobalTokenRevocationToken = {
  /** Once per issuer of the connection. */
  readonly id: string
  /** After this it is refused for its age alone. */
  readonly replayableUntil: Instant
}

type Expected = { readonly token: string; readonly endpointUrl: string; readonly now: Instant }
type Checked<T> = Result<T, SignalRefusal>
const refuse = (rule: string): { readonly ok: false; readonly error: SignalRefusal } =>
  err({ reason: 'revocation_token_refused', detail: { rule } })

export async function verifyGlobalTokenRevocation(
  fetchSafely: FetchSafely,
  connection: ConnectionConfiguration,
  { token, endpointUrl, now }: Expected,
): Promise<Checked<GlobalTokenRevocationToken>> {
  const jwt = token.length > globalTokenRevocationLimits.length ? err('malformed') : readForeignJwt(token, algorithmsOf(connection))
  if (!jwt.ok) return refuse(jwt.error)
  const said = readClaims(jwt.value, { connection, endpointUrl, now })
  if (!said.ok) return said
  const signed = await verifyConnectionSignature(fetchSafely, connection, { jwt: jwt.value, now })
  if (signed.ok) return said
  return typeof signed.error === 'string' ? refuse(signed.error) : err(signed.error)
}

type Claims = ReadJwt['claims']
type Given = { readonly connection: ConnectionConfiguration; readonly endpointUrl: string; readonly now: Instant }

/** Everything that the text alone can show. */
function readClaims({ typ, claims }: ReadJwt, { connection, endpointUrl, now }: Given): Checked<GlobalTokenRevocationToken> {
  if (typ !== 'global-token-revocation+jwt') return refuse('typ')
  const issuer = claims.get('iss')
  if (typeof issuer !== 'string' || !issuersOfConnection(connection).includes(issuer)) return refuse('iss')
  // One audience and no other: a token for several could be carried from one of them to the next.
  const audience: unknown = claims.get('aud')
  const [only, second] = Array.isArray(audience) ? (audience as readonly unknown[]) : [audience]
  if (only !== endpointUrl || second !== undefined) return refuse('aud')
  if (claims.has('events') || claims.has('nonce')) return refuse('kind')
  const until = checkTimes(claims, now)
  if (!until.ok) return until
  const jti = claims.get('jti')
  if (typeof jti !== 'string' || jti === '' || jti.length > globalTokenRevocationLimits.idLength) return refuse('jti')
  return ok({ id: JSON.stringify([issuer, jti]), replayableUntil: until.value })
}

function checkTimes(claims: Claims, now: Instant): Checked<Instant> {
  const { skewSeconds, lifeSeconds } = globalTokenRevocationLimits
  const [iat, exp, nbf] = ['iat', 'exp', 'nbf'].map((name) => instantOf(claims.get(name)))
  if (iat === undefined || iat > addSeconds(now, skewSeconds)) return refuse('iat')
  if (exp === undefined || now >= addSeconds(exp, skewSeconds)) return refuse('exp')
  if (exp > addSeconds(iat, lifeSeconds)) return refuse('life')
  if (claims.has('nbf') && (nbf === undefined || nbf > addSeconds(now, skewSeconds))) return refuse('nbf')
  return ok(addSeconds(exp, skewSeconds + 1))
}
