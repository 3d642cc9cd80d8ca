/** SCIM groups: in which groups people are, and what they lose when they are in one no more. RFC 7644 §3. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { applyPatch } from '@drawbridge/core/scim/apply-patch'
import { type ScimError, scimLimits } from '@drawbridge/core/scim/error'
import {
  fromGroupDocument,
  parseScimGroup,
  type ScimGroup,
  type ScimMember,
  toGroupDocument,
  toScimGroupResource,
} from '@drawbridge/core/scim/group'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { clearMemberChange, memberOperations, membersLeftByReplacement } from '@drawbridge/core/scim/leaving-members'
import { type MemberChange, onlyMembers, planGroupPatch } from '@drawbridge/core/scim/member-change'
import { patchMembers, patchRefusedMembers } from '@drawbridge/core/scim/member-list'
import type { PatchOperation } from '@drawbridge/core/scim/patch'
import { asksFor, nothingAsked, type Projection, wholeResource } from '@drawbridge/core/scim/projection'
import { groupType } from '@drawbridge/core/scim/resource-type'
import { versionTag } from '@drawbridge/core/scim/version'
import { inDirectory } from '@drawbridge/store/in-directory'
import { holdMany, listShownMembers } from '@drawbridge/store/scim-group-members'
import { searchScimGroups } from '@drawbridge/store/scim-group-search'
import {
  deleteScimGroup,
  findScimGroup,
  type GroupChange,
  type GroupRefusal,
  insertScimGroup,
  updateScimGroup,
  withholdFromRefused,
} from '@drawbridge/store/scim-groups'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { busyFault } from '@drawbridge/store/turns'
import type { Condition, ScimContext, ScimKind } from './resource-kind.js'

const refusals = {
  not_found: { reason: 'scim_not_found' },
  taken: { reason: 'scim_group_unique' },
  groups_too_many: { reason: 'scim_groups_too_many' },
  members_unknown: { reason: 'scim_value_invalid', detail: 'members, somebody whom this directory has not sent' },
  members_too_many: { reason: 'scim_value_invalid', detail: 'members, more than the limit mostMembers' },
  nested_in_group: { reason: 'scim_value_invalid', detail: 'members, more groups in a group than the limit mostNestedGroups' },
  nested_in_connection: { reason: 'scim_value_invalid', detail: 'members, more groups in all groups together than the limit mostNestings' },
} as const satisfies Record<string, ScimError>

const refusalOf = (refusal: GroupRefusal<ScimError>): ScimError => (refusal.kind === 'refused' ? refusal.error : refusals[refusal.kind])

/** With its members only if they are asked for: there may be a hundred thousand. What was done is done, so where there is no room for so many it is told without them. */
async function shown(db: Db, context: ScimContext, group: ScimGroup, projection: Projection): Promise<JsonObject> {
  const { caller, baseUrl } = context
  const isShown = asksFor(projection, 'members') && (!holdMany([group]) || context.mayTake('scim_many_members'))
  const members = isShown ? (await listShownMembers(db, caller, [group])).get(group.id) : undefined
  return toScimGroupResource(group, members, baseUrl)
}

/** For whoever reads them; who is told of none believes that there are none, so whoever asks for too many must come again. */
async function membersOf(db: Db, context: ScimContext, groups: readonly ScimGroup[]) {
  if (holdMany(groups) && !context.mayTake('scim_many_members')) throw busyFault('tenant_busy')
  return listShownMembers(db, context.caller, groups)
}

type Rule = (group: ScimGroup, readMembers: () => Promise<readonly ScimMember[]>) => Promise<Result<GroupChange, ScimError>>

/** A change of the locked row, if it has the version that the request demands. */
async function change(context: ScimContext, id: string, condition: Condition, projection: Projection, rule: Rule) {
  const { deps, caller } = context
  return inDirectory(deps.database, caller, async (db): Promise<Result<JsonObject, ScimError>> => {
    const changed = await updateScimGroup<ScimError>(db, caller, id, async (group, readMembers) => {
      const meets = condition(versionTag(group.version))
      return meets.ok ? rule(group, readMembers) : meets
    })
    return changed.ok ? ok(await shown(db, context, changed.value, projection)) : err(refusalOf(changed.error))
  })
}

