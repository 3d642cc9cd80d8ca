/**
 * An IdP says, signed, that a session of its has ended: the sessions here that hang on it end, and it is answered.
 *
 * The id is believed in the transaction that ends the sessions, so a failure leaves both undone and the IdP may say it again. That nothing
 * was found is a success. A connection that is switched off is heard, too: what it takes away is nothing that anybody should keep.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { endIdpSession, type SessionsEnded } from '@drawbridge/store/end-session'
import { askForMetadata } from '@drawbridge/store/metadata-sources'
import { believeOnceHere } from '@drawbridge/store/replays'
import { inTenant } from '@drawbridge/store/transaction'
import type { SamlConnection } from '@drawbridge/upstream/connection-configuration'
import type { UpstreamMessage } from '@drawbridge/upstream/connector'
import { type UpstreamRefusal, upstreamErrors } from '@drawbridge/upstream/error'
import { answerLogout, answerLogoutBySoap, type LogoutParty, ownQualifiersOf } from '@drawbridge/upstream/saml/logout'
import type { LogoutAnswer } from '@drawbridge/upstream/saml/logout-message'
import { askAgainSeconds } from '@drawbridge/upstream/saml/metadata-schedule'
import { parseRedirectQuery } from '@drawbridge/upstream/saml/redirect-query'
import { logoutUrlsOf } from '@drawbridge/upstream/saml/service-provider'
import { soapFault } from '@drawbridge/upstream/saml/soap-message'
import { type ReceivedLogout, type SamlLogoutRequest, verifyLogout } from '@drawbridge/upstream/saml/verify-logout'
import type { BrokerDeps } from '../deps.js'
import { type Answer, page, type RefusalNote, redirect } from '../http/answer.js'
import { noteBelieved } from '../http/believed-senders.js'
import { callbackUrlOf } from '../http/connection-addresses.js'
import { isDatabaseGone } from '../http/database-gone.js'
import type { HttpRequest } from '../http/endpoint.js'
import { html } from '../http/html.js'
import { leaveFor } from '../http/leave-for.js'
import { presentTenant } from '../http/present-connection.js'
import type { ResolvedConnection, ResolvedTenant } from '../http/tenant.js'
import { packAnswer, unpackAnswer } from './saml-answer.js'
import { finishUpstream } from './upstream-logout.js'

/** One IdP, and the request in which it spoke. */
type Hearing = {
  readonly http: HttpRequest
  readonly deps: BrokerDeps
  readonly tenant: ResolvedTenant
  readonly connection: ResolvedConnection
  readonly party: LogoutParty
  readonly urls: ReturnType<typeof logoutUrlsOf>
}

/** Its keys as they are at this moment: a cache that is a second old does not decide who is believed. security.md §14 */
async function hear(http: HttpRequest, deps: BrokerDeps): Promise<Hearing | undefined> {
  const tenant = await presentTenant(http, deps)
  const connection = tenant.connection(http.params['connection'] ?? '')
  if (connection?.configuration.ok !== true || connection.configuration.value.kind !== 'saml') return undefined
  const configuration: SamlConnection = connection.configuration.value
  const party = { connection: configuration, serviceProvider: connection.serviceProvider, random: deps.random }
  return { http, deps, tenant, connection, party, urls: logoutUrlsOf(callbackUrlOf(tenant, connection)) }
}

const unknownConnection: UpstreamRefusal = { reason: 'saml_logout_unavailable', detail: { why: 'connection' } }

export async function takeLogout(http: HttpRequest, deps: BrokerDeps, received: ReceivedLogout): Promise<Answer> {
  const hearing = await hear(http, deps)
  if (!hearing) return refuseOnPage(deps, unknownConnection)
  if (isAnswer(received)) return takeAnswer(hearing, received)
  const verified = await verify(hearing, received, hearing.urls.browser)
  if (!verified.ok) return refuseOnPage(deps, verified.error)
  if (verified.value.kind === 'response') return refuseOnPage(deps, { reason: 'saml_not_a_logout_message' })
  const request = verified.value
  const answer = await end(hearing, request)
  if (answer === 'replayed') return refuseOnPage(deps, { reason: 'saml_logout_replayed' })
  const sent = answerLogout(hearing.party, { request, answer, sloUrl: hearing.urls.browser, now: deps.clock.now() })
  return sent === undefined ? signedOutPage : leaveFor(sent, 'You are signed out here')
}

/** By what carries it: the message must then be one. */
function isAnswer(received: ReceivedLogout): boolean {
  if (received.binding === 'post') return received.form['SAMLResponse'] !== undefined && received.form['SAMLRequest'] === undefined
  const parsed = received.binding === 'redirect' ? parseRedirectQuery(received.query) : undefined
  return parsed?.ok === true && parsed.value.carries === 'SAMLResponse'
}

/**
 * The IdP's answer when somebody signed out here, judged in the browser that began it. A cross-site POST brings no cookie that would say so:
 * it goes round by an address of ours, which the browser visits with its cookie. Nothing is kept meanwhile, and nothing hangs on it.
 */
async function takeAnswer({ http, deps, urls }: Hearing, received: ReceivedLogout): Promise<Answer> {
  if (received.binding === 'redirect') return finish(http, deps, { binding: 'redirect', query: received.query, parameters: new Map() })
  const message = received.binding === 'post' ? packAnswer(received.form['SAMLResponse'] ?? '') : undefined
  if (message === undefined) return refuseOnPage(deps, { reason: 'saml_message_too_large' })
  return redirect(`${urls.browser}/continue?message=${message}`, noStore)
}

