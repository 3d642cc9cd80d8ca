/** The question for resources of every kind. RFC 7644 §3.4.3. */
import type { SearchWords } from '@drawbridge/core/scim/search-request'
import { endpoint } from '../http/endpoint.js'
import type { ScimBearer } from './bearer.js'
import { scimKinds } from './kinds.js'
import { contextOf, parsing, wordsOfBody } from './read-request.js'
import { scimCommon } from './resource-endpoints.js'
import { refuseScim, scimJson } from './scim-answer.js'
import { searchAllKinds } from './search.js'

export const searchEndpoint = endpoint<SearchWords, ScimBearer>({
  ...scimCommon,
  method: 'POST',
  path: '/t/:tenant/scim/v2/.search',
  spec: 'RFC 7644 §3.4.3',
  summary: 'The directory looks for people and groups at once',
  parse: parsing(wordsOfBody),
  run: async (http, deps) => {
    const found = await searchAllKinds(contextOf(http, deps), scimKinds, http.parsed)
    return found.ok ? scimJson(found.value) : refuseScim(found.error)
  },
})
