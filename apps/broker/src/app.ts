/** The broker: every endpoint it answers, in one list. */
import type { Server } from 'node:http'
import { adminEndpoints } from './admin/admin-endpoints.js'
import { setupEndpoints } from './admin/setup/setup.endpoint.js'
import { authorizeEndpoints } from './authorize/endpoints.js'
import type { BrokerDeps } from './deps.js'
import { frontEndpoints } from './front-endpoints.js'
import { healthzEndpoint, metricsEndpoint, readyzEndpoint } from './health/health.endpoint.js'
import { closerOf } from './http/closing.js'
import type { Endpoint } from './http/endpoint.js'
import { createRateLimiter } from './http/rate-limit.js'
import { createHttpServer } from './http/server.js'
import { keepSharing } from './http/share-limits.js'
import { logoutEndpoints } from './logout/endpoints.js'
import { idJagIssuerEndpoints } from './metadata/id-jag-issuer.endpoint.js'
import { jwksEndpoint, noticeJwksEndpoint } from './metadata/jwks.endpoint.js'
import { serverMetadataEndpoints } from './metadata/server-metadata.endpoint.js'
import { scimEndpoints } from './scim/endpoints.js'
import { eventPollEndpoint } from './signals/event-poll.endpoint.js'
import { eventStreamEndpoints } from './signals/event-streams.endpoint.js'
import { globalTokenRevocationEndpoint } from './signals/global-token-revocation.endpoint.js'
import { endWaitingPolls } from './signals/notice-wakeups.js'
import { pollEndpoint } from './signals/poll.endpoint.js'
import { receiversEndpoint } from './signals/receivers.endpoint.js'
import { ssfConfigurationEndpoints } from './signals/ssf-configuration.endpoint.js'
import { streamStatusEndpoints } from './signals/stream-status.endpoint.js'
import { streamVerificationEndpoint } from './signals/stream-verification.endpoint.js'
import { streamsEndpoint } from './signals/streams.endpoint.js'
import { deviceAuthorizationEndpoint } from './token/device-authorization.endpoint.js'
import { introspectEndpoint } from './token/introspect.endpoint.js'
import { revokeEndpoint } from './token/revoke.endpoint.js'
import { tokenEndpoint } from './token/token.endpoint.js'
import { userinfoEndpoints } from './token/userinfo.endpoint.js'

/** Order matters only where two paths could match; there are none such. */
export const brokerEndpoints: readonly Endpoint[] = [
  healthzEndpoint,
  readyzEndpoint,
  metricsEndpoint,
  ...authorizeEndpoints,
  ...setupEndpoints,
  ...logoutEndpoints,
  deviceAuthorizationEndpoint,
  tokenEndpoint,
  introspectEndpoint,
  ...userinfoEndpoints,
  revokeEndpoint,
  jwksEndpoint,
  ...serverMetadataEndpoints,
  ...idJagIssuerEndpoints,
  ...ssfConfigurationEndpoints,
  noticeJwksEndpoint,
  streamsEndpoint,
  ...eventStreamEndpoints,
  ...streamStatusEndpoints,
  streamVerificationEndpoint,
  eventPollEndpoint,
  pollEndpoint,
  globalTokenRevocationEndpoint,
  receiversEndpoint,
  ...frontEndpoints,
  ...scimEndpoints,
  ...adminEndpoints,
]

export type BrokerApp = { readonly server: Server; readonly endpoints: readonly Endpoint[]; close(): Promise<void> }

export function createApp(deps: BrokerDeps): BrokerApp {
  const limiter = createRateLimiter(deps.clock, deps.settings.rateLimitFactor)
  const server = createHttpServer(deps, brokerEndpoints, limiter)
  const closeServer = closerOf(server)
  const sharing = keepSharing(deps, limiter)
  const close = async () => {
    endWaitingPolls(deps.database)
    await closeServer()
    await Promise.all([sharing.stop(), deps.logins.settled()])
  }
  return { server, endpoints: brokerEndpoints, close }
}
