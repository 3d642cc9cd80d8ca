/** SCIM users: how a directory tells us who may come and, above all, who may no longer. RFC 7644 §3. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ScimError } from '@drawbridge/core/scim/error'
import { scimLimits } from '@drawbridge/core/scim/error'
import { parseUserFilter } from '@drawbridge/core/scim/filter'
import { listResponse, parsePage } from '@drawbridge/core/scim/list-response'
import { applyPatch, type PatchOperation, parsePatch } from '@drawbridge/core/scim/patch'
import { parseScimUser, type ScimUser, type ScimUserData, toDocument, toScimResource } from '@drawbridge/core/scim/user'
import {
  deleteScimUser,
  findScimUser,
  insertScimUser,
  listScimUsers,
  type ScimCaller,
  type ScimChangeRefusal,
  updateScimUser,
} from '@drawbridge/store/scim-users'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty } from '../http/answer.js'
import { endpoint, type HttpRequest } from '../http/endpoint.js'
import { authorizeScim } from './bearer.js'
import { refuseScim, scimBaseUrl, scimJson } from './scim-answer.js'

const usersPath = '/t/:tenant/scim/v2/Users'
const userPath = `${usersPath}/:id`
/** Suspended tenants too: whoever leaves during a suspension must not be back after it. */
const common = {
  tag: 'scim',
  refusals: 'scim',
  servesSuspended: true,
  maxBodyBytes: scimLimits.bodyBytes,
  authorize: authorizeScim,
} as const

const usersUrl = (http: Pick<HttpRequest, 'tenant'>, deps: BrokerDeps): string => `${scimBaseUrl(http, deps)}/Users`
const idOf = (http: Pick<HttpRequest, 'params'>): string => http.params['id'] ?? ''

function parseBody<T>(parse: (body: unknown) => Result<T, ScimError>): (http: HttpRequest) => Result<T, Answer> {
  return (http) => {
    const parsed = http.json.ok ? parse(http.json.value) : err<ScimError>({ reason: 'scim_body_malformed' })
    return parsed.ok ? parsed : err(refuseScim(parsed.error))
  }
}

export const createUserEndpoint = endpoint<ScimUserData, ScimCaller>({
  ...common,
  method: 'POST',
  path: usersPath,
  spec: 'RFC 7644 §3.3',
  summary: 'The directory tells of a person',
  parse: parseBody(parseScimUser),
  run: async (http, deps) => {
    const created = await inTenant(deps.database, http.caller.tenant, (db) => insertScimUser(db, http.caller, http.parsed))
    if (!created.ok) return refuseScim({ reason: 'scim_unique' })
    const url = usersUrl(http, deps)
    return scimJson(toScimResource(created.value, url), 201, { location: `${url}/${created.value.id}` })
  },
})

export const listUsersEndpoint = endpoint<undefined, ScimCaller>({
  ...common,
  method: 'GET',
  path: usersPath,
  spec: 'RFC 7644 §3.4.2',
  summary: 'The directory looks people up by userName, externalId or id',
  run: async (http, deps) => {
    if (!http.query.ok) return refuseScim({ reason: 'scim_filter_invalid' })
    const query = http.query.value
    const text = query['filter']
    const filters = text === undefined ? ok([]) : parseUserFilter(text)
    if (!filters.ok) return refuseScim(filters.error)
    const page = parsePage(query['startIndex'], query['count'])
    const found = await inTenant(deps.database, http.caller.tenant, (db) => listScimUsers(db, http.caller, filters.value, page))
    const url = usersUrl(http, deps)
    return scimJson(
      listResponse(
        found.users.map((user) => toScimResource(user, url)),
        found.total,
        page.startIndex,
      ),
    )
  },
})

export const readUserEndpoint = endpoint<undefined, ScimCaller>({
  ...common,
  method: 'GET',
  path: userPath,
  spec: 'RFC 7644 §3.4.1',
  summary: 'One person of the directory',
  run: async (http, deps) => {
    const user = await inTenant(deps.database, http.caller.tenant, (db) => findScimUser(db, http.caller, idOf(http)))
    return user === undefined ? refuseScim({ reason: 'scim_not_found' }) : answerUser(user, usersUrl(http, deps))
  },
})

/** Without `active` the stored value stays: to default it to true would revive somebody who has left. */
export const replaceUserEndpoint = endpoint<ScimUserData, ScimCaller>({
  ...common,
  method: 'PUT',
  path: userPath,
  spec: 'RFC 7644 §3.5.1',
  summary: 'The directory replaces a person; active: false takes everything away',
  parse: parseBody(parseScimUser),
  run: async (http, deps) => {
    const { parsed } = http
    const changed = await inTenant(deps.database, http.caller.tenant, (db) =>
      updateScimUser<ScimError>(db, http.caller, idOf(http), (user) =>
        ok<ScimUserData>({ ...parsed, active: parsed.active ?? user.active }),
      ),
    )
    return answerChange(changed, usersUrl(http, deps))
  },
})

export const patchUserEndpoint = endpoint<readonly PatchOperation[], ScimCaller>({
  ...common,
  method: 'PATCH',
  path: userPath,
  spec: 'RFC 7644 §3.5.2',
  summary: 'The directory changes a person; active: false takes everything away',
  parse: parseBody(parsePatch),
  run: async (http, deps) => {
    const operations = http.parsed
    const changed = await inTenant(deps.database, http.caller.tenant, (db) =>
      updateScimUser(db, http.caller, idOf(http), (user): Result<ScimUserData, ScimError> => {
        const patched = applyPatch(toDocument(user), operations)
        return patched.ok ? parseScimUser(patched.value) : patched
      }),
    )
    return answerChange(changed, usersUrl(http, deps))
  },
})

export const deleteUserEndpoint = endpoint<undefined, ScimCaller>({
  ...common,
  method: 'DELETE',
  path: userPath,
  spec: 'RFC 7644 §3.6',
  summary: 'The directory deletes a person: everything is taken away, a tombstone stays',
  run: async (http, deps) => {
    const deleted = await inTenant(deps.database, http.caller.tenant, (db) => deleteScimUser(db, http.caller, idOf(http)))
    return deleted ? empty(204) : refuseScim({ reason: 'scim_not_found' })
  },
})

const answerUser = (user: ScimUser, url: string): Answer =>
  scimJson(toScimResource(user, url), 200, { location: `${url}/${user.id}`, etag: `W/"${user.version}"` })

function answerChange(changed: Result<ScimUser, ScimChangeRefusal<ScimError>>, url: string): Answer {
  if (changed.ok) return answerUser(changed.value, url)
  if (changed.error.kind === 'not_found') return refuseScim({ reason: 'scim_not_found' })
  return refuseScim(changed.error.kind === 'taken' ? { reason: 'scim_unique' } : changed.error.error)
}
