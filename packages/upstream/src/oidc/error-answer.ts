/**
 * The errors of OpenID providers as lines of our catalogue. What they wrote is never shown: it is a stranger's text, in a stranger's
 * language. Only its code is read, and Microsoft's number in the description, which says more than the code does.
 */
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'

/** @spec OIDC Core §3.1.2.6, RFC 6749 §4.1.2.1, OIDC Unmet Authentication Requirements §2 */
const reasonOfCode: ReadonlyMap<string, UpstreamErrorReason> = new Map<string, UpstreamErrorReason>([
  ['access_denied', 'oidc_access_denied'],
  ['unmet_authentication_requirements', 'oidc_step_up_unmet'],
  ['interaction_required', 'oidc_interaction_required'],
  ['login_required', 'oidc_interaction_required'],
  ['account_selection_required', 'oidc_interaction_required'],
  ['consent_required', 'oidc_consent_required'],
  ['server_error', 'oidc_provider_unavailable'],
  ['temporarily_unavailable', 'oidc_provider_unavailable'],
  ['invalid_request', 'oidc_request_refused'],
  ['invalid_scope', 'oidc_request_refused'],
  ['unauthorized_client', 'oidc_request_refused'],
  ['unsupported_response_type', 'oidc_request_refused'],
  ['invalid_client', 'oidc_client_refused'],
])

/** @spec learn.microsoft.com: Microsoft Entra authentication error codes */
const reasonOfAadsts: ReadonlyMap<number, UpstreamErrorReason> = new Map<number, UpstreamErrorReason>([
  [50_105, 'oidc_not_assigned'],
  [50_020, 'oidc_tenant_refused'],
  [90_072, 'oidc_tenant_refused'],
  [50_194, 'oidc_tenant_refused'],
  [50_011, 'oidc_redirect_uri_unregistered'],
  [700_016, 'oidc_client_refused'],
  [7_000_215, 'oidc_client_refused'],
  [7_000_222, 'oidc_client_secret_expired'],
  [700_027, 'oidc_client_refused'],
  [65_001, 'oidc_consent_required'],
  [65_004, 'oidc_consent_required'],
  [90_094, 'oidc_consent_required'],
  [50_074, 'oidc_step_up_unmet'],
  [50_076, 'oidc_step_up_unmet'],
  [50_079, 'oidc_step_up_unmet'],
  [50_158, 'oidc_step_up_unmet'],
  [53_000, 'oidc_conditional_access'],
  [53_001, 'oidc_conditional_access'],
  [53_003, 'oidc_conditional_access'],
  [50_057, 'oidc_account_disabled'],
  [90_033, 'oidc_provider_unavailable'],
])

export type ErrorAnswer = { readonly error: unknown; readonly description: unknown; readonly status?: number }

/** `otherwise`: what an error is that nobody has named. */
export function refusalOfError(answer: ErrorAnswer, otherwise: UpstreamErrorReason): UpstreamRefusal {
  const number = aadstsOf(answer.description)
  const code = plainCode(answer.error)
  const reason = (number === undefined ? undefined : reasonOfAadsts.get(number)) ?? reasonOfCode.get(code) ?? otherwise
  return {
    reason,
    detail: { error: code, ...(answer.status !== undefined && { status: answer.status }), ...(number !== undefined && { aadsts: number }) },
  }
}

function aadstsOf(description: unknown): number | undefined {
  const found = typeof description === 'string' ? /\bAADSTS(\d{5,8})\b/.exec(description.slice(0, 2000))?.[1] : undefined
  return found === undefined ? undefined : Number(found)
}

/** Only words of our alphabet reach the log: the code is the IdP's text. */
export const plainCode = (code: unknown): string => (typeof code === 'string' && /^[A-Za-z_]{1,60}$/.test(code) ? code : 'other')
