/** POST /token: the phases that every grant type shares, in the order of the specification. A grant type adds only what differs. */

import { unreachable } from '@drawbridge/core/assert'
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { samlBearerGrantType } from '@drawbridge/core/oauth/saml-bearer'
import { judgeTenantParameter, tenantParameter } from '@drawbridge/core/oauth/tenant-parameter'
import { parseTokenRequest, type TokenRequest } from '@drawbridge/core/oauth/token-request'
import { tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { err, ok } from '@drawbridge/core/result'
import { type Acted, ifUnchanged } from '../clients/as-proven-client.js'
import { type ClientClaim, readClientClaim } from '../clients/client-authentication.js'
import { limitOfClient } from '../clients/client-limit.js'
import { readProof, verifyProof, withNonce } from '../clients/dpop.js'
import { noteClientUse } from '../clients/note-client-use.js'
import { refuse } from '../clients/refuse.js'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { Exchange, ExchangeContext } from './exchange.js'
import { findTenantOfDevice } from './find-tenant-of-device.js'
import { exchangeCode } from './grants/authorization-code.js'
import { exchangeClientCredentials } from './grants/client-credentials.js'
import { exchangeDeviceCode } from './grants/device-code.js'
import { exchangeForIdJag } from './grants/id-jag.js'
import { exchangeAssertion } from './grants/jwt-bearer.js'
import { exchangeRefreshToken } from './grants/refresh-token.js'
import { exchangeSamlAssertion } from './grants/saml-bearer.js'
import { exchangeSubjectToken } from './grants/token-exchange.js'
import { asKnownClient } from './introduce-client.js'
import { refuseForm } from './refuse.js'

export const tokenEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/token',
  spec: 'RFC 6749 §3.2',
  summary:
    'Exchanges a code, a device code, a refresh token, a client\u2019s own credentials, the assertion of a trusted issuer or an access token for tokens',
  hot: true,
  cors: true,
  tag: 'OAuth',
  omitsEmpty: true,
  run: async (http, deps) => {
    if (!http.form.ok) return refuseForm(http.form.error)
    const request = parseTokenRequest(http.form.value)
    if (!request.ok) return refuse(request.error)
    const at = tenantOf(http)
    const said = http.form.value[tenantParameter] || undefined
    const ofDevice = at.issuer.kind === 'front' && request.value.grantType === deviceGrantType ? request.value : undefined
    const misnamed = ofDevice ? undefined : judgeTenantParameter({ ...request.value, said }, at)
    if (misnamed) return refuse({ reason: misnamed })
    const claimed = readClientClaim(deps, http, http.form.value, at)
    if (!claimed.ok) return refuse(claimed.error)
    if (!ofDevice) return answerToken(deps, { http, claim: claimed.value, request: request.value })
    const found = await findTenantOfDevice(deps, { http, claim: claimed.value, request: ofDevice, said })
    if (!found.ok) return found.error
    return answerToken(deps, {
      http: { ...http, tenant: found.value },
      claim: { ...claimed.value, tenant: found.value },
      request: request.value,
    })
  },
})

type Asked = { readonly http: HttpRequest; readonly claim: ClientClaim; readonly request: TokenRequest }

async function answerToken(deps: BrokerDeps, { http, claim, request }: Asked): Promise<Answer> {
  const tenant = tenantOf(http)
  const proof = readProof(deps, http, tenant, { endpoint: 'token' })
  if (!proof.ok) return withNonce(deps, http, tenant, refuse(proof.error))
  const act = async (client: ProvenClient): Promise<Acted<Answer>> => {
    const limited = limitOfClient(http, client, 'tenant_token')
    if (limited) return ok(limited)
    const provenKey = verifyProof(proof.value)
    if (!provenKey.ok) return provenKey
    const tokens = await exchange(deps, { http, tenant, client, provenKey: provenKey.value, now: deps.clock.now() }, request)
    if (tokens === 'client_changed' || !tokens.ok) return tokens
    await noteClientUse(deps, client)
    deps.metrics.count('drawbridge_tokens_issued_total', { grant_type: request.grantType })
    return ok(json(tokens.value, { headers: { 'cache-control': 'no-store', pragma: 'no-cache' } }))
  }
  const asking = { http, tenant, claim, proof: proof.value, request: request, now: deps.clock.now() }
  const answered = await asKnownClient(deps, asking, act)
  return withNonce(deps, http, tenant, answered.ok ? answered.value : refuse(answered.error))
}

/** What is presented is judged by its statement also where the proof that is demanded is missing (`proof-demanded`): each asks for it when it is. */
async function exchange(deps: BrokerDeps, context: ExchangeContext, request: TokenRequest): ReturnType<Exchange<TokenRequest>> {
  const { client } = context
  if (!client.grantTypes.includes(request.grantType)) return ifUnchanged(deps, client, err({ reason: 'grant_type_not_for_client' }))
  switch (request.grantType) {
    case 'authorization_code':
      return exchangeCode(deps, context, request)
    case 'refresh_token':
      return exchangeRefreshToken(deps, context, request)
    case 'client_credentials':
      return exchangeClientCredentials(deps, context, request)
    case deviceGrantType:
      return exchangeDeviceCode(deps, context, request)
    case jwtBearerGrantType:
      return exchangeAssertion(deps, context, request)
    case tokenExchangeGrantType:
      return request.requested === 'id_jag' ? exchangeForIdJag(deps, context, request) : exchangeSubjectToken(deps, context, request)
    case samlBearerGrantType:
      return exchangeSamlAssertion(deps, context, request)
    default:
      return unreachable(request)
  }
}
