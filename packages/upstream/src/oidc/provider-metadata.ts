/** The discovery document: what an OpenID provider says of itself, and whether it is the one that the connection means. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { z } from 'zod'
import { isSecureUrl } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'

const text = z.string().max(2048)
const list = z.array(z.string().max(512)).max(500).optional()

/** Only what we act on or explain. Wrong types elsewhere are the provider's own business. OIDC Discovery §3, RFC 8414 §2 */
const schema = z.object({
  issuer: text,
  authorization_endpoint: text.optional(),
  token_endpoint: text.optional(),
  userinfo_endpoint: text.optional(),
  jwks_uri: text.optional(),
  end_session_endpoint: text.optional(),
  id_token_signing_alg_values_supported: list,
  token_endpoint_auth_methods_supported: list,
  token_endpoint_auth_signing_alg_values_supported: list,
  scopes_supported: list,
  response_types_supported: list,
  acr_values_supported: list,
  code_challenge_methods_supported: list,
  claims_parameter_supported: z.boolean().optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
  backchannel_logout_supported: z.unknown().optional(),
  backchannel_logout_session_supported: z.unknown().optional(),
})

export type ProviderDocument = z.output<typeof schema>
export type ProviderMetadata = {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly jwksUri: string
  readonly userinfoEndpoint: string | undefined
  /** Where a person signs out; one that is no proper address is none. OIDC RP-Initiated Logout §2.1 */
  readonly endSessionEndpoint: string | undefined
  /** RFC 9207 §3: an answer without `iss` is not this provider's. */
  readonly promisesIssuer: boolean
}

export function readProviderDocument(document: unknown): Result<ProviderDocument, UpstreamRefusal> {
  const parsed = schema.safeParse(document)
  if (parsed.success) return ok(parsed.data)
  return err({ reason: 'oidc_discovery_failed', detail: { member: String(parsed.error.issues[0]?.path[0] ?? 'document') } })
}

/**
 * The issuer is compared byte for byte with the configured one, trailing slash and `{tenantid}` included. The browser is sent to one of
 * these endpoints, our secret to another, and the keys that we believe come from a third: all must be proper URLs.
 *
 * @spec OIDC Discovery §4.3
 */
export function judgeProviderDocument(document: ProviderDocument, issuer: string): Result<ProviderMetadata, UpstreamRefusal> {
  if (document.issuer !== issuer) return err({ reason: 'oidc_issuer_mismatch' })
  const { authorization_endpoint: authorization, token_endpoint: token, jwks_uri: jwks, userinfo_endpoint: userinfo } = document
  const required = { authorization_endpoint: authorization, token_endpoint: token, jwks_uri: jwks }
  const missing = Object.entries(required).find(([, url]) => !isSecureUrl(url ?? ''))?.[0]
  if (missing !== undefined) return err({ reason: 'oidc_discovery_failed', detail: { member: missing } })
  if (userinfo !== undefined && !isSecureUrl(userinfo))
    return err({ reason: 'oidc_discovery_failed', detail: { member: 'userinfo_endpoint' } })
  return ok({
    issuer,
    authorizationEndpoint: authorization as string,
    tokenEndpoint: token as string,
    jwksUri: jwks as string,
    userinfoEndpoint: userinfo,
    endSessionEndpoint: isSecureUrl(document.end_session_endpoint ?? '') ? document.end_session_endpoint : undefined,
    promisesIssuer: document.authorization_response_iss_parameter_supported === true,
  })
}
