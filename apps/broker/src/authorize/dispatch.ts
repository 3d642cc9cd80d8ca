/**
 * The dispatcher: the only place that decides the browser's next step.
 *
 * Every step returns here and none calls another. From the ongoing request and the browser's session it reads where the browser stands:
 *
 *   at the front issuer ── whose is it? ── (choose-tenant) ── here again, as that tenant's
 *   no session ── which IdP? ── (choose-connection) ── client announced? ── (client-notice) ── upstream login ─┐
 *   came home, not fresh after a barrier ── back upstream, once, with the demand for a fresh sign-in
 *   came home, not as recently signed in as the client asked ── the client hears login_required
 *   session ───── policy ── stepUp, once ── back upstream; deny ── page that says what was missing            │
 *                        ├─ what a factor of ours would add is all that is missing ── (second-factor) ── here again
 *                        └─ allow ── agreed? ── (consent) ── grant, code, redirect                  <──────────┘
 *
 * The gate before upstream protects the person from being carried through her IdP for a stranger; the gate after policy shows what
 * would really be granted. Nothing is remembered between requests in this process.
 */
import { whyNothingNewAt } from '@drawbridge/core/oauth/client-registration'
import type { RedirectRefusal } from '@drawbridge/core/oauth/error'
import { mustBePushed } from '@drawbridge/core/oauth/pushed-request'
import { isOnOwnMachine } from '@drawbridge/core/oauth/redirect-uri'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import { connectionOfAddress } from '@drawbridge/core/tenant/connection-choice'
import type { BrowserSessionId, Scope } from '@drawbridge/core/tenant/ids'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { type OngoingRequest, saveAuthorizationRequest } from '@drawbridge/store/authorization-requests'
import { markDeviceDenied } from '@drawbridge/store/device-codes'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import { openGrantForCode } from '../admission/open-grant.js'
import { type Answer, redirect } from '../http/answer.js'
import { type ResolvedConnection, usableConnections } from '../http/tenant.js'
import { answerUnaskedWithError, answerWithCode, refuseOnPage } from './answer.js'
import { becomeTenants } from './become-tenants.js'
import { refuseOldLogin, refuseSomebodyElse } from './decline.js'
import { decidedOn, endStep, type Flow, findMovedClient, reloadFlow, type StepEnd, stepLocation } from './flow.js'
import { groupsOfHint } from './groups-of-hint.js'
import { failureOf, traced } from './login-trace.js'
import { mayAskIdp, ownFactorStep } from './own-factor.js'
import { denialPage } from './pages.js'
import { rememberedConnectionOf } from './remembered-connection.js'
import { consentToKeep, findRememberedConsent, judgedHashOf } from './remembered-consent.js'
import { acceptableSession, decideFor, type SignedIn } from './signed-in.js'
import { type LoginDemand, startLogin } from './start-login.js'
import { refuseUnapproved } from './unapproved.js'

type Allowed = Extract<PolicyDecision, { kind: 'allow' }>

/** What a consent page showed, of which client as it was then, and to whom: the session that was decided on. */
export type ShownDecision = { readonly scopes: readonly Scope[]; readonly judged: string; readonly sessionId: BrowserSessionId }

/** What a step was decided on may change before it is written; after this many decisions the person may try again. */
const mostDecisions = 4

/** `agreed`: what the person has just said yes to on the consent page. */
export async function dispatch(flow: Flow, agreed?: ShownDecision): Promise<Answer> {
  let current = flow
  for (let decision = 1; decision <= mostDecisions; decision += 1) {
    const end = await takeNextStep(current, agreed)
    if (end.kind === 'became_tenants') {
      current = end.flow
      continue
    }
    if (end.kind !== 'ground_moved') return end
    const reloaded = await reloadFlow(current, end)
    if (!reloaded.ok) return reloaded.error
    current = reloaded.value
  }
  return refuseOnPage({ reason: 'request_unsettled' })
}

async function takeNextStep(flow: Flow, agreed: ShownDecision | undefined): Promise<StepEnd | BecameTenants> {
  const shut = await refuseShut(flow)
  if (shut) return shut
  if (flow.pending.deviceCodeId !== undefined && !flow.tenant.deviceGrant) return refuseOnPage({ reason: 'device_page_off' })
  if (!flow.pending.isPushed && mustBePushed(flow.tenant, flow.client))
    return answerUnaskedWithError(flow.tenant, flow.client, flow.pending, { reason: 'pushed_request_required' })
  if (flow.tenant.issuer.kind === 'front') return findTenant(flow)
  if (flow.login?.kind === 'fresh_login_required') return goUpstream(flow, 'fresh')
  const session = await acceptableSession(flow)
  if (session === 'login_not_renewed') return refuseOldLogin(flow, session)
  if (session === 'login_of_somebody_else') return refuseSomebodyElse(flow, session)
  if (session === 'session_of_somebody_else') return goUpstream(flow, 'fresh')
  if (!session) return goUpstream(flow, undefined)
  const { configurationVersion } = session
  if (configurationVersion > flow.tenant.configurationVersion) return { kind: 'ground_moved', configurationVersion }
  const signedIn = await decideFor(flow, session)
  if (!signedIn) return goUpstream(flow, undefined)
  const { decision } = signedIn
  switch (decision.kind) {
    case 'stepUp':
      return (await ownFactor(signedIn)) ?? goUpstream(flow, decision.demand === 'mfa' && mayAskIdp(signedIn) ? 'mfa' : 'anew')
    case 'deny':
      return (await ownFactor(signedIn)) ?? deny(signedIn, decision)
    case 'allow':
      return allow(signedIn, decision, agreed)
  }
}

