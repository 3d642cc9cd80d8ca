/** SCIM users: how a directory tells us who may come and, above all, who may no longer. RFC 7644 §3. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { applyPatch } from '@drawbridge/core/scim/apply-patch'
import { type ScimError, scimLimits } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { leavesByPatch, leavesByReplacement } from '@drawbridge/core/scim/leaving'
import { asksFor, nothingAsked, type Projection } from '@drawbridge/core/scim/projection'
import { userType } from '@drawbridge/core/scim/resource-type'
import { fromDocument, parseScimUser, type ScimUser, type ScimUserData, toDocument, toScimResource } from '@drawbridge/core/scim/user'
import { versionTag } from '@drawbridge/core/scim/version'
import { inDirectory } from '@drawbridge/store/in-directory'
import { listGroupsOf } from '@drawbridge/store/scim-user-groups'
import { searchScimUsers } from '@drawbridge/store/scim-user-search'
import {
  deleteScimUser,
  endAccessOfRefused,
  findScimUser,
  insertScimUser,
  type ScimChangeRefusal,
  updateScimUser,
} from '@drawbridge/store/scim-users'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import type { Condition, ScimContext, ScimKind } from './resource-kind.js'

const refusalOf = (refusal: ScimChangeRefusal<ScimError>): ScimError =>
  refusal.kind === 'refused' ? refusal.error : { reason: refusal.kind === 'not_found' ? 'scim_not_found' : 'scim_unique' }

/** With her groups only if they are asked for. */
async function shown(db: Db, { caller, baseUrl }: ScimContext, user: ScimUser, projection: Projection): Promise<JsonObject> {
  const groups = asksFor(projection, 'groups') ? (await listGroupsOf(db, caller, [user.id])).get(user.id) : undefined
  return toScimResource(user, groups, baseUrl)
}

/** A change of the locked row, if it has the version that the request demands. */
async function change(
  context: ScimContext,
  id: string,
  condition: Condition,
  projection: Projection,
  rule: (user: ScimUser) => Result<ScimUserData, ScimError>,
): Promise<Result<JsonObject, ScimError>> {
  const { deps, caller } = context
  return inDirectory(deps.database, caller, async (db): Promise<Result<JsonObject, ScimError>> => {
    const changed = await updateScimUser<ScimError>(db, caller, id, (user) => {
      const meets = condition(versionTag(user.version))
      return meets.ok ? rule(user) : meets
    })
    return changed.ok ? ok(await shown(db, context, changed.value, projection)) : err(refusalOf(changed.error))
  })
}

export const usersKind: ScimKind = {
  type: userType,
  maxBodyBytes: scimLimits.bodyBytes,
  changedWith: 'scim:users',
  patchAnswers: 'resource',
  unversioned: ['groups'],
  create: async (context, body) => {
    const { deps, caller } = context
    const parsed = parseScimUser(body)
    if (!parsed.ok) return parsed
    const created = await inDirectory(deps.database, caller, (db) => insertScimUser(db, caller, parsed.value))
    // Nobody holds whom nobody knew.
    return created.ok ? ok(toScimResource(created.value, undefined, context.baseUrl)) : err({ reason: 'scim_unique' })
  },
  find: (context, id, projection) =>
    inTenant(context.deps.database, context.caller.tenant, async (db) => {
      const user = await findScimUser(db, context.caller, id)
      return user && shown(db, context, user, projection)
    }),
  search: async ({ deps, caller, baseUrl }, question, projection) => {
    const found = await inTenant(deps.database, caller.tenant, (db) =>
      searchScimUsers(db, caller, question, baseUrl, asksFor(projection, 'groups')),
    )
    return { ...found, rows: found.rows.map(({ user, groups }) => toScimResource(user, groups, baseUrl)) }
  },
  /** Without `active` the stored value stays: to default it to true would revive somebody who has left. */
  replace: async (context, id, body, condition, projection = nothingAsked) => {
    const parsed = parseScimUser(body)
    return parsed.ok
      ? change(context, id, condition, projection, (user) => ok({ ...parsed.value, active: parsed.value.active ?? user.active }))
      : parsed
  },
  patch: (context, id, operations, condition, projection = nothingAsked) =>
    change(context, id, condition, projection, (user) => {
      const patched = applyPatch(toDocument(user), operations)
      return patched.ok ? fromDocument(patched.value) : patched
    }),
  takeAwayOnly: async ({ deps, caller }, { method, id, body, condition }) => {
    if (!(method === 'PUT' ? leavesByReplacement(body) : leavesByPatch(body))) return
    await inDirectory(deps.database, caller, (db) => endAccessOfRefused(db, caller, id, (user) => condition(versionTag(user.version))))
  },
  remove: async ({ deps, caller }, id, condition) => {
    const deleted = await inDirectory(deps.database, caller, (db) =>
      deleteScimUser<ScimError>(db, caller, id, (user) => condition(versionTag(user.version))),
    )
    return deleted.ok ? deleted : err(refusalOf(deleted.error))
  },
}
