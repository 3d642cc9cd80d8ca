/** What a SCIM request says, read: its query, its body, which attributes go back, and on which version it insists. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ScimError } from '@drawbridge/core/scim/error'
import { isObject, type JsonObject } from '@drawbridge/core/scim/json'
import { type Projection, parseProjection } from '@drawbridge/core/scim/projection'
import type { ResourceType } from '@drawbridge/core/scim/resource-type'
import { pickWords, type SearchWords, searchWordsOf } from '@drawbridge/core/scim/search-request'
import { meetsIfMatch } from '@drawbridge/core/scim/version'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { ScimBearer } from './bearer.js'
import { spendScim } from './limit.js'
import type { Condition, ScimContext } from './resource-kind.js'
import { refuseScim, scimBaseUrl } from './scim-answer.js'

export const contextOf = (http: Pick<HttpRequest<unknown, ScimBearer>, 'caller' | 'tenant' | 'spend'>, deps: BrokerDeps): ScimContext => ({
  deps,
  caller: http.caller,
  baseUrl: scimBaseUrl(http, deps),
  mayTake: (limit) => spendScim(http, limit, http.caller) === undefined,
})

/** A parser of an endpoint, from one that only knows SCIM. */
export const parsing =
  <T>(parse: (http: HttpRequest) => Result<T, ScimError>) =>
  (http: HttpRequest): Result<T, Answer> => {
    const parsed = parse(http)
    return parsed.ok ? parsed : err(refuseScim(parsed.error))
  }

/** A parameter that stands twice is refused with the query: which of the two is meant would be a guess. */
export const wordsOfQuery = ({ query }: Pick<HttpRequest, 'query'>): Result<SearchWords, ScimError> =>
  query.ok ? ok(pickWords(query.value)) : err({ reason: 'scim_filter_invalid', detail: 'a parameter stands twice or cannot be read' })

export const bodyOf = ({ json }: Pick<HttpRequest, 'json'>): Result<unknown, ScimError> =>
  json.ok ? json : err({ reason: 'scim_body_malformed' })

export function wordsOfBody(http: HttpRequest): Result<SearchWords, ScimError> {
  const body = bodyOf(http)
  return body.ok ? searchWordsOf(body.value) : body
}

export const projectionOf =
  (type: ResourceType) =>
  (http: HttpRequest): Result<Projection, ScimError> => {
    const words = wordsOfQuery(http)
    return words.ok ? parseProjection(type, words.value.attributes, words.value.excludedAttributes) : words
  }

export type GivenBody<T> = { readonly body: T; readonly projection: Projection }

export const givenBody =
  <T>(type: ResourceType, read: (body: unknown) => Result<T, ScimError>) =>
  (http: HttpRequest): Result<GivenBody<T>, ScimError> => {
    const projection = projectionOf(type)(http)
    if (!projection.ok) return projection
    const body = bodyOf(http)
    if (!body.ok) return body
    const value = read(body.value)
    return value.ok ? ok({ body: value.value, projection: projection.value }) : value
  }

/** If-Match of the request, of the version that it meets. @spec RFC 7644 §3.14 */
export const conditionOf =
  (ifMatch: string | undefined): Condition =>
  (version) =>
    meetsIfMatch(ifMatch, version) ? ok(undefined) : err({ reason: 'scim_version_stale' })

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Where a resource is and which version of it, as every answer with one resource says. */
export function placeOf({ meta }: JsonObject): { readonly location: string; readonly etag: string } {
  const said = isObject(meta) ? meta : {}
  return { location: text(said['location']), etag: text(said['version']) }
}
