/** What we can do, told truthfully: no bulk, no sorting, no password, filters by equality. RFC 7643 §5. */
import { scimLimits } from '@drawbridge/core/scim/error'
import { endpoint } from '../http/endpoint.js'
import { authorizeScim } from './bearer.js'
import { scimBaseUrl, scimJson } from './scim-answer.js'

export const serviceProviderConfigEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/scim/v2/ServiceProviderConfig',
  spec: 'RFC 7643 §5',
  summary: 'What this SCIM server can do',
  tag: 'scim',
  refusals: 'scim',
  authorize: authorizeScim,
  run: (http, deps) =>
    scimJson({
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
      patch: { supported: true },
      bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
      filter: { supported: true, maxResults: scimLimits.pageSize },
      changePassword: { supported: false },
      sort: { supported: false },
      etag: { supported: false },
      authenticationSchemes: [
        {
          type: 'oauthbearertoken',
          name: 'Bearer token',
          description: 'A token that the tenant’s admin made for this connection',
          specUri: 'https://www.rfc-editor.org/rfc/rfc6750',
          primary: true,
        },
      ],
      meta: { resourceType: 'ServiceProviderConfig', location: `${scimBaseUrl(http, deps)}/ServiceProviderConfig` },
    }),
})
