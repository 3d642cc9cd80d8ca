/** From a stored connection to the connector that speaks to its IdP. The shape of a configuration is in `connection-configuration`. */
import type { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import type { ConnectionConfiguration } from './connection-configuration.js'
import type { Connector, ConnectorDeps } from './connector.js'
import type { FindClientKey } from './oidc/client-authentication.js'
import { oidcConnector } from './oidc/connector.js'
import { samlConnector } from './saml/connector.js'
import { noServiceProvider, type ServiceProvider } from './saml/service-provider.js'

export { type ConnectionConfiguration, parseConnection } from './connection-configuration.js'

/** The connector of one connection. Cheap to make again: keys and discovery are kept with the configuration value, so a new version starts anew. */
export function createConnector(
  deps: ConnectorDeps,
  connectionId: ConnectionId,
  configuration: ConnectionConfiguration,
  secret?: Secret,
  findKey?: FindClientKey,
  serviceProvider: ServiceProvider = noServiceProvider,
): Connector {
  return configuration.kind === 'saml'
    ? samlConnector({ ...deps, serviceProvider }, connectionId, configuration)
    : oidcConnector(deps, connectionId, configuration, { secret, findKey })
}
