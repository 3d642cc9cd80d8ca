/** The authorization endpoint, in the order of the specification. It ends where the browser's first step begins: at dispatch. */
import { addSeconds } from '@drawbridge/core/instant'
import { acceptRequest, matchClient, parseAuthorizationRequest } from '@drawbridge/core/oauth/authorization-request'
import { toPendingRequest } from '@drawbridge/core/oauth/pending-request'
import type { AuthorizationRequestId } from '@drawbridge/core/tenant/ids'
import { insertAuthorizationRequest } from '@drawbridge/store/authorization-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import { resolveClient } from '../clients/resolve-client.js'
import type { Answer } from '../http/answer.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { answerWithError, refuseOnPage } from './answer.js'
import { bindBrowser } from './browser.js'
import { dispatch } from './dispatch.js'
import { completeFlow, resourcesOf } from './flow.js'

/** From the click in the application to the last click on our pages, second factors and coffee included. */
export const authorizationRequestTtlSeconds = 1800

/** @spec RFC 6749 §4.1.1 request, §4.1.2.1 errors; RFC 7636 PKCE; RFC 8707 resource; RFC 9207 iss */
export const authorizeEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/authorize',
  spec: 'RFC 6749 §3.1',
  summary: 'Starts an authorization code grant: PKCE S256 and resource are needed.',
  tag: 'OAuth',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    if (!http.query.ok) return refuseOnPage({ reason: 'authorization_request_malformed', detail: { why: http.query.error.reason } })
    const claimed = parseAuthorizationRequest(http.query.value)
    if (!claimed.ok) return refuseOnPage(claimed.error)
    const client = await resolveClient(deps, tenant, claimed.value.clientId, 'authorize')
    if (!client.ok) return refuseOnPage(client.error)
    const answerable = matchClient(claimed.value, client.value)
    if (!answerable.ok) return refuseOnPage(answerable.error)
    const request = acceptRequest(answerable.value, { resources: resourcesOf(tenant) })
    if (!request.ok) return answerWithError(tenant, answerable.value, request.error)
    const browser = bindBrowser(http, deps)
    const now = deps.clock.now()
    const stored = await insertAuthorizationRequest(onHotPath(deps.database), tenant.id, {
      id: deps.random.uuid() as AuthorizationRequestId,
      issuerId: tenant.issuer.id,
      clientId: client.value.id,
      browserHash: browser.hash,
      request: toPendingRequest(request.value),
      now,
      expiresAt: addSeconds(now, authorizationRequestTtlSeconds),
    })
    if (!stored) return refuseOnPage({ reason: 'client_blocked' })
    const flow = await completeFlow({ http, deps, tenant, browserHash: browser.hash, stored, now })
    return withCookies(flow.ok ? await dispatch(flow.value) : flow.error, browser.setCookies)
  },
})

export const withCookies = (answer: Answer, setCookies: readonly string[]): Answer =>
  setCookies.length === 0 ? answer : { ...answer, setCookies: [...(answer.setCookies ?? []), ...setCookies] }
