/** The broker: every endpoint it answers, in one list. */
import type { Server } from 'node:http'
import type { BrokerDeps } from './deps.js'
import { healthzEndpoint, metricsEndpoint, readyzEndpoint } from './health/health.endpoint.js'
import type { Endpoint } from './http/endpoint.js'
import { createHttpServer } from './http/server.js'

/** Order matters only where two paths could match; there are none such. */
export const brokerEndpoints: readonly Endpoint[] = [healthzEndpoint, readyzEndpoint, metricsEndpoint]

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
