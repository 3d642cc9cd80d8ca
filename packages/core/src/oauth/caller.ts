/** The client on whose behalf something is asked for: which one, and as which version of itself it was authenticated. */
import type { ClientId, IssuerId } from '../tenant/ids.js'

export type Caller = {
  readonly issuerId: IssuerId
  readonly clientId: ClientId
  /** `Client.version` at its authentication. */
  readonly clientVersion: number
}

/** What the caller is at this moment; `undefined`: it is no more. */
export type CallerState = { readonly clientVersion: number | undefined }

/**
 * Says whether the proof that a client gave still counts: only while the client is, to the letter, the one that was compared with it.
 *
 * Judged before anything else, because whoever is blocked or has lost its secret may not even learn what a credential is, nor bring it to
 * the point where its grant is revoked as stolen. The hot statements find nothing without it (`store/caller`).
 */
export const isSameClient = (presented: Caller, present: CallerState): boolean => presented.clientVersion === present.clientVersion
