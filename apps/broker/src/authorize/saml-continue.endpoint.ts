/** The same-site step after the ACS: the browser proves itself, and the parked message is judged, once. */
import { hashCredential } from '@drawbridge/crypto/hash'
import { takeParkedMessage } from '@drawbridge/store/parked-messages'
import { onHotPath } from '@drawbridge/store/transaction'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'
import { browserHashOf } from './browser.js'
import { finishLogin } from './finish-login.js'
import { sealContextOf } from './start-login.js'

/** @spec SAML Profiles §4.1.4.3 processing of the response */
export const samlContinueEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/saml/:connection/continue',
  spec: 'SAML Profiles §4.1.4.3',
  summary: 'Judges the parked SAML response in the browser that asked for it.',
  tag: 'Federation',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const connection = tenant.connection(http.params['connection'] ?? '')
    if (!connection || connection.kind !== 'saml' || connection.disabled) return refuseOnPage({ reason: 'connection_unknown' })
    // Before the message is taken: another browser must not be able to spend it.
    if (!browserHashOf(http, deps)) return refuseOnPage({ reason: 'request_not_of_browser' })
    const handleHash = hashCredential((http.query.ok ? http.query.value['handle'] : undefined) ?? '')
    const now = deps.clock.now()
    const sealed = await takeParkedMessage(onHotPath(deps.database), tenant.id, { handleHash, connectionId: connection.id, now })
    if (!sealed) return refuseOnPage({ reason: 'login_replayed' })
    const opened = deps.sealer.open(sealed, sealContextOf({ deps, tenant }, 'parked_messages', 'sealed', handleHash.toString('hex')))
    if (!opened.ok) return refuseOnPage({ reason: 'login_refused', detail: { why: 'unsealable' } })
    const parameters = new Map(Object.entries(JSON.parse(opened.value.toString('utf8')) as Record<string, string>))
    return finishLogin(http, deps, connection, { binding: 'post', parameters }, parameters.get('RelayState'))
  },
})
