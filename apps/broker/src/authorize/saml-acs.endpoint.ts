/**
 * The assertion consumer service. A cross-site POST carries no cookie of ours, so nothing is judged here: a message that names an open login is
 * sealed, put aside under a one-time handle, and the browser comes back with a same-site GET that does carry it. security.md §8
 */
import { addSeconds } from '@drawbridge/core/instant'
import { hashCredential } from '@drawbridge/crypto/hash'
import { insertParkedMessage } from '@drawbridge/store/parked-messages'
import { onHotPath } from '@drawbridge/store/transaction'
import { readUnsolicited } from '@drawbridge/upstream/saml/unsolicited-response'
import type { BrokerDeps } from '../deps.js'
import { type Answer, redirect } from '../http/answer.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedConnection } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { loginRequestIdOf } from './finish-login.js'
import { initiatedLoginOf, refuseUnsolicited, sendToTarget } from './initiated-login.js'
import { type Failing, tracedStray } from './login-trace.js'
import { packMessage } from './packed-message.js'
import { refuseUpstream } from './upstream-refusal.js'

const parkedSeconds = 120
/** 256 KiB of base64 hold 192 KiB of message (`messageLimits`), about 1500 groups; some of it is percent-encoded. */
const maxMessageBytes = 384 * 1024

/** @spec SAML Bindings §3.5 HTTP POST */
export const samlAcsEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/saml/:connection/acs',
  spec: 'SAML Bindings §3.5',
  summary: 'Takes a SAML response from the IdP and puts it aside until the browser has proven itself.',
  tag: 'Federation',
  hot: true,
  refusals: 'page',
  rateLimit: 'login',
  maxBodyBytes: maxMessageBytes,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const connection = tenant.connection(http.params['connection'] ?? '')
    if (!connection || connection.kind !== 'saml') return refuseOnPage({ reason: 'connection_unknown' })
    const form = http.form.ok ? http.form.value : {}
    const response = form['SAMLResponse']
    if (!response) return refuseUpstream({ reason: 'saml_response_missing' })
    const loginRequestId = loginRequestIdOf(form['RelayState'])
    if (!loginRequestId && connection.disabled) return refuseOnPage({ reason: 'connection_unknown' })
    if (!loginRequestId) return answerUnsolicited(http, deps, connection, { response, relayState: form['RelayState'] || undefined })
    const now = deps.clock.now()
    const handle = deps.random.token()
    const handleHash = hashCredential(handle)
    const context = sealContextOf({ deps, tenant }, 'parked_messages', 'sealed', handleHash.toString('hex'))
    const parked = await insertParkedMessage(onHotPath(deps.database), tenant.id, {
      handleHash,
      connectionId: connection.id,
      loginRequestId,
      sealed: deps.sealer.seal(packMessage(response), context),
      expiresAt: addSeconds(now, parkedSeconds),
      now,
    })
    if (!parked) return refuseUnparked({ http, deps, tenant, connection, now })
    return redirect(`${tenant.issuer.url}/saml/${connection.id}/continue?handle=${handle}`, { headers: { 'cache-control': 'no-store' } })
  },
})

/** The login that it answers is over, or never was: nothing of the message is kept. Which one it names is anybody's word, so nobody is told more. */
const refuseUnparked = (at: Failing & { readonly connection: ResolvedConnection }): Promise<Answer> | Answer =>
  at.connection.disabled
    ? refuseOnPage({ reason: 'connection_unknown' })
    : tracedStray(at, 'request_not_of_browser', refuseOnPage({ reason: 'request_not_of_browser', detail: { why: 'no_open_login' } }))

/** No RelayState of ours: a tile of the IdP's portal, or an answer whose RelayState got lost. @spec SAML Profiles §4.1.5 */
async function answerUnsolicited(
  http: HttpRequest,
  deps: BrokerDeps,
  connection: ResolvedConnection,
  { response, relayState }: { readonly response: string; readonly relayState: string | undefined },
): Promise<Answer> {
  const listed = initiatedLoginOf(connection)
  if (!listed) return refuseUnsolicited(http, deps, connection)
  const message = readUnsolicited(response)
  if (!message.ok) return refuseUpstream(message.error)
  if (message.value !== 'answer') return sendToTarget(http, connection, listed, { relayState })
  const at = { http, deps, tenant: tenantOf(http), connection, now: deps.clock.now() }
  return tracedStray(at, 'relay_state_lost', refuseOnPage({ reason: 'relay_state_lost' }))
}
