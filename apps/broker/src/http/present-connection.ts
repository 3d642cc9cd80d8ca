/** The connection that a message of an IdP came in at, as it is configured at this moment: nobody asked for the message, so no flow has loaded it. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { findConfigurationVersionAcrossTenants } from '@drawbridge/store/tenant-configuration'
import type { ConnectionConfiguration } from '@drawbridge/upstream/connection'
import type { BrokerDeps } from '../deps.js'
import { type HttpRequest, tenantOf } from './endpoint.js'
import type { ResolvedTenant } from './tenant.js'

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

export type AnyPresentConnection = {
  readonly tenant: ResolvedTenant
  readonly id: ConnectionId
  readonly configuration: ConnectionConfiguration
}

/** Of either kind, and also one that is switched off: what only takes away is heard there, too, because what was issued before may be alive. */
export async function presentConnectionToHear(http: HttpRequest, deps: BrokerDeps): Promise<AnyPresentConnection | undefined> {
  const tenant = await presentTenant(http, deps)
  const connection = tenant.connection(http.params['connection'] ?? '')
  return connection?.configuration.ok ? { tenant, id: connection.id, configuration: connection.configuration.value } : undefined
}

export const presentTenant = (http: HttpRequest, deps: BrokerDeps): Promise<ResolvedTenant> => presentAt(tenantOf(http), deps)

/** The tenant at the same issuer, as it is configured at this moment. */
export async function presentAt(known: ResolvedTenant, deps: BrokerDeps): Promise<ResolvedTenant> {
  const version = await findConfigurationVersionAcrossTenants(deps.database, known.slug)
  return deps.configuration.atVersion(known, version ?? known.configurationVersion)
}
