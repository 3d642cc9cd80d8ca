/**
 * The assertion consumer service. A cross-site POST carries no cookie of ours, so nothing is judged here: the message is sealed, put
 * aside under a one-time handle, and the browser comes back with a same-site GET that does carry it. security.md §8
 */
import { addSeconds } from '@drawbridge/core/instant'
import { hashCredential } from '@drawbridge/crypto/hash'
import { insertParkedMessage } from '@drawbridge/store/parked-messages'
import { onHotPath } from '@drawbridge/store/transaction'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'
import { seeOther } from './finish-login.js'
import { sealContextOf } from './start-login.js'

const parkedSeconds = 120
/** 256 KiB of base64 hold about a thousand groups. */
const maxMessageBytes = 384 * 1024
/** SAML Bindings §3.5.3. */
const relayStateLength = 80

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
    if (!connection || connection.kind !== 'saml' || connection.disabled) return refuseOnPage({ reason: 'connection_unknown' })
    const form = http.form.ok ? http.form.value : {}
    const response = form['SAMLResponse']
    const relayState = form['RelayState'] ?? ''
    if (!response || relayState.length > relayStateLength)
      return refuseOnPage({ reason: 'login_refused', detail: { why: 'saml_response_missing' } })
    const handle = deps.random.token()
    const handleHash = hashCredential(handle)
    const plain = Buffer.from(JSON.stringify({ SAMLResponse: response, RelayState: relayState }), 'utf8')
    await insertParkedMessage(onHotPath(deps.database), tenant.id, {
      handleHash,
      connectionId: connection.id,
      sealed: deps.sealer.seal(plain, sealContextOf({ deps, tenant }, 'parked_messages', 'sealed', handleHash.toString('hex'))),
      expiresAt: addSeconds(deps.clock.now(), parkedSeconds),
    })
    return seeOther(`${tenant.issuer.url}/saml/${connection.id}/continue?handle=${handle}`)
  },
})
