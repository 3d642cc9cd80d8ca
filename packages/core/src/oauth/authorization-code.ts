/** The authorization code: redeemed once, within a minute, by the client, redirect URI and verifier it was made for. */
import { addSeconds, type Instant } from '../instant.js'
import type { ClientId, CredentialHash, GrantId, IssuerId, TenantId } from '../tenant/ids.js'
import { type Caller, type CallerState, isSameClient } from './caller.js'
import type { KeyThumbprint, ProvenKey } from './dpop-proof.js'
import { codeTtlSeconds, findGrantRefusal, type GrantRefusal, type GrantState } from './grant.js'
import { leavesNothing } from './scope-ceiling.js'
import type { TokenErrorReason } from './token-error.js'

export const codePrefix = 'dbc_'

export type AuthorizationCode = {
  readonly tenantId: TenantId
  readonly codeHash: CredentialHash
  readonly grantId: GrantId
  readonly issuerId: IssuerId
  readonly clientId: ClientId
  readonly redirectUri: string
  readonly codeChallenge: string
  readonly nonce: string | undefined
  /** The key that it was asked for with (`dpop_jkt`): redeemed only by whoever proves to hold it. */
  readonly dpopKey?: KeyThumbprint | undefined
  readonly createdAt: Instant
  readonly expiresAt: Instant
}

export const openCode = (
  code: Omit<AuthorizationCode, 'createdAt' | 'expiresAt'>,
  now: Instant,
  ttlSeconds: number = codeTtlSeconds,
): AuthorizationCode => ({
  ...code,
  createdAt: now,
  expiresAt: addSeconds(now, ttlSeconds),
})

export type CodeState = Pick<AuthorizationCode, 'issuerId' | 'clientId' | 'redirectUri' | 'codeChallenge' | 'expiresAt' | 'dpopKey'> & {
  readonly redeemed: boolean
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

export type CodePresented = Caller & {
  /** `undefined`: a client of OAuth 2.1 sends none, for its verifier says what this did. One that is sent is compared. */
  readonly redirectUri: string | undefined
  /** S256 of the presented verifier. */
  readonly codeChallenge: string
  readonly resource: string | undefined
  /** `undefined`: no proof of a key was sent. */
  readonly provenKey: ProvenKey | undefined
}

export type CodeRefusal =
  | Extract<
      TokenErrorReason,
      `code_${string}` | 'redirect_uri_mismatch' | 'pkce_mismatch' | 'resource_not_of_grant' | 'dpop_proof_replayed'
    >
  | GrantRefusal

export type CodeVerdict = CodeRefusal | 'redeem' | 'decide_again' | 'proof_rules_changed' | 'client_changed'

/**
 * Says what becomes of a presented code. `client_changed`, `decide_again` and `proof_rules_changed` change nothing: the client has to prove itself
 * again, policy to decide again, or it has to be looked up again whether a proof of a key is needed, before anything is judged or issued. What a decision
 * of a moment ago took away is refused only while that decision is the present one.
 *
 * A second use means that somebody else has seen the code and we cannot tell thief from owner, so it is judged first and
 * revokes the grant (`revokesGrant`), whoever presents it. A proof is used up only by what succeeds, so that is judged last. The hot statement of `store/authorization-codes` holds the same
 * conditions in the same order.
 *
 * @spec RFC 6749 §4.1.2 single use, §4.1.3 client and redirect_uri
 * @spec OAuth 2.1 (draft-ietf-oauth-v2-1) §10.2 no redirect_uri at the token endpoint, compared where it is sent
 * @spec RFC 7636 §4.6 verifier
 * @spec RFC 9449 §10 a code that is bound to a key
 */
export function judgeCode(code: CodeState, presented: CodePresented, now: Instant): CodeVerdict {
  if (!isSameClient(presented, code.caller)) return 'client_changed'
  const refusal = findCodeRefusal(code, presented, now)
  if (refusal) return refusal
  if (code.isDecidedAgain && !code.decisionIsCurrent) return 'decide_again'
  if (!code.mintable || leavesNothing(code.scopes, code.scopeCeiling)) return 'grant_policy_denies'
  if (!code.decisionIsCurrent) return 'decide_again'
  if (code.proofRulesChanged) return 'proof_rules_changed'
  return code.proofUsed ? 'dpop_proof_replayed' : 'redeem'
}

function findCodeRefusal(code: CodeState, presented: CodePresented, now: Instant): CodeRefusal | undefined {
  if (code.issuerId !== presented.issuerId) return 'code_of_other_issuer'
  if (code.redeemed) return 'code_replayed'
  if (now >= code.expiresAt) return 'code_expired'
  if (code.clientId !== presented.clientId) return 'code_of_other_client'
  if (presented.redirectUri !== undefined && code.redirectUri !== presented.redirectUri) return 'redirect_uri_mismatch'
  if (code.codeChallenge !== presented.codeChallenge) return 'pkce_mismatch'
  if (code.dpopKey !== undefined && code.dpopKey !== presented.provenKey?.thumbprint) return 'code_of_other_key'
  if (presented.resource !== undefined && presented.resource !== code.audience) return 'resource_not_of_grant'
  return findGrantRefusal(code.grant, now)
}

export const revokesGrant = (refusal: string): boolean => refusal === 'code_replayed' || refusal === 'refresh_token_stolen'
