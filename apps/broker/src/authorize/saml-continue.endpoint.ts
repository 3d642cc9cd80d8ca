/** The same-site step after the ACS: the browser proves itself, and the parked message is judged, once. */
import { hashCredential } from '@drawbridge/crypto/hash'
import { takeParkedMessage } from '@drawbridge/store/parked-messages'
import { onHotPath } from '@drawbridge/store/transaction'
import { browserHashOf } from '../http/browser-binding.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { sealContextOf } from '../http/seal-context.js'
import { refuseOnPage } from './answer.js'
import { finishLogin } from './finish-login.js'
import { tracedStray } from './login-trace.js'
import { unpackMessage } from './packed-message.js'

/** @spec SAML Profiles §4.1.4.3 processing of the response */
export const samlContinueEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/saml/:connection/continue',
  spec: 'SAML Profiles §4.1.4.3',
  summary: 'Judges the parked SAML response in the browser that asked for it.',
  tag: 'Federation',
  hot: true,
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const connection = tenant.connection(http.params['connection'] ?? '')
    if (!connection || connection.kind !== 'saml') return refuseOnPage({ reason: 'connection_unknown' })
    const now = deps.clock.now()
    const stray = (why: string) =>
      tracedStray(
        { http, deps, tenant, connection, now },
        'request_not_of_browser',
        refuseOnPage({ reason: 'request_not_of_browser', detail: { why } }),
      )
    const browserHash = browserHashOf(http, deps)
    if (!browserHash) return stray('no_cookie')
    const handleHash = hashCredential((http.query.ok ? http.query.value['handle'] : undefined) ?? '')
    const taken = await takeParkedMessage(onHotPath(deps.database), tenant.id, {
      ...{ handleHash, connectionId: connection.id, browserHash, now },
    })
    if (!taken) return stray('no_message_for_an_open_login')
    const opened = deps.sealer.open(taken.sealed, sealContextOf({ deps, tenant }, 'parked_messages', 'sealed', handleHash.toString('hex')))
    const response = opened.ok ? unpackMessage(opened.value) : undefined
    if (response === undefined) return refuseOnPage({ reason: 'login_refused', detail: { why: 'unsealable' } })
    const message = { binding: 'post', parameters: new Map([['SAMLResponse', response]]) } as const
    return finishLogin({ http, deps, tenant, connection, browserHash, trip: taken.trip, now }, message)
  },
})
