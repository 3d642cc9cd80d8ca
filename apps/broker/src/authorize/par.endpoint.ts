/**
 * POST /par: a client hands over its authorization request beforehand, proven as at the token endpoint, and gets an address that names it.
 *
 * Whatever is wrong with the request is said here, to the client itself, and not to a browser.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { acceptRequest, matchClient, parseAuthorizationRequest } from '@drawbridge/core/oauth/authorization-request'
import { type Client, isVouchedForItself, type ProvenClient } from '@drawbridge/core/oauth/client'
import { whyNothingNewAt } from '@drawbridge/core/oauth/client-registration'
import { type OAuthError, oauthErrors } from '@drawbridge/core/oauth/error'
import {
  bindPush,
  buildRequestUri,
  parametersOfPush,
  pushedRequestMaxBytes,
  pushedRequestTtlSeconds,
} from '@drawbridge/core/oauth/pushed-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import type { ReadProof } from '@drawbridge/crypto/dpop-proof'
import { hashCredential } from '@drawbridge/crypto/hash'
import { pushAuthorizationRequest } from '@drawbridge/store/pushed-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import { type Acted, asProvenClient, callerOf, ifUnchanged } from '../clients/as-proven-client.js'
import { readClientClaim } from '../clients/client-authentication.js'
import { limitOfClient } from '../clients/client-limit.js'
import { readProof, verifyProof, withNonce } from '../clients/dpop.js'
import { noteClientAsked } from '../clients/note-client-asked.js'
import { refuse } from '../clients/refuse.js'
import type { BrokerDeps } from '../deps.js'
import { accessRulesOf } from '../http/access-rules.js'
import { type Answer, json } from '../http/answer.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { SingleValuedForm } from '../http/form.js'
import { namedConnection, type ResolvedTenant } from '../http/tenant.js'
import { refuseAsJson } from '../http/write-error.js'

/** @spec RFC 9449 §10.1; RFC 9126 §2.1 request, §2.2 successful response, §2.3 error response */
export const parEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/par',
  spec: 'RFC 9126 §2',
  summary:
    'Takes an authorization request from its client, judges it whole, and answers with the address by which a browser brings it, once',
  hot: true,
  cors: true,
  tag: 'OAuth',
  omitsEmpty: true,
  rateLimit: 'push',
  maxBodyBytes: pushedRequestMaxBytes,
  run: async (http, deps) => {
    if (!http.form.ok) return refuseForm(http.form.error)
    const form = http.form.value
    // A document that nobody here has seen may be read, as when a browser brings its client: the push is then its first request.
    const claim = readClientClaim(deps, http, form, tenantOf(http), { purpose: 'authorize' })
    if (!claim.ok) return refuse(claim.error)
    const tenant = tenantOf(http)
    const proof = readProof(deps, http, tenant, { endpoint: 'par' })
    if (!proof.ok) return withNonce(deps, http, tenant, refuse(proof.error))
    const pushed = await asProvenClient(deps, claim.value, (client) => push(http, deps, client, { form, proof: proof.value }))
    return withNonce(deps, http, tenant, pushed.ok ? pushed.value : refuse(pushed.error))
  },
})

/** Several resources are well formed (RFC 8707 §2), but a token of ours is for one. */
const refuseForm = ({ reason, parameter = '' }: { readonly reason: string; readonly parameter?: string }): Answer =>
  reason === 'parameter_repeated' && parameter === 'resource'
    ? refuseRequest({ reason: 'resources_several' })
    : refuseRequest({ reason: 'authorization_parameter_malformed', detail: { field: parameter, why: reason } })

/** The catalogue has the status of a page for some of these. @spec RFC 9126 §2.3 400 */
const refuseRequest = (refusal: OAuthError): Answer => refuseAsJson({ ...oauthErrors[refusal.reason], status: 400 }, refusal)

type Pushing = { readonly form: SingleValuedForm; readonly proof: ReadProof | undefined }

async function push(http: HttpRequest, deps: BrokerDeps, client: ProvenClient, { form, proof }: Pushing): Promise<Acted<Answer>> {
  const limited = limitOfClient(http, client, 'tenant_push')
  if (limited) return ok(limited)
  const tenant = tenantOf(http)
  const parameters = judge(tenant, client, form)
  if (!parameters.ok) {
    if (parameters.error.reason === 'client_not_approved') await noteClientAsked(deps, client)
    return ifUnchanged(deps, client, ok(refuseRequest(parameters.error)))
  }
  const provenKey = verifyProof(proof)
  if (!provenKey.ok) return provenKey
  const bound = bindPush(parameters.value, provenKey.value)
  if (!bound.ok) return bound
  const handle = new Secret(deps.random.token())
  const now = deps.clock.now()
  const pushed = await pushAuthorizationRequest(onHotPath(deps.database), {
    tenantId: tenant.id,
    caller: callerOf(client),
    requestHash: hashCredential(handle.reveal()),
    parameters: bound.value,
    provenKey: provenKey.value,
    now,
    expiresAt: addSeconds(now, pushedRequestTtlSeconds),
    asked: { requestId: http.requestId, address: http.address },
    // A credential alone anybody gets who registers: the trail is kept.
    isTold: client.authMethod !== 'none' && isVouchedForItself(client),
  })
  if (pushed === 'client_changed') return pushed
  if (pushed === 'proof_replayed') return err({ reason: 'dpop_proof_replayed' })
  const body = { request_uri: buildRequestUri(handle), expires_in: pushedRequestTtlSeconds }
  return ok(json(body, { status: 201, headers: { 'cache-control': 'no-cache, no-store' } }))
}

/** As the authorization endpoint judges it, by the same rules, and again when it is used. What it comes to are the parameters to keep. */
function judge(tenant: ResolvedTenant, client: Client, form: SingleValuedForm): Result<SingleValuedForm, OAuthError> {
  const why = whyNothingNewAt(tenant, client)
  if (why !== undefined) return err({ reason: `client_${why}` })
  const parameters = parametersOfPush(form, client.id)
  if (!parameters.ok) return parameters
  const claimed = parseAuthorizationRequest(parameters.value)
  if (!claimed.ok) return claimed
  const answerable = matchClient(claimed.value, client)
  if (!answerable.ok) return answerable
  const connection = namedConnection(tenant, parameters.value)
  if (!connection.ok) return connection
  const accepted = acceptRequest(answerable.value, {
    ...accessRulesOf(tenant),
    requirePushedRequests: tenant.requirePushedRequests,
    isPushed: true,
  })
  return accepted.ok ? parameters : accepted
}
