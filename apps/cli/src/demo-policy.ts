/** The demonstration's scopes and policy: groups earn scopes, what can hurt demands a second factor. */
import type { Scope } from '@drawbridge/core/tenant/ids'
import type { StoredScope } from '@drawbridge/store/resources'

const scope = (name: string, tier: StoredScope['tier'], description: string, isDefault = false): StoredScope => ({
  name: name as Scope,
  tier,
  description,
  isDefault,
})

export const demoScopes: readonly StoredScope[] = [
  scope('orders:read', 'read', 'See orders and their status', true),
  scope('orders:write', 'write', 'Create and change orders'),
  scope('orders:refund', 'sensitive', 'Pay money back to customers'),
]

export const demoPolicy = `# Groups earn scopes; what can hurt demands a second factor.
version: 1
bundles:
  - name: everybody-reads
    groups: [staff]
    scopes: ["orders:read"]
  - name: engineers-write
    groups: [engineering]
    scopes: ["orders:read", "orders:write", "orders:refund"]
  - name: clerks-refund
    groups: [clerks]
    scopes: ["orders:refund"]
mfa:
  - name: second-factor
    strength: multi_factor
    tiers: [sensitive, admin]
`
