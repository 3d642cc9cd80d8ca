/**
 * Whom a request takes out of a group, whatever else it says. Where it is refused for the rest, they have nothing by the group all the same (`leaving` says the
 * same of people): a directory repeats what was refused, and is refused again, while they go on.
 */
import { isList, isObject, memberOf } from './json.js'
import { type MemberChange, membersIn, onlyMembers, planGroupPatch, readMemberOperation } from './member-change.js'
import { operationsOn } from './operations-on.js'
import type { PatchOperation } from './patch.js'
import { groupType } from './resource-type.js'

/**
 * By a replacement: whoever is not in its list. One without a list, which would empty the group were it accepted, names nobody: what is refused may be no
 * group at all. @spec RFC 7644 §3.5.1
 */
export function membersLeftByReplacement(body: unknown): MemberChange | undefined {
  const given = isObject(body) ? memberOf(body, 'members') : undefined
  const members = isList(given) ? membersIn(given) : undefined
  return members?.ok === true ? onlyMembers(members.value) : undefined
}

/** What a change says of members, as far as it can be read. Undefined: more than is read. @spec RFC 7644 §3.5.2 */
export const memberOperations = (body: unknown): readonly PatchOperation[] | undefined =>
  operationsOn(groupType, 'members', body)?.filter((one) => readMemberOperation(one).ok)

/** Undefined: it is not clear without a look at the members (`member-list`). */
export function clearMemberChange(operations: readonly PatchOperation[]): MemberChange | undefined {
  const plan = planGroupPatch(operations)
  return plan.ok && plan.value.kind === 'clear' ? plan.value.members : undefined
}
