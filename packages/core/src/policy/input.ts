/** Everything that a decision depends on: nothing else is read. */
import type { NormalizedIdentity } from '../identity/normalized-identity.js'
import type { Instant } from '../instant.js'
import type { ClientId, ResourceIdentifier, Scope } from '../tenant/ids.js'
import type { SensitivityTier } from './decision.js'

export type PolicyInput = {
  readonly identity: NormalizedIdentity
  readonly client: {
    readonly id: ClientId
    /** Host of its metadata document or of its redirect URI; undefined when it has none. */
    readonly host: string | undefined
    readonly kind: 'metadata_document' | 'dynamic' | 'preregistered'
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
  }
  readonly session: { readonly startedAt: Instant }
  readonly now: Instant
}
