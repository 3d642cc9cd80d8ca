/**
 * The refresh token: rotated at every use, with a grace in which parallel and repeated requests get the same successor.
 *
 * The successor is derived from the presented token, never stored; only its hash is. Grace ends after `graceSeconds` or at the
 * successor's first use, whichever comes first. After first use a replay still inside the window is refused without killing the
 * family, because it is most likely a late twin of an honest client; later it is theft, and kills the family. So is a rate of replays
 * inside graces that no honest client reaches, and a replay without the key that the successor was bound to.
 */

import type { Brand } from '../brand.js'
import { addSeconds, type Instant } from '../instant.js'
import type { ClientId, IssuerId, Scope, TenantSlug } from '../tenant/ids.js'
import { type Caller, type CallerState, isSameClient } from './caller.js'
import type { KeyThumbprint, ProvenKey } from './dpop-proof.js'
import { frontTenantPart, nameOfTenant } from './front-credential.js'
import { findGrantRefusal, type GrantRefusal, type GrantState } from './grant.js'
import { leavesNothing } from './scope-ceiling.js'
import type { TokenErrorReason } from './token-error.js'

export const refreshPrefix = 'dbr_'
export const graceSeconds = 30
/** Answers to replays inside the grace of one rotation. */
export const graceReplaysPerRotation = 20
/**
 * From so many replays of one family in their graces within `graceTheftWindowSeconds` on, the next is theft. An honest client that sends 20
 * twins at each refresh stays below: access tokens live for minutes, so it rotates once or twice in the window.
 */
export const graceReplaysOfTheft = 60
export const graceTheftWindowSeconds = 300
/** A token that is worth nothing any more, or is somebody else's, is told of in the trail once in so long; whatever ends a grant is always told. */
export const refusalToldEverySeconds = 3600

export type RefreshTokenState = {
  readonly issuerId: IssuerId
  readonly clientId: ClientId
  /** The key that its family is bound to, if it is. */
  readonly dpopKey: KeyThumbprint | undefined
  /** The token's own end, or that of all refresh tokens of its grant if that comes before: policy may have moved it since. */
  readonly expiresAt: Instant
  readonly rotatedAt: Instant | undefined
  /** The key that its successor is bound to, if it is: where the token itself is not, whoever rotated it brought the key. */
  readonly successorKey: KeyThumbprint | undefined
  /** The successor has been rotated itself. */
  readonly successorUsed: boolean
  readonly graceReplays: number
  /** Of all tokens of the family that were rotated in the last `graceTheftWindowSeconds`, the refused ones too. */
  readonly familyGraceReplays: number
  readonly refreshOffered: boolean
  readonly scopes: readonly string[]
  readonly audience: string
  /** What an admin has limited the client to; empty: to nothing. */
  readonly scopeCeiling: readonly string[]
  /** Its issuer may mint for its resource. */
  readonly mintable: boolean
  /** Policy has just decided again: scopes and what else it limits are what that leaves of them. */
  readonly isDecidedAgain: boolean
  /** The policy version and claims version of the grant, or of that decision, are the present ones. */
  readonly decisionIsCurrent: boolean
  /** No proof of a key was needed by rules that are no longer the present ones. */
  readonly proofRulesChanged: boolean
  /** The proof that was sent with it has been believed before. */
  readonly proofUsed: boolean
  readonly grant: GrantState
  readonly caller: CallerState
}

export type RefreshPresented = Caller & {
  readonly scopes: readonly Scope[] | undefined
  readonly resource: string | undefined
  /** `undefined`: no proof of a key was sent. */
  readonly provenKey: ProvenKey | undefined
}

export type RefreshRefusal =
  | Extract<TokenErrorReason, `refresh_${string}` | 'scope_widened' | 'resource_not_of_grant' | 'dpop_proof_replayed'>
  | GrantRefusal
export type RefreshVerdict = RefreshRefusal | 'rotate' | 'grace' | 'decide_again' | 'proof_rules_changed' | 'client_changed'

