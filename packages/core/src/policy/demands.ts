/** What a person must have proved before she is given what policy allows: a strength of authentication, and how recent it must be. */
import { type AuthenticationStrength, isAtLeast } from '../identity/authentication-strength.js'
import { secondsBetween } from '../instant.js'
import { codeTtlSeconds } from '../oauth/grant.js'
import type { CompiledDemand } from './compile-rules.js'
import type { ScopeExplanation, SensitivityTier, StepUpDemand } from './decision.js'
import type { Applies, Evaluating } from './evaluating.js'
import { privilegedFreshSeconds, type TierLimit } from './tier.js'

/** In plain words, and what to ask the IdP for. */
export type Missing = { readonly demand: StepUpDemand; readonly say: string }

export type DemandVerdict = { readonly demand: CompiledDemand; readonly applies: Applies; readonly missing: Missing | undefined }

/** Every demand that concerns what would be granted, with what is missing for it. */
export const judgeDemands = (evaluating: Evaluating, granted: readonly ScopeExplanation[]): readonly DemandVerdict[] =>
  evaluating.policy.demands.flatMap((demand) => {
    const applies = concerns(demand, evaluating, granted)
    return applies === 'no' ? [] : [{ demand, applies, missing: missingFor(demand, evaluating) }]
  })

function concerns(demand: CompiledDemand, { input, applies }: Evaluating, granted: readonly ScopeExplanation[]): Applies {
  if (demand.resource !== undefined && demand.resource !== input.resource.identifier) return 'no'
  const isConcerned = granted.some(
    ({ scope, tier }) => (demand.tiers === undefined || demand.tiers.has(tier)) && demand.scopes.covers(scope),
  )
  return isConcerned ? applies(demand) : 'no'
}

const plainStrength: Readonly<Record<AuthenticationStrength, string>> = {
  unknown: 'any proof',
  single_factor: 'one proven factor',
  multi_factor: 'multi-factor authentication',
  phishing_resistant: 'phishing-resistant authentication',
  phishing_resistant_hardware: 'phishing-resistant authentication by a key in hardware',
}

/** Freshness is demanded of new grants; at a refresh it was proved when the grant was new. */
function missingFor(demand: CompiledDemand, { input, evidenceFor, strengthFor }: Evaluating): Missing | undefined {
  const evidence = evidenceFor(demand.owner)
  const missing = (say: string): Missing => ({ demand: 'mfa', say })
  const strong = evidence.filter(({ strength }) => isAtLeast(strength, demand.strength))
  if (strong.length === 0) {
    const proved = strengthFor(demand.owner).replaceAll('_', ' ')
    const by = evidence.length === 1 ? `the identity provider proved ${proved}` : `with the second factor here, ${proved} is proved`
    return missing(`${plainStrength[demand.strength]}, which ${demand.name} demands; ${by}`)
  }
  const { freshSeconds } = demand
  if (freshSeconds === undefined || input.request.kind === 'refresh') return undefined
  const times = strong.flatMap(({ at }) => at ?? [])
  if (times.length === 0) return missing(`the time of the sign-in, which ${demand.name} demands; the identity provider did not say it`)
  return times.some((at) => secondsBetween(at, input.session.freshAt ?? input.now) <= freshSeconds)
    ? undefined
    : missing(`a sign-in within the last ${freshSeconds} s, which ${demand.name} demands`)
}

/** What is privileged, and what the vendor gives no refresh token at all. */
export const needsInteraction = ({ outerTierLimits }: Evaluating['policy'], tier: SensitivityTier): boolean =>
  tier === 'admin' || outerTierLimits[tier].refreshTokenSeconds === undefined

/**
 * What a tier itself demands of a new grant. What is privileged, and what may have no refresh token at all, needs an interactive sign-in for
 * this very request; all of it needs a session no older than a grant of the tier may become, so that an agent whose tokens have ended starts
 * with a sign-in.
 */
export function missingFreshness({ policy, input }: Evaluating, tiers: readonly SensitivityTier[]): Missing | undefined {
  if (input.request.kind === 'refresh') return undefined
  for (const tier of tiers) {
    const interaction = needsInteraction(policy, tier) ? missingInteraction(tier, input) : undefined
    const say = interaction ?? missingSession(tier, oldestSessionSeconds(policy.tierLimits[tier]), input)
    if (say !== undefined) return { demand: 'fresh', say }
  }
  return undefined
}

/** As old as what is granted may become, so less where refresh tokens live shorter, and least where there are none; what is fresh is never too old. */
const oldestSessionSeconds = ({ accessTokenSeconds, refreshTokenSeconds = 0 }: TierLimit): number =>
  Math.max(refreshTokenSeconds, codeTtlSeconds + accessTokenSeconds, privilegedFreshSeconds)

function missingInteraction(tier: SensitivityTier, { identity, session, now }: Evaluating['input']): string | undefined {
  const at = identity.authentication.authenticatedAt
  const isInteractive = session.isOwn === true && at !== undefined && secondsBetween(at, now) <= privilegedFreshSeconds
  return isInteractive ? undefined : `a sign-in for this request alone, which every new grant of tier ${tier} demands`
}

function missingSession(tier: SensitivityTier, mostSeconds: number, { session, now }: Evaluating['input']): string | undefined {
  return secondsBetween(session.startedAt, session.freshAt ?? now) <= mostSeconds
    ? undefined
    : `a sign-in within the last ${mostSeconds} s, which a new grant of tier ${tier} demands`
}
