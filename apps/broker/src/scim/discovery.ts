/** What the discovery endpoints share: the bearer, the list shape, and no filters. RFC 7644 §4. */

import type { JsonObject } from '@drawbridge/core/scim/json'
import { listResponse } from '@drawbridge/core/scim/list-response'
import type { BrokerDeps } from '../deps.js'
import { type Endpoint, endpoint, type HttpRequest } from '../http/endpoint.js'
import { scimCommon } from './resource-endpoints.js'
import { refuseScim, scimBaseUrl, scimJson } from './scim-answer.js'

const isFiltered = (http: Pick<HttpRequest, 'query'>): boolean => http.query.ok && http.query.value['filter'] !== undefined

/** A list and one resource of it by id: both answer from the same documents. */
export function discoveryEndpoints(
  name: string,
  spec: string,
  summary: string,
  documents: (baseUrl: string) => readonly (JsonObject & { readonly id: string })[],
): readonly Endpoint[] {
  const all = (http: Pick<HttpRequest, 'tenant'>, deps: BrokerDeps) => documents(scimBaseUrl(http, deps))
  return [
    endpoint({
      method: 'GET',
      path: `/t/:tenant/scim/v2/${name}`,
      spec,
      summary,
      ...scimCommon,
      run: (http, deps) => {
        if (isFiltered(http)) return refuseScim({ reason: 'scim_filter_not_here' })
        const found = all(http, deps)
        return scimJson(listResponse(found, found.length, 1))
      },
    }),
    endpoint({
      method: 'GET',
      path: `/t/:tenant/scim/v2/${name}/:id`,
      spec,
      summary: `${summary}: one of them`,
      ...scimCommon,
      run: (http, deps) => {
        const found = all(http, deps).find((document) => document.id.toLowerCase() === (http.params['id'] ?? '').toLowerCase())
        return found === undefined ? refuseScim({ reason: 'scim_not_found' }) : scimJson(found)
      },
    }),
  ]
}
