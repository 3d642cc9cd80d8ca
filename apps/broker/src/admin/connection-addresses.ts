/** What an admin enters at the IdP, and the name of what a connection is at this moment. */
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { StoredConnection } from '@drawbridge/store/connections'
import { parseConnection } from '@drawbridge/upstream/connection'
import { logoutUrlsOf } from '@drawbridge/upstream/saml/service-provider'
import { spEntityIdOf } from '@drawbridge/upstream/saml/verify-response'
import { z } from 'zod'
import {
  callbackUrlOf,
  globalTokenRevocationUrlOf,
  jwksUriOf,
  metadataUrlOf,
  oidcLogoutUrlsOf,
  scimBaseUrlOf,
  ssfReceiverUrlOf,
} from '../http/connection-addresses.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** Of either kind: what the company's directory and its IdP call by themselves. */
const called = {
  scimBaseUrl: z.url().describe('Where the directory provisions people and groups, with a SCIM token of this connection'),
  ssfPushUrl: z.url().describe('Where a transmitter pushes security events (SSF, RFC 8935)'),
  globalTokenRevocationUrl: z.url().describe('Where the IdP has everything of a person end (Okta: Universal Logout)'),
}

export const connectionAddresses = z.union([
  z
    .strictObject({ entityId: z.string(), acsUrl: z.url(), metadataUrl: z.url(), sloUrl: z.url(), sloSoapUrl: z.url(), ...called })
    .describe('SAML; sloUrl takes HTTP-Redirect and HTTP-POST, sloSoapUrl what the IdP sends from its server'),
  z
    .strictObject({
      ...{ redirectUri: z.url(), jwksUri: z.url() },
      ...{ backchannelLogoutUri: z.url(), frontchannelLogoutUri: z.url(), postLogoutRedirectUri: z.url() },
      ...called,
    })
    .describe('OpenID Connect; jwksUri with private_key_jwt, frontchannelLogoutUri where the IdP knows nothing better'),
])

export function showAddresses(connection: StoredConnection, tenant: ResolvedTenant): z.output<typeof connectionAddresses> {
  const callback = callbackUrlOf(tenant, connection)
  const shared = {
    scimBaseUrl: scimBaseUrlOf(tenant),
    ssfPushUrl: ssfReceiverUrlOf(tenant, connection.id),
    globalTokenRevocationUrl: globalTokenRevocationUrlOf(tenant, connection.id),
  }
  if (connection.kind === 'oidc')
    return { redirectUri: callback, jwksUri: jwksUriOf(tenant, connection.id), ...oidcLogoutUrlsOf(tenant, connection.id), ...shared }
  const parsed = parseConnection('saml', connection.configuration)
  const metadataUrl = metadataUrlOf(tenant, connection.id)
  const entityId = parsed.ok && parsed.value.kind === 'saml' ? spEntityIdOf(parsed.value, callback) : metadataUrl
  const { browser: sloUrl, soap: sloSoapUrl } = logoutUrlsOf(callback)
  return { entityId, acsUrl: callback, metadataUrl, sloUrl, sloSoapUrl, ...shared }
}

/** The database keeps the members of JSON in an order of its own, so the same configuration is always the same text. */
export const revisionOf = ({ name, configuration }: Pick<StoredConnection, 'name' | 'configuration'>): string =>
  sha256Base64url(JSON.stringify([name, configuration]))
