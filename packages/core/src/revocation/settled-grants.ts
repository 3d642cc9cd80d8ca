/**
 * What becomes of live grants when another policy is published, or when the directory changes somebody's groups or claims.
 *
 * A grant is settled when it has been decided again under whatever asked for it: it keeps what it has, loses some of it, or ends.
 */

/** `at_next_refresh`: what is open lives until then, an access token of a tier at most. `now`: it is settled before anything more is said of it. */
export const liveGrantsChoices = ['at_next_refresh', 'now'] as const
export type LiveGrants = (typeof liveGrantsChoices)[number]

/** How long the last look over what was settled waits: no statement that began before the change lives as long. */
export const lastLookSeconds = 30

/** The kind of the outbox entry by which a worker settles the grants of one tenant, and its payload. */
export const settleGrantsEntry = 'settle-grants'
export type SettleGrantsPayload = {
  /** Of the policy that demanded it. */
  readonly version: number
  /** The last grant that was looked at; absent: begin with the first. */
  readonly after?: string | undefined
  /** For what a first pass could not see or had to leave out. */
  readonly isLastLook?: boolean | undefined
}

/** The kind of the outbox entry by which a worker settles the grants that a change of claims touched, by a directory or a login, and its payload. */
export const settleDirectoryEntry = 'settle-directory'
export type SettleDirectoryPayload = {
  readonly connection: string
  /** Absent: everybody of the connection. */
  readonly subjects?: readonly string[] | undefined
  readonly after?: string | undefined
  readonly isLastLook?: boolean | undefined
}

/** What took something from a grant: another policy, or what the directory, or a newer login, says of its person. */
export type SettlingCause = 'policy' | 'directory'

/** The kind of the outbox entry that has guards told of what a handful of grants lost, and its payload. */
export const tellSettledEntry = 'tell-settled-grants'
export type TellSettledPayload = { readonly grants: readonly ChangedGrant[] }

/** A grant that lost something: what was issued of it below `epoch` is dead. */
export type ChangedGrant = {
  readonly eventId: string
  readonly grantId: string
  readonly epoch: number
  readonly issuerId: string
  readonly resourceTenantId: string
  readonly resourceId: string
  readonly scopes: readonly string[]
  readonly isEnded: boolean
  /** Absent: the policy. */
  readonly cause?: SettlingCause | undefined
}

/**
 * "What this grant's tokens claim has changed": older ones are not to be believed, and the client gets others by a refresh.
 *
 * @spec CAEP 1.0 §3.2 token-claims-change
 */
export const tokenClaimsChange = 'https://schemas.openid.net/secevent/caep/event-type/token-claims-change'
