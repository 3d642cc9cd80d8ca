/** Dynamic client registration. Deprecated by MCP in favour of metadata documents; kept for clients that know nothing else. */
import { toSeconds } from '@drawbridge/core/instant'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { parseRegistrationRequest } from '@drawbridge/core/oauth/registration-request'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { insertClient } from '@drawbridge/store/clients'
import { inTenant } from '@drawbridge/store/transaction'
import { json } from '../http/answer.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { refuseAsJson } from '../http/write-error.js'

/** @spec RFC 7591 §3.1 request, §3.2.1 response */
export const registerEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/register',
  spec: 'RFC 7591 §3',
  summary: 'Registers a client that nobody vouches for; it is announced to the person before she signs in.',
  tag: 'OAuth',
  cors: true,
  rateLimit: 'register',
  tenantLimit: 'tenant_register',
  maxBodyBytes: 32 * 1024,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    if (!tenant.clientRegistration.dynamic) return refuseAsJson(oauthErrors.registration_closed, { reason: 'registration_closed' })
    const parsed = parseRegistrationRequest(http.json.ok ? http.json.value : undefined)
    if (!parsed.ok) return refuseAsJson(oauthErrors[parsed.error.reason], parsed.error)
    const now = deps.clock.now()
    const metadata = parsed.value
    const id = `dbd_${deps.random.uuid()}` as ClientId
    const secret = metadata.authMethod.startsWith('client_secret_') ? deps.random.token() : undefined
    await inTenant(deps.database, tenant.id, async (db) => {
      await insertClient(db, tenant.id, {
        ...metadata,
        id,
        issuerId: tenant.issuer.id,
        kind: 'dynamic',
        secretHash: secret === undefined ? undefined : hashCredential(secret),
        preApproved: false,
        scopeCeiling: [],
        accessTokenTtlSeconds: undefined,
        now,
      })
      const asked = { requestId: http.requestId, address: http.address }
      await insertAuditEvent(db, tenant.id, {
        at: now,
        kind: 'client_registered',
        issuerId: tenant.issuer.id,
        clientId: id,
        detail: {},
        ...asked,
      })
    })
    const body = {
      client_id: id,
      client_id_issued_at: toSeconds(now),
      ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
      client_name: metadata.name,
      redirect_uris: metadata.redirectUris,
      grant_types: metadata.grantTypes,
      response_types: metadata.grantTypes.includes('authorization_code') ? ['code'] : [],
      token_endpoint_auth_method: metadata.authMethod,
      application_type: metadata.applicationType,
      ...(metadata.jwks === undefined ? {} : { jwks: metadata.jwks }),
      ...(metadata.jwksUri === undefined ? {} : { jwks_uri: metadata.jwksUri }),
      dpop_bound_access_tokens: metadata.dpopBoundAccessTokens,
      require_pushed_authorization_requests: metadata.requirePushedAuthorizationRequests,
      ...(metadata.postLogoutRedirectUris.length === 0 ? {} : { post_logout_redirect_uris: metadata.postLogoutRedirectUris }),
      ...(metadata.backchannelLogoutUri === undefined
        ? {}
        : {
            backchannel_logout_uri: metadata.backchannelLogoutUri,
            backchannel_logout_session_required: metadata.backchannelLogoutSessionRequired,
          }),
    }
    return json(body, { status: 201, headers: { 'cache-control': 'no-store' } })
  },
})
