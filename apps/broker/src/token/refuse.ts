/** How the token, revocation and introspection endpoints say no. */
import { type OAuthErrorReason, oauthErrors } from '@drawbridge/core/oauth/error'
import type { Answer } from '../http/answer.js'
import { refuseAsJson } from '../http/write-error.js'

export type TokenRefusal = { readonly reason: OAuthErrorReason; readonly detail?: Readonly<Record<string, string | number>> }

/** @spec RFC 6749 §5.2: a 401 names the scheme that would have been accepted */
export const refuse = (refusal: TokenRefusal): Answer => {
  const entry = oauthErrors[refusal.reason]
  return refuseAsJson(
    entry,
    refusal,
    entry.status === 401 ? { headers: { 'www-authenticate': 'Basic realm="drawbridge", charset="UTF-8"' } } : {},
  )
}

/** A form that could not be read: absent, malformed or with a repeated parameter. Several resources are well formed (RFC 8707 §2), but ours are one per token. */
export const refuseForm = ({ reason, parameter }: { readonly reason: string; readonly parameter?: string }): Answer =>
  reason === 'parameter_repeated' && parameter === 'resource'
    ? refuse({ reason: 'resources_of_token_several' })
    : refuse({ reason: 'token_request_malformed', detail: { form: reason, ...(parameter ? { field: parameter } : {}) } })
