/** Every endpoint at which a session ends. */
import type { Endpoint } from '../http/endpoint.js'
import { backchannelLogoutEndpoint } from './backchannel-logout.endpoint.js'
import { frontchannelLogoutEndpoint } from './frontchannel-logout.endpoint.js'
import { signOutEndpoints } from './logout.endpoint.js'
import { samlSloContinueEndpoint, samlSloPostEndpoint, samlSloRedirectEndpoint, samlSloSoapEndpoint } from './saml-slo.endpoint.js'

export const logoutEndpoints: readonly Endpoint[] = [
  ...signOutEndpoints,
  backchannelLogoutEndpoint,
  frontchannelLogoutEndpoint,
  samlSloRedirectEndpoint,
  samlSloPostEndpoint,
  samlSloContinueEndpoint,
  samlSloSoapEndpoint,
]
