/** Verified upstream evidence: what a connector returns after every signature and profile rule held. */
import type { Instant } from '../instant.js'
import type { Secret } from '../secret.js'
import type { ConnectionId } from '../tenant/ids.js'
import type { IdpSession } from './normalized-identity.js'

/** A verified SAML 2.0 assertion. SAML Core §2.3.3. */
export type SamlAssertion = {
  readonly kind: 'saml'
  readonly connectionId: ConnectionId
  /** Consumed in `replays` by the statement that believes it. */
  readonly assertionId: string
  readonly responseId: string
  readonly issuer: string
  /** Absent only where the connection finds the person by an attribute. */
  readonly nameId: IdpSession['nameId']
  readonly sessionIndex: string | undefined
  /** Repeated attributes merged, values trimmed, empty ones kept as empty. */
  readonly attributes: ReadonlyMap<string, readonly string[]>
  readonly authnContextClassRef: string | undefined
  readonly authnInstant: Instant | undefined
  readonly sessionNotOnOrAfter: Instant | undefined
  readonly issuedAt: Instant
  /** After this the assertion is refused for its age alone, so its replay entry may be swept. */
  readonly replayableUntil: Instant
}

/** A verified OpenID Connect ID token with merged userinfo. OIDC Core §2. */
export type IdToken = {
  readonly kind: 'oidc'
  readonly connectionId: ConnectionId
  readonly issuer: string
  readonly sub: string
  /** All claims as parsed JSON values, own properties only. */
  readonly claims: ReadonlyMap<string, unknown>
  readonly acr: string | undefined
  readonly amr: readonly string[]
  readonly authTime: Instant | undefined
  readonly sid: string | undefined
  readonly issuedAt: Instant
  readonly expiresAt: Instant
  /** The token itself, where a sign-out at the IdP will want to see it again. */
  readonly logoutHint?: Secret | undefined
}

export type IdentityAssertion = SamlAssertion | IdToken