export async function continueAnswer(http: HttpRequest, deps: BrokerDeps): Promise<Answer> {
  const response = unpackAnswer((http.query.ok ? http.query.value['message'] : undefined) ?? '')
  if (response === undefined) return refuseOnPage(deps, { reason: 'saml_message_missing' })
  return finish(http, deps, { binding: 'post', parameters: new Map([['SAMLResponse', response]]) })
}

const finish = (http: HttpRequest, deps: BrokerDeps, message: UpstreamMessage): Promise<Answer> =>
  finishUpstream(http, deps, message, () => refuseOnPage(deps, { reason: 'saml_logout_unsolicited' }))

type SoapAnswer = { readonly status: number; readonly body: string; readonly refusal?: RefusalNote }

export async function takeLogoutBySoap(http: HttpRequest, deps: BrokerDeps, body: string): Promise<SoapAnswer> {
  const hearing = await hear(http, deps)
  if (!hearing) return refuseBySoap(deps, unknownConnection)
  const verified = await verify(hearing, { binding: 'soap', body }, hearing.urls.soap)
  if (!verified.ok) return refuseBySoap(deps, verified.error)
  if (verified.value.kind === 'response') return refuseBySoap(deps, { reason: 'saml_not_a_logout_message' })
  const request = verified.value
  const answer = await end(hearing, request)
  if (answer === 'replayed') return refuseBySoap(deps, { reason: 'saml_logout_replayed' })
  const said = answerLogoutBySoap(hearing.party, { request, answer, sloUrl: hearing.urls.browser, now: deps.clock.now() })
  return said === undefined ? refuseBySoap(deps, { reason: 'sp_key_missing' }) : { status: 200, body: said }
}

/** A key that we do not know may be a new one: its metadata is asked for again, as at a login. */
async function verify({ deps, tenant, connection, party }: Hearing, received: ReceivedLogout, destination: string) {
  const now = deps.clock.now()
  const { connection: configuration, serviceProvider } = party
  const verified = verifyLogout(received, { connection: configuration, destination, serviceProvider, now })
  if (!verified.ok && verified.error.reason === 'saml_signature_invalid')
    await inTenant(deps.database, tenant.id, (db) =>
      askForMetadata(db, tenant.id, connection.id, { now, askedBefore: addSeconds(now, -askAgainSeconds) }),
    )
  return verified
}

/** Where the database does not answer, nothing has ended, and the IdP hears that instead of nothing. */
async function end(hearing: Hearing, request: SamlLogoutRequest): Promise<LogoutAnswer | 'replayed'> {
  const { deps, http } = hearing
  try {
    const ended = await endSessions(hearing, request)
    // A browser says that it is one (Fetch Metadata): it brings one person's logout, and would crowd out the address of the IdP.
    if (ended !== undefined && http.headers['sec-fetch-site'] === undefined) noteBelieved(deps, http)
    if (ended !== undefined) count(deps, ended.sessions + ended.grants > 0 || ended.barrier !== undefined ? 'ended' : 'nothing')
    if (ended?.barrier !== undefined) deps.metrics.count('drawbridge_mass_logouts_total', { barrier: ended.barrier })
    return ended === undefined ? 'replayed' : 'complete'
  } catch (cause) {
    if (!isDatabaseGone(cause)) throw cause
    deps.log.warn(
      { requestId: http.requestId, cause: (cause as Error).message },
      'the database does not answer; an IdP is told that its logout failed',
    )
    count(deps, 'refused')
    return 'incomplete'
  }
}

/** `undefined`: heard before. */
function endSessions(
  { http, deps, tenant, connection, party, urls }: Hearing,
  request: SamlLogoutRequest,
): Promise<SessionsEnded | undefined> {
  const { requestId, address } = http
  return inTenant(deps.database, tenant.id, async (db) => {
    const replay = { scopeId: connection.id, kind: 'saml_logout_request' as const, id: request.id, expiresAt: request.replayableUntil }
    if (!(await believeOnceHere(db, tenant.id, replay))) return undefined
    const ending = {
      tenant: tenant.id,
      connectionId: connection.id,
      reason: 'saml_logout' as const,
      now: deps.clock.now(),
      requestId,
      address,
    }
    const { nameId, sessionIndexes } = request
    const ended = { protocol: 'saml' as const, nameId, sessionIndexes, own: ownQualifiersOf(party.connection, urls.browser) }
    return endIdpSession(db, { ...ending, newId: () => deps.random.uuid() }, ended)
  })
}

const count = (deps: BrokerDeps, outcome: 'ended' | 'nothing' | 'refused'): void =>
  deps.metrics.count('drawbridge_logouts_total', { way: 'saml', outcome })

const noStore = { headers: { 'cache-control': 'no-store' } }

/** For IdPs that have no address for an answer. */
const signedOutPage = page(
  'You are signed out',
  html`<p>Your company’s sign-in has ended your session here. You may close this window.</p>`,
  noStore,
)

function refuseOnPage(deps: BrokerDeps, refusal: UpstreamRefusal): Answer {
  count(deps, 'refused')
  const { cause, remedy, status } = upstreamErrors[refusal.reason]
  return page(
    'Signing out did not work',
    html`<h2>What happened</h2><p>${cause}</p><h2>What helps</h2><p>${remedy}</p><p class="soft">Code <code>${refusal.reason}</code></p>`,
    { ...noStore, status, refusal },
  )
}

/** @spec SAML Bindings §3.2.3.3 */
function refuseBySoap(deps: BrokerDeps, refusal: UpstreamRefusal): SoapAnswer {
  count(deps, 'refused')
  const { cause, status } = upstreamErrors[refusal.reason]
  return { status, body: soapFault(`${refusal.reason}: ${cause}`), refusal }
}
