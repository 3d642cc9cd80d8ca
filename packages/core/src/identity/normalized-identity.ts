/** What the rest of the house knows of a verified login: never XML, never an IdP's token. */
import type { Instant } from '../instant.js'
import type { ConnectionId, SubjectId } from '../tenant/ids.js'

/** How the person proved who she is. Missing evidence is `undefined`, which is "unknown" and never "yes". OIDC Core §2, RFC 8176. */
export type AuthenticationContext = {
  readonly acr: string | undefined
  readonly amr: readonly string[]
  readonly authenticatedAt: Instant | undefined
  /** A second factor of ours that she has proved beside it, for this grant alone. Absent: none. docs/adr/0034 */
  readonly ownFactor?: OwnFactorProof | undefined
}

export type OwnFactorProof = {
  /** As RFC 8176 names what was proved. */
  readonly methods: readonly string[]
  readonly provedAt: Instant
}

/** `unknown` is not `none`: the IdP could not or did not say (groups overage, an attribute that never came). */
export type Known<T> =
  | { readonly state: 'known'; readonly value: T }
  | { readonly state: 'absent' }
  /** `beyond`: the login brought more than this limit of a policy. */
  | { readonly state: 'unknown'; readonly beyond?: BeyondLimit | undefined }
/** Limits on the groups of one person: how many, and how long a name. */
export const beyondLimits = ['groups', 'claimCharacters'] as const
export type BeyondLimit = (typeof beyondLimits)[number]

export type ClaimValue = string | number | boolean | readonly string[]

export type NormalizedIdentity = {
  readonly connectionId: ConnectionId
  /** Whose people she is of, where another names her by its own evidence: a trust in the people of a login connection. Absent: of the same. */
  readonly personConnectionId?: ConnectionId | undefined
  /** The connection's stable identifier of the person; with the connection it is the key of the subject. */
  readonly stableId: string
  /** Filled once the subject has been found or created. */
  readonly subjectId: SubjectId | undefined
  readonly claims: ReadonlyMap<string, ClaimValue>
  /** Claims of which nobody knows whether she has them: named elsewhere (distributed), or sent in a way that cannot be read. Absent: none. */
  readonly unknownClaims?: ReadonlySet<string> | undefined
  readonly groups: Known<readonly string[]>
  readonly authentication: AuthenticationContext
  /** The IdP ends its session then: SAML SessionNotOnOrAfter, OIDC session_expiry. A ceiling for everything that we issue. */
  readonly sessionExpiresAt: Instant | undefined
  readonly idpSession: IdpSession
}

/** What is known of a person belongs to her own connection; how she proved herself, to the one that says so. */
export const connectionOfPerson = ({ connectionId, personConnectionId }: NormalizedIdentity): ConnectionId =>
  personConnectionId ?? connectionId

/** The session at the IdP, kept exactly as received so that a logout can name it. SAML Core §2.7.2, OIDC Back-Channel Logout §2. */
export type IdpSession = {
  readonly sessionIndex: string | undefined
  readonly nameId:
    | {
        readonly value: string
        readonly format: string | undefined
        readonly nameQualifier: string | undefined
        readonly spNameQualifier: string | undefined
      }
    | undefined
  readonly sid: string | undefined
  /** Who signed in, in the words of the IdP, which alone may be told of a logout. SAML: the entity that issued the assertion, and the NameID's value. */
  readonly subject: { readonly issuer: string; readonly sub: string } | undefined
}
