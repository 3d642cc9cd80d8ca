/** Every endpoint of the browser flow, in the order in which a browser meets them. */
import { registerEndpoint } from '../clients/register.endpoint.js'
import { registrationEndpoints } from '../clients/registration.endpoint.js'
import type { Endpoint } from '../http/endpoint.js'
import { authorizeEndpoint, authorizePostEndpoint } from './authorize.endpoint.js'
import { chooseConnectionEndpoint, chooseConnectionPageEndpoint } from './choose-connection.endpoint.js'
import { clientLogoEndpoint } from './client-logo.endpoint.js'
import { clientNoticeEndpoint, clientNoticePageEndpoint } from './client-notice.endpoint.js'
import { consentEndpoint, consentPageEndpoint } from './consent.endpoint.js'
import { deviceEndpoints } from './device.endpoint.js'
import { factorVisitEndpoints } from './factor-visit.endpoint.js'
import { initiateLoginEndpoints } from './initiate-login.endpoint.js'
import { oidcCallbackEndpoint } from './oidc-callback.endpoint.js'
import { oidcClientJwksEndpoint } from './oidc-client-jwks.endpoint.js'
import { parEndpoint } from './par.endpoint.js'
import { samlAcsEndpoint } from './saml-acs.endpoint.js'
import { samlAcsRedirectEndpoint } from './saml-acs-redirect.endpoint.js'
import { samlContinueEndpoint } from './saml-continue.endpoint.js'
import { samlSpMetadataEndpoint } from './saml-sp-metadata.endpoint.js'
import { secondFactorEndpoint, secondFactorPageEndpoint } from './second-factor.endpoint.js'
import { testLoginEndpoint, testLoginPageEndpoint } from './test-login.endpoint.js'

export const authorizeEndpoints: readonly Endpoint[] = [
  registerEndpoint,
  ...registrationEndpoints,
  parEndpoint,
  authorizeEndpoint,
  authorizePostEndpoint,
  ...deviceEndpoints,
  chooseConnectionPageEndpoint,
  chooseConnectionEndpoint,
  clientNoticePageEndpoint,
  clientNoticeEndpoint,
  samlSpMetadataEndpoint,
  samlAcsEndpoint,
  samlAcsRedirectEndpoint,
  samlContinueEndpoint,
  oidcClientJwksEndpoint,
  ...initiateLoginEndpoints,
  oidcCallbackEndpoint,
  testLoginPageEndpoint,
  testLoginEndpoint,
  secondFactorPageEndpoint,
  secondFactorEndpoint,
  ...factorVisitEndpoints,
  consentPageEndpoint,
  clientLogoEndpoint,
  consentEndpoint,
]
