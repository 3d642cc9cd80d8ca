/** POST /revoke: a client gives back a credential, and with it the whole grant dies; guards hear of it. */
import { accessTokenType } from '@drawbridge/core/oauth/access-token'
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import { readIntrospectedToken } from '@drawbridge/core/oauth/introspection'
import { parseRevocationRequest, type RevocationRequest } from '@drawbridge/core/oauth/revocation-request'
import type { GrantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { verifyJwt } from '@drawbridge/crypto/jwt'
import { type RevokeGrantOfToken, revokeGrantOfToken } from '@drawbridge/store/grants'
import { onHotPath } from '@drawbridge/store/transaction'
import { authenticateClient } from '../clients/client-authentication.js'
import type { BrokerDeps } from '../deps.js'
import { empty } from '../http/answer.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { refuse, refuseForm } from './refuse.js'

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
  run: async (http, deps) => {
    if (!http.form.ok) return refuseForm(http.form.error)
    const request = parseRevocationRequest(http.form.value)
    if (!request.ok) return refuse(request.error)
    const client = await authenticateClient(deps, http, http.form.value, tenantOf(http))
    if (!client.ok) return refuse(client.error)
    const token = tokenOf(http, deps, request.value)
    if (token) await revoke(http, deps, client.value, token)
    return empty(200)
  },
})

async function revoke(http: HttpRequest, deps: BrokerDeps, client: ProvenClient, token: RevokeGrantOfToken['token']): Promise<void> {
  const tenant = tenantOf(http)
  const revoked = await revokeGrantOfToken(onHotPath(deps.database), {
    tenantId: tenant.id,
    issuerId: tenant.issuer.id,
    clientId: client.id,
    token,
    eventId: deps.random.uuid(),
    now: deps.clock.now(),
    asked: { requestId: http.requestId, address: http.address },
  })
  if (revoked) deps.metrics.count('drawbridge_deprovisioning_events_total', { source: 'client_revocation', target: 'grant' })
}

function tokenOf(http: HttpRequest, deps: BrokerDeps, request: RevocationRequest): RevokeGrantOfToken['token'] | undefined {
  if (request.kind === 'unknown') return undefined
  if (request.kind === 'refresh_token') return { refreshTokenHash: hashCredential(request.token) }
  const tenant = tenantOf(http)
  const expected = { typ: accessTokenType, issuer: tenant.issuer.url, audience: undefined, now: deps.clock.now(), skewSeconds: 0 }
  const verified = verifyJwt(request.token.reveal(), tenant.verificationKeys('tokens'), expected)
  const token = verified.ok ? readIntrospectedToken(verified.value) : undefined
  return token && { grantId: token.grantId as GrantId }
}
