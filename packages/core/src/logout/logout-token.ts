/** What a client that hears of logouts is sent, and where. OpenID Connect Back-Channel Logout 1.0. */
import { type Instant, toSeconds } from '../instant.js'
import { isAcceptableRedirectUri, isLoopbackRedirect } from '../oauth/redirect-uri.js'

export const logoutTokenType = 'logout+jwt'
export const backchannelLogoutEvent = 'http://schemas.openid.net/event/backchannel-logout'

/** It is made anew for each try, so it need not live long. @spec OpenID Connect Back-Channel Logout 1.0 §4 at most two minutes */
export const logoutTokenTtlSeconds = 120

export type Logout = {
  readonly issuer: string
  readonly clientId: string
  readonly subject: string
  /** Absent: every session of that person. */
  readonly sessionId: string | undefined
  /** The same at every try, so that the client recognises a repeat. */
  readonly jti: string
}

/**
 * Builds the claims of a logout token. `nonce` is never among them, so that none can pass for an ID token.
 *
 * @spec OpenID Connect Back-Channel Logout 1.0 §2.4
 */
export const buildLogoutToken = ({ issuer, clientId, subject, sessionId, jti }: Logout, now: Instant) => ({
  iss: issuer,
  aud: clientId,
  iat: toSeconds(now),
  exp: toSeconds(now) + logoutTokenTtlSeconds,
  jti,
  sub: subject,
  ...(sessionId === undefined ? {} : { sid: sessionId }),
  events: { [backchannelLogoutEvent]: {} },
})

/**
 * Says whether logouts may be told at this address: https without a fragment, or http on loopback, which only a laboratory ever calls.
 *
 * @spec OpenID Connect Back-Channel Logout 1.0 §2.2
 */
export const isAcceptableLogoutUri = (uri: string): boolean =>
  isAcceptableRedirectUri(uri) && (uri.startsWith('https://') || isLoopbackRedirect(uri))

/**
 * The same for a client that nobody vouches for: it may have us call only the host at which it is, by its document or, without one, by all of its redirect
 * URIs. Whoever registers may write a stranger's host beside its own, and would let us knock there in our own name.
 */
export function isOwnLogoutUri(uri: string, places: readonly string[]): boolean {
  if (!isAcceptableLogoutUri(uri)) return false
  const { hostname } = new URL(uri)
  return places.length > 0 && places.every((place) => URL.canParse(place) && new URL(place).hostname === hostname)
}
