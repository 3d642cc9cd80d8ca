/** How the claims of a tenant's connections are made, for whoever reads what a directory says beside a login. */
import type { ClaimSources } from '@drawbridge/core/identity/directory-claims'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import type { ResolvedTenant } from '../http/tenant.js'

export const claimSourcesOf =
  (tenant: Pick<ResolvedTenant, 'connection' | 'assertionTrusts' | 'samlTrusts'>) =>
  (id: ConnectionId): ClaimSources | undefined => {
    const configuration = tenant.connection(id)?.configuration
    if (configuration !== undefined) return configuration.ok ? configuration.value.mapping : undefined
    return [...tenant.assertionTrusts, ...tenant.samlTrusts].find((trust) => trust.id === id)?.trust.mapping
  }
