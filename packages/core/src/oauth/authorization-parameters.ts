/** The parameters of an authorization request that we know, wherever they come from: what is read is named here, and nothing else of a push is kept. */

/**
 * `request` is read to be refused; `ui_locales` and `display` ask for nothing that we have.
 *
 * @spec RFC 6749 §4.1.1; RFC 7636 §4.3; RFC 8707 §2; RFC 9449 §10; OIDC Core §3.1.2.1; OAuth 2.0 Multiple Response Types §2.1 response_mode
 */
export const authorizationParameters = [
  ...['client_id', 'redirect_uri', 'response_type', 'response_mode', 'state', 'scope', 'resource', 'request'],
  ...['code_challenge', 'code_challenge_method', 'dpop_jkt'],
  ...['nonce', 'prompt', 'max_age', 'acr_values', 'login_hint', 'id_token_hint', 'ui_locales', 'display'],
  // Ours: by which of the tenant's connections she is to sign in.
  'connection',
] as const
export type AuthorizationParameter = (typeof authorizationParameters)[number]

/** Each at most once, without a prototype: the HTTP form, of which nothing is read but what is named above; `request_uri` and `request` are looked at before it. */
export type AuthorizationParameters = Readonly<Partial<Record<AuthorizationParameter, string>>>

export const isAuthorizationParameter = (name: string): name is AuthorizationParameter =>
  (authorizationParameters as readonly string[]).includes(name)