/**
 * Says what becomes of a presented refresh token. `client_changed`: the client has to prove itself again before anything is judged.
 * `decide_again`: nothing is wrong, but policy or claims have changed since the grant was decided, so policy decides before anything is
 * issued. `proof_rules_changed`: whether a proof of a key is needed has to be looked up again. None of them changes anything, and neither does a
 * refusal: a token that was refused is as good afterwards as it was before, so that nobody who has to try again is taken for a thief. The hot
 * statement of `store/refresh-tokens` holds the same conditions in the same order.
 *
 * Policy only takes away from a grant, so what the grant itself does not give is refused whether or not it is to be decided again. What a decision of a
 * moment ago took away is refused only while that decision is the present one: a client throws away what is called invalid.
 *
 * The key is judged before any replay: whoever has the token and not the key can neither use it, nor have its family revoked. A token without
 * a key, whose successor was bound to one, was in two hands if it comes again without that key: that is theft, also inside the grace. A proof
 * is used up only by what succeeds, so that is judged last.
 *
 * @spec RFC 6749 §6 same client, scope not wider
 * @spec RFC 9700 §4.14.2 rotation and replay
 * @spec RFC 9449 §5 refresh tokens of public clients are bound to the key
 */
export function judgeRefresh(token: RefreshTokenState, presented: RefreshPresented, now: Instant): RefreshVerdict {
  if (!isSameClient(presented, token.caller)) return 'client_changed'
  return judgeToken(token, presented, now)
}

function judgeToken(token: RefreshTokenState, presented: RefreshPresented, now: Instant): RefreshVerdict {
  if (token.issuerId !== presented.issuerId) return 'refresh_token_of_other_issuer'
  if (token.clientId !== presented.clientId) return 'refresh_token_of_other_client'
  if (token.dpopKey !== undefined && token.dpopKey !== presented.provenKey?.thumbprint) return 'refresh_token_of_other_key'
  const replay = judgeReplay(token, presented, now)
  if (replay === 'refresh_token_stolen') return replay
  const dead = findGrantRefusal(token.grant, now)
  if (dead) return dead
  if (replay !== undefined && replay !== 'grace') return replay
  if (token.isDecidedAgain && !token.decisionIsCurrent) return 'decide_again'
  if (now >= token.expiresAt) return 'refresh_token_expired'
  if (!token.refreshOffered) return 'refresh_token_not_offered'
  if (presented.resource !== undefined && presented.resource !== token.audience) return 'resource_not_of_grant'
  const { scopes, scopeCeiling } = token
  if (!token.mintable || leavesNothing(scopes, scopeCeiling)) return 'grant_policy_denies'
  if (presented.scopes?.some((scope) => !scopes.includes(scope)) || leavesNothing(presented.scopes ?? scopes, scopeCeiling))
    return 'scope_widened'
  if (!token.decisionIsCurrent) return 'decide_again'
  if (token.proofRulesChanged) return 'proof_rules_changed'
  if (token.proofUsed) return 'dpop_proof_replayed'
  return replay ?? 'rotate'
}

function judgeReplay(token: RefreshTokenState, { provenKey }: RefreshPresented, now: Instant): 'grace' | RefreshRefusal | undefined {
  if (token.rotatedAt === undefined) return undefined
  if (now >= addSeconds(token.rotatedAt, graceSeconds)) return 'refresh_token_stolen'
  if (token.successorKey !== undefined && token.successorKey !== provenKey?.thumbprint) return 'refresh_token_stolen'
  if (token.successorUsed) return 'refresh_token_replayed'
  if (token.familyGraceReplays >= graceReplaysOfTheft) return 'refresh_token_stolen'
  if (token.graceReplays >= graceReplaysPerRotation) return 'refresh_grace_exhausted'
  return 'grace'
}

/** Names a family in front of its tokens; random, made with the grant, and known to nobody else. */
export type TokenFamilyId = Brand<string, 'TokenFamilyId'>

/**
 * Builds a refresh token: the family's id (a UUID) in front of 256 bits. The id lets one process derive the family's key before it has
 * asked the database; it opens nothing, and a token with another id in front has another hash, so it is unknown. One of the front issuer names its
 * tenant before it (`front-credential`).
 */
export const formatRefreshToken = (familyId: TokenFamilyId, secret: Buffer, frontTenant?: TenantSlug): string =>
  refreshPrefix +
  nameOfTenant(frontTenant) +
  Buffer.concat([Buffer.from(familyId.replaceAll('-', ''), 'hex'), secret]).toString('base64url')

const shape = new RegExp(`^${refreshPrefix}${frontTenantPart}([A-Za-z0-9_-]{64})$`)

/** The family that a presented token names; `undefined` if it is no refresh token of ours. */
export function readFamily(token: string): TokenFamilyId | undefined {
  const own = shape.exec(token)?.[2]
  if (own === undefined) return undefined
  const hex = Buffer.from(own, 'base64url').toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as TokenFamilyId
}
