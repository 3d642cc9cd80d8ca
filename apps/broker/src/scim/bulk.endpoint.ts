/** Many changes of people and groups at once. RFC 7644 §3.7. */
import { type BulkRequest, parseBulk } from '@drawbridge/core/scim/bulk'
import { scimLimits } from '@drawbridge/core/scim/error'
import { endpoint } from '../http/endpoint.js'
import type { ScimBearer } from './bearer.js'
import { runBulk } from './bulk.js'
import { scimKinds } from './kinds.js'
import { bodyOf, contextOf, parsing } from './read-request.js'
import { scimCommon } from './resource-endpoints.js'
import { scimJson } from './scim-answer.js'

export const bulkEndpoint = endpoint<BulkRequest, ScimBearer>({
  ...scimCommon,
  addressLimit: 'scim_address',
  maxBodyBytes: scimLimits.bulkBytes,
  method: 'POST',
  path: '/t/:tenant/scim/v2/Bulk',
  spec: 'RFC 7644 §3.7',
  summary: 'The directory tells many things at once, each a transaction of its own',
  parse: parsing((http) => {
    const body = bodyOf(http)
    return body.ok ? parseBulk(body.value) : body
  }),
  run: async (http, deps) => scimJson(await runBulk(contextOf(http, deps), scimKinds, http.parsed)),
})
