/** The broker: every endpoint it answers, in one list. */
import type { Server } from 'node:http'
import { adminEndpoints } from './admin/admin-endpoints.js'
import { authorizeEndpoints } from './authorize/endpoints.js'
import type { BrokerDeps } from './deps.js'
import { healthzEndpoint, metricsEndpoint, readyzEndpoint } from './health/health.endpoint.js'
import type { Endpoint } from './http/endpoint.js'
import { createHttpServer } from './http/server.js'
import { jwksEndpoint } from './metadata/jwks.endpoint.js'
import { serverMetadataEndpoints } from './metadata/server-metadata.endpoint.js'
import { scimEndpoints } from './scim/endpoints.js'
import { endWaitingPolls } from './signals/notice-wakeups.js'
import { pollEndpoint } from './signals/poll.endpoint.js'
import { ssfConfigurationEndpoint } from './signals/ssf-configuration.endpoint.js'
import { streamsEndpoint } from './signals/streams.endpoint.js'
import { introspectEndpoint } from './token/introspect.endpoint.js'
import { revokeEndpoint } from './token/revoke.endpoint.js'
import { tokenEndpoint } from './token/token.endpoint.js'

/** Order matters only where two paths could match; there are none such. */
export const brokerEndpoints: readonly Endpoint[] = [
  healthzEndpoint,
  readyzEndpoint,
  metricsEndpoint,
  ...authorizeEndpoints,
  tokenEndpoint,
  introspectEndpoint,
  revokeEndpoint,
  jwksEndpoint,
  ...serverMetadataEndpoints,
  ssfConfigurationEndpoint,
  streamsEndpoint,
  pollEndpoint,
  ...scimEndpoints,
  ...adminEndpoints,
]

export type BrokerApp = { readonly server: Server; readonly endpoints: readonly Endpoint[]; close(): Promise<void> }

export function createApp(deps: BrokerDeps): BrokerApp {
  const server = createHttpServer(deps, brokerEndpoints)
  return { server, endpoints: brokerEndpoints, close: () => closeServer(server, deps) }
}

/** How often a closing server looks for connections that have become idle, in milliseconds. */
const idleSweepMs = 50

/** Lets running requests end, long-polls at once; a connection is closed as soon as it is idle, not when its keep-alive lapses. */
function closeServer(server: Server, deps: BrokerDeps): Promise<void> {
  endWaitingPolls(deps.database)
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), idleSweepMs)
    server.close(() => {
      clearInterval(sweep)
      resolve()
    })
  })
}
