/**
 * The authorization response: back to the proven redirect URI, always with state and iss, by redirect or by a form that the browser posts. The answer to
 * a device is a page of ours, and the device hears of it when it polls: a code never leaves us there.
 */
import type { ResponseMode } from '@drawbridge/core/oauth/authorization-request'
import { type Client, hostOfUrl, mayBeSentToUnasked } from '@drawbridge/core/oauth/client'
import { oauthErrors, type PageRefusal, type RedirectRefusal } from '@drawbridge/core/oauth/error'
import { withParameters } from '@drawbridge/core/oauth/redirect-uri'
import type { DeviceCodeId } from '@drawbridge/core/tenant/ids'
import { type Answer, page, redirect } from '../http/answer.js'
import { type Html, html } from '../http/html.js'
import { formTargetOf } from '../http/leave-for.js'
import { pageScript } from '../http/page.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseAsPage } from '../http/write-error.js'

/** Where a response may go: only values made from an `AnswerableAuthorizationRequest` have this shape. */
type ToRedirectUri = {
  readonly deviceCodeId?: undefined
  readonly redirectUri: string
  readonly state: string | undefined
  readonly responseMode: ResponseMode
}
export type AnswerTo = ToRedirectUri | { readonly deviceCodeId: DeviceCodeId }

type Response = Readonly<Record<string, string | undefined>>
const noStore = { 'cache-control': 'no-store' }

/** @spec RFC 6749 §4.1.2 code and state; RFC 9207 §2 iss */
export const answerWithCode = (tenant: ResolvedTenant, to: AnswerTo, code: string): Answer =>
  to.deviceCodeId === undefined ? respond(to, { code, state: to.state, iss: tenant.issuer.url }) : deviceMayGoOn()

/** @spec RFC 6749 §4.1.2.1; RFC 9207 §2 iss in errors too */
export const answerWithError = (tenant: ResolvedTenant, to: AnswerTo, refusal: RedirectRefusal): Answer =>
  to.deviceCodeId === undefined ? respond(to, errorResponse(tenant, to, refusal), { refusal }) : deviceGetsNothing(refusal)

/** @spec RFC 8628 §3.3 the person is told to go back to the device */
const deviceMayGoOn = (): Answer =>
  page('You can go back to your device', html`<p>It goes on by itself within a few seconds. You may close this page.</p>`, {
    headers: noStore,
  })

export const deviceGetsNothing = (refusal: RedirectRefusal): Answer =>
  page(
    'The device gets no access',
    html`<p>Why: ${oauthErrors[refusal.reason].say}.</p><p>You may close this page. If it is a device of yours and you want to try again, start again on it.</p>`,
    { headers: noStore, refusal },
  )

const respond = (to: ToRedirectUri, response: Response, extras: Pick<Answer, 'refusal'> = {}): Answer =>
  to.responseMode === 'form_post'
    ? formPost(to, response, extras)
    : redirect(withParameters(to.redirectUri, response), { headers: noStore, ...extras })

const submitAtOnce = pageScript('document.forms[0].submit()')

/**
 * The page that takes the answer to the client by itself, and by a button where scripts are off. Its form may lead to the client's origin and
 * nowhere else: not to us, either.
 *
 * @spec OAuth 2.0 Form Post Response Mode §2
 */
const formPost = (to: ToRedirectUri, response: Response, extras: Pick<Answer, 'refusal'>): Answer =>
  page('Back to the application', responseForm(to, response, `Continue to ${hostOfUrl(to.redirectUri)}`), {
    ...{ headers: noStore, formTargets: targetsOf(to), leavesUs: true, script: submitAtOnce },
    ...extras,
  })

function responseForm({ redirectUri }: ToRedirectUri, response: Response, label: string): Html {
  const fields = Object.entries(response).flatMap(([name, value]) =>
    value === undefined ? [] : [html`<input type="hidden" name="${name}" value="${value}">`],
  )
  return html`<form method="post" action="${redirectUri}">${fields}<button autofocus>${label}</button></form>`
}

/** Where the answer may lead: nowhere, if it stays here. */
export const targetsOf = (to: AnswerTo): readonly string[] => (to.deviceCodeId === undefined ? [formTargetOf(to.redirectUri)] : [])

/**
 * The error response where nobody has clicked anything yet. Anybody can register a client, so a link to us could otherwise end on any
 * host of the web under our name: a web host that nobody vouched for is named on a page of ours, and the person decides.
 *
 * @spec RFC 9700 §4.11.2 authorization server as open redirector
 */
export function answerUnaskedWithError(tenant: ResolvedTenant, client: Client, to: AnswerTo, refusal: RedirectRefusal): Answer {
  if (to.deviceCodeId !== undefined || mayBeSentToUnasked(client, to.redirectUri)) return answerWithError(tenant, to, refusal)
  const { say, status } = oauthErrors[refusal.reason]
  const host = hostOfUrl(to.redirectUri)
  return page(
    'The application asked for something that is not possible',
    html`<p>What it was told: ${say}.</p><p class="soft">Your company has not reviewed this application. Go back to it only if you came from <strong>${host}</strong>.</p>${wayBack(tenant, to, refusal, `Return to ${host}`)}<p class="soft">Code <code>${refusal.reason}</code></p>`,
    { status, headers: noStore, refusal, formTargets: targetsOf(to) },
  )
}

/** The error response for whoever clicks it. The page that holds it names `targetsOf` among its targets. A device is not waiting for a click. */
export function wayBack(tenant: ResolvedTenant, to: AnswerTo, refusal: RedirectRefusal, label: string): Html {
  if (to.deviceCodeId !== undefined) return html``
  const response = errorResponse(tenant, to, refusal)
  if (to.responseMode === 'form_post') return responseForm(to, response, label)
  return html`<p><a href="${withParameters(to.redirectUri, response)}">${label}</a></p>`
}

function errorResponse(tenant: ResolvedTenant, to: ToRedirectUri, refusal: RedirectRefusal): Response {
  const entry = oauthErrors[refusal.reason]
  return {
    error: entry.code,
    error_description: entry.say.replace(/["\\]|[^\x20-\x7e]/g, "'"),
    state: to.state,
    iss: tenant.issuer.url,
  }
}

export const refuseOnPage = (refusal: PageRefusal): Answer => refuseAsPage(oauthErrors[refusal.reason], refusal)
