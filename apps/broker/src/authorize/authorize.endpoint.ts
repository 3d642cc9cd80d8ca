/** The authorization endpoint, in the order of the specification. It ends where the browser's first step begins: at dispatch. */
import { addSeconds } from '@drawbridge/core/instant'
import { acceptRequest, matchClient, parseAuthorizationRequest } from '@drawbridge/core/oauth/authorization-request'
import type { PageRefusal, RedirectRefusal } from '@drawbridge/core/oauth/error'
import { toPendingRequest } from '@drawbridge/core/oauth/pending-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { AuthorizationRequestId } from '@drawbridge/core/tenant/ids'
import { insertAuthorizationRequest } from '@drawbridge/store/authorization-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import { resolveClient } from '../clients/resolve-client.js'
import type { Answer } from '../http/answer.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { SingleValuedForm } from '../http/form.js'
import { answerUnaskedWithError, refuseOnPage } from './answer.js'
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
    const asked = readQuery(http.query)
    if (!asked.ok) return refuseOnPage(asked.error)
    const claimed = parseAuthorizationRequest(asked.value.parameters)
    if (!claimed.ok) return refuseOnPage(claimed.error)
    const client = await resolveClient(deps, tenant, claimed.value.clientId, 'authorize')
    if (!client.ok) return refuseOnPage(client.error)
    const answerable = matchClient(claimed.value, client.value)
    if (!answerable.ok) return refuseOnPage(answerable.error)
    if (asked.value.repeated) return answerUnaskedWithError(tenant, client.value, answerable.value, asked.value.repeated)
    const request = acceptRequest(answerable.value, { resources: resourcesOf(tenant) })
    if (!request.ok) return answerUnaskedWithError(tenant, client.value, answerable.value, request.error)
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

type Asked = { readonly parameters: SingleValuedForm; readonly repeated: RedirectRefusal | undefined }

/** A repeated parameter is the client's to hear of, unless it is one of the two that say who the client is. @spec RFC 6749 §3.1, §4.1.2.1 */
function readQuery(query: HttpRequest['query']): Result<Asked, PageRefusal> {
  if (query.ok) return ok({ parameters: query.value, repeated: undefined })
  const { reason, parameter = '', once } = query.error
  if (once?.['client_id'] === undefined || once['redirect_uri'] === undefined)
    return err({ reason: 'authorization_request_malformed', detail: { why: reason } })
  return ok({ parameters: once, repeated: { reason: 'authorization_parameter_malformed', detail: { field: parameter, why: reason } } })
}

export const withCookies = (answer: Answer, setCookies: readonly string[]): Answer =>
  setCookies.length === 0 ? answer : { ...answer, setCookies: [...(answer.setCookies ?? []), ...setCookies] }
