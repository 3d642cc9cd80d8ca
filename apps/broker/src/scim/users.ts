/** SCIM users: how a directory tells us who may come and, above all, who may no longer. RFC 7644 §3. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { applyPatch } from '@drawbridge/core/scim/apply-patch'
import { type ScimError, scimLimits } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { userType } from '@drawbridge/core/scim/resource-type'
import { fromDocument, parseScimUser, type ScimUser, type ScimUserData, toDocument, toScimResource } from '@drawbridge/core/scim/user'
import { versionTag } from '@drawbridge/core/scim/version'
import { searchScimUsers } from '@drawbridge/store/scim-user-search'
import { deleteScimUser, findScimUser, insertScimUser, type ScimChangeRefusal, updateScimUser } from '@drawbridge/store/scim-users'
import { inTenant } from '@drawbridge/store/transaction'
import type { Condition, ScimContext, ScimKind } from './resource-kind.js'

const usersUrl = ({ baseUrl }: ScimContext): string => `${baseUrl}/Users`

const refusalOf = (refusal: ScimChangeRefusal<ScimError>): ScimError =>
  refusal.kind === 'refused' ? refusal.error : { reason: refusal.kind === 'not_found' ? 'scim_not_found' : 'scim_unique' }

/** A change of the locked row, if it has the version that the request demands. */
async function change(
  context: ScimContext,
  id: string,
  condition: Condition,
  rule: (user: ScimUser) => Result<ScimUserData, ScimError>,
): Promise<Result<JsonObject, ScimError>> {
  const { deps, caller } = context
  const changed = await inTenant(deps.database, caller.tenant, (db) =>
    updateScimUser<ScimError>(db, caller, id, (user) => {
      const meets = condition(versionTag(user.version))
      return meets.ok ? rule(user) : meets
    }),
  )
  return changed.ok ? ok(toScimResource(changed.value, usersUrl(context))) : err(refusalOf(changed.error))
}

export const usersKind: ScimKind = {
  type: userType,
  maxBodyBytes: scimLimits.bodyBytes,
  patchAnswers: 'resource',
  create: async (context, body) => {
    const { deps, caller } = context
    const parsed = parseScimUser(body)
    if (!parsed.ok) return parsed
    const created = await inTenant(deps.database, caller.tenant, (db) => insertScimUser(db, caller, parsed.value))
    return created.ok ? ok(toScimResource(created.value, usersUrl(context))) : err({ reason: 'scim_unique' })
  },
  find: async (context, id) => {
    const { deps, caller } = context
    const user = await inTenant(deps.database, caller.tenant, (db) => findScimUser(db, caller, id))
    return user && toScimResource(user, usersUrl(context))
  },
  search: async (context, question) => {
    const { deps, caller } = context
    const url = usersUrl(context)
    const found = await inTenant(deps.database, caller.tenant, (db) => searchScimUsers(db, caller, question, url))
    return { ...found, rows: found.rows.map((user) => toScimResource(user, url)) }
  },
  /** Without `active` the stored value stays: to default it to true would revive somebody who has left. */
  replace: async (context, id, body, condition) => {
    const parsed = parseScimUser(body)
    return parsed.ok
      ? change(context, id, condition, (user) => ok({ ...parsed.value, active: parsed.value.active ?? user.active }))
      : parsed
  },
  patch: (context, id, operations, condition) =>
    change(context, id, condition, (user) => {
      const patched = applyPatch(toDocument(user), operations)
      return patched.ok ? fromDocument(patched.value) : patched
    }),
  remove: async ({ deps, caller }, id, condition) => {
    const deleted = await inTenant(deps.database, caller.tenant, (db) =>
      deleteScimUser<ScimError>(db, caller, id, (user) => condition(versionTag(user.version))),
    )
    return deleted.ok ? deleted : err(refusalOf(deleted.error))
  },
}
