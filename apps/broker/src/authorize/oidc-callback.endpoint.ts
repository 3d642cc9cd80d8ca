/** The redirect URI at a tenant's OpenID provider. A top-level GET carries the Lax cookie, so nothing has to be parked. */
import { endpoint, tenantOf } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'
import { finishLogin } from './finish-login.js'

/** @spec OIDC Core §3.1.2.5 authentication response; RFC 9207 §2.4 iss, judged by the connector */
export const oidcCallbackEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/oidc/:connection/callback',
  spec: 'OIDC Core §3.1.2.5',
  summary: 'Takes the code from the OpenID provider and finishes the upstream login.',
  tag: 'Federation',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const connection = tenantOf(http).connection(http.params['connection'] ?? '')
    if (!connection || connection.kind !== 'oidc' || connection.disabled) return refuseOnPage({ reason: 'connection_unknown' })
    if (!http.query.ok) return refuseOnPage({ reason: 'login_refused', detail: { why: http.query.error.reason } })
    const parameters = new Map(Object.entries(http.query.value))
    return finishLogin(http, deps, connection, { binding: 'query', parameters }, parameters.get('state'))
  },
})
