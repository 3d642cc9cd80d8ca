/** What an issuer says about itself; the same document at all three well-known places. */
import type { Issuer } from '../tenant/ids.js'
import { responseModes } from './authorization-request.js'
import { type ClientAuthMethod, clientAssertionAlgorithms } from './client.js'
import type { ClientRegistration } from './client-registration.js'
import { deviceGrantType } from './device-grant-type.js'
import { dpopAlgorithms } from './dpop-proof.js'
import { idJagProfile, jwtBearerGrantType } from './jwt-bearer.js'
import { samlBearerGrantType } from './saml-bearer.js'
import type { IdentityScope } from './scope.js'
import { subjectTypes } from './subject-type.js'
import type { TokenAlgorithm } from './token-algorithm.js'
import { idJagUrn, tokenExchangeGrantType } from './token-type.js'
import { claimsOfScopes } from './userinfo.js'

const authMethods: readonly ClientAuthMethod[] = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']

const claimsOfIdToken = ['sub', 'iss', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'sid', 'at_hash'] as const

export type ServerMetadata = Readonly<Record<string, string | boolean | readonly string[] | Readonly<Record<string, string>>>>

/**
 * Builds the metadata of one issuer. It lists only what works: of algorithms those of its published keys for tokens, of `acr` what its connections and
 * we ourselves understand.
 *
 * @spec RFC 8414 §2
 * @spec RFC 9126 §5 pushed_authorization_request_endpoint, require_pushed_authorization_requests
 * @spec OpenID Connect Discovery 1.0 §3 request_uri_parameter_supported, which is true where it is left out; RFC 9126 §5 pushed ones are usable regardless of it
 * @spec RFC 9207 §3 authorization_response_iss_parameter_supported
 * @spec OpenID Connect Discovery 1.0 §3 userinfo_endpoint, claims_supported
 * @spec OAuth 2.0 Multiple Response Types §5 response_modes_supported
 * @spec OpenID Connect Back-Channel Logout 1.0 §2.1
 * @spec RFC 9449 §5.1 dpop_signing_alg_values_supported
 * @spec OpenID Connect RP-Initiated Logout 1.0 §2.1
 * @spec RFC 8628 §4 device_authorization_endpoint
 * @spec draft-ietf-oauth-identity-assertion-authz-grant: identity_chaining_requested_token_types_supported
 * @spec OIDC Core §8 subject_types_supported
 * @spec RFC 8705 §2.1.1 tls_client_auth, §5 mtls_endpoint_aliases
 * @spec draft-ietf-oauth-identity-assertion-authz-grant: authorization_grant_profiles_supported; the issuers that are trusted are not listed
 */
export function buildServerMetadata(
  issuer: Issuer,
  knows: {
    readonly tokenAlgorithms: readonly TokenAlgorithm[]
    readonly acrValues: readonly string[]
    readonly requirePushedRequests: boolean
    /** Scopes by which clients may be told of people, beside `openid`. */
    readonly told: readonly IdentityScope[]
    readonly registration: Pick<ClientRegistration, 'dynamic' | 'metadataDocuments'>
    readonly deviceGrant: boolean
    /** Of the front issuer. */
    readonly isFront: boolean
    /** Whether clients prove themselves by certificates, and the issuer at the address that asks for them, where that is another. */
    readonly certificates: { readonly believed: boolean; readonly alias: string | undefined }
    /** Whether any client may exchange tokens. */
    readonly tokenExchange: boolean
    /** Whether any client may have an ID-JAG. */
    readonly idJagIssuing: boolean
    /** Whether anybody's assertions are accepted. Whose, is said to nobody. */
    readonly assertions: { readonly jwtBearer: boolean; readonly idJag: boolean; readonly samlBearer: boolean }
  },
): ServerMetadata {
  const methods = knows.certificates.believed ? [...authMethods, 'tls_client_auth'] : authMethods
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    ...(knows.deviceGrant ? { device_authorization_endpoint: `${issuer}/device_authorization` } : {}),
    pushed_authorization_request_endpoint: `${issuer}/par`,
    require_pushed_authorization_requests: knows.requirePushedRequests,
    // Of clients' own: the addresses that our endpoint for pushed ones gives out are taken all the same.
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/revoke`,
    ...(knows.registration.dynamic ? { registration_endpoint: `${issuer}/register` } : {}),
    userinfo_endpoint: `${issuer}/userinfo`,
    end_session_endpoint: `${issuer}/logout`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    response_modes_supported: responseModes,
    grant_types_supported: [
      ...['authorization_code', 'refresh_token', 'client_credentials'],
      ...(knows.deviceGrant ? [deviceGrantType] : []),
      ...(knows.assertions.jwtBearer ? [jwtBearerGrantType] : []),
      ...(knows.tokenExchange || knows.idJagIssuing ? [tokenExchangeGrantType] : []),
      ...(knows.assertions.samlBearer ? [samlBearerGrantType] : []),
    ],
    ...(knows.idJagIssuing ? { identity_chaining_requested_token_types_supported: [idJagUrn] } : {}),
    ...(knows.assertions.idJag ? { authorization_grant_profiles_supported: [idJagProfile] } : {}),
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: methods,
    token_endpoint_auth_signing_alg_values_supported: clientAssertionAlgorithms,
    dpop_signing_alg_values_supported: dpopAlgorithms,
    revocation_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_signing_alg_values_supported: clientAssertionAlgorithms,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic'],
    ...(knows.certificates.alias === undefined ? {} : { mtls_endpoint_aliases: aliasesAt(knows.certificates.alias, knows.deviceGrant) }),
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: knows.registration.metadataDocuments,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
    acr_values_supported: knows.acrValues,
    ui_locales_supported: ['en'],
    subject_types_supported: subjectTypes,
    id_token_signing_alg_values_supported: knows.tokenAlgorithms,
    scopes_supported: ['openid', ...knows.told],
    claims_supported: [...claimsOfIdToken, ...(knows.isFront ? ['tenant'] : []), ...claimsOfScopes(knows.told)],
  }
}

/** Of every endpoint at which clients prove themselves. */
const aliasesAt = (alias: string, deviceGrant: boolean): Readonly<Record<string, string>> => ({
  token_endpoint: `${alias}/token`,
  revocation_endpoint: `${alias}/revoke`,
  pushed_authorization_request_endpoint: `${alias}/par`,
  ...(deviceGrant ? { device_authorization_endpoint: `${alias}/device_authorization` } : {}),
})
