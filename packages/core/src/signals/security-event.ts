/** A security event whose signature has been verified, and which people the connection that it came by may speak of. */
import type { SubjectLink } from '../identity/subject-link.js'
import type { Instant } from '../instant.js'
import type { ConnectionId } from '../tenant/ids.js'

export type SecurityEvent = {
  /** Once per issuer of the connection. */
  readonly id: string
  readonly replayableUntil: Instant
  readonly type: string
  readonly event: Readonly<Record<string, unknown>>
  /** As it stands; who is meant, `parseSignalSubject` says. */
  readonly subject: unknown
  /** When its token was made: how far behind the stream is. */
  readonly issuedAt: Instant
  /** When the transmitter says that it happened: for the receipt alone. */
  readonly toldAt: Instant | undefined
}

/** In whose words a connection hears of people, and what of it may do something. */
export type HeardWords = {
  readonly issuers: readonly string[]
  /** By which its logins are known; `undefined`: they are not known by one (SAML). */
  readonly loginIssuer: string | undefined
  /** By which its directory's users are its people. */
  readonly link: SubjectLink | undefined
  /** Last words of events. */
  readonly events: readonly string[]
}

/** Where a transmitter delivers, and what its tokens are for unless the connection says otherwise. */
export const receiverUrlOf = (issuerUrl: string, id: ConnectionId): string => `${issuerUrl}/ssf/receivers/${id}`
