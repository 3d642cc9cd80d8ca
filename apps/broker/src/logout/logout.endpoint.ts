/**
 * Where a person signs out of her session in this browser, led here by an application or by herself. An application that brings an ID token
 * of this very session is believed; whoever else leads her here, she is asked on a page of ours first.
 */
import { instant } from '@drawbridge/core/instant'
import {
  buildSignOutQuery,
  clientOfSignOut,
  type IdTokenHint,
  parseSignOutRequest,
  readIdTokenHint,
  type SignOutRequest,
} from '@drawbridge/core/logout/sign-out-request'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { findLiveBrowserSession, type LiveBrowserSession } from '@drawbridge/store/browser-sessions'
import { endOwnSession } from '@drawbridge/store/end-own-session'
import { grantsOutliveLogout } from '@drawbridge/store/end-session'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { type Answer, redirect } from '../http/answer.js'
import { browserHashOf } from '../http/browser-binding.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { emptyForm, mostPostedBytes } from '../http/form.js'
import { type Bound, formProof, isFormProof } from '../http/form-proof.js'
import { clearSessionCookie, sessionHandleOf } from '../http/session-cookie.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseAsPage } from '../http/write-error.js'
import { chooseSession } from './choose-session.js'
import { askPage, farewell, signedOutPage } from './pages.js'
import { type AskedReturn, askedReturnOf, findReturn, type Returning } from './returning.js'
import { finishUpstream, leaveUpstream } from './upstream-logout.js'

/** Shown for this session of this browser, with where she ends up: it ends no other, leads nowhere else, and is worth nothing after it, nor at another issuer. */
const boundTo = (tenant: ResolvedTenant, handleHash: CredentialHash, shown: AskedReturn | undefined): Bound => [
  tenant.id,
  tenant.issuer.id,
  handleHash.toString('hex'),
  ...(shown === undefined ? [] : [shown.clientId, shown.postLogoutRedirectUri, shown.state ?? null]),
]

const refuse = (refusal: { readonly reason: 'step_proof_invalid' | 'sign_out_malformed' | 'sign_out_of_other_client' }): Answer =>
  refuseAsPage(oauthErrors[refusal.reason], refusal)

/** What of the request holds: the session that its hint is of, and where its client may have her sent. */
type Led = { readonly hint: IdTokenHint | undefined; readonly returning: Returning | undefined }

async function readLed(http: HttpRequest, deps: BrokerDeps, request: SignOutRequest): Promise<Result<Led, Answer>> {
  const hint = hintOf(deps, tenantOf(http), request)
  const clientId = clientOfSignOut(request, hint)
  if (!clientId.ok) return err(refuse(clientId.error))
  return ok({ hint, returning: await findReturn(deps, tenantOf(http), askedReturnOf(clientId.value, request)) })
}

/** Old ones count, too: an application keeps the ID token of its login, which ended minutes after it. */
function hintOf(deps: BrokerDeps, tenant: ResolvedTenant, { idTokenHint }: SignOutRequest): IdTokenHint | undefined {
  const atAnyTime = { now: instant(0), skewSeconds: 0 }
  const expected = { typ: 'JWT', issuer: tenant.issuer.url, audience: undefined, ...atAnyTime }
  const verified = idTokenHint && deps.signatures.verify(idTokenHint.reveal(), tenant.verificationKeys('tokens'), expected)
  if (!verified?.ok || !isOfTenant(tenant, verified.value)) return undefined
  return readIdTokenHint(verified.value)
}

/** The front's keys sign for every tenant: an ID token says for which. */
const isOfTenant = (tenant: ResolvedTenant, claims: Readonly<Record<string, unknown>>): boolean =>
  tenant.issuer.kind === 'tenant' || claims['tenant'] === tenant.slug

/** @spec OIDC RP-Initiated Logout §2 without a matching hint the person is asked */
export const askSignOutEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/logout',
  spec: 'OIDC RP-Initiated Logout §2',
  summary:
    'Signs a person out here, and at her IdP where it offers that: at once for an application with an ID token of this session, else after asking her.',
  tag: 'Logout',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const request = parseSignOutRequest(http.query.ok ? http.query.value : emptyForm)
    if (!request.ok) return refuse(request.error)
    if (tenant.issuer.kind === 'front') return chooseSession(http, deps, request.value)
    const led = await readLed(http, deps, request.value)
    if (!led.ok) return led.error
    const { hint, returning } = led.value
    const signedInAt = await placesOf(http, deps)
    const session = await findSession(deps, signedInAt)
    const [place] = signedInAt
    if (!session || !place) return alreadySignedOut(hint && returning, clearedAt(deps, signedInAt))
    if (hint?.sessionId === session.id) return endHere(http, deps, signedInAt, returning)
    return askPage(tenant, {
      connection: tenant.connection(session.connectionId),
      proof: formProof(deps.sealer, 'sign-out-proof', boundTo(tenant, place.handleHash, returning?.asked)),
      grantsLiveOn: await inTenant(deps.database, tenant.id, (db) => grantsOutliveLogout(db, tenant.id)),
      returning,
    })
  },
})

