/** What policy says, always with its reasons. */
import type { Instant } from '../instant.js'
import type { Scope } from '../tenant/ids.js'

/** How dangerous a scope is; the stricter tier of several wins. An undeclared scope counts as `sensitive`. */
export const sensitivityTiers = ['read', 'write', 'sensitive', 'admin'] as const
export type SensitivityTier = (typeof sensitivityTiers)[number]

export const ceilingKinds = [
  'tier',
  'tenant',
  'resource',
  'client',
  'client_rule',
  'session_absolute',
  'session_idle',
  'authentication_age',
  'reconsent',
  'idp_session',
  'deactivation',
  'subject_token',
] as const

/** The limit that won. */
export type Ceiling = { readonly seconds: number; readonly by: (typeof ceilingKinds)[number]; readonly detail: string }

/** Which limits won when a grant was opened, as they are stored with it and shown. `refreshToken: null`: it has none. */
export type WonCeilings = { readonly accessToken: Ceiling; readonly refreshToken: Ceiling | null }

export type ScopeExplanation = {
  readonly scope: Scope
  readonly tier: SensitivityTier
  readonly granted: boolean
  /** Plain words, fit for an admin: which rule, or which wall. Holds no claim values. */
  readonly because: string
  readonly rule: string | undefined
  /** Of the rule, in the document that it is in. */
  readonly line: number | undefined
}

/** A line of the trail holds an explanation, for each grant that is opened or denied. */
export const explanationLimits = { notes: 50 } as const

export type Explanation = {
  readonly policyVersion: number
  readonly scopes: readonly ScopeExplanation[]
  /** The first of them; `unclear` counts them all. */
  readonly notes: readonly string[]
  /** Rules, demands and claims of the policy that could not be evaluated and counted strictly. */
  readonly unclear: number
}

/** What the IdP is to be asked for, once: a second factor, or that she signs in again. */
export type StepUpDemand = 'mfa' | 'fresh'

export type PolicyDecision =
  | {
      readonly kind: 'allow'
      readonly scopes: readonly Scope[]
      readonly tier: SensitivityTier
      readonly accessTokenTtl: Ceiling
      /** `undefined`: no refresh token at all. */
      readonly refreshTokenTtl: Ceiling | undefined
      /** No refresh token of this grant lives longer, by whatever rotation. `undefined`: it has none. */
      readonly refreshEndsAt: Instant | undefined
      /** Nothing of this grant lives longer, by whatever refresh. */
      readonly endsAt: Instant
      /** The person agrees to every grant of this tier, whoever vouches for the client. */
      readonly asksConsentAnew: boolean
      readonly explanation: Explanation
    }
  | { readonly kind: 'stepUp'; readonly demand: StepUpDemand; readonly missing: string; readonly explanation: Explanation }
  | {
      readonly kind: 'deny'
      readonly reason: 'nothing_granted' | 'mfa_missing' | 'login_not_fresh' | 'session_ended' | 'subject_deactivated'
      readonly missing: string
      readonly explanation: Explanation
    }
