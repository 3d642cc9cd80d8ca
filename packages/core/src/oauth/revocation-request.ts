/** The revocation request: which credential of ours a client gives back. */
import { err, ok, type Result } from '../result.js'
import { Secret } from '../secret.js'
import { readFamily } from './refresh-token.js'
import { longestTokenParameter, type TokenRequestRefusal } from './token-request.js'

/** Access tokens are the longest credential that we issue. */
export const longestRevocableToken = 16_384

export type RevocationRequest =
  | { readonly kind: 'refresh_token'; readonly token: Secret }
  | { readonly kind: 'access_token'; readonly token: Secret }
  /** Nothing that we ever issued: answered as success, for the client has what it wants. */
  | { readonly kind: 'unknown' }

/**
 * Parses a revocation request. The hint is not needed (a token's shape tells its kind) and so cannot mislead.
 *
 * @spec RFC 7009 §2.1 token and token_type_hint, §2.2 an invalid token is no error
 */
export function parseRevocationRequest(form: Readonly<Record<string, string>>): Result<RevocationRequest, TokenRequestRefusal> {
  const token = form['token']
  const hint = form['token_type_hint']
  if (token === undefined || token === '' || token.length > longestRevocableToken)
    return err({ reason: 'token_request_malformed', detail: { field: 'token' } })
  if (hint !== undefined && hint.length > longestTokenParameter)
    return err({ reason: 'token_request_malformed', detail: { field: 'token_type_hint' } })
  if (readFamily(token) !== undefined) return ok({ kind: 'refresh_token', token: new Secret(token) })
  if (token.split('.').length === 3) return ok({ kind: 'access_token', token: new Secret(token) })
  return ok({ kind: 'unknown' })
}
