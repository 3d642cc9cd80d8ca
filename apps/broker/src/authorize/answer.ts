/** The authorization response: back to the proven redirect URI, always with state and iss. */
import { oauthErrors, type PageRefusal, type RedirectRefusal } from '@drawbridge/core/oauth/error'
import { withParameters } from '@drawbridge/core/oauth/redirect-uri'
import { type Answer, redirect } from '../http/answer.js'
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
