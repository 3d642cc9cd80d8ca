/** The authorization response: back to the proven redirect URI, always with state and iss. */
import { type Client, hostOfUrl, mayBeSentToUnasked } from '@drawbridge/core/oauth/client'
import { oauthErrors, type PageRefusal, type RedirectRefusal } from '@drawbridge/core/oauth/error'
import { withParameters } from '@drawbridge/core/oauth/redirect-uri'
import { type Answer, page, redirect } from '../http/answer.js'
import { html } from '../http/html.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseAsPage } from '../http/write-error.js'

/** Where a response may go: only values made from an `AnswerableAuthorizationRequest` have this shape. */
export type AnswerTo = { readonly redirectUri: string; readonly state: string | undefined }

const noStore = { 'cache-control': 'no-store' }

/** @spec RFC 6749 §4.1.2 code and state; RFC 9207 §2 iss */
export const answerWithCode = (tenant: ResolvedTenant, to: AnswerTo, code: string): Answer =>
  redirect(withParameters(to.redirectUri, { code, state: to.state, iss: tenant.issuer.url }), { headers: noStore })

/** @spec RFC 6749 §4.1.2.1; RFC 9207 §2 iss in errors too */
export function answerWithError(tenant: ResolvedTenant, to: AnswerTo, refusal: RedirectRefusal): Answer {
  return redirect(errorLocation(tenant, to, refusal), { headers: noStore, refusal })
}

/**
 * The error response where nobody has clicked anything yet. Anybody can register a client, so a link to us could otherwise end on any
 * host of the web under our name: a web host that nobody vouched for is named on a page of ours, and the person decides.
 *
 * @spec RFC 9700 §4.11.2 authorization server as open redirector
 */
export function answerUnaskedWithError(tenant: ResolvedTenant, client: Client, to: AnswerTo, refusal: RedirectRefusal): Answer {
  if (mayBeSentToUnasked(client, to.redirectUri)) return answerWithError(tenant, to, refusal)
  const { say, status } = oauthErrors[refusal.reason]
  const host = hostOfUrl(to.redirectUri)
  return page(
    'The application asked for something that is not possible',
    html`<p>What it was told: ${say}.</p><p class="soft">Your company has not reviewed this application. Go back to it only if you came from <strong>${host}</strong>.</p><p><a href="${errorLocation(tenant, to, refusal)}">Return to ${host}</a></p><p class="soft">Code <code>${refusal.reason}</code></p>`,
    { status, headers: noStore, refusal },
  )
}

export function errorLocation(tenant: ResolvedTenant, to: AnswerTo, refusal: RedirectRefusal): string {
  const entry = oauthErrors[refusal.reason]
  return withParameters(to.redirectUri, {
    error: entry.code,
    error_description: entry.say.replace(/["\\]|[^\x20-\x7e]/g, "'"),
    state: to.state,
    iss: tenant.issuer.url,
  })
}

export const refuseOnPage = (refusal: PageRefusal): Answer => refuseAsPage(oauthErrors[refusal.reason], refusal)
