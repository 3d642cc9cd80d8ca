/** The four sensitivity tiers and how long what they allow may live. A tenant may tighten these, never loosen them. */
import { type SensitivityTier, sensitivityTiers } from './decision.js'

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
}

export const defaultSessionLimits: SessionLimits = { absoluteSeconds: 12 * hours, idleSeconds: 8 * hours }

/** The tier of a scope that its resource never declared: unknown counts as the strict outcome. */
export const undeclaredTier: SensitivityTier = 'sensitive'

export const isStricter = (a: SensitivityTier, b: SensitivityTier): boolean => sensitivityTiers.indexOf(a) > sensitivityTiers.indexOf(b)

/** The strictest of several tiers; `read` for none. */
export const strictestTier = (tiers: readonly SensitivityTier[]): SensitivityTier =>
  tiers.reduce<SensitivityTier>((strictest, tier) => (isStricter(tier, strictest) ? tier : strictest), 'read')
