/** The whole matrix: requirement, section, level and test in one row, so that no row is without a test. */
import { assertionClientRequirements } from './assertion-clients.js'
import { authorizationEndpointRequirements } from './authorization-endpoint.js'
import { clientAssertionRequirements } from './client-assertion.js'
import { clientCertificateRequirements } from './client-certificate.js'
import { clientDocumentRequirements } from './client-documents.js'
import { deviceAuthorizationRequirements } from './device-authorization.js'
import { dpopRequirements } from './dpop.js'
import { frontAgentRequirements } from './front-agents.js'
import { frontIssuerRequirements } from './front-issuer.js'
import { gateRequirements } from './gates.js'
import { idJagIssuingRequirements } from './id-jag-issuing.js'
import { introspectionRequirements, revocationRequirements } from './introspection.js'
import { mcpAuthorizationRequirements } from './mcp-authorization.js'
import { metadataRequirements } from './metadata.js'
import { otherTenantRequirements } from './other-tenant.js'
import { pushedRequestRequirements } from './pushed-requests.js'
import { registrationRequirements } from './registration.js'
import type { Requirement } from './requirement.js'
import { samlBearerRequirements } from './saml-bearer.js'
import { accessTokenRequirements, idTokenRequirements, signOutRequirements } from './token-content.js'
import { tokenEndpointRequirements } from './token-endpoint.js'
import { tokenExchangeRequirements } from './token-exchange.js'
import { userinfoRequirements } from './userinfo.js'

export const matrix: Readonly<Record<string, readonly Requirement[]>> = {
  'MCP authorization': mcpAuthorizationRequirements,
  'Metadata and keys': metadataRequirements,
  'Authorization endpoint': authorizationEndpointRequirements,
  'Pushed authorization requests': pushedRequestRequirements,
  'Clients that describe themselves': clientDocumentRequirements,
  'Clients that describe themselves and come with an assertion': assertionClientRequirements,
  'Dynamic registration': registrationRequirements,
  'Token endpoint': tokenEndpointRequirements,
  'What access tokens say': accessTokenRequirements,
  'What ID tokens say': idTokenRequirements,
  Introspection: introspectionRequirements,
  Revocation: revocationRequirements,
  'Sessions and sign-out': signOutRequirements,
  'SAML assertions at the token endpoint': samlBearerRequirements,
  'Devices without a browser': deviceAuthorizationRequirements,
  'Clients that prove themselves by a key': clientAssertionRequirements,
  'Clients that prove themselves by a certificate': clientCertificateRequirements,
  'Tokens that are bound to a key': dpopRequirements,
  'Tokens that are exchanged': tokenExchangeRequirements,
  'Words about people for servers of others': idJagIssuingRequirements,
  Userinfo: userinfoRequirements,
  'Pages on which a person decides': gateRequirements,
  'Between issuers of one installation': otherTenantRequirements,
  'Front issuer': frontIssuerRequirements,
  'Exchanges and assertions at the front issuer': frontAgentRequirements,
}
