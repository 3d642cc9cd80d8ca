/** Every endpoint at which a session ends. */
import type { Endpoint } from '../http/endpoint.js'
import { backchannelLogoutEndpoint } from './backchannel-logout.endpoint.js'
import { signOutEndpoints } from './logout.endpoint.js'
import { samlSloPostEndpoint, samlSloRedirectEndpoint, samlSloSoapEndpoint } from './saml-slo.endpoint.js'

export const logoutEndpoints: readonly Endpoint[] = [
  ...signOutEndpoints,
  backchannelLogoutEndpoint,
  samlSloRedirectEndpoint,
  samlSloPostEndpoint,
  samlSloSoapEndpoint,
]
