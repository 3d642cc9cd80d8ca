/**
 * The answer to a login by redirect, for the connections that ask for that. A top-level GET carries the Lax cookie, so the browser has proven
 * itself and nothing has to be parked: the answer is judged at once, in the same order, and nothing is consumed before it is believed.
 */
import { findLoginRequest } from '@drawbridge/store/login-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import { parseRedirectQuery } from '@drawbridge/upstream/saml/redirect-query'
import { browserHashOf } from '../http/browser-binding.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'
import { finishLogin, loginRequestIdOf } from './finish-login.js'
import { refuseUnsolicited } from './initiated-login.js'
import { refuseUpstream } from './upstream-refusal.js'

/** @spec SAML Bindings §3.4 HTTP Redirect */
export const samlAcsRedirectEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/saml/:connection/acs',
  spec: 'SAML Bindings §3.4',
  summary: 'Takes a SAML response by redirect and judges it, where the connection asks for answers by redirect.',
  tag: 'Federation',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const connection = tenant.connection(http.params['connection'] ?? '')
    if (!connection || connection.kind !== 'saml' || connection.disabled) return refuseOnPage({ reason: 'connection_unknown' })
    const { configuration } = connection
    const isAskedFor = configuration.ok && configuration.value.kind === 'saml' && configuration.value.responseBinding === 'redirect'
    if (!isAskedFor) return refuseUpstream({ reason: 'saml_binding_unsupported' })
    const browserHash = browserHashOf(http, deps)
    if (!browserHash) return refuseOnPage({ reason: 'request_not_of_browser' })
    const parsed = parseRedirectQuery(http.rawQuery)
    if (!parsed.ok) return refuseUpstream(parsed.error)
    const id = loginRequestIdOf(parsed.value.relayState)
    if (!id) return refuseUnsolicited(http, deps, connection)
    const now = deps.clock.now()
    const trip = await findLoginRequest(onHotPath(deps.database), tenant.id, { id, connectionId: connection.id, browserHash, now })
    if (!trip) return refuseOnPage({ reason: 'request_not_of_browser', detail: { why: 'no_open_login' } })
    const message = { binding: 'redirect', query: http.rawQuery, parameters: new Map<string, string>() } as const
    return finishLogin({ http, deps, tenant, connection, browserHash, trip, now }, message)
  },
})
