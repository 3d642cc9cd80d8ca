/** The four sensitivity tiers: how long what they allow may live, and what a new grant of them needs. A tenant may tighten, never loosen. */
import { type SensitivityTier, sensitivityTiers } from './decision.js'
import { policyLimits } from './error.js'

export type TierLimit = {
  readonly accessTokenSeconds: number
  /** Absent: no refresh token at all. */
  readonly refreshTokenSeconds: number | undefined
}

export type TierLimits = Readonly<Record<SensitivityTier, TierLimit>>

const minutes = 60
const hours = 60 * minutes

export const defaultTierLimits: TierLimits = {
  read: { accessTokenSeconds: 30 * minutes, refreshTokenSeconds: 8 * hours },
  write: { accessTokenSeconds: 15 * minutes, refreshTokenSeconds: 4 * hours },
  sensitive: { accessTokenSeconds: 10 * minutes, refreshTokenSeconds: 1 * hours },
  admin: { accessTokenSeconds: 5 * minutes, refreshTokenSeconds: undefined },
}

export type SessionLimits = {
  /** From the login on; nothing issued from it lives longer. */
  readonly absoluteSeconds: number
  /** A refresh token that is not used for so long is dead. */
  readonly idleSeconds: number
  /** Nothing lives longer after the authentication at the IdP. Absent: only the session counts. */
  readonly authenticationMaxAgeSeconds: number | undefined
  /** Nothing lives longer after the person agreed to it. Absent: as long as the rest allows. */
  readonly reconsentSeconds: number | undefined
}

export const defaultSessionLimits: SessionLimits = {
  absoluteSeconds: policyLimits.sessionSeconds,
  idleSeconds: 8 * hours,
  authenticationMaxAgeSeconds: undefined,
  reconsentSeconds: undefined,
}

/** How recently several factors must have been proved for a new grant, where a demand says nothing else. */
export const multiFactorFreshSeconds = 5 * minutes

/** How recently she must have signed in, for this very request, to be given what is privileged. */
export const privilegedFreshSeconds = 5 * minutes

/** The tier of a scope that its resource never declared: unknown counts as the strict outcome. */
export const undeclaredTier: SensitivityTier = 'sensitive'

/** Financial, personal and privileged data: the person agrees to every grant, whoever vouches for the client. */
export const asksConsentAnew = (tier: SensitivityTier): boolean => tier === 'sensitive' || tier === 'admin'

export const isStricter = (a: SensitivityTier, b: SensitivityTier): boolean => sensitivityTiers.indexOf(a) > sensitivityTiers.indexOf(b)

/** The strictest of several tiers; `read` for none. */
export const strictestTier = (tiers: readonly SensitivityTier[]): SensitivityTier =>
  tiers.reduce<SensitivityTier>((strictest, tier) => (isStricter(tier, strictest) ? tier : strictest), 'read')
