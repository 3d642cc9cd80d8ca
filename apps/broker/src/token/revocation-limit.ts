/** How much is given back: within limits of its own, so that who asks for tokens, or guesses names, does not keep anybody from ending something. ADR 110 */
import { isVouchedForItself, type ProvenClient } from '@drawbridge/core/oauth/client'
import type { RevokeGrantOfToken } from '@drawbridge/store/grants'
import type { Answer } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { limitAt } from '../http/limit-at.js'

/** An access token is ours by its signature, before anything is read; a refresh token is text that anybody can write. */
export function limitOfRevocation(
  http: HttpRequest,
  client: ProvenClient,
  token: RevokeGrantOfToken['token'] | undefined,
): Answer | undefined {
  const tenant = tenantOf(http)
  if (token && 'grantId' in token) return http.spend('grant_revocation', `${tenant.id} ${token.grantId}`)
  const isMeant = client.authMethod !== 'none' && isVouchedForItself(client)
  return isMeant
    ? http.spend('client_revocation', `${tenant.id} ${tenant.issuer.id} ${client.id}`)
    : http.spend(limitAt(tenant, 'tenant_revocation'), tenant.id)
}
