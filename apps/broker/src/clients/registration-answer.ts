/** What a client is told of its registration, whenever it is. */
import { type Instant, toSeconds } from '@drawbridge/core/instant'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import type { RegistrationRequest } from '@drawbridge/core/oauth/registration-request'
import type { StatedSoftware } from '@drawbridge/core/oauth/software-statement'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import type { Answer } from '../http/answer.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseAsJson } from '../http/write-error.js'
import { clientFetchLimits } from './client-fetches.js'

/** `expiresAt`: undefined if it has no end. */
export type ShownSecret = { readonly secret: string; readonly expiresAt: Instant | undefined }
export type ShownRegistration = {
  readonly id: ClientId
  readonly metadata: Omit<RegistrationRequest, 'grantTypes'> & { readonly grantTypes: readonly string[] }
  /** The only time that it is shown; by a later look the client has it already. */
  readonly registrationToken: string
  readonly secret?: ShownSecret | undefined
  readonly issuedAt?: Instant | undefined
  /** By what it registered. */
  readonly software: StatedSoftware | undefined
}

/** @spec RFC 7591 §3.2.1, RFC 7592 §3 */
export const buildRegistrationAnswer = (
  tenant: ResolvedTenant,
  { id, metadata, registrationToken, secret, issuedAt, software }: ShownRegistration,
) => ({
  client_id: id,
  ...(issuedAt === undefined ? {} : { client_id_issued_at: toSeconds(issuedAt) }),
  ...(secret === undefined
    ? {}
    : { client_secret: secret.secret, client_secret_expires_at: secret.expiresAt === undefined ? 0 : toSeconds(secret.expiresAt) }),
  registration_client_uri: `${tenant.issuer.url}/register/${id}`,
  registration_access_token: registrationToken,
  ...(software === undefined ? {} : { software_statement: software.text }),
  client_name: metadata.name,
  redirect_uris: metadata.redirectUris,
  grant_types: metadata.grantTypes,
  response_types: metadata.grantTypes.includes('authorization_code') ? ['code'] : [],
  token_endpoint_auth_method: metadata.authMethod,
  application_type: metadata.applicationType,
  subject_type: metadata.subjectType,
  ...(metadata.sectorIdentifierUri === undefined ? {} : { sector_identifier_uri: metadata.sectorIdentifierUri }),
  ...(metadata.jwks === undefined ? {} : { jwks: metadata.jwks }),
  ...(metadata.certificateName === undefined
    ? {}
    : { [`tls_client_auth_${metadata.certificateName.kind}`]: metadata.certificateName.value }),
  ...(metadata.jwksUri === undefined ? {} : { jwks_uri: metadata.jwksUri }),
  ...(metadata.logoUri === undefined ? {} : { logo_uri: metadata.logoUri }),
  dpop_bound_access_tokens: metadata.dpopBoundAccessTokens,
  require_pushed_authorization_requests: metadata.requirePushedAuthorizationRequests,
  ...(metadata.postLogoutRedirectUris.length === 0 ? {} : { post_logout_redirect_uris: metadata.postLogoutRedirectUris }),
  ...(metadata.backchannelLogoutUri === undefined
    ? {}
    : {
        backchannel_logout_uri: metadata.backchannelLogoutUri,
        backchannel_logout_session_required: metadata.backchannelLogoutSessionRequired,
      }),
})

/** Its `sector_identifier_uri` cannot be read, or does not list what it must. */
export const refuseSector = (why: string): Answer =>
  why === 'busy'
    ? refuseBusy()
    : refuseAsJson(oauthErrors.registration_sector_identifier, { reason: 'registration_sector_identifier', detail: { why } })

const refuseBusy = (): Answer =>
  refuseAsJson(oauthErrors.registration_busy, {
    reason: 'registration_busy',
    detail: { retryAfterSeconds: clientFetchLimits.busyPauseSeconds },
  })
