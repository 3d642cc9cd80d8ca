/** How endpoints that clients prove themselves at say no. */
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
