/**
 * Where a transmitter of the company pushes security events (SSF): sessions revoked, credentials changed, accounts disabled.
 *
 * What is answered 202 has happened: the id of the token is entered in the transaction that takes away. A token that comes again is a success
 * and does nothing, because transmitters send again whatever they are not sure of.
 */
import { err, type Result } from '@drawbridge/core/result'
import { signalErrors } from '@drawbridge/core/signals/error'
import type { SecurityEvent } from '@drawbridge/core/signals/security-event'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { hashCredential, sameHash } from '@drawbridge/crypto/hash'
import { type CameOfEvent, hearSecurityEvent } from '@drawbridge/store/hear-security-event'
import { unheardOf } from '@drawbridge/store/refused-security-events'
import { heardWordsOf } from '@drawbridge/upstream/signals/connection-signature'
import { type EventRefusal, securityEventLimits, verifySecurityEvent } from '@drawbridge/upstream/signals/security-event-token'
import type { SignalRefusal } from '@drawbridge/upstream/signals/signal-refusal'
import type { SsfTransmitter } from '@drawbridge/upstream/signals/transmitter'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { noteBelieved, ofSenders } from '../http/believed-senders.js'
import { ssfReceiverUrlOf } from '../http/connection-addresses.js'
import { endpoint, type HttpRequest } from '../http/endpoint.js'
import { type AnyPresentConnection, presentConnectionToHear } from '../http/present-connection.js'
import { fullRetrySeconds, noteFull, noteRefusal } from './note-refusal.js'

const contentType = /^application\/secevent\+jwt *(;|$)/i
const bearer = /^Bearer +(\S{1,1024})$/i

/** @spec RFC 8935 §2 */
export const receiversEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/ssf/receivers/:connection',
  spec: 'RFC 8935 §2',
  summary: 'Takes a security event token of the transmitter that a connection hears, and ends what it says.',
  tag: 'Signals',
  permission: 'token signed by the transmitter of the connection',
  ...ofSenders,
  servesSuspended: true,
  maxBodyBytes: securityEventLimits.length,
  output: { status: 202 },
  run: async (http, deps) => {
    const connection = await presentConnectionToHear(http, deps)
    const transmitter = connection?.configuration.ssf
    if (!connection || !transmitter) return refuse(deps, { reason: 'set_not_heard' })
    const verified = await verify(http, deps, connection, transmitter)
    if (!verified.ok && !verified.error.isSigned) return refuse(deps, verified.error)
    const busy = http.spend(verified.ok ? 'signal_source' : 'signal_refused', connection.id)
    if (busy) return busy
    if (!verified.ok) {
      await note(http, deps, { connection, transmitter, refusal: verified.error })
      return refuse(deps, verified.error)
    }
    const came = await hear(http, deps, { connection, transmitter, event: verified.value })
    if (came.outcome !== 'repeated') noteBelieved(deps, http)
    if (came.outcome !== 'full') return accept(deps, came)
    await noteFull(http, deps, connection, unheardOf(verified.value, heardWordsOf(connection.configuration, transmitter)))
    return refuse(deps, { reason: 'unmatched_signals_full', detail: { retryAfterSeconds: fullRetrySeconds } })
  },
})

async function verify(
  http: HttpRequest,
  deps: BrokerDeps,
  { tenant, id }: AnyPresentConnection,
  transmitter: SsfTransmitter,
): Promise<Result<SecurityEvent, EventRefusal>> {
  if (!contentType.test(http.headers['content-type'] ?? ''))
    return err({ reason: 'set_malformed', detail: { rule: 'content_type' }, isSigned: false })
  const audience = transmitter.audience ?? ssfReceiverUrlOf(tenant, id)
  const token = http.rawBody.toString('latin1').trim()
  const verified = await verifySecurityEvent(deps.fetchSafely, transmitter, { token, audience, now: deps.clock.now() })
  if (isProvenSender(http.headers['authorization'], transmitter)) return verified
  if (verified.ok) return err({ reason: 'set_sender_unproven', isSigned: true, unheard: verified.value })
  return verified.error.reason === 'signal_keys_awaited'
    ? verified
    : err({ reason: 'set_sender_unproven', isSigned: verified.error.isSigned })
}

/**
 * The bearer token is no proof of what is said, the signature is. Without it nothing is believed; it is asked of the signature alone whether the
 * transmitter itself comes without what we expect of it.
 */
function isProvenSender(authorization: string | undefined, { pushTokenSha256 }: SsfTransmitter): boolean {
  if (pushTokenSha256.length === 0) return true
  const token = bearer.exec(authorization ?? '')?.[1]
  if (token === undefined) return false
  const hash = hashCredential(token)
  return pushTokenSha256.some((expected) => sameHash(Buffer.from(expected, 'hex') as CredentialHash, hash))
}

type Heard = { readonly connection: AnyPresentConnection; readonly transmitter: SsfTransmitter; readonly event: SecurityEvent }

const hear = (http: HttpRequest, deps: BrokerDeps, { connection, transmitter, event }: Heard): Promise<CameOfEvent> =>
  hearSecurityEvent(deps.database, {
    ...{ tenant: connection.tenant.id, connectionId: connection.id, words: heardWordsOf(connection.configuration, transmitter), event },
    ...{ way: 'push', now: deps.clock.now(), requestId: http.requestId, newId: () => deps.random.uuid() },
  })

function accept(deps: BrokerDeps, { outcome, isMass }: CameOfEvent): Answer {
  deps.metrics.count('drawbridge_signals_total', { way: 'push', outcome })
  if (isMass) deps.metrics.count('drawbridge_mass_revocations_total')
  return empty(202, { headers: { 'cache-control': 'no-store' } })
}

type Refused = { readonly connection: AnyPresentConnection; readonly transmitter: SsfTransmitter; readonly refusal: EventRefusal }

/** Of what the transmitter itself has signed, before it is told that we do not hear it; if that cannot be written down it may send it again. */
async function note(http: HttpRequest, deps: BrokerDeps, { connection, transmitter, refusal }: Refused): Promise<void> {
  const words = heardWordsOf(connection.configuration, transmitter)
  await noteRefusal(http, deps, {
    ...{ connection, reason: refusal.reason, rule: refusal.detail?.['rule']?.toString() },
    unheard: refusal.unheard && unheardOf(refusal.unheard, words),
  })
}

/** @spec RFC 8935 §2.3 */
function refuse(deps: BrokerDeps, { reason, detail }: SignalRefusal): Answer {
  const refusal = detail === undefined ? { reason } : { reason, detail }
  deps.metrics.count('drawbridge_signals_total', { way: 'push', outcome: 'refused' })
  const { code, status, say } = signalErrors[refusal.reason]
  const later = status === 503 ? { 'retry-after': String(refusal.detail?.['retryAfterSeconds'] ?? 1) } : {}
  const headers = { 'cache-control': 'no-store', 'content-language': 'en', ...later }
  return json({ err: code, description: say }, { status, headers, refusal })
}