/** At every step: an admin may have closed the way by which this client came, or its approval may be lost, while the person was away. */
async function refuseShut({ deps, tenant, client }: Flow): Promise<StepEnd | undefined> {
  const why = whyNothingNewAt(tenant, client)
  if (why === undefined) return undefined
  if (why === 'way_closed') return refuseOnPage({ reason: 'client_way_closed' })
  // An approval counts at once, also where this process has not heard of it.
  const present = await deps.clients.read({ tenantId: client.tenantId, issuerId: client.issuerId, id: client.id })
  if (present?.version !== client.version) return { kind: 'ground_moved', configurationVersion: tenant.configurationVersion }
  return refuseUnapproved(deps, tenant, client)
}

/** The request has become a tenant's, and goes on as that one. */
type BecameTenants = { readonly kind: 'became_tenants'; readonly flow: Flow }

/** By what the application says of her, unless she is to say herself as whom she goes on; else she is asked. */
async function findTenant(flow: Flow): Promise<StepEnd | BecameTenants> {
  const { loginHint, selectAccount, prompt } = flow.pending
  const became = loginHint === undefined || selectAccount ? undefined : await becomeTenants(flow, loginHint)
  if (became) return became.ok ? { kind: 'became_tenants', flow: became.value } : became.error
  if (prompt.includes('none')) return refuseSilently(flow, 'login_required')
  return move(flow, { step: 'choose_tenant' }, stepLocation(flow, 'choose-tenant'))
}

/** To the page that asks for a factor of ours, where one is all that is missing. */
async function ownFactor(signedIn: SignedIn): Promise<StepEnd | undefined> {
  if ((await ownFactorStep(signedIn)) === undefined) return undefined
  const { flow, session } = signedIn
  if (flow.pending.prompt.includes('none')) return refuseSilently(flow, 'interaction_required')
  const { subjectId, connectionId } = session
  return move(flow, { step: 'second_factor', subjectId, connectionId }, stepLocation(flow, 'second-factor'))
}

async function goUpstream(flow: Flow, demand: LoginDemand | undefined): Promise<StepEnd> {
  const { ongoing, pending, client } = flow
  if (pending.prompt.includes('none')) return refuseSilently(flow, 'login_required')
  const connection = await connectionFor(flow)
  if (connection === 'none') return refuseOnPage({ reason: 'connection_missing' })
  if (connection === 'ask') return move(flow, { step: 'choose_connection' }, stepLocation(flow, 'choose-connection'))
  if (!('id' in connection)) return connection
  if (!client.preApproved && ongoing.noticedAt === undefined) {
    return move(flow, { step: 'client_notice', connectionId: connection.id }, stepLocation(flow, 'client-notice'))
  }
  return startLogin(flow, connection, demand)
}

/**
 * Chosen before, or named by the link, or the only one, or the one that the login hint leads to, or the one that this browser was told to
 * remember; else the person says. `prompt=login` asks her anew, and `prompt=select_account` whatever the hint says.
 */
async function connectionFor(flow: Flow): Promise<ResolvedConnection | 'ask' | 'none' | Answer> {
  const { http, deps, tenant, ongoing, pending } = flow
  const usable = usableConnections(tenant)
  const chosen = usable.find((connection) => connection.id === ongoing.connectionId)
  if (chosen) return chosen
  const [first] = usable
  if (!first) return 'none'
  if (usable.length === 1) return first
  if (pending.selectAccount) return 'ask'
  const remembered = pending.prompt.includes('login') ? undefined : rememberedConnectionOf(http, deps, tenant)
  const groups = await groupsOfHint(flow, usable, pending.loginHint)
  if (!groups.ok) return groups.error
  return connectionOfAddress(tenant, usable, pending.loginHint, groups.value) ?? usable.find(({ id }) => id === remembered) ?? 'ask'
}

/**
 * prompt=none allows no page of ours in between: the request is answered, and over. It has never been stored, because no step of it
 * waits for the browser; as no statement compares the client, it is read.
 *
 * @spec OIDC Core §3.1.2.6
 */
