/** A client that registers itself. RFC 7591; kept beside metadata documents for clients that know nothing else. */
import { z } from 'zod'
import { isOwnLogoutUri } from '../logout/logout-token.js'
import { err, ok, type Result } from '../result.js'
import { type ClientAuthMethod, clientAuthMethods, holdsSecretKey, isAcceptableJwksUri } from './client.js'
import { type CertificateName, certificateNameOf } from './client-certificate.js'
import { isAcceptableLogoUri } from './client-logo.js'
import { deviceGrantType } from './device-grant-type.js'
import type { OAuthError } from './error.js'
import { holdsKeyBeyondLimits } from './json-web-key.js'
import { jwtBearerGrantType } from './jwt-bearer.js'
import { isAcceptableRedirectUri, isAtHostOf, isLoopbackRedirect } from './redirect-uri.js'

import { type SubjectType, subjectTypes } from './subject-type.js'

export type RegistrationRequest = {
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
  readonly authMethod: ClientAuthMethod
  readonly jwks: unknown
  readonly jwksUri: string | undefined
  readonly certificateName: CertificateName | undefined
  readonly applicationType: 'native' | 'web'
  readonly backchannelLogoutUri: string | undefined
  readonly backchannelLogoutSessionRequired: boolean
  readonly requirePushedAuthorizationRequests: boolean
  readonly postLogoutRedirectUris: readonly string[]
  readonly dpopBoundAccessTokens: boolean
  readonly subjectType: SubjectType | undefined
  readonly sectorIdentifierUri: string | undefined
  readonly logoUri: string | undefined
}

/** What depends on the installation. `certificates`: whether clients can prove themselves by one. */
export type RegistrationOffer = { readonly certificates: boolean }

/** What a client that nobody vouched for may ever use. An assertion names the client that it was made for, so somebody vouches for it there. */
export const registrableGrantTypes: readonly string[] = ['authorization_code', 'refresh_token', jwtBearerGrantType, deviceGrantType]

const strings = (max: number) => z.array(z.string().max(2048)).max(max)
const wire = z.object({
  redirect_uris: strings(50).default([]),
  client_name: z.string().trim().max(200).optional(),
  grant_types: strings(20).optional(),
  response_types: strings(20).optional(),
  token_endpoint_auth_method: z.enum(clientAuthMethods).optional(),
  jwks: z.object({ keys: z.array(z.looseObject({})).min(1).max(20) }).optional(),
  jwks_uri: z.string().refine(isAcceptableJwksUri).optional(),
  application_type: z.enum(['native', 'web']).optional(),
  backchannel_logout_uri: z.string().max(2048).optional(),
  backchannel_logout_session_required: z.boolean().optional(),
  require_pushed_authorization_requests: z.boolean().optional(),
  post_logout_redirect_uris: strings(50).optional(),
  dpop_bound_access_tokens: z.boolean().optional(),
  subject_type: z.enum(subjectTypes).optional(),
  sector_identifier_uri: z.string().refine(isAcceptableJwksUri).optional(),
  // One that cannot be used is as if it were not there: nothing depends on it.
  logo_uri: z.string().refine(isAcceptableLogoUri).optional().catch(undefined),
})
/** By their names on the wire. */
export const registrationMembers: readonly string[] = Object.keys(wire.shape)

/**
 * Unknown members are ignored, and unknown grant types are left out rather than refused: the answer says what was registered.
 * A registered `scope` is no ceiling: it is what the client thought of on that day, and policy decides anyway. A client that only polls for what a
 * person answers elsewhere has no redirect URI.
 *
 * @spec RFC 7591 §2 client metadata, §3.2.1 the server may reject or replace
 * @spec OIDC Registration §2 application_type
 * @spec RFC 8628 §4 the grant type of devices
 * @spec RFC 9449 §5.2 dpop_bound_access_tokens
 * @spec OIDC Core §8 subject_type, §8.1 sector_identifier_uri
 * @spec RFC 8705 §2.1.2 tls_client_auth_subject_dn and its siblings
 */
export function parseRegistrationRequest(
  body: unknown,
  offer: RegistrationOffer = { certificates: false },
): Result<
  RegistrationRequest,
  OAuthError<'registration_malformed' | 'registration_redirect_uri' | 'registration_post_logout_redirect_uri'>
