/** The endpoints of a kind of resource, the same for each of them. RFC 7644 §3. */
import { ok, type Result } from '@drawbridge/core/result'
import type { ScimError } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { asksFor, nothingAsked, type Projection, project } from '@drawbridge/core/scim/projection'
import type { ResourceType } from '@drawbridge/core/scim/resource-type'
import type { SearchWords } from '@drawbridge/core/scim/search-request'
import { isKnownVersion } from '@drawbridge/core/scim/version'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty } from '../http/answer.js'
import { type Endpoint, endpoint, type HttpRequest } from '../http/endpoint.js'
import { authorizeScim, type ScimBearer, sparedLimit, sparesAddress } from './bearer.js'
import { changeOne } from './change.js'
import { authorizeChangeOf } from './demand-scope.js'
import {
  conditionOf,
  contextOf,
  type GivenBody,
  givenBody,
  parsing,
  placeOf,
  projectionOf,
  wordsOfBody,
  wordsOfQuery,
} from './read-request.js'
import type { AskedChange, ScimKind } from './resource-kind.js'
import { refuseScim, scimJson } from './scim-answer.js'
import { searchKind } from './search.js'

/** Suspended tenants too: whoever leaves during a suspension must not be back after it. */
export const scimCommon = {
  tag: 'scim',
  refusals: 'scim',
  servesSuspended: true,
  sparesAddress,
  sparedLimit,
  authorize: authorizeScim,
} as const

export const resourceEndpoints = (kind: ScimKind): readonly Endpoint[] => [...searching(kind), ...reading(kind), ...writing(kind)]

const placesOf = ({ type, maxBodyBytes }: ScimKind) => {
  const path = `/t/:tenant/scim/v2${type.endpoint}`
  const noun = type.name === 'User' ? 'a person' : 'a group'
  return { path, one: `${path}/:id`, noun, common: { ...scimCommon, maxBodyBytes } }
}

const idOf = ({ params }: Pick<HttpRequest, 'params'>): string => params['id'] ?? ''

const askedOf = (method: AskedChange['method'], http: HttpRequest<GivenBody<unknown>, ScimBearer>): AskedChange => ({
  ...{ method, id: idOf(http), body: http.parsed.body },
  condition: conditionOf(http.headers['if-match']),
})

function show(type: ResourceType, resource: JsonObject, projection: Projection, status = 200): Answer {
  const { location, etag } = placeOf(resource)
  return scimJson(project(type, resource, projection), status, { location, etag })
}

const answer = (type: ResourceType, outcome: Result<JsonObject, ScimError>, projection: Projection, status = 200): Answer =>
  outcome.ok ? show(type, outcome.value, projection, status) : refuseScim(outcome.error)

function searching(kind: ScimKind): readonly Endpoint[] {
  const { path, noun, common } = placesOf(kind)
  const run = async (http: HttpRequest<SearchWords, ScimBearer>, deps: BrokerDeps): Promise<Answer> => {
    const found = await searchKind(contextOf(http, deps), kind, http.parsed)
    return found.ok ? scimJson(found.value) : refuseScim(found.error)
  }
  return [
    endpoint<SearchWords, ScimBearer>({
      ...common,
      method: 'GET',
      path,
      spec: 'RFC 7644 §3.4.2',
      summary: `The directory looks for ${noun}: by filter, in an order, page by page`,
      parse: parsing(wordsOfQuery),
      run,
    }),
    endpoint<SearchWords, ScimBearer>({
      ...common,
      method: 'POST',
      path: `${path}/.search`,
      spec: 'RFC 7644 §3.4.3',
      summary: `The directory looks for ${noun}, with the question in the body`,
      parse: parsing(wordsOfBody),
      run,
    }),
  ]
}

function reading(kind: ScimKind): readonly Endpoint[] {
  const { type } = kind
  const { one, noun, common } = placesOf(kind)
  const read = endpoint<Projection, ScimBearer>({
    ...common,
    method: 'GET',
    path: one,
    spec: 'RFC 7644 §3.4.1',
    summary: `The directory reads ${noun}`,
    parse: parsing(projectionOf(type)),
    run: async (http, deps) => {
      const found = await kind.find(contextOf(http, deps), idOf(http), http.parsed)
      if (found === undefined) return refuseScim({ reason: 'scim_not_found' })
      const { etag } = placeOf(found)
      const isOfVersion = !kind.unversioned.some((name) => asksFor(http.parsed, name))
      return isOfVersion && isKnownVersion(http.headers['if-none-match'], etag)
        ? empty(304, { headers: { etag } })
        : show(type, found, http.parsed)
    },
  })
  return [read]
}

function writing(kind: ScimKind): readonly Endpoint[] {
  const { type } = kind
  const { path, one, noun, common: places } = placesOf(kind)
  const common = { ...places, authorize: authorizeChangeOf(kind) }
  const away = type.name === 'User' ? '; active: false takes everything away' : ''
  const create = endpoint<GivenBody<unknown>, ScimBearer>({
    ...common,
    addressLimit: 'scim_create_address',
    method: 'POST',
    path,
    spec: 'RFC 7644 §3.3',
    summary: `The directory tells of ${noun}`,
    parse: parsing(givenBody(type, ok)),
    run: async (http, deps) => answer(type, await kind.create(contextOf(http, deps), http.parsed.body), http.parsed.projection, 201),
  })
  const replace = endpoint<GivenBody<unknown>, ScimBearer>({
    ...common,
    addressLimit: 'scim_address',
    method: 'PUT',
    path: one,
    spec: 'RFC 7644 §3.5.1',
    summary: `The directory replaces ${noun}${away}`,
    parse: parsing(givenBody(type, ok)),
    run: async (http, deps) => {
      const { projection } = http.parsed
      return answer(type, await changeOne(kind, contextOf(http, deps), askedOf('PUT', http), projection), projection)
    },
  })
  const patch = endpoint<GivenBody<unknown>, ScimBearer>({
    ...common,
    addressLimit: 'scim_address',
    method: 'PATCH',
    path: one,
    spec: 'RFC 7644 §3.5.2',
    summary: `The directory changes ${noun}${away}`,
    parse: parsing(givenBody(type, ok)),
    run: async (http, deps) => {
      const { projection } = http.parsed
      const asksForAnswer = projection.attributes !== undefined || projection.excluded.length > 0
      const answers = kind.patchAnswers === 'resource' || asksForAnswer
      const wanted = answers ? projection : nothingAsked
      const changed = await changeOne(kind, contextOf(http, deps), askedOf('PATCH', http), wanted)
      if (!changed.ok || answers) return answer(type, changed, projection)
      const { location, etag } = placeOf(changed.value)
      return empty(204, { headers: { location, etag } })
    },
  })
  const remove = endpoint<undefined, ScimBearer>({
    ...common,
    addressLimit: 'scim_address',
    method: 'DELETE',
    path: one,
    spec: 'RFC 7644 §3.6',
    summary:
      type.name === 'User'
        ? 'The directory deletes a person: everything is taken away, a tombstone stays'
        : 'The directory deletes a group',
    run: async (http, deps) => {
      const removed = await kind.remove(contextOf(http, deps), idOf(http), conditionOf(http.headers['if-match']))
      return removed.ok ? empty(204) : refuseScim(removed.error)
    },
  })
  return [create, replace, patch, remove]
}
