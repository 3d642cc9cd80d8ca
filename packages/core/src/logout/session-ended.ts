/** What the outbox carries when sessions here have ended and clients have to be told, and nothing else has to. */

/** The kind of the outbox entry. */
export const tellSessionEndedEntry = 'tell-session-ended'
export type TellSessionEndedPayload = { readonly eventId: string; readonly sessions: readonly string[] }
