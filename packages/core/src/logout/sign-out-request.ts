/**
 * What an application says when it leads a person here to sign out: of whom it had an ID token, and where she should end up. Nothing of it
 * is believed but an ID token of ours, and an address that its client registered.
 */
import { type Client, isVouchedFor } from '../oauth/client.js'
import { type RegistrationRules, whyNothingNewAt } from '../oauth/client-registration.js'
import { isAtHostOf, matchesRedirectUri, withParameters } from '../oauth/redirect-uri.js'
import { err, ok, type Result } from '../result.js'
import { Secret } from '../secret.js'
import type { ClientId } from '../tenant/ids.js'

export type SignOutRequest = {
  readonly idTokenHint: Secret | undefined
  readonly clientId: string | undefined
  readonly postLogoutRedirectUri: string | undefined
  readonly state: string | undefined
  /** Ours, at the front issuer: the short name of the tenant that is meant, for whoever has no hint. */
  readonly tenant: string | undefined
}

export const signOutLimits = { idTokenHint: 16_384, clientId: 2048, postLogoutRedirectUri: 2048, state: 2048, tenant: 63 } as const
const text = /^[^\p{Cc}]*$/u

/** A parameter without a value counts as left out; `logout_hint` and `ui_locales` change nothing here. @spec OIDC RP-Initiated Logout §2 */
export function parseSignOutRequest(
  form: Readonly<Record<string, string>>,
): Result<SignOutRequest, { readonly reason: 'sign_out_malformed'; readonly detail: { readonly field: string } }> {
  const fields = [
    ['id_token_hint', signOutLimits.idTokenHint],
    ['client_id', signOutLimits.clientId],
    ['post_logout_redirect_uri', signOutLimits.postLogoutRedirectUri],
    ['state', signOutLimits.state],
    ['tenant', signOutLimits.tenant],
  ] as const
  const wrong = fields.find(([name, limit]) => (form[name] ?? '').length > limit || !text.test(form[name] ?? ''))
  if (wrong) return err({ reason: 'sign_out_malformed', detail: { field: wrong[0] } })
  const hint = form['id_token_hint'] || undefined
  return ok({
    idTokenHint: hint === undefined ? undefined : new Secret(hint),
    clientId: form['client_id'] || undefined,
    postLogoutRedirectUri: form['post_logout_redirect_uri'] || undefined,
    state: form['state'] || undefined,
    tenant: form['tenant'] || undefined,
  })
}

/** The same request as a query: parse∘build is the same. */
export function buildSignOutQuery({ idTokenHint, clientId, postLogoutRedirectUri, state, tenant }: SignOutRequest): string {
  const members = [
    ['id_token_hint', idTokenHint?.reveal()],
    ['client_id', clientId],
    ['post_logout_redirect_uri', postLogoutRedirectUri],
    ['state', state],
    ['tenant', tenant],
  ] as const
  return new URLSearchParams(
    members.flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]])),
  ).toString()
}

/** An ID token of ours, perhaps of long ago: for whom it was, and of which session here. */
export type IdTokenHint = { readonly clientId: ClientId; readonly sessionId: string | undefined }

/** @spec OIDC Core §2: ours name one audience, and `sid` (OIDC Back-Channel Logout §2.1) */
export function readIdTokenHint(claims: Readonly<Record<string, unknown>>): IdTokenHint | undefined {
  const { aud, sid } = claims
  if (typeof aud !== 'string') return undefined
  return { clientId: aud as ClientId, sessionId: typeof sid === 'string' ? sid : undefined }
}

/**
 * The client that asks. A hint that is none of ours names nobody: its bearer is asked like whoever comes without one.
 *
 * @spec OIDC RP-Initiated Logout §2 client_id and the audience of the hint must agree
 */
export function clientOfSignOut(
  { clientId }: Pick<SignOutRequest, 'clientId'>,
  hint: IdTokenHint | undefined,
): Result<ClientId | undefined, { readonly reason: 'sign_out_of_other_client' }> {
  if (hint && clientId !== undefined && clientId !== hint.clientId) return err({ reason: 'sign_out_of_other_client' })
  return ok(hint?.clientId ?? (clientId as ClientId | undefined))
}

/** What of a client decides where a sign-out may lead. */
export type ReturningClient = Pick<
  Client,
  'id' | 'kind' | 'preApproved' | 'approvedAtFront' | 'blockedAt' | 'redirectUris' | 'postLogoutRedirectUris'
>

/**
 * Where the browser may be sent in the end. `undefined`: nowhere, so it stays with us. Anybody can register a client, so one that nobody
 * vouches for may name only a host to which its sign-ins lead; one that is blocked, whose way of registration is closed, or that has to be approved first, names none.
 *
 * @spec OIDC RP-Initiated Logout §3 only to an address that the client registered
 * @spec RFC 9700 §4.11.2 authorization server as open redirector
 */
export function returnOfSignOut(
  { postLogoutRedirectUri, state }: Pick<SignOutRequest, 'postLogoutRedirectUri' | 'state'>,
  client: ReturningClient | undefined,
  rules: RegistrationRules,
): string | undefined {
  if (client === undefined || client.blockedAt !== undefined || postLogoutRedirectUri === undefined) return undefined
  if (whyNothingNewAt(rules, client) !== undefined || !matchesRedirectUri(postLogoutRedirectUri, client.postLogoutRedirectUris))
    return undefined
  if (!isVouchedFor(client) && !isAtHostOf(postLogoutRedirectUri, client.redirectUris)) return undefined
  return state === undefined ? postLogoutRedirectUri : withParameters(postLogoutRedirectUri, { state })
}
