/** A client that describes itself at its own URL. OAuth Client ID Metadata Document; RFC 7591 §2 gives the words. */
import { z } from 'zod'
import { isOwnLogoutUri } from '../logout/logout-token.js'
import { err, ok, type Result } from '../result.js'
import { type ClientAuthMethod, holdsSecretKey, isAcceptableJwksUri } from './client.js'
import { isAcceptableLogoUri } from './client-logo.js'
import { isKeyAddressOpen } from './client-registration.js'
import { deviceGrantType } from './device-grant-type.js'
import { holdsKeyBeyondLimits } from './json-web-key.js'
import { isAcceptableRedirectUri } from './redirect-uri.js'
import { type SubjectType, subjectTypes } from './subject-type.js'

/** The draft recommends 5 kB; a longer document is not read. */
export const documentMaxBytes = 5 * 1024
export const documentUrlMaxLength = 2048

export type ClientMetadataDocument = {
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
  readonly authMethod: Extract<ClientAuthMethod, 'none' | 'private_key_jwt'>
  readonly jwks: unknown
  readonly jwksUri: string | undefined
  readonly applicationType: 'native' | 'web'
  readonly backchannelLogoutUri: string | undefined
  readonly backchannelLogoutSessionRequired: boolean
  readonly requirePushedAuthorizationRequests: boolean
  readonly postLogoutRedirectUris: readonly string[]
  readonly dpopBoundAccessTokens: boolean
  readonly subjectType: SubjectType | undefined
  readonly logoUri: string | undefined
}

export type DocumentRefusal = { readonly field: string }

/**
 * Says whether a client_id is the URL of a metadata document.
 *
 * Judged on the raw text, since a URL parser would repair dot segments. `http` on loopback is for lab and demonstration only.
 *
 * @spec OAuth CIMD §3 https, a path, no fragment, no userinfo, no dot segments
 */
export function isDocumentUrl(clientId: string, rules: { readonly allowLoopback: boolean }): boolean {
  if (clientId.length > documentUrlMaxLength || !/^[\x21-\x7e]+$/.test(clientId) || /[#\\]/.test(clientId)) return false
  const match = /^(https?):\/\/([^/?]+)(\/[^?]*)(\?.*)?$/.exec(clientId)
  if (!match || !URL.canParse(clientId)) return false
  const [, scheme, authority = '', path = ''] = match
  if (authority.includes('@') || path === '/' || path.split('/').some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) return false
  return scheme === 'https' || (rules.allowLoopback && /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(authority))
}

const strings = (max: number) => z.array(z.string().max(2048)).max(max)
const wire = z.object({
  client_id: z.string(),
  client_name: z.string().trim().min(1).max(200),
  redirect_uris: strings(50).default([]),
  grant_types: strings(20).optional(),
  token_endpoint_auth_method: z.string().optional(),
  token_endpoint_auth_methods_supported: strings(20).optional(),
  jwks: z.object({ keys: z.array(z.looseObject({})).max(20) }).optional(),
  jwks_uri: z.string().refine(isAcceptableJwksUri).optional(),
  application_type: z.enum(['native', 'web']).optional(),
  backchannel_logout_uri: z.string().max(2048).optional(),
  backchannel_logout_session_required: z.boolean().optional(),
  require_pushed_authorization_requests: z.boolean().optional(),
  post_logout_redirect_uris: strings(50).optional(),
  dpop_bound_access_tokens: z.boolean().optional(),
  subject_type: z.enum(subjectTypes).optional(),
  // One that cannot be used is as if it were not there: nothing depends on it.
  logo_uri: z.string().refine(isAcceptableLogoUri).optional().catch(undefined),
})

/** A secret that is published, or that every copy of the client shares, proves nothing: such a document is refused. */
const forbidden = ['client_secret', 'client_secret_expires_at'] as const

/**
 * `documentHosts`: where the tenant has documents be, beside which its keys may be.
 *
 * @spec OAuth CIMD §4.1 client_id equals the URL, no shared secrets
 */
export function parseClientMetadataDocument(
  url: string,
  body: unknown,
  documentHosts: readonly string[] = [],
): Result<ClientMetadataDocument, DocumentRefusal> {
  const parsed = wire.safeParse(body)
  if (!parsed.success) return err({ field: String(parsed.error.issues[0]?.path[0] ?? 'document') })
  const document = parsed.data
  if (document.client_id !== url) return err({ field: 'client_id' })
  const secret = forbidden.find((name) => Object.hasOwn(body as object, name))
  if (secret) return err({ field: secret })
  if (holdsSecretKey(document.jwks) || holdsKeyBeyondLimits(document.jwks)) return err({ field: 'jwks' })
  const jwksUri = document.jwks_uri
  if (jwksUri !== undefined && (document.jwks !== undefined || !isKeyAddressOpen(documentHosts, url, jwksUri)))
    return err({ field: 'jwks_uri' })
  if (!document.redirect_uris.every(isAcceptableRedirectUri)) return err({ field: 'redirect_uris' })
  const grantTypes = document.grant_types ?? ['authorization_code']
  // A client that only polls for what a person answers elsewhere has none.
  if (document.redirect_uris.length === 0 && (grantTypes.includes('authorization_code') || !grantTypes.includes(deviceGrantType)))
    return err({ field: 'redirect_uris' })
  const logoutUri = document.backchannel_logout_uri
  if (logoutUri !== undefined && !isOwnLogoutUri(logoutUri, [url])) return err({ field: 'backchannel_logout_uri' })
  const afterLogout = document.post_logout_redirect_uris ?? []
  if (!afterLogout.every(isAcceptableRedirectUri)) return err({ field: 'post_logout_redirect_uris' })
  const authMethod = chooseMethod(document)
  if (!authMethod) return err({ field: 'token_endpoint_auth_method' })
  return ok({
    name: document.client_name,
    redirectUris: document.redirect_uris,
    grantTypes,
    authMethod,
    jwks: document.jwks,
    jwksUri,
    applicationType: document.application_type ?? 'web',
    backchannelLogoutUri: logoutUri,
    backchannelLogoutSessionRequired: document.backchannel_logout_session_required ?? false,
    requirePushedAuthorizationRequests: document.require_pushed_authorization_requests ?? false,
    postLogoutRedirectUris: afterLogout,
    dpopBoundAccessTokens: document.dpop_bound_access_tokens ?? false,
    subjectType: document.subject_type,
    logoUri: document.logo_uri,
  })
}

/** A client may offer several methods; with keys in the document it has to use them. @spec OIDC RP Metadata Choices §2 */
function chooseMethod(document: z.infer<typeof wire>): 'none' | 'private_key_jwt' | undefined {
  const hasKeys = document.jwks !== undefined || document.jwks_uri !== undefined
  const offered = document.token_endpoint_auth_methods_supported ?? [
    document.token_endpoint_auth_method ?? (hasKeys ? 'private_key_jwt' : 'none'),
  ]
  if (hasKeys && offered.includes('private_key_jwt')) return 'private_key_jwt'
  return offered.includes('none') ? 'none' : undefined
}
