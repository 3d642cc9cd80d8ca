/** The authorization endpoint, in the order of the specification. It ends where the browser's first step begins: at dispatch. */
import {
  type AuthorizationRequest,
  acceptRequest,
  type ClaimedAuthorizationRequest,
  matchClient,
  parseAuthorizationRequest,
} from '@drawbridge/core/oauth/authorization-request'
import type { Client } from '@drawbridge/core/oauth/client'
import type { PageRefusal, RedirectRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import { recallClient, resolveClient } from '../clients/resolve-client.js'
import type { BrokerDeps } from '../deps.js'
import { accessRulesOf } from '../http/access-rules.js'
import { type Answer, redirect, withCookies } from '../http/answer.js'
import { bindBrowser } from '../http/browser-binding.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { mostPostedBytes, type SingleValuedForm } from '../http/form.js'
import { namedConnection, type ResolvedTenant } from '../http/tenant.js'
import { answerUnaskedWithError, refuseOnPage } from './answer.js'
import { dispatch } from './dispatch.js'
import { beginFlow } from './flow.js'
import { type FoundParameters, findParameters } from './pushed-request.js'

/** @spec RFC 6749 §4.1.1 request, §4.1.2.1 errors; RFC 7636 PKCE; RFC 8707 resource; RFC 9207 iss */
export const authorizeEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/authorize',
  spec: 'RFC 6749 §3.1',
  summary:
    'Starts an authorization code grant: PKCE S256 and resource are needed. `connection` names one of the tenant\u2019s connections by its id.',
  tag: 'OAuth',
  omitsEmpty: true,
  hot: true,
  refusals: 'page',
  rateLimit: 'login',
  tenantLimit: 'tenant_login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const query = readQuery(http.query)
    if (!query.ok) return refuseOnPage(query.error)
    const found = await findParameters(deps, tenant, query.value.parameters)
    if (!found.ok) return refuseOnPage(found.error)
    const asked = { ...query.value, ...found.value }
    const claimed = parseAuthorizationRequest(asked.parameters)
    if (!claimed.ok) return refuseOnPage(claimed.error)
    const accepted = await acceptOfClient(deps, http, asked, claimed.value)
    if (!accepted.ok) return accepted.error
    const connection = namedConnection(tenant, asked.parameters)
    if (!connection.ok) return refuseOnPage(connection.error)
    const browser = bindBrowser(http, deps)
    const flow = beginFlow({ http, deps, tenant, browserHash: browser.hash }, accepted.value, connection.value?.id)
    return withCookies(await dispatch(flow), browser.setCookies)
  },
})

/**
 * The same request, posted. It is sent on to the GET: a form of another site brings none of our cookies, so it would meet neither the session of
 * this browser nor its other requests, and an address brings them. Nothing of it is judged here; as it came, every rule of the GET sees it.
 *
 * @spec OIDC Core §3.1.2.1 both GET and POST
 */
export const authorizePostEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/authorize',
  spec: 'OIDC Core §3.1.2.1',
  summary: 'The same, posted: sent on to the GET.',
  tag: 'OAuth',
  refusals: 'page',
  rateLimit: 'login',
  maxBodyBytes: mostPostedBytes,
  run: (http) => {
    const posted = http.rawBody.toString('latin1')
    const isForm = http.form.ok || http.form.error.reason !== 'form_absent'
    if (!isForm || !formText.test(posted)) return refuseOnPage({ reason: 'authorization_request_malformed', detail: { why: 'no_form' } })
    return redirect(`${tenantOf(http).issuer.url}/authorize?${posted}`, { headers: { 'cache-control': 'no-store' } })
  },
})

/** What a serialised form consists of; nothing else may stand in an address. */
const formText = /^[A-Za-z0-9%&=+._~*!'(),:;@/?$-]+$/

type Queried = { readonly parameters: SingleValuedForm; readonly repeated: RedirectRefusal | undefined }
type Asked = Queried & FoundParameters

/** A repeated parameter is the client's to hear of, unless it is one of the two that say who the client is. @spec RFC 6749 §3.1, §4.1.2.1 */
function readQuery(query: HttpRequest['query']): Result<Queried, PageRefusal> {
  if (query.ok) return ok({ parameters: query.value, repeated: undefined })
  const { reason, parameter = '', once } = query.error
  if (once?.['client_id'] === undefined || once['redirect_uri'] === undefined)
    return err({ reason: 'authorization_request_malformed', detail: { why: reason } })
  // Several resources are well formed (RFC 8707 §2), but a token of ours is for one.
  if (parameter === 'resource') return ok({ parameters: once, repeated: { reason: 'resources_several' } })
  return ok({ parameters: once, repeated: { reason: 'authorization_parameter_malformed', detail: { field: parameter, why: reason } } })
}

/**
 * Accepts the request of a client that this process remembers: every statement that follows compares its version. It is refused only by
 * the client as the database has it now.
 */
async function acceptOfClient(
  deps: BrokerDeps,
  http: HttpRequest,
  asked: Asked,
  claimed: ClaimedAuthorizationRequest,
): Promise<Result<AuthorizationRequest, Answer>> {
  const tenant = tenantOf(http)
  const remembered = recallClient(deps, tenant, claimed.clientId)
  const accepted = remembered && accept(tenant, asked, claimed, remembered)
  if (accepted?.ok) return accepted
  const client = await resolveClient(deps, tenant, claimed.clientId, 'authorize', http.spend)
  return client.ok ? accept(tenant, asked, claimed, client.value) : err(refuseOnPage(client.error))
}

/** First that the answer may be sent there at all, then everything else: a page before, the client's own redirect URI after. */
function accept(
  tenant: ResolvedTenant,
  asked: Asked,
  claimed: ClaimedAuthorizationRequest,
  client: Client,
): Result<AuthorizationRequest, Answer> {
  const answerable = matchClient(claimed, client)
  if (!answerable.ok) return err(refuseOnPage(answerable.error))
  if (asked.repeated) return err(answerUnaskedWithError(tenant, client, answerable.value, asked.repeated))
  const request = acceptRequest(answerable.value, {
    ...accessRulesOf(tenant),
    requirePushedRequests: tenant.requirePushedRequests,
    isPushed: asked.isPushed,
  })
  return request.ok ? request : err(answerUnaskedWithError(tenant, client, answerable.value, request.error))
}
