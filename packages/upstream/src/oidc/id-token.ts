/**
 * The one place where an ID token is believed: its form, its signature by a key of this connection's issuer, and every claim.
 *
 * The library that fetches it is not asked for its opinion; it never sees the token. Logout tokens and all else that the same keys sign
 * are kept apart by `typ`, by the events that they carry, and by the nonce, which only an ID token for this very login has.
 *
 * @spec OIDC Core §3.1.3.7
 * @spec RFC 8725 §3.11
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ForeignJwtRefusal, readForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { OidcConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { checkIdTokenClaims, type ExpectedIdToken } from './id-token-rules.js'
import { issuerOf, type SignatureCheck, verifyIssuerSignature } from './issuer-signature.js'

export type IdTokenClaims = ReadonlyMap<string, unknown>

export type IdTokenCheck = SignatureCheck & { readonly expected: Omit<ExpectedIdToken, 'issuer' | 'clientId' | 'now'> }

type Verified = Result<IdTokenClaims, UpstreamRefusal>
const refuse = (rule: string): { readonly ok: false; readonly error: UpstreamRefusal } =>
  err({ reason: 'oidc_id_token_refused', detail: { rule } })

export async function verifyIdToken(token: string, check: IdTokenCheck): Promise<Verified> {
  const { connection } = check
  const jwt = readForeignJwt(token, connection.idTokenAlgorithms)
  if (!jwt.ok) return err(refusalOfForm(jwt.error))
  if (jwt.value.typ !== undefined && jwt.value.typ !== 'jwt') return refuse('typ')
  if (jwt.value.claims.has('events')) return refuse('events')
  const issuer = issuerOf(connection, jwt.value.claims)
  const signed = await verifyIssuerSignature(jwt.value, check, 'issuer')
  if (!signed.ok) return typeof signed.error === 'string' ? refuse(signed.error) : err(signed.error)
  const { clientId } = connection
  const checked = checkIdTokenClaims(jwt.value.claims, { ...check.expected, issuer, clientId, now: check.now })
  if (!checked.ok) return err({ ...checked.error, proven: true })
  const tenant = checkTenant(jwt.value.claims, connection)
  return tenant.ok ? ok(jwt.value.claims) : err({ ...tenant.error, proven: true })
}

const refusalOfForm = (form: ForeignJwtRefusal): UpstreamRefusal =>
  form === 'encrypted' || form === 'algorithm'
    ? { reason: form === 'encrypted' ? 'oidc_id_token_encrypted' : 'oidc_id_token_algorithm' }
    : { reason: 'oidc_id_token_refused', detail: { rule: form } }

/**
 * An issuer that many companies share speaks for this one only in tokens that name it. Checked on the token alone, never on userinfo.
 */
function checkTenant(claims: IdTokenClaims, { tenantIds, hostedDomains }: OidcConnection): Result<undefined, UpstreamRefusal> {
  const isOneOf = (claim: string, allowed: readonly string[] | undefined): boolean => {
    const value = claims.get(claim)
    return allowed === undefined || (typeof value === 'string' && allowed.includes(value.toLowerCase()))
  }
  if (!isOneOf('tid', tenantIds)) return err({ reason: 'oidc_tenant_refused', detail: { claim: 'tid' } })
  return isOneOf('hd', hostedDomains) ? ok(undefined) : err({ reason: 'oidc_tenant_refused', detail: { claim: 'hd' } })
}
