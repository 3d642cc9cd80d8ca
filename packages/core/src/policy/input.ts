/** Everything that a decision depends on: nothing else is read. */
import type { NormalizedIdentity } from '../identity/normalized-identity.js'
import type { Instant } from '../instant.js'
import type { ClientId, ResourceIdentifier, Scope } from '../tenant/ids.js'
import type { SensitivityTier } from './decision.js'

export const clientKinds = ['metadata_document', 'dynamic', 'preregistered'] as const

export type PolicyInput = {
  readonly identity: NormalizedIdentity
  /** When the tenant's directory ends this person's access. Absent: it names no end. */
  readonly deactivatesAt?: Instant | undefined
  /** Until then nothing of tier `admin` is granted her: an admin has lately reset her second factor. Absent: nothing is delayed. */
  readonly privilegedFrom?: Instant | undefined
  readonly client: {
    readonly id: ClientId
    /** Host of its metadata document, or of its redirect URIs; undefined when they lead to several. */
    readonly host: string | undefined
    readonly kind: (typeof clientKinds)[number]
    /** That this very installation is the one it claims to be was proven. Absent: it was not. */
    readonly attested?: boolean
    /** Empty: no ceiling of its own. */
    readonly scopeCeiling: readonly Scope[]
    readonly accessTokenTtlSeconds: number | undefined
  }
  readonly resource: {
    readonly identifier: ResourceIdentifier
    readonly scopes: readonly {
      readonly name: Scope
      readonly tier: SensitivityTier
      readonly description: string
      readonly isDefault: boolean
    }[]
    readonly accessTokenTtlSeconds: number | undefined
  }
  readonly request: {
    /** Empty: the resource's default scopes. */
    readonly scopes: readonly Scope[]
    readonly stepUpsDone: number
    /** `refresh`: strength is demanded, freshness is not; it was proved when the grant was new. Absent: a new grant. */
    readonly kind?: 'new_grant' | 'refresh'
    /** Of whoever asks; absent where nobody knows. */
    readonly address?: string | undefined
    /** Two letters, where the operator's proxy says it. ISO 3166-1 */
    readonly country?: string | undefined
  }
  readonly session: {
    readonly startedAt: Instant
    /** This very request brought the session about: she has just signed in for it. Absent: she has not. */
    readonly isOwn?: boolean
    /** When the grant was opened that is refreshed: she agreed to it then, and its refresh tokens live from then. Absent: now. */
    readonly grantedAt?: Instant | undefined
    /** When she agreed to what is granted, where that was earlier. Absent: with the grant. */
    readonly consentedAt?: Instant | undefined
    /** When a sign-in had to be recent, where she is not here to show one: when she gave access to the client from whom another has it. Absent: now. */
    readonly freshAt?: Instant | undefined
  }
  readonly now: Instant
}
