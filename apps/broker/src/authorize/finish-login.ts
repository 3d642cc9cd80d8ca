/**
 * Judges the IdP's answer in the browser that asked for it, and believes it in one statement.
 *
 * Order: the browser's cookie has found the trip; the trip says what is expected; the connector verifies; mapping names the person; one
 * statement consumes the trip, enters the ids, writes subject and session. Only then is there an identity, and dispatch goes on. Nothing
 * that fails before that statement consumes anything, so no forged answer ends somebody's pending login.
 */

import { demandsRecentLogin } from '@drawbridge/core/identity/fresh-login'
import type { LoginAssertion } from '@drawbridge/core/identity/identity-assertion'
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import { namesOfIdpSession } from '@drawbridge/core/logout/idp-session'
import { Secret } from '@drawbridge/core/secret'
import type { BrowserSessionId, CredentialHash, LoginRequestId, SubjectId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { findAuthorizationRequest } from '@drawbridge/store/authorization-requests'
import { completeLogin, type LoginRefusal, type LoginToComplete } from '@drawbridge/store/complete-login'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import type { RefusedAnswer } from '@drawbridge/upstream/answer-outline'
import type { ConnectionConfiguration } from '@drawbridge/upstream/connection'
import type { UpstreamMessage } from '@drawbridge/upstream/connector'
import { isProven, type UpstreamRefusal } from '@drawbridge/upstream/error'
import { type Identified, identify } from '../admission/admit.js'
import { sessionEndOf } from '../admission/session-end.js'
import { type Answer, withCookies } from '../http/answer.js'
import { callbackUrlOf } from '../http/connection-addresses.js'
import { FaultAfterwards } from '../http/fault-afterwards.js'
import { atIssuer } from '../http/front.js'
import { sealContextOf } from '../http/seal-context.js'
import { sessionHandleOf, setFrameCookie, setSessionCookie } from '../http/session-cookie.js'
import { answerWithError, refuseOnPage } from './answer.js'
import { refuseOldLogin } from './decline.js'
import { dispatch } from './dispatch.js'
import { arriveAtVisit } from './factor-visit.js'
import { finishTestLogin } from './finish-test-login.js'
import { type FinishedLogin, resumeFlow } from './flow.js'
import { type Homecoming, loginToJudge, noteUnknownKey } from './homecoming.js'
import { failureOf, failureOfAnswer, traced } from './login-trace.js'
import { refuseUpstream } from './upstream-refusal.js'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** RelayState or `state` as we write it: the id of the trip. It proves nothing; without it the IdP began by itself. SAML Bindings §3.5.3 */
export const loginRequestIdOf = (relayState: string | undefined): LoginRequestId | undefined =>
  relayState !== undefined && uuid.test(relayState) ? (relayState as LoginRequestId) : undefined

export async function finishLogin(arrived: Homecoming, message: UpstreamMessage): Promise<Answer> {
  const { deps, connection, trip, now } = arrived
  // The session that the answer opens is of the issuer at which the browser began.
  const tenant = trip.issuerId === undefined ? arrived.tenant : await atIssuer(deps, arrived.tenant, trip.issuerId)
  if (!tenant) return refuseOnPage({ reason: 'request_expired' })
  const home = { ...arrived, tenant }
  // What is switched off may be tested, and nothing else.
  if (connection.disabled && trip.testLoginId === undefined) return refuseOnPage({ reason: 'connection_unknown' })
  const connector = deps.connectorFor(tenant, connection)
  if (!connector || !connection.configuration.ok) return refuseOnPage({ reason: 'connection_unknown' })
  const state = deps.sealer.open(trip.sealedState, sealContextOf(home, 'login_requests', 'sealed_state', trip.id))
  if (!state.ok) return refuseOnPage({ reason: 'request_expired', detail: { why: 'unsealable' } })
  const verified = await connector.finish(message, {
    upstreamId: trip.upstreamId,
    state: new Secret(state.value.toString('utf8')),
    callbackUrl: callbackUrlOf(tenant, connection),
    now,
  })
  if (trip.testLoginId !== undefined)
    return finishTestLogin({ ...home, testLoginId: trip.testLoginId }, connection.configuration.value, verified)
  if (!verified.ok) return refuseMessage(home, verified.error)
  return believe(home, connection.configuration.value, verified.value)
}

/** What was proven to be the IdP's word and yet refused is a line of the audit trail; what anybody could have sent is none. */
async function refuseMessage(home: Homecoming, refusal: RefusedAnswer): Promise<Answer> {
  const { http, deps, tenant, connection, now } = home
  await noteUnknownKey(home, refusal)
  const asked = await askedByClient(home, refusal)
  if (asked?.for === 'recent_login')
    return traced(home, failureOfAnswer(refusal, 'refused'), await refuseOldLogin(asked.flow, refusal.reason))
  if (isProven(refusal))
    await inTenant(deps.database, tenant.id, (db) =>
      insertAuditEvent(db, tenant.id, {
        at: now,
        kind: 'login_refused',
        issuerId: tenant.issuer.id,
        connectionId: connection.id,
        reason: refusal.reason,
        detail: {},
        requestId: http.requestId,
        address: http.address,
      }),
    )
  // Whoever may have written this ends nothing by it: the request stays open.
  const answer = asked ? answerWithError(tenant, asked.flow.pending, { reason: 'authentication_unmet' }) : refuseUpstream(refusal)
  return traced(home, failureOfAnswer(refusal, 'refused'), answer)
}

const cannotBeDone: Partial<Record<UpstreamRefusal['reason'], 'recent_login' | 'context'>> = {
  saml_authn_not_fresh: 'recent_login',
  oidc_authn_not_fresh: 'recent_login',
  saml_authn_context_unmet: 'context',
  oidc_step_up_unmet: 'context',
}

/**
 * The IdP has not asked her again, or says itself that it cannot authenticate her so. Where it was the client that wanted it, the client is told.
 *
 * @spec OIDC Core §3.1.2.1 no other end for prompt=login and max_age; RFC 9470 §5, OIDC Unmet Authentication Requirements §2
 */
async function askedByClient({ http, deps, tenant, browserHash, trip, now }: Homecoming, { reason }: RefusedAnswer) {
  const id = trip.authorizationRequestId
  const cannot = cannotBeDone[reason]
  if (id === undefined || cannot === undefined) return undefined
  const found = await findAuthorizationRequest(onHotPath(deps.database), tenant.id, { id, browserHash, now })
  const flow = await resumeFlow({ http, deps, tenant, browserHash, now }, found)
  if (!flow.ok) return undefined
  const { pending, ongoing } = flow.value
  // A second factor that policy wanted is policy's to explain.
  const isAsked = cannot === 'recent_login' ? demandsRecentLogin(pending) : pending.acrValues.length > 0 && ongoing.stepUps === 0
  return isAsked ? { flow: flow.value, for: cannot } : undefined
}

async function believe(home: Homecoming, configuration: ConnectionConfiguration, assertion: LoginAssertion): Promise<Answer> {
  const { deps, tenant } = home
  const identified = identify(configuration, assertion)
  if (!identified.ok) {
    const { reason } = identified.error
    return traced(home, failureOf(reason), refuseOnPage({ reason: 'identity_unusable', detail: { why: reason } }))
  }
  const handle = deps.random.token()
  const login = loginToComplete(home, assertion, identified.value, hashCredential(handle))
  const completed = await completeLogin(onHotPath(deps.database), tenant.id, login)
  switch (completed.kind) {
    case 'believed':
      return goOn(home, completed, sessionCookies(home, configuration, handle, login.session.id))
    case 'fresh_login_required':
      return goOn(home, completed, [])
    case 'refused':
      return traced(
        home,
        failureOf(completed.reason, { identity: identified.value.identity }),
        refuseOnPage({ reason: pageReasons[completed.reason], detail: { why: completed.reason } }),
      )
  }
}

function sessionCookies({ deps, tenant }: Homecoming, configuration: ConnectionConfiguration, handle: string, id: BrowserSessionId) {
  const isFramed = configuration.kind === 'oidc' && configuration.frontchannelLogout
  return [setSessionCookie(deps, tenant, handle), ...(isFramed ? setFrameCookie(deps, tenant, id) : [])]
}

const pageReasons = {
  login_replayed: 'login_replayed',
  evidence_below_barrier: 'login_refused',
  idp_session_ended: 'idp_session_ended',
  login_not_fresh: 'login_not_fresh',
  subject_deactivated: 'subject_deactivated',
  subject_not_provisioned: 'subject_not_provisioned',
  subject_not_in_directory: 'subject_not_in_directory',
  subject_not_invited: 'subject_not_invited',
  address_of_another: 'address_of_another',
  domain_proof_missing: 'domain_proof_missing',
  directory_resync_pending: 'directory_resync_pending',
} as const satisfies Record<LoginRefusal, string>

function loginToComplete(home: Homecoming, assertion: LoginAssertion, who: Identified, handleHash: CredentialHash): LoginToComplete {
  const { http, deps, tenant, now } = home
  const { authentication, stableId } = who.identity
  const claims = identityToJson(who.identity)
  const sessionId = deps.random.uuid() as BrowserSessionId
  return {
    ...loginToJudge(home, assertion, who),
    issuerId: tenant.issuer.id,
    subject: { id: deps.random.uuid() as SubjectId, stableId, claims },
    session: {
      id: sessionId,
      handleHash,
      ...authentication,
      idpSession: claims.idpSession,
      idpSessionNames: namesOfIdpSession(who.identity.idpSession),
      sealedLogoutHint: sealLogoutHint(home, assertion, sessionId),
      expiresAt: sessionEndOf(who.identity, now),
    },
    previousHandleHash: sessionHandleOf(http, deps, tenant),
    requestId: http.requestId,
    address: http.address,
  }
}

/** What a sign-out at the IdP will want to see again. Nobody else has a use for it, so it rests sealed, and ends with the session. */
function sealLogoutHint(home: Homecoming, assertion: LoginAssertion, sessionId: BrowserSessionId): Buffer | undefined {
  const hint = assertion.kind === 'oidc' ? assertion.logoutHint : undefined
  return (
    hint &&
    home.deps.sealer.seal(Buffer.from(hint.reveal(), 'utf8'), sealContextOf(home, 'browser_sessions', 'sealed_logout_hint', sessionId))
  )
}

/** Back to dispatch, which decides. It is asked with the cookies that the answer sets, as the browser will ask from now on. */
async function goOn(
  home: Homecoming,
  login: FinishedLogin & { readonly request: Parameters<typeof resumeFlow>[1] },
  setCookies: readonly string[],
): Promise<Answer> {
  const { http, deps, tenant, browserHash, now, trip } = home
  const set = setCookies.map((cookie) => (cookie.split(';', 1)[0] ?? '').split('=') as [string, string])
  const asked = { ...http, cookies: new Map([...http.cookies, ...set]) }
  try {
    if (trip.factorVisitId !== undefined) return withCookies(await arriveAtVisit(home, trip.factorVisitId, login), setCookies)
    const flow = await resumeFlow({ http: asked, deps, tenant, browserHash, now, login }, login.request)
    return withCookies(flow.ok ? await dispatch(flow.value) : flow.error, setCookies)
  } catch (cause) {
    // Her trip is over and her session begun, whatever became of what she came for.
    throw new FaultAfterwards(cause, setCookies)
  }
}
