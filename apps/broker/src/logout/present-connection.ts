/** The connection that a message of an IdP came in at, as it is configured at this moment: nobody asked for the message, so no flow has loaded it. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { findConfigurationVersionAcrossTenants } from '@drawbridge/store/tenant-configuration'
import type { ConnectionConfiguration } from '@drawbridge/upstream/connection'
import type { BrokerDeps } from '../deps.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

export type PresentConnection<Kind extends ConnectionConfiguration['kind']> = {
  readonly tenant: ResolvedTenant
  readonly id: ConnectionId
  readonly configuration: Extract<ConnectionConfiguration, { readonly kind: Kind }>
}

/** `undefined`: there is none of that kind, or it is disabled. A cache that is a second old does not decide. security.md §14 */
export async function presentConnection<Kind extends ConnectionConfiguration['kind']>(
  http: HttpRequest,
  deps: BrokerDeps,
  kind: Kind,
): Promise<PresentConnection<Kind> | undefined> {
  const tenant = await presentTenant(http, deps)
  const connection = tenant.connection(http.params['connection'] ?? '')
  if (!connection || connection.disabled || !connection.configuration.ok || connection.configuration.value.kind !== kind) return undefined
  return { tenant, id: connection.id, configuration: connection.configuration.value as PresentConnection<Kind>['configuration'] }
}

export async function presentTenant(http: HttpRequest, deps: BrokerDeps): Promise<ResolvedTenant> {
  const known = tenantOf(http)
  const version = await findConfigurationVersionAcrossTenants(deps.database, known.slug)
  return deps.configuration.atVersion(known, version ?? known.configurationVersion)
}