async function refuseSilently(flow: Flow, reason: RedirectRefusal['reason']): Promise<StepEnd> {
  const { tenant, client, pending } = flow
  return (await findMovedClient(flow)) ?? answerUnaskedWithError(tenant, client, pending, { reason })
}

async function move(flow: Flow, change: Partial<OngoingRequest>, location: string): Promise<StepEnd> {
  const { deps, tenant, browserHash } = flow
  const ongoing = { ...flow.ongoing, ...change }
  const moved = await saveAuthorizationRequest(onHotPath(deps.database), tenant.id, { ongoing, browserHash, decidedOn: decidedOn(flow) })
  return endStep(moved, () => redirect(location, { headers: { 'cache-control': 'no-store' } }))
}

async function deny({ flow, session, identity }: SignedIn, decision: Extract<PolicyDecision, { kind: 'deny' }>): Promise<StepEnd> {
  const { deps, tenant, client, http, now, pending } = flow
  const moved = await findMovedClient(flow)
  if (moved) return moved
  // As a yes is: each is a line of the trail, which is kept for ever.
  const limited = http.spend('subject', `${tenant.id} ${session.subjectId}`)
  if (limited) return limited
  await inTenant(deps.database, tenant.id, async (db) => {
    if (pending.deviceCodeId !== undefined) await markDeviceDenied(db, tenant.id, pending.deviceCodeId, now)
    await insertAuditEvent(db, tenant.id, {
      at: now,
      kind: 'access_denied',
      issuerId: tenant.issuer.id,
      subjectId: session.subjectId,
      clientId: client.id,
      connectionId: session.connectionId,
      scopes: pending.scopes,
      reason: decision.reason,
      detail: { explanation: decision.explanation },
      requestId: http.requestId,
      address: http.address,
    })
  })
  if (pending.prompt.includes('none')) return answerUnaskedWithError(tenant, client, pending, { reason: 'access_refused' })
  const { connectionId: id } = session
  const kind = tenant.connection(id)?.kind ?? 'saml'
  const denied = { stage: 'policy', outcome: 'denied', identity, explanation: decision.explanation } as const
  return traced({ http, deps, tenant, connection: { id, kind }, now }, failureOf(decision.reason, denied), denialPage(flow, decision))
}

/**
 * Consent is asked of every client that nobody vouched for, for every grant of what is sensitive, and one click of every client whose
 * redirect stays on the person's own machine, because any program there could pose as it. RFC 8252 §8.6
 * For a device it is asked always: whoever asked may be anywhere, and a live session must not answer a stranger by itself. RFC 8628 §5.4
 */
const needsConsent = ({ client, pending }: Flow, decision: Allowed): boolean =>
  pending.deviceCodeId !== undefined ||
  !client.preApproved ||
  decision.asksConsentAnew ||
  pending.prompt.includes('consent') ||
  isOnOwnMachine(pending.redirectUri)

async function allow(signedIn: SignedIn, decision: Allowed, shown: ShownDecision | undefined): Promise<StepEnd> {
  const { flow, session, identity } = signedIn
  const { deps, tenant, ongoing, client, pending } = flow
  // A yes is the yes of whom the page showed, and to the client that it showed: if somebody else has signed in since, or the client calls itself something else, it is asked anew.
  const judged = judgedHashOf(client).toString('base64url')
  const agreed = shown?.sessionId === session.id && shown.judged === judged ? shown.scopes : undefined
  const ask = (): Promise<StepEnd> => {
    const shows: ShownDecision = { scopes: decision.scopes, judged, sessionId: session.id }
    return move(flow, { step: 'consent', decision: shows, subjectId: session.subjectId }, stepLocation(flow, 'consent'))
  }
  const isAsked = needsConsent(flow, decision)
  const remembered = isAsked && agreed === undefined ? await findRememberedConsent(signedIn, decision) : undefined
  if (isAsked && agreed === undefined && remembered === undefined)
    return pending.prompt.includes('none') ? refuseSilently(flow, 'interaction_required') : ask()
  const scopes = agreed === undefined ? decision.scopes : decision.scopes.filter((scope) => agreed.includes(scope))
  if (scopes.length === 0) return ask()
  const limited = flow.http.spend('subject', `${tenant.id} ${session.subjectId}`)
  if (limited) return limited
  const { written, code } = await openGrantForCode(deps, {
    tenant,
    authorizationRequestId: ongoing.saved ? ongoing.id : undefined,
    client,
    clientEpoch: ongoing.clientEpoch,
    pending,
    resource: flow.resource,
    session,
    identity,
    decision: remembered?.decision ?? decision,
    scopes,
    reliesOn: remembered?.consent,
    keepsConsent: agreed && consentToKeep(flow, decision),
    requestId: flow.http.requestId,
    address: flow.http.address,
    now: flow.now,
  })
  return endStep(written, () => answerWithCode(tenant, pending, code))
}
