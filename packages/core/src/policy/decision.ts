/** What policy says, always with its reasons. */
import type { Instant } from '../instant.js'
import type { Scope } from '../tenant/ids.js'

/** How dangerous a scope is; the stricter tier of several wins. An undeclared scope counts as `sensitive`. */
export const sensitivityTiers = ['read', 'write', 'sensitive', 'admin'] as const
export type SensitivityTier = (typeof sensitivityTiers)[number]

/** The limit that won. */
export type Ceiling = {
  readonly seconds: number
  readonly by: 'tier' | 'resource' | 'client' | 'tenant' | 'session_absolute' | 'session_idle' | 'idp_session' | 'deactivation'
  readonly detail: string
}

export type ScopeExplanation = {
  readonly scope: Scope
  readonly tier: SensitivityTier
  readonly granted: boolean
  /** Plain words, fit for an admin: which rule, or which wall. Holds no claim values. */
  readonly because: string
  readonly rule: string | undefined
}

export type Explanation = {
  readonly policyVersion: number
  readonly scopes: readonly ScopeExplanation[]
  readonly notes: readonly string[]
}

export type PolicyDecision =
  | {
      readonly kind: 'allow'
      readonly scopes: readonly Scope[]
      readonly tier: SensitivityTier
      readonly accessTokenTtl: Ceiling
      /** `undefined`: no refresh token at all. */
      readonly refreshTokenTtl: Ceiling | undefined
      /** Nothing issued from this login lives longer. */
      readonly sessionExpiresAt: Instant
      readonly explanation: Explanation
    }
  | { readonly kind: 'stepUp'; readonly acr: 'mfa'; readonly missing: string; readonly explanation: Explanation }
  | {
      readonly kind: 'deny'
      readonly reason: 'nothing_granted' | 'mfa_missing' | 'session_ended' | 'subject_deactivated'
      readonly missing: string
      readonly explanation: Explanation
    }