/**
 * Whoever is signed out already is led on only by an application that once had somebody here: an address alone leads nobody anywhere. That
 * somebody may be whoever made the link, so a web host that nobody vouches for is named, and she decides.
 */
const alreadySignedOut = (returning: Returning | undefined, setCookies: readonly string[]): Answer =>
  returning?.unasked === false ? signedOutPage('here', { returning, setCookies }) : farewell('here', { returning, setCookies })

/** The form of our page, or an application that posts what it could have sent in a query: as one, it comes back with the cookies of this site. */
export const signOutEndpoint = endpoint({
  method: 'POST',
  path: '/t/:tenant/logout',
  spec: 'OIDC RP-Initiated Logout §2',
  summary: 'Ends the session of this browser, with what was granted from it, and leads on to the IdP where it offers that.',
  tag: 'Logout',
  refusals: 'page',
  rateLimit: 'login',
  maxBodyBytes: mostPostedBytes,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const form = http.form.ok ? http.form.value : emptyForm
    const request = parseSignOutRequest(form)
    if (!request.ok) return refuse(request.error)
    if (form['proof'] === undefined && Object.keys(form).length > 0) return sendOn(tenant, request.value)
    const signedInAt = await placesOf(http, deps)
    const [place] = signedInAt
    if (!place) return signedOutPage('here')
    const shown = askedReturnOf(request.value.clientId, request.value)
    if (!isFormProof(deps.sealer, 'sign-out-proof', boundTo(tenant, place.handleHash, shown), form['proof']))
      return refuse({ reason: 'step_proof_invalid' })
    return endHere(http, deps, signedInAt, await findReturn(deps, tenant, shown))
  },
})

/** Only what we know goes on: what else a stranger's form holds does not get into an address of ours. */
function sendOn(tenant: ResolvedTenant, request: SignOutRequest): Answer {
  const query = buildSignOutQuery(request)
  if (query.length > mostPostedBytes) return refuse({ reason: 'sign_out_malformed' })
  return redirect(`${tenant.issuer.url}/logout?${query}`, { headers: { 'cache-control': 'no-store' } })
}

/** Of the tenant's own issuer, or of its membership at the front. */
type Place = { readonly at: ResolvedTenant; readonly handleHash: CredentialHash }

/** Where this browser has a session with this tenant: whoever signs out of her company is signed out at the front, too, and the other way round. */
async function placesOf(http: HttpRequest, deps: BrokerDeps): Promise<readonly Place[]> {
  const tenant = tenantOf(http)
  const other = await deps.configuration.find(tenant.slug, tenant.issuer.kind === 'tenant' ? 'front_member' : 'tenant')
  return [tenant, ...(other ? [other] : [])].flatMap((at) => {
    const handleHash = sessionHandleOf(http, deps, at)
    return handleHash ? [{ at, handleHash }] : []
  })
}

async function findSession(deps: BrokerDeps, signedInAt: readonly Place[]): Promise<LiveBrowserSession | undefined> {
  for (const { at, handleHash } of signedInAt) {
    const wanted = { handleHash, issuerId: at.issuer.id, now: deps.clock.now() }
    const session = await findLiveBrowserSession(onHotPath(deps.database), at.id, wanted)
    if (session) return session
  }
  return undefined
}

const clearedAt = (deps: BrokerDeps, signedInAt: readonly Place[]): readonly string[] =>
  signedInAt.map(({ at }) => clearSessionCookie(deps, at))

async function endHere(
  http: HttpRequest,
  deps: BrokerDeps,
  signedInAt: readonly Place[],
  returning: Returning | undefined,
): Promise<Answer> {
  const tenant = tenantOf(http)
  const { requestId, address } = http
  const ending = {
    tenant: tenant.id,
    reason: 'signed_out' as const,
    now: deps.clock.now(),
    requestId,
    address,
    newId: () => deps.random.uuid(),
  }
  const browserHash = browserHashOf(http, deps)
  let ended: Awaited<ReturnType<typeof endOwnSession>>
  for (const { at, handleHash } of signedInAt) {
    const browser = { handleHash, issuerId: at.issuer.id, browserHash }
    const endedThere = await inTenant(deps.database, tenant.id, (db) => endOwnSession(db, ending, browser))
    ended ??= endedThere
  }
  deps.metrics.count('drawbridge_logouts_total', { way: 'here', outcome: ended ? 'ended' : 'nothing' })
  const leaving = { returning, setCookies: clearedAt(deps, signedInAt) }
  return ended ? leaveUpstream(http, deps, ended, leaving) : farewell('here', leaving)
}

/** @spec OIDC RP-Initiated Logout §3 post_logout_redirect_uri */
const done = endpoint({
  method: 'GET',
  path: '/t/:tenant/logout/done',
  spec: 'OIDC RP-Initiated Logout §3',
  summary: 'Where an OpenID provider sends the browser after a sign-out there.',
  tag: 'Logout',
  refusals: 'page',
  rateLimit: 'login',
  run: (http, deps) => {
    const parameters = new Map(Object.entries(http.query.ok ? http.query.value : {}))
    return finishUpstream(http, deps, { binding: 'query', parameters })
  },
})

export const signOutEndpoints = [askSignOutEndpoint, signOutEndpoint, done]