/** Members are sets of rows and the rest is a document; only a filter that looks into members has them read. */
const patching =
  (operations: readonly PatchOperation[], baseUrl: string): Rule =>
  async (group, readMembers) => {
    const plan = planGroupPatch(operations)
    if (!plan.ok) return plan
    const patched = applyPatch(toGroupDocument(group), plan.value.attributes)
    const data = patched.ok ? fromGroupDocument(patched.value) : patched
    if (!data.ok) return data
    const members = plan.value.kind === 'clear' ? ok(plan.value.members) : patchMembers(await readMembers(), operations, baseUrl)
    return members.ok ? ok({ data: data.value, members: members.value }) : members
  }

/** What operations of a refused request leave of the members. Nobody, where they are more than are read. */
async function leftBy(
  operations: readonly PatchOperation[] | undefined,
  readMembers: () => Promise<readonly ScimMember[]>,
  baseUrl: string,
): Promise<MemberChange> {
  if (operations === undefined) return onlyMembers(new Set())
  return clearMemberChange(operations) ?? patchRefusedMembers(await readMembers(), operations, baseUrl)
}

export const groupsKind: ScimKind = {
  type: groupType,
  maxBodyBytes: scimLimits.groupBodyBytes,
  changedWith: 'scim',
  patchAnswers: 'nothing',
  unversioned: [],
  create: async (context, body) => {
    const { deps, caller } = context
    const parsed = parseScimGroup(body)
    if (!parsed.ok) return parsed
    return inDirectory(deps.database, caller, async (db): Promise<Result<JsonObject, ScimError>> => {
      const { data, members } = parsed.value
      const created = await insertScimGroup(db, caller, data, members, deps.settings.directoryGroups)
      return created.ok ? ok(await shown(db, context, created.value, wholeResource)) : err(refusalOf(created.error))
    })
  },
  find: (context, id, projection) =>
    inTenant(context.deps.database, context.caller.tenant, async (db) => {
      const group = await findScimGroup(db, context.caller, id)
      if (group === undefined || !asksFor(projection, 'members')) return group && toScimGroupResource(group, undefined, context.baseUrl)
      return toScimGroupResource(group, (await membersOf(db, context, [group])).get(group.id), context.baseUrl)
    }),
  search: (context, question, projection) =>
    inTenant(context.deps.database, context.caller.tenant, async (db) => {
      const { caller, baseUrl } = context
      const withMembers = asksFor(projection, 'members')
      const found = await searchScimGroups(db, caller, question, baseUrl, withMembers)
      const members = withMembers ? await membersOf(db, context, found.rows) : undefined
      return { ...found, rows: found.rows.map((group) => toScimGroupResource(group, members?.get(group.id), baseUrl)) }
    }),
  /** A replacement says all that there is: without `members` the group has none. */
  replace: async (context, id, body, condition, projection = nothingAsked) => {
    const parsed = parseScimGroup(body)
    if (!parsed.ok) return parsed
    const { data, members } = parsed.value
    return change(context, id, condition, projection, () => Promise.resolve(ok({ data, members: onlyMembers(members) })))
  },
  patch: (context, id, operations, condition, projection = nothingAsked) =>
    change(context, id, condition, projection, patching(operations, context.baseUrl)),
  takeAwayOnly: async ({ deps, caller, baseUrl }, { method, id, body, condition }) => {
    const operations = method === 'PATCH' ? memberOperations(body) : []
    const listed = method === 'PUT' ? membersLeftByReplacement(body) : undefined
    if (operations?.length === 0 && listed === undefined) return
    await inDirectory(deps.database, caller, (db) =>
      withholdFromRefused(db, caller, id, async (group, readMembers) => {
        if (!condition(versionTag(group.version)).ok) return undefined
        return listed ?? leftBy(operations, readMembers, baseUrl)
      }),
    )
  },
  remove: async ({ deps, caller }, id, condition) => {
    const deleted = await inDirectory(deps.database, caller, (db) =>
      deleteScimGroup<ScimError>(db, caller, id, (group) => condition(versionTag(group.version))),
    )
    return deleted.ok ? deleted : err(refusalOf(deleted.error))
  },
}
