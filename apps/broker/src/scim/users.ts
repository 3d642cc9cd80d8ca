/** SCIM users: how a directory tells us who may come and, above all, who may no longer. RFC 7644 §3. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { applyPatch } from '@drawbridge/core/scim/apply-patch'
import { type ScimError, scimLimits } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { leavesByPatch, leavesByReplacement } from '@drawbridge/core/scim/leaving'
import { looksForOne, saysActive } from '@drawbridge/core/scim/naming'
import { asksFor, nothingAsked, type Projection } from '@drawbridge/core/scim/projection'
import { userType } from '@drawbridge/core/scim/resource-type'
import { coversScope } from '@drawbridge/core/scim/scope'
import { fromDocument, parseScimUser, type ScimUser, type ScimUserData, toDocument, toScimResource } from '@drawbridge/core/scim/user'
import { versionTag } from '@drawbridge/core/scim/version'
import { tellBackOnceNamed } from '@drawbridge/store/deprovisioning'
import { inDirectory } from '@drawbridge/store/in-directory'
import type { SearchAnswer } from '@drawbridge/store/scim-search'
import { listGroupsOf } from '@drawbridge/store/scim-user-groups'
import { type FoundUser, searchScimUsers } from '@drawbridge/store/scim-user-search'
import {
  deleteScimUser,
  endAccessOfRefused,
  findScimUser,
  insertScimUser,
  type ScimChangeRefusal,
  updateScimUser,
} from '@drawbridge/store/scim-users'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { markNamed } from '@drawbridge/store/unnamed-people'
import type { Condition, ScimContext, ScimKind } from './resource-kind.js'

const refusalOf = (refusal: ScimChangeRefusal<ScimError>): ScimError =>
  refusal.kind === 'refused' ? refusal.error : { reason: refusal.kind === 'not_found' ? 'scim_not_found' : 'scim_unique' }

/** With her groups only if they are asked for. */
async function shown(db: Db, { caller, baseUrl }: ScimContext, user: ScimUser, projection: Projection): Promise<JsonObject> {
  const groups = asksFor(projection, 'groups') ? (await listGroupsOf(db, caller, [user.id])).get(user.id) : undefined
  return toScimResource(user, groups, baseUrl)
}

/** Who may not change her is no directory, and names nobody. `isToldBack`: what else this request says of her has that told already. */
async function named(db: Db, { caller }: ScimContext, user: ScimUser, isToldBack = false): Promise<void> {
  if (user.unnamedSince === undefined || !coversScope(caller.scope, 'scim:users')) return
  if (!isToldBack) await tellBackOnceNamed(db, caller, user.id)
  await markNamed(db, caller, user.id)
}

const onlyOne = ({ rows, total = 1, next }: SearchAnswer<FoundUser>): ScimUser | undefined =>
  rows.length === 1 && total === 1 && next === undefined ? rows[0]?.user : undefined

type Changing = {
  readonly id: string
  readonly condition: Condition
  readonly projection: Projection
  readonly rule: (user: ScimUser) => Result<ScimUserData, ScimError>
  /** Whether the request says if she is active. */
  readonly names: (user: ScimUser) => boolean
}

/** A change of the locked row, if it has the version that the request demands. */
async function change(context: ScimContext, { id, condition, projection, rule, names }: Changing): Promise<Result<JsonObject, ScimError>> {
  const { deps, caller } = context
  return inDirectory(deps.database, caller, async (db): Promise<Result<JsonObject, ScimError>> => {
    let wasActive = true
    const changed = await updateScimUser<ScimError>(db, caller, id, (user) => {
      wasActive = user.active
      const meets = condition(versionTag(user.version))
      return meets.ok ? rule(user) : meets
    })
    if (changed.ok && changed.value.unnamedSince !== undefined && names(changed.value)) await named(db, context, changed.value, !wasActive)
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
    const created = await inDirectory(deps.database, caller, (db) => insertScimUser(db, caller, parsed.value, deps.settings.directoryUsers))
    if (!created.ok) return err({ reason: created.error === 'taken' ? 'scim_unique' : 'scim_users_too_many' })
    // Nobody holds whom nobody knew.
    return ok(toScimResource(created.value, undefined, context.baseUrl))
  },
  find: (context, id, projection) =>
    inTenant(context.deps.database, context.caller.tenant, async (db) => {
      const user = await findScimUser(db, context.caller, id)
      if (user) await named(db, context, user)
      return user && shown(db, context, user, projection)
    }),
  search: async (context, question, projection) => {
    const { deps, caller, baseUrl } = context
    const found = await inTenant(deps.database, caller.tenant, async (db) => {
      const answer = await searchScimUsers(db, caller, question, baseUrl, asksFor(projection, 'groups'))
      const only = onlyOne(answer)
      if (only && question.filter && looksForOne(question.filter)) await named(db, context, only)
      return answer
    })
    return { ...found, rows: found.rows.map(({ user, groups }) => toScimResource(user, groups, baseUrl)) }
  },
  /** Without `active` the stored value stays: to default it to true would revive somebody who has left. */
  replace: async (context, id, body, condition, projection = nothingAsked) => {
    const parsed = parseScimUser(body)
    return parsed.ok
      ? change(context, {
          ...{ id, condition, projection },
          rule: (user) => ok({ ...parsed.value, active: parsed.value.active ?? user.active }),
          names: () => parsed.value.active !== undefined,
        })
      : parsed
  },
  patch: (context, id, operations, condition, projection = nothingAsked) =>
    change(context, {
      ...{ id, condition, projection },
      rule: (user) => {
        const patched = applyPatch(toDocument(user), operations)
        return patched.ok ? fromDocument(patched.value) : patched
      },
      names: (user) => saysActive(user, operations),
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
