/** Verified upstream evidence: what a connector returns after every signature and profile rule held. */
import type { Instant } from '../instant.js'
import type { Secret } from '../secret.js'
import type { ConnectionId, Scope } from '../tenant/ids.js'
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

/**
 * A verified assertion that a client brought instead of a browser: an ID-JAG, or another JWT that a trusted issuer made about a person.
 * RFC 7523 §3
 */
export type AssertionGrantToken = Omit<IdToken, 'kind' | 'logoutHint' | 'sid'> & {
  readonly kind: 'assertion'
  /** It names no session at the IdP. */
  readonly sid: undefined
  readonly jti: string
  /** The client that the issuer made it for. `undefined`: it names none, and the trust lists who may bring it. */
  readonly clientId: string | undefined
  readonly resource: string | undefined
  /** `undefined`: it names none, and policy alone says what is granted. */
  readonly scopes: readonly Scope[] | undefined
  /** RFC 7638 thumbprint of the key whose proof must come along. `undefined`: it is bound to none. */
  readonly boundTo: string | undefined
  /** After this it is refused for its age alone. */
  readonly replayableUntil: Instant
  /** RFC 7638 thumbprint of the key that signed it. */
  readonly signedBy: string
}

/** A verified SAML assertion that a client brought instead of a browser. RFC 7522 §3 */
export type SamlGrantAssertion = Omit<SamlAssertion, 'responseId' | 'sessionIndex'> & {
  /** What is opened by it belongs to no session at the IdP. */
  readonly sessionIndex: undefined
  /** RFC 7638 thumbprints of the keys of which one signed it. */
  readonly signers: readonly string[]
}

/** What a browser brings home. */
export type LoginAssertion = SamlAssertion | IdToken
export type IdentityAssertion = LoginAssertion | AssertionGrantToken | SamlGrantAssertion
