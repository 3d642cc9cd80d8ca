/**
 * What operations make of members of whom one looks into the members: `members[display sw "ada"]`. The others need no look (`member-change`).
 *
 * One map for all operations, so that they cost whom they name. A filter that names nobody by id is compared with everybody, and such comparisons are counted:
 * beyond `scimLimits.comparisons` the request is refused.
 */
import { err, ok, type Result } from '../result.js'
import { equalities } from './apply-patch.js'
import { pathText } from './attribute-path.js'
import { type ScimError, scimLimits } from './error.js'
import { costOf, matchesFilter, weightOf } from './evaluate-filter.js'
import type { Filter } from './filter.js'
import { memberToJson, type ScimMember } from './group.js'
import { isObject, type JsonObject, own } from './json.js'
import { idOf, isOfMembers, type MemberChange, namedBy, onlyMembers, readMemberOperation } from './member-change.js'
import type { PatchOperation } from './patch.js'
import type { PatchPath } from './patch-path.js'

const tooMany = err<ScimError>({ reason: 'scim_value_invalid', detail: 'members, more comparisons than the limit comparisons' })

export function patchMembers(
  before: readonly ScimMember[],
  operations: readonly PatchOperation[],
  baseUrl: string,
): Result<MemberChange, ScimError> {
  const list = listOf(before, baseUrl)
  for (const operation of operations.filter(isOfMembers)) {
    const applied = apply(list, operation)
    if (!applied.ok) return applied
  }
  return ok(changeOf(before, list))
}

/**
 * Of a request that is refused: an operation that cannot be done is passed over, and the others hold. One that would take too many comparisons takes everybody
 * out who is in it by then: whom it means is among them, and nobody has anything by a group of which that is not known.
 */
export function patchRefusedMembers(before: readonly ScimMember[], operations: readonly PatchOperation[], baseUrl: string): MemberChange {
  const list = listOf(before, baseUrl)
  for (const operation of operations.filter(isOfMembers))
    if (apply(list, operation) === tooMany) replaceBy(list, [...list.members.keys()], [])
  return changeOf(before, list)
}

/**
 * What became of the members, and not who is left: whoever was in it with nothing, because a request was refused that took her out, has it again only by a
 * request that names her (`withholdFromRefused`). Where none but the named are left, it is their list.
 */
function changeOf(before: readonly ScimMember[], { members, named }: MemberList): MemberChange {
  if (named.size === members.size) return onlyMembers(named)
  return { from: 'present', add: named, remove: new Set(before.flatMap(({ id }) => (members.has(id) ? [] : [id]))) }
}

/** Of whom a request adds only the id is known: name, kind and address are ours to say. */
type Item = JsonObject & { readonly value: string }
type MemberList = {
  readonly members: Map<string, Item>
  /** Whom operations add in so many words, whether or not she was in it. */
  readonly named: Set<string>
  comparisons: number
}

const listOf = (before: readonly ScimMember[], baseUrl: string): MemberList => ({
  members: new Map(before.map((member) => [member.id, { ...memberToJson(member, baseUrl), value: member.id }])),
  named: new Set(),
  comparisons: 0,
})

type Applied = Result<void, ScimError>
const done: Applied = ok(undefined)

function apply(list: MemberList, operation: PatchOperation): Applied {
  const change = readMemberOperation(operation)
  if (!change.ok) return change
  switch (change.value.kind) {
    case 'nothing':
      return done
    case 'unclear':
      return applyWhere(list, operation)
    case 'only':
      return replaceBy(list, [...list.members.keys()], change.value.these)
    case 'add':
      return replaceBy(list, [], change.value.these)
    case 'remove':
      return replaceBy(list, change.value.these, [])
  }
}

function applyWhere(list: MemberList, operation: PatchOperation): Applied {
  const where = operation.path.where && withIdsInAnyCase(operation.path.where)
  if (where === undefined) return done
  const found = find(list, where)
  if (!found.ok) return found
  if (operation.op === 'remove') return found.value.length === 0 ? noTarget(operation.path) : replaceBy(list, found.value, [])
  const made = idMade(operation, where, found.value.length === 0)
  if (!made.ok) return made
  return made.value === undefined ? done : replaceBy(list, found.value, [made.value])
}

const noTarget = (path: PatchPath) => err<ScimError>({ reason: 'scim_no_target', detail: pathText(path) })

/** Whoever is in both stays as she was. */
function replaceBy({ members, named }: MemberList, these: Iterable<string>, by: Iterable<string>): Applied {
  const items = Array.from(by, (id) => members.get(id) ?? { value: id })
  for (const id of these) {
    members.delete(id)
    named.delete(id)
  }
  for (const item of items) {
    members.set(item.value, item)
    named.add(item.value)
  }
  return done
}

/** Whose place those whom it finds leave to somebody else; of a filter that finds nobody, who is made of it (`apply-patch`). Undefined: of nobody is said who she is. */
function idMade({ op, path, value }: PatchOperation, where: Filter, findsNobody: boolean): Result<string | undefined, ScimError> {
  const said = findsNobody && op === 'add' ? equalities(where) : {}
  if (said === undefined || (findsNobody && op === 'replace')) return noTarget(path)
  if (!isObject(value)) return err({ reason: 'scim_value_invalid', detail: pathText(path) })
  if (!findsNobody && op === 'add' && own(value, 'value') === undefined) return ok(undefined)
  const id = idOf({ ...said, ...value })
  return id === undefined ? err({ reason: 'scim_value_invalid', detail: 'members' }) : ok(id)
}

function find(list: MemberList, where: Filter): Result<readonly string[], ScimError> {
  const each = costOf(where)
  const found: string[] = []
  for (const id of namedBy(where, true) ?? list.members.keys()) {
    const item = list.members.get(id)
    if (item === undefined) continue
    list.comparisons += each * weightOf(own(item, 'display'))
    if (list.comparisons > scimLimits.comparisons) return tooMany
    if (matchesFilter(where, item)) found.push(id)
  }
  return ok(found)
}

/** As `member-change` has it: RFC 9562 §4. */
function withIdsInAnyCase(filter: Filter): Filter {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return { ...filter, parts: filter.parts.map(withIdsInAnyCase) }
    case 'not':
      return { ...filter, part: withIdsInAnyCase(filter.part) }
    case 'compare': {
      const isOfId = 'element' in filter.path && filter.path.element.name === 'value' && filter.operand.type === 'text'
      return isOfId ? { ...filter, operand: { ...filter.operand, caseExact: false } } : filter
    }
    default:
      return filter
  }
}
