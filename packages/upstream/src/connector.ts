/** The port through which the broker speaks to any company's IdP. Two real implementations: SAML and OpenID Connect. */
import type { LoginAssertion } from '@drawbridge/core/identity/identity-assertion'
import type { IdpSession } from '@drawbridge/core/identity/normalized-identity'
import type { Instant } from '@drawbridge/core/instant'
import type { Result } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import type { Random } from '@drawbridge/crypto/random'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import type { RefusedAnswer } from './answer-outline.js'
import type { UpstreamRefusal } from './error.js'

export type Connector = {
  start(request: StartLogin): Promise<Result<StartedLogin, UpstreamRefusal>>
  finish(message: UpstreamMessage, expected: ExpectedLogin): Promise<Result<LoginAssertion, RefusedAnswer>>
  /** Takes the browser to the IdP, to end the session there too. Our side has ended it already, whatever becomes of this. */
  startLogout(request: StartLogout): Promise<Result<StartedLogout | 'not_offered', UpstreamRefusal>>
  /** The browser is back. Nothing hangs on it but what the page says: our side was over before it left. */
  finishLogout(message: UpstreamMessage, expected: ExpectedLogout): Promise<Result<FinishedLogout, UpstreamRefusal>>
}

export type StartLogin = {
  readonly loginRequestId: string
  /** SAML: the ACS URL, `…/saml/<connection>/acs`. OIDC: the redirect URI. Sent to the IdP byte for byte. */
  readonly callbackUrl: string
  /** An opaque handle: RelayState in SAML, `state` in OIDC. At most 80 octets (SAML Bindings §3.4.3). */
  readonly relayState: string
  readonly stepUpAcr: 'mfa' | undefined
  /** What the client asked for by `acr_values`. A wish: the IdP is asked for what its connection lists of it, and the answer is not refused for it. */
  readonly acrValues?: readonly string[] | undefined
  /** Ask for a fresh sign-in even where the IdP has a session. */
  readonly forceAuthn: boolean
  /** Let her say as whom she goes on. A wish: nothing in the answer shows whether she was asked, so nothing is judged by it. */
  readonly selectAccount?: boolean | undefined
  readonly loginHint?: string | undefined
  readonly now: Instant
}

export type StartedLogin = {
  readonly answer: UpstreamAnswer
  /** SAML: the request's ID. OIDC: SHA-256 of `state`, base64url. Unique in the connection. */
  readonly upstreamId: string
  /** What `finish` needs again. The caller seals it and gives it back unchanged. */
  readonly state: Secret
}

/** What the browser is to do next. */
export type UpstreamAnswer =
  | { readonly kind: 'redirect'; readonly url: string }
  | { readonly kind: 'form'; readonly action: string; readonly fields: Readonly<Record<string, string>> }

export type UpstreamMessage = { readonly parameters: ReadonlyMap<string, string> } & (
  | { readonly binding: 'post' | 'query' }
  /** SAML signs the octets of the query: raw, as it stood behind the question mark. */
  | { readonly binding: 'redirect'; readonly query: string }
)

export type ExpectedLogin = {
  readonly upstreamId: string
  readonly state: Secret
  readonly callbackUrl: string
  readonly now: Instant
}

export type StartLogout = {
  /** OIDC: post_logout_redirect_uri. Sent to the IdP byte for byte. */
  readonly returnUrl: string
  /** An opaque handle: RelayState in SAML, `state` in OIDC. At most 80 octets (SAML Bindings §3.4.3). */
  readonly relayState: string
  /** The session at the IdP that is to end, as it named it. */
  readonly idpSession: IdpSession
  /** What `finish` left to be kept for this moment. */
  readonly hint: Secret | undefined
  readonly now: Instant
}

export type StartedLogout = StartedLogin
export type ExpectedLogout = Pick<ExpectedLogin, 'upstreamId' | 'state' | 'now'>
/** `partly`: the IdP says that not every party of its session has heard of it. SAML Core §3.7.3.2 */
export type FinishedLogout = 'ended' | 'partly'

export type ConnectorDeps = {
  readonly random: Random
  readonly fetchSafely: FetchSafely
  /** What an operator should know and the person need not. */
  readonly report?: (report: UpstreamReport) => void
}

/** A login went on with less than it might have had. Holds no personal value. */
export type UpstreamReport = { readonly what: 'groups_unresolved'; readonly connectionId: ConnectionId; readonly why: string }
