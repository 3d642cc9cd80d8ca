/** The redirect URI at a tenant's OpenID provider. A top-level GET carries the Lax cookie, so nothing has to be parked. */

import { findLoginRequest } from '@drawbridge/store/login-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import { browserHashOf } from '../http/browser-binding.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'
import { finishLogin, loginRequestIdOf } from './finish-login.js'
import { refuseUnsolicited } from './initiated-login.js'
import { tracedStray } from './login-trace.js'
import { refuseUpstream } from './upstream-refusal.js'

/** @spec OIDC Core §3.1.2.5 authentication response; RFC 9207 §2.4 iss, judged by the connector */
export const oidcCallbackEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/oidc/:connection/callback',
  spec: 'OIDC Core §3.1.2.5',
  summary: 'Takes the code from the OpenID provider and finishes the upstream login.',
  tag: 'Federation',
  hot: true,
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const connection = tenant.connection(http.params['connection'] ?? '')
    if (!connection || connection.kind !== 'oidc') return refuseOnPage({ reason: 'connection_unknown' })
    const now = deps.clock.now()
    const stray = (why: string) =>
      tracedStray(
        { http, deps, tenant, connection, now },
        'request_not_of_browser',
        refuseOnPage({ reason: 'request_not_of_browser', detail: { why } }),
      )
    if (!http.query.ok) return refuseUpstream({ reason: 'oidc_answer_malformed', detail: { why: http.query.error.reason } })
    const parameters = new Map(Object.entries(http.query.value))
    const id = loginRequestIdOf(parameters.get('state'))
    if (!id && connection.disabled) return refuseOnPage({ reason: 'connection_unknown' })
    if (!id) return refuseUnsolicited(http, deps, connection)
    const browserHash = browserHashOf(http, deps)
    if (!browserHash) return stray('no_cookie')
    const trip = await findLoginRequest(onHotPath(deps.database), tenant.id, { id, connectionId: connection.id, browserHash, now })
    if (!trip) return stray('no_open_login')
    return finishLogin({ http, deps, tenant, connection, browserHash, trip, now }, { binding: 'query', parameters })
  },
})
