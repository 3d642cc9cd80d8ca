/** What we can do, told truthfully. RFC 7643 §5, RFC 9865 §4. */
import { scimLimits } from '@drawbridge/core/scim/error'
import { endpoint } from '../http/endpoint.js'
import { scimCommon } from './resource-endpoints.js'
import { scimBaseUrl, scimJson } from './scim-answer.js'

const yes = { supported: true }
const no = { supported: false }

export const serviceProviderConfigEndpoint = endpoint({
  ...scimCommon,
  method: 'GET',
  path: '/t/:tenant/scim/v2/ServiceProviderConfig',
  spec: 'RFC 7643 §5',
  summary: 'What this SCIM server can do',
  run: (http, deps) =>
    scimJson({
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
      patch: yes,
      bulk: { supported: true, maxOperations: scimLimits.bulkOperations, maxPayloadSize: scimLimits.bulkBytes },
      filter: { supported: true, maxResults: scimLimits.pageSize },
      changePassword: no,
      sort: yes,
      etag: yes,
      pagination: {
        cursor: true,
        index: true,
        defaultPaginationMethod: 'index',
        defaultPageSize: scimLimits.defaultPageSize,
        maxPageSize: scimLimits.pageSize,
        cursorTimeout: scimLimits.cursorSeconds,
      },
      authenticationSchemes: [
        {
          type: 'oauthbearertoken',
          name: 'Bearer token',
          description: 'A token that the tenant’s admin made for this connection',
          specUri: 'https://www.rfc-editor.org/rfc/rfc6750',
          primary: true,
        },
        {
          type: 'oauth2',
          name: 'OAuth client credentials',
          description: 'A client that the tenant’s admin bound to this connection, with the scope scim for this address',
          specUri: 'https://www.rfc-editor.org/rfc/rfc6749#section-4.4',
          primary: false,
        },
      ],
      meta: { resourceType: 'ServiceProviderConfig', location: `${scimBaseUrl(http, deps)}/ServiceProviderConfig` },
    }),
})