> {
  const parsed = wire.safeParse(body)
  if (!parsed.success) {
    const field = String(parsed.error.issues[0]?.path[0] ?? 'body')
    return err({ reason: field === 'redirect_uris' ? 'registration_redirect_uri' : 'registration_malformed', detail: { field } })
  }
  const metadata = parsed.data
  if (!metadata.redirect_uris.every(isAcceptableRedirectUri)) return err({ reason: 'registration_redirect_uri' })
  const grantTypes = (metadata.grant_types ?? ['authorization_code']).filter((type) => registrableGrantTypes.includes(type))
  const redirects = grantTypes.includes('authorization_code')
  if (!redirects && !grantTypes.includes(deviceGrantType))
    return err({ reason: 'registration_malformed', detail: { field: 'grant_types' } })
  if (redirects && metadata.redirect_uris.length === 0) return err({ reason: 'registration_redirect_uri' })
  if (redirects && metadata.response_types && !metadata.response_types.includes('code')) {
    return err({ reason: 'registration_malformed', detail: { field: 'response_types' } })
  }
  const logoutUri = metadata.backchannel_logout_uri
  if (logoutUri !== undefined && !isOwnLogoutUri(logoutUri, metadata.redirect_uris))
    return err({ reason: 'registration_malformed', detail: { field: 'backchannel_logout_uri' } })
  const afterLogout = metadata.post_logout_redirect_uris ?? []
  if (!afterLogout.every(isAcceptableRedirectUri))
    return err({ reason: 'registration_malformed', detail: { field: 'post_logout_redirect_uris' } })
  // Nobody vouches for it, so a sign-out leads to no host to which a sign-in could not.
  if (!afterLogout.every((uri) => isAtHostOf(uri, metadata.redirect_uris))) return err({ reason: 'registration_post_logout_redirect_uri' })
  const sectorIdentifierUri = metadata.sector_identifier_uri
  if (sectorIdentifierUri !== undefined && !isOwnLogoutUri(sectorIdentifierUri, metadata.redirect_uris))
    return err({ reason: 'registration_malformed', detail: { field: 'sector_identifier_uri' } })
  const authMethod = metadata.token_endpoint_auth_method ?? 'client_secret_basic'
  const jwksUri = metadata.jwks_uri
  // Nobody vouches for it, so it may have us call only where it is: the rule of logout addresses.
  if (jwksUri !== undefined && (metadata.jwks !== undefined || !isOwnLogoutUri(jwksUri, metadata.redirect_uris)))
    return err({ reason: 'registration_malformed', detail: { field: 'jwks_uri' } })
  const hasKeys = metadata.jwks !== undefined || jwksUri !== undefined
  if ((authMethod === 'private_key_jwt') !== hasKeys || holdsSecretKey(metadata.jwks) || holdsKeyBeyondLimits(metadata.jwks))
    return err({ reason: 'registration_malformed', detail: { field: 'jwks' } })
  const certificateName = certificateNameOf(body as Readonly<Record<string, unknown>>)
  if (certificateName === 'malformed' || (authMethod === 'tls_client_auth') !== (certificateName !== 'none'))
    return err({ reason: 'registration_malformed', detail: { field: 'tls_client_auth' } })
  if (authMethod === 'tls_client_auth' && !offer.certificates)
    return err({ reason: 'registration_malformed', detail: { field: 'token_endpoint_auth_method' } })
  return ok({
    name: metadata.client_name || 'An application without a name',
    redirectUris: metadata.redirect_uris,
    grantTypes,
    authMethod,
    jwks: metadata.jwks,
    jwksUri,
    certificateName: certificateName === 'none' ? undefined : certificateName,
    backchannelLogoutUri: logoutUri,
    backchannelLogoutSessionRequired: metadata.backchannel_logout_session_required ?? false,
    requirePushedAuthorizationRequests: metadata.require_pushed_authorization_requests ?? false,
    postLogoutRedirectUris: afterLogout,
    dpopBoundAccessTokens: metadata.dpop_bound_access_tokens ?? false,
    subjectType: metadata.subject_type,
    sectorIdentifierUri,
    logoUri: metadata.logo_uri,
    applicationType:
      metadata.application_type ??
      (metadata.redirect_uris.every((uri) => !uri.startsWith('https:') || isLoopbackRedirect(uri)) ? 'native' : 'web'),
  })
}
