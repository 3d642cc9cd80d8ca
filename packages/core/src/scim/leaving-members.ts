/**
 * Whom a request takes out of a group, whatever else it says. Where it is refused for the rest, they have nothing by the group all the same (`leaving` says the
 * same of people): a directory repeats what was refused, and is refused again, while they go on.
 */
import { isList, isObject, type Json } from './json.js'
import { isOfMembers, type MemberChange, membersIn, onlyMembers, planGroupPatch } from './member-change.js'
import { type PatchOperation, parsePatch } from './patch.js'
import { groupType } from './resource-type.js'

const memberOf = (object: object, name: string): Json | undefined => Object.entries(object).find(([key]) => key.toLowerCase() === name)?.[1]

/**
 * By a replacement: whoever is not in its list. One without a list, which would empty the group were it accepted, names nobody: what is refused may be no
 * group at all. @spec RFC 7644 §3.5.1
 */
export function membersLeftByReplacement(body: unknown): MemberChange | undefined {
  const given = isObject(body) ? memberOf(body, 'members') : undefined
  const members = isList(given) ? membersIn(given) : undefined
  return members?.ok === true ? onlyMembers(members.value) : undefined
}

/** What a change says of members, as far as it can be read. @spec RFC 7644 §3.5.2 */
export function memberOperations(body: unknown): readonly PatchOperation[] {
  const operations = isObject(body) ? memberOf(body, 'operations') : undefined
  return isList(operations) ? operations.flatMap(wordsOn).filter((one) => planGroupPatch([one]).ok) : []
}

/** What of it is clear without a look at the members. */
export function clearMemberChange(operations: readonly PatchOperation[]): MemberChange | undefined {
  const plan = planGroupPatch(operations.filter((one) => isClear(one)))
  return plan.ok && plan.value.kind === 'clear' ? plan.value.members : undefined
}

export function isClear(operation: PatchOperation): boolean {
  const plan = planGroupPatch([operation])
  return plan.ok && plan.value.kind === 'clear'
}

function wordsOn(operation: Json): readonly PatchOperation[] {
  if (!isObject(operation)) return []
  const value = memberOf(operation, 'value')
  const path = memberOf(operation, 'path')
  const isPathless = (path === undefined || path === null || path === '') && isObject(value)
  const read = parsePatch(groupType, { Operations: [isPathless ? { ...operation, value: onlyOf(value) } : operation] })
  return read.ok ? read.value.filter(isOfMembers) : []
}

/** Entra writes keys with the schema in front. */
const onlyOf = (object: object) =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key.toLowerCase().split(':').at(-1)?.startsWith('members') === true))
