/**
 * Judges the IdP's answer in the browser that asked for it, and believes it in one statement.
 *
 * Order: the browser's cookie finds the trip; the trip says what is expected; the connector verifies; mapping names the person; one
 * statement consumes the trip, enters the ids, writes subject and session. Only then is there an identity, and dispatch goes on.
 */
import type { IdentityAssertion } from '@drawbridge/core/identity/identity-assertion'
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import type { BrowserSessionId, SubjectId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { endBrowserSession } from '@drawbridge/store/browser-sessions'
import { completeLogin, findLoginRequest, type LoginToComplete, type StoredLoginRequest } from '@drawbridge/store/login-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import type { ConnectionConfiguration } from '@drawbridge/upstream/connection'
import type { UpstreamMessage } from '@drawbridge/upstream/connector'
import { identify, scimLinkOf } from '../admission/admit.js'
import type { BrokerDeps } from '../deps.js'
import { type Answer, redirect } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { ResolvedConnection, ResolvedTenant } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { withCookies } from './authorize.endpoint.js'
import { browserHashOf, sessionHandleOf, setSessionCookie } from './browser.js'
import { dispatch } from './dispatch.js'
import { loadFlow } from './flow.js'
import { callbackUrlOf, sealContextOf } from './start-login.js'

/** The row's outer limit; policy sets the real one, and the IdP may set an earlier one. */
const sessionTtlSeconds = 12 * 3600
/** An ID token is refused for its age long before this, so its entry may then be swept. */
const idTokenReplaySeconds = 3600

type Judged = {
  readonly http: HttpRequest
  readonly deps: BrokerDeps
  readonly tenant: ResolvedTenant
  readonly connection: ResolvedConnection
  readonly configuration: ConnectionConfiguration
  readonly trip: StoredLoginRequest
  readonly now: Instant
}

/** `handle`: RelayState or state, which names the trip and proves nothing by itself. */
export async function finishLogin(
  http: HttpRequest,
  deps: BrokerDeps,
  connection: ResolvedConnection,
  message: UpstreamMessage,
  handle: string | undefined,
): Promise<Answer> {
  const tenant = tenantOf(http)
  const browserHash = browserHashOf(http, deps)
  if (!browserHash) return refuseOnPage({ reason: 'request_not_of_browser' })
  if (handle === undefined || !uuid.test(handle)) return refuseOnPage({ reason: 'login_unsolicited' })
  const now = deps.clock.now()
  const trip = await findLoginRequest(onHotPath(deps.database), tenant.id, { id: handle, connectionId: connection.id, browserHash, now })
  if (!trip) return refuseOnPage({ reason: 'request_not_of_browser', detail: { why: 'no_open_login' } })
  const connector = deps.connectorFor(tenant, connection)
  if (!connector || !connection.configuration.ok) return refuseOnPage({ reason: 'connection_unknown' })
  const judged: Judged = { http, deps, tenant, connection, configuration: connection.configuration.value, trip, now }
  const state = deps.sealer.open(trip.sealedState, sealContextOf(judged, 'login_requests', 'sealed_state', trip.id))
  if (!state.ok) return refuseOnPage({ reason: 'request_expired', detail: { why: 'unsealable' } })
  const callbackUrl = callbackUrlOf(tenant, connection)
  const verified = await connector.finish(message, {
    upstreamId: trip.upstreamId,
    state: new Secret(state.value.toString('utf8')),
    callbackUrl,
    now,
  })
  if (!verified.ok) return refuseOnPage({ reason: 'login_refused', detail: { why: verified.error.reason } })
  return believe(judged, browserHash, verified.value)
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

async function believe(judged: Judged, browserHash: LoginToComplete['browserHash'], assertion: IdentityAssertion): Promise<Answer> {
  const { deps, http, tenant, connection, configuration, trip, now } = judged
  const identity = identify(configuration, assertion)
  if (!identity.ok) return refuseOnPage({ reason: 'identity_unusable', detail: { why: identity.error.reason } })
  const handle = deps.random.token()
  const { authentication, idpSession, sessionExpiresAt } = identity.value
  const outer = addSeconds(now, sessionTtlSeconds)
  const json = identityToJson(identity.value)
  const hot = onHotPath(deps.database)
  const completed = await completeLogin(hot, tenant.id, {
    id: trip.id,
    issuerId: tenant.issuer.id,
    connectionId: connection.id,
    browserHash,
    issuedAt: assertion.issuedAt,
    now,
    ...replaysOf(assertion, now),
    subject: { id: deps.random.uuid() as SubjectId, stableId: identity.value.stableId, claims: json },
    scimLink: scimLinkOf(configuration, assertion),
    session: {
      id: deps.random.uuid() as BrowserSessionId,
      handleHash: hashCredential(handle),
      ...authentication,
      idpSession: json.idpSession ?? idpSession,
      expiresAt: sessionExpiresAt !== undefined && sessionExpiresAt < outer ? sessionExpiresAt : outer,
    },
    requestId: http.requestId,
    address: http.address,
  })
  if (completed.kind === 'refused')
    return refuseOnPage({
      reason: completed.reason === 'evidence_below_barrier' ? 'login_refused' : completed.reason,
      detail: { why: completed.reason },
    })
  // The handle is rotated at every login: whoever knew the old one has nothing.
  const previous = sessionHandleOf(http, deps, tenant)
  if (previous) await endBrowserSession(hot, tenant.id, previous, now)
  return goOn(judged, handle)
}

/** Dispatch reads the session from the cookie, so it is asked with the cookie that the answer sets. */
async function goOn({ http, deps, tenant, trip }: Judged, handle: string): Promise<Answer> {
  const cookie = setSessionCookie(deps, tenant, handle)
  const [name = '', value = ''] = (cookie.split(';', 1)[0] ?? '').split('=')
  const flow = await loadFlow({ ...http, cookies: new Map([...http.cookies, [name, value]]) }, deps, trip.authorizationRequestId)
  return withCookies(flow.ok ? await dispatch(flow.value) : flow.error, [cookie])
}

/** Both ids of a SAML answer count: the profile forbids a second use of the assertion, and a response is one message. */
function replaysOf(assertion: IdentityAssertion, now: Instant): Pick<LoginToComplete, 'replays' | 'replayableUntil'> {
  if (assertion.kind === 'saml') {
    const replays = [
      { kind: 'saml_assertion' as const, id: assertion.assertionId },
      { kind: 'saml_response' as const, id: assertion.responseId },
    ]
    return { replays, replayableUntil: assertion.replayableUntil }
  }
  const id = JSON.stringify([assertion.issuer, assertion.sub, assertion.claims.get('nonce') ?? null, assertion.issuedAt])
  return { replays: [{ kind: 'oidc_id_token', id }], replayableUntil: addSeconds(now, idTokenReplaySeconds) }
}

export const seeOther = (location: string): Answer => redirect(location, { headers: { 'cache-control': 'no-store' } })
