/** The broker: every endpoint it answers, in one list. */
import type { Server } from 'node:http'
import type { BrokerDeps } from './deps.js'
import { healthzEndpoint, metricsEndpoint, readyzEndpoint } from './health/health.endpoint.js'
import type { Endpoint } from './http/endpoint.js'
import { createHttpServer } from './http/server.js'
import { jwksEndpoint } from './metadata/jwks.endpoint.js'
import { serverMetadataEndpoints } from './metadata/server-metadata.endpoint.js'
import { introspectEndpoint } from './token/introspect.endpoint.js'
import { revokeEndpoint } from './token/revoke.endpoint.js'
import { tokenEndpoint } from './token/token.endpoint.js'

/** Order matters only where two paths could match; there are none such. */
export const brokerEndpoints: readonly Endpoint[] = [
  healthzEndpoint,
  readyzEndpoint,
  metricsEndpoint,
  tokenEndpoint,
  introspectEndpoint,
  revokeEndpoint,
  jwksEndpoint,
  ...serverMetadataEndpoints,
]

export type BrokerApp = { readonly server: Server; readonly endpoints: readonly Endpoint[]; close(): Promise<void> }

export function createApp(deps: BrokerDeps): BrokerApp {
  const server = createHttpServer(deps, brokerEndpoints)
  return { server, endpoints: brokerEndpoints, close: () => closeServer(server) }
}

/** Lets running requests end; idle connections are closed at once. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
}
