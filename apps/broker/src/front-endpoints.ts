/** What there is at the front issuer: these endpoints of a tenant's issuer, and the step at which a person says whose she is. Anything else is for tenants' issuers. */
import { authorizeEndpoint, authorizePostEndpoint } from './authorize/authorize.endpoint.js'
import { chooseTenantEndpoints } from './authorize/choose-tenant.endpoint.js'
import { deviceEndpoints } from './authorize/device.endpoint.js'
import { parEndpoint } from './authorize/par.endpoint.js'
import { registerEndpoint } from './clients/register.endpoint.js'
import { registrationEndpoints } from './clients/registration.endpoint.js'
import type { Endpoint } from './http/endpoint.js'
import { atFront, byTenantParameter, inIdTokenHint, inPresentedToken, inSignOut, inToken, inTokenRequest } from './http/front.js'
import { askSignOutEndpoint, signOutEndpoint } from './logout/logout.endpoint.js'
import { jwksEndpoint, noticeJwksEndpoint } from './metadata/jwks.endpoint.js'
import { frontMetadataEndpoints } from './metadata/server-metadata.endpoint.js'
import { eventPollEndpoint } from './signals/event-poll.endpoint.js'
import { eventStreamEndpoints } from './signals/event-streams.endpoint.js'
import { pollEndpoint } from './signals/poll.endpoint.js'
import { frontSsfConfigurationEndpoint } from './signals/ssf-configuration.endpoint.js'
import { streamStatusEndpoints } from './signals/stream-status.endpoint.js'
import { streamVerificationEndpoint } from './signals/stream-verification.endpoint.js'
import { streamsEndpoint } from './signals/streams.endpoint.js'
import { deviceAuthorizationEndpoint } from './token/device-authorization.endpoint.js'
import { introspectEndpoint } from './token/introspect.endpoint.js'
import { revokeEndpoint } from './token/revoke.endpoint.js'
import { tokenEndpoint } from './token/token.endpoint.js'
import { userinfoEndpoints } from './token/userinfo.endpoint.js'

/** Where nobody is known yet: what is stored is the vendor's. */
const ofAnybody = [
  ...[registerEndpoint, ...registrationEndpoints, parEndpoint, authorizeEndpoint, authorizePostEndpoint],
  ...[deviceAuthorizationEndpoint, ...deviceEndpoints],
  ...[jwksEndpoint, noticeJwksEndpoint, streamsEndpoint, pollEndpoint],
  ...frontMetadataEndpoints,
  ...[frontSsfConfigurationEndpoint, ...eventStreamEndpoints, ...streamStatusEndpoints, streamVerificationEndpoint, eventPollEndpoint],
]

export const frontEndpoints: readonly Endpoint[] = [
  ...ofAnybody.map((endpoint) => atFront(endpoint)),
  ...chooseTenantEndpoints,
  atFront(tokenEndpoint, inTokenRequest, byTenantParameter),
  atFront(introspectEndpoint, inToken),
  atFront(revokeEndpoint, inToken),
  ...userinfoEndpoints.map((endpoint) => atFront(endpoint, inPresentedToken)),
  ...[askSignOutEndpoint, signOutEndpoint].map((endpoint) => atFront(endpoint, inIdTokenHint, inSignOut)),
]
