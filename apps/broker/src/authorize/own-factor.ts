/**
 * Whether a factor of ours is what is missing, and which step asks for it. Reads, and writes nothing.
 *
 * It is asked last: only if a proof of it, now, would make policy allow. Where the IdP can prove more, the IdP is asked first. docs/adr/0034
 */
import { type FactorStep, nextFactorStep, type OwnFactorTurn, proofBy, turnOfOwnFactor } from '@drawbridge/core/factor/second-factor'
import { isAtLeast } from '@drawbridge/core/identity/authentication-strength'
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import { type Instant, secondsBetween } from '@drawbridge/core/instant'
import type { CompiledPolicy } from '@drawbridge/core/policy/compile'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import { strengthFor } from '@drawbridge/core/policy/strength'
import { multiFactorFreshSeconds } from '@drawbridge/core/policy/tier'
import { listFactorsOfSubject, type StoredFactor } from '@drawbridge/store/factors'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { decisionWith, type SignedIn } from './signed-in.js'

/** The domain that passkeys belong to, and the one page that may ask for them. */
export function relyingPartyOf({ settings }: Pick<BrokerDeps, 'settings'>, name: string) {
  const { origin, hostname } = new URL(settings.publicUrl)
  return { id: settings.webauthnRpId ?? hostname, name, origin }
}

const turnOf = ({ flow, session }: SignedIn) => turnOfOwnFactor(flow.tenant.secondFactor, session.connectionId)

/** False: its IdP is known to have no second factor to prove, and asking it for one may end in an error of its own. */
export const mayAskIdp = (signedIn: SignedIn): boolean => turnOf(signedIn) !== 'instead_of_idp'

/** What misses, and after whom a factor of ours may be asked for it. */
export function isItsTurn(decision: PolicyDecision, turn: OwnFactorTurn): boolean {
  if (decision.kind === 'stepUp') return turn === 'instead_of_idp' && decision.demand === 'mfa'
  return decision.kind === 'deny' && decision.reason === 'mfa_missing' && turn !== 'never'
}

/** `undefined`: nothing of ours is missing, or would help. */
export async function ownFactorStep(signedIn: SignedIn): Promise<FactorStep<StoredFactor> | undefined> {
  if (!isItsTurn(signedIn.decision, turnOf(signedIn))) return undefined
  const { flow, session, isOwn } = signedIn
  const { deps, tenant, ongoing, now } = flow
  const factors = await inTenant(deps.database, tenant.id, (db) => listFactorsOfSubject(db, tenant.id, session.subjectId))
  return nextFactorStep({
    factors,
    requestId: ongoing.id,
    rpId: relyingPartyOf(deps, tenant.name).id,
    helps: (kind) => decisionWith(signedIn, proofBy(kind, now)).kind === 'allow',
    idpWasAsked: ongoing.stepUps > 0 || (!mayAskIdp(signedIn) && isOwn),
    idpProvedSeveral: signedIn.isOwn && provesSeveral(signedIn.identity, tenant.policy, now),
  })
}

/** In the vendor's eyes, just now: what a tenant says of evidence enrols nobody. */
export function provesSeveral({ authentication, connectionId }: NormalizedIdentity, policy: CompiledPolicy, now: Instant): boolean {
  const { acr, amr, authenticatedAt } = authentication
  const strength = strengthFor('vendor', policy.strength, { acr, amr, authenticatedAt }, connectionId)
  const isFresh = authenticatedAt !== undefined && secondsBetween(authenticatedAt, now) <= multiFactorFreshSeconds
  return isFresh && isAtLeast(strength, 'multi_factor')
}
