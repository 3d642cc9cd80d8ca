/** A grant: stored permission of one subject to one client installation for one resource. Everything issued hangs on it and dies with it. */
import type { OwnFactorProof } from '../identity/normalized-identity.js'
import { addSeconds, type Instant } from '../instant.js'
import type { Ceiling, WonCeilings } from '../policy/decision.js'
import { type Epochs, isBelowBarrier } from '../revocation/epochs.js'
import type {
  BrowserSessionId,
  ClientId,
  ConnectionId,
  GrantId,
  IssuerId,
  ResourceId,
  ResourceIdentifier,
  Scope,
  SubjectId,
  TenantId,
} from '../tenant/ids.js'
import type { IdentityScope } from './scope.js'
import type { TokenErrorReason } from './token-error.js'

export type Grant = {
  readonly id: GrantId
  readonly tenantId: TenantId
  readonly issuerId: IssuerId
  readonly clientId: ClientId
  readonly resourceTenantId: TenantId
  readonly resourceId: ResourceId
  readonly audience: ResourceIdentifier
  readonly subjectId: SubjectId | undefined
  readonly connectionId: ConnectionId | undefined
  readonly sessionId: BrowserSessionId | undefined
  readonly scopes: readonly Scope[]
  /** Of the issuer: what the client is told of the person. */
  readonly identityScopes: readonly IdentityScope[]
  readonly epochs: Epochs
  readonly policyVersion: number
  readonly claimsVersion: number
  /** Of the connection's directory. */
  readonly directoryVersion: number
  readonly acr: string | undefined
  /** What the client asked for by `acr_values` and was reached. Told, and decided on nowhere. */
  readonly askedAcr?: string | undefined
  readonly amr: readonly string[]
  readonly authenticatedAt: Instant | undefined
  /** Absent: nothing of ours was proved beside the sign-in at the IdP. */
  readonly ownFactor?: OwnFactorProof | undefined
  readonly accessTokenTtlSeconds: number
  /** `undefined`: no refresh token at all. */
  readonly refreshTtlSeconds: number | undefined
  /** No refresh token of it lives longer, by whatever rotation. `undefined`: it has none. */
  readonly refreshEndsAt: Instant | undefined
  readonly expiresAt: Instant
  /** Which ceilings won, for the admin. */
  readonly ceilings: WonCeilings
  readonly createdAt: Instant
}

export type GrantToOpen = Omit<
  Grant,
  'accessTokenTtlSeconds' | 'refreshTtlSeconds' | 'refreshEndsAt' | 'expiresAt' | 'ceilings' | 'createdAt'
> & {
  readonly accessTokenTtl: Ceiling
  readonly refreshTokenTtl: Ceiling | undefined
  readonly refreshEndsAt: Instant | undefined
  /** Nothing of it lives longer, by whatever refresh. */
  readonly endsAt: Instant
}

/** A client that the browser was sent back to redeems its code at once. */
export const codeTtlSeconds = 60

/**
 * Builds the grant of a decision.
 *
 * It ends when its last token would, and without refresh token no more than one access token's life after the code's: nothing that
 * could still be asked for would be lost.
 */
export function openGrant(opening: GrantToOpen, now: Instant, redeemableSeconds: number = codeTtlSeconds): Grant {
  const { accessTokenTtl, refreshTokenTtl, refreshEndsAt, endsAt, ...rest } = opening
  const useful = refreshTokenTtl ? endsAt : addSeconds(now, redeemableSeconds + accessTokenTtl.seconds)
  return {
    ...rest,
    accessTokenTtlSeconds: accessTokenTtl.seconds,
    refreshTtlSeconds: refreshTokenTtl?.seconds,
    refreshEndsAt: refreshTokenTtl && refreshEndsAt,
    expiresAt: useful < endsAt ? useful : endsAt,
    ceilings: { accessToken: accessTokenTtl, refreshToken: refreshTokenTtl ?? null },
    createdAt: now,
  }
}

/** What decides whether a grant is alive: its own row and the present state of all that it hangs on. */
export type GrantState = {
  readonly made: Epochs
  readonly current: Epochs
  readonly tenantSuspended: boolean
  readonly revoked: boolean
  readonly expiresAt: Instant
  readonly client: 'live' | 'blocked' | 'unknown'
  readonly connection: 'live' | 'disabled' | 'none'
  readonly subject: 'live' | 'deactivated' | 'unknown' | 'none'
  /** One of the grants that it was opened from by an exchange is dead, has lost something since, or is to be decided again. */
  readonly ancestorDead: boolean
}

export type GrantRefusal = Extract<TokenErrorReason, `grant_${string}` | 'tenant_suspended'>

/**
 * Says why nothing may be issued from this grant now; `undefined` if it is alive.
 *
 * Equal means expired. The hot statements hold the same conditions in the same order (`store/grants`), and a test proves it.
 */
export function findGrantRefusal(state: GrantState, now: Instant): GrantRefusal | undefined {
  if (state.tenantSuspended) return 'tenant_suspended'
  if (state.revoked) return 'grant_revoked'
  if (now >= state.expiresAt) return 'grant_expired'
  if (state.client === 'unknown') return 'grant_client_unknown'
  if (state.client === 'blocked') return 'grant_client_blocked'
  if (state.connection === 'disabled') return 'grant_connection_disabled'
  if (state.subject === 'unknown') return 'grant_subject_unknown'
  if (state.subject === 'deactivated') return 'grant_subject_deactivated'
  if (isBelowBarrier(state.made, state.current)) return 'grant_below_barrier'
  if (state.ancestorDead) return 'grant_ancestor_dead'
  return undefined
}

/** Nothing outlives the grant. */
export const withinGrant = (now: Instant, seconds: number, grantExpiresAt: Instant): Instant => {
  const wanted = addSeconds(now, seconds)
  return wanted < grantExpiresAt ? wanted : grantExpiresAt
}
