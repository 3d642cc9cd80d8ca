/** POST /revoke: a client gives back a credential, and with it the whole grant dies; guards hear of it. */
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import { parseRevocationRequest, type RevocationRequest } from '@drawbridge/core/oauth/revocation-request'
import { ok } from '@drawbridge/core/result'
import type { GrantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { type RevokeGrantOfToken, revokeGrantOfToken } from '@drawbridge/store/grants'
import { onHotPath } from '@drawbridge/store/transaction'
import { type Acted, asProvenClient, callerOf, ifUnchanged } from '../clients/as-proven-client.js'
import { readClientClaim } from '../clients/client-authentication.js'
import { refuse } from '../clients/refuse.js'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty } from '../http/answer.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { readAccessToken } from './read-access-token.js'
import { refuseForm } from './refuse.js'
import { limitOfRevocation } from './revocation-limit.js'

/**
 * An access token takes its grant along, because it cannot be revoked alone: RFC 7009 §2.1 allows that. Whatever is unknown, expired
 * or another client's is answered like success and changes nothing.
 */
export const revokeEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/revoke',
  spec: 'RFC 7009 §2',
  summary: 'Revokes the grant behind a refresh token or an access token of the client',
  hot: true,
  cors: true,
  tag: 'OAuth',
  omitsEmpty: true,
  run: async (http, deps) => {
    if (!http.form.ok) return refuseForm(http.form.error)
    const request = parseRevocationRequest(http.form.value)
    if (!request.ok) return refuse(request.error)
    const claim = readClientClaim(deps, http, http.form.value, tenantOf(http), { limitOfUnproven: 'tenant_unproven_revocation' })
    if (!claim.ok) return refuse(claim.error)
    const token = tokenOf(http, deps, request.value)
    const revoked = await asProvenClient(deps, claim.value, async (client): Promise<Acted<Answer | undefined>> => {
      const limited = limitOfRevocation(http, client, token)
      if (limited) return ok(limited)
      return token ? revoke(http, deps, client, token) : ifUnchanged(deps, client, ok(undefined))
    })
    return revoked.ok ? (revoked.value ?? empty(200)) : refuse(revoked.error)
  },
})

async function revoke(
  http: HttpRequest,
  deps: BrokerDeps,
  client: ProvenClient,
  token: RevokeGrantOfToken['token'],
): Promise<Acted<undefined>> {
  const revoked = await revokeGrantOfToken(onHotPath(deps.database), {
    tenantId: tenantOf(http).id,
    caller: callerOf(client),
    token,
    eventId: deps.random.uuid(),
    now: deps.clock.now(),
    asked: { requestId: http.requestId, address: http.address },
  })
  if (revoked === 'client_changed') return 'client_changed'
  if (revoked === 'revoked')
    deps.metrics.count('drawbridge_deprovisioning_events_total', { source: 'revocation_endpoint', target: 'grant' })
  return ok(undefined)
}

function tokenOf(http: HttpRequest, deps: BrokerDeps, request: RevocationRequest): RevokeGrantOfToken['token'] | undefined {
  if (request.kind === 'unknown') return undefined
  if (request.kind === 'refresh_token') return { refreshTokenHash: hashCredential(request.token) }
  const tenant = tenantOf(http)
  const token = readAccessToken(deps, tenant, request.token)
  return token && { grantId: token.grantId as GrantId }
}
