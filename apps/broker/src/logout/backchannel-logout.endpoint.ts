/**
 * Where an OpenID provider says that a session has ended, server to server: no cookie, no browser, nothing but the logout token.
 *
 * What is accepted has happened when we answer: its id is believed in the transaction that ends the sessions, so a failure leaves both undone.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { endIdpSession, type SessionsEnded } from '@drawbridge/store/end-session'
import { believeOnceHere } from '@drawbridge/store/replays'
import { inTenant } from '@drawbridge/store/transaction'
import { type UpstreamRefusal, upstreamErrors } from '@drawbridge/upstream/error'
import { type LogoutToken, logoutTokenLimits, verifyLogoutToken } from '@drawbridge/upstream/oidc/logout-token'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty } from '../http/answer.js'
import { noteBelieved, ofSenders } from '../http/believed-senders.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { presentConnection } from '../http/present-connection.js'
import { refuseAsJson } from '../http/write-error.js'

const formBytes = 1024

/** @spec OIDC Back-Channel Logout §2.5 to §2.8 */
export const backchannelLogoutEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/oidc/:connection/backchannel-logout',
  spec: 'OIDC Back-Channel Logout §2.5',
  summary: 'Takes a logout token from the OpenID provider and ends the sessions that it names, with what was granted from them.',
  tag: 'Logout',
  ...ofSenders,
  maxBodyBytes: logoutTokenLimits.length + formBytes,
  run: async (http, deps) => {
    const connection = await presentConnection(http, deps, 'oidc')
    if (!connection) return refuse(deps, { reason: 'oidc_logout_token_refused', detail: { rule: 'connection' } })
    const token = http.form.ok ? http.form.value['logout_token'] : undefined
    if (token === undefined) return refuse(deps, { reason: 'oidc_logout_token_refused', detail: { rule: 'absent' } })
    const now = deps.clock.now()
    const verified = await verifyLogoutToken(deps.fetchSafely, connection.configuration, { token, now })
    if (!verified.ok) return refuse(deps, verified.error)
    const done = await end(http, deps, { connectionId: connection.id, token: verified.value, now })
    if (!done) return refuse(deps, { reason: 'oidc_logout_token_replayed' })
    noteBelieved(deps, http)
    return accept(deps, done)
  },
})

type Told = { readonly connectionId: ConnectionId; readonly token: LogoutToken; readonly now: Instant }

/** `undefined`: accepted before. */
function end(http: HttpRequest, deps: BrokerDeps, { connectionId, token, now }: Told): Promise<SessionsEnded | undefined> {
  const { id: tenant } = tenantOf(http)
  const { requestId, address } = http
  return inTenant(deps.database, tenant, async (db) => {
    const replay = { scopeId: connectionId, kind: 'oidc_logout_token' as const, id: token.id, expiresAt: token.replayableUntil }
    if (!(await believeOnceHere(db, tenant, replay))) return undefined
    const ending = { tenant, connectionId, reason: 'backchannel_logout' as const, now, requestId, address }
    return endIdpSession(db, { ...ending, newId: () => deps.random.uuid() }, token.ended)
  })
}

/** That nothing was found is a success: the session is over. */
function accept(deps: BrokerDeps, { sessions, grants, barrier }: SessionsEnded): Answer {
  const outcome = sessions + grants > 0 || barrier !== undefined ? 'ended' : 'nothing'
  deps.metrics.count('drawbridge_logouts_total', { way: 'backchannel', outcome })
  if (barrier !== undefined) deps.metrics.count('drawbridge_mass_logouts_total', { barrier })
  return empty(200)
}

/**
 * What could not be judged, because the issuer's keys are not to be had at this moment, is not refused for good: a provider that tries again does so.
 *
 * @spec OIDC Back-Channel Logout §2.8 whatever is wrong with it, 400
 */
function refuse(deps: BrokerDeps, refusal: UpstreamRefusal): Answer {
  deps.metrics.count('drawbridge_logouts_total', { way: 'backchannel', outcome: 'refused' })
  const { cause: say, code } = upstreamErrors[refusal.reason]
  if (code !== 'upstream_unreachable') return refuseAsJson({ code: 'invalid_request', status: 400, say }, refusal)
  const retryAfter = String(refusal.detail?.['retryAfterSeconds'] ?? logoutTokenLimits.fetchPauseSeconds)
  return refuseAsJson({ code: 'temporarily_unavailable', status: 503, say }, refusal, { headers: { 'retry-after': retryAfter } })
}
