/** The demonstration's scopes and policy: groups earn scopes, what can hurt demands a second factor. */
import type { Scope } from '@drawbridge/core/tenant/ids'
import type { StoredScope } from '@drawbridge/store/resources'

const scope = (name: string, tier: StoredScope['tier'], description: string, isDefault = false): StoredScope => ({
  name: name as Scope,
  tier,
  description,
  isDefault,
})

/** Those of the example MCP server's tools. */
export const demoScopes: readonly StoredScope[] = [
  scope('documents:read', 'read', 'Find and read documents', true),
  scope('documents:write', 'write', 'Write documents'),
  scope('admin:purge', 'admin', 'Remove every document, for good'),
]

export const demoPolicy = `# Groups earn scopes; what can hurt demands a second factor.
version: 1
bundles:
  - name: everybody-reads
    groups: [staff]
    scopes: ["documents:read"]
  - name: engineers-write-and-purge
    groups: [engineering]
    scopes: ["documents:read", "documents:write", "admin:purge"]
  - name: clerks-purge
    groups: [clerks]
    scopes: ["admin:purge"]
mfa:
  - name: second-factor
    strength: multi_factor
    tiers: [sensitive, admin]
`
