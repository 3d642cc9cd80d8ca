/**
 * What a request does to the members of a group, as two sets: whom it adds and whom it takes away. Nobody needs to read the members for it.
 *
 * Operations apply in order, so the last word on a member counts. Decided for safety: `replace members []` empties a group and one without a value
 * leaves it alone; a removal that lists values removes those; whom the group does not have can be removed again.
 *
 * @spec RFC 7644 §3.5.2
 */
import { err, ok, type Result } from '../result.js'
import type { ScimError } from './error.js'
import type { Filter } from './filter.js'
import { isList, isObject, type Json } from './json.js'
import type { PatchOperation } from './patch.js'

export type MemberChange = {
  /** Which members there are before anybody is added: the present ones but `remove`, or none. */
  readonly from: 'present' | 'none'
  readonly add: ReadonlySet<string>
  readonly remove: ReadonlySet<string>
}

export const noMemberChange: MemberChange = { from: 'present', add: new Set(), remove: new Set() }
export const onlyMembers = (members: ReadonlySet<string>): MemberChange => ({ from: 'none', add: members, remove: new Set() })

/** Nobody loses anything by its being refused. */
export const onlyAdds = ({ from, remove }: MemberChange): boolean => from === 'present' && remove.size === 0

/** `unclear`: whom it means can be told only by looking at the members. */
export type GroupPatch =
  | { readonly kind: 'clear'; readonly attributes: readonly PatchOperation[]; readonly members: MemberChange }
  | { readonly kind: 'unclear' }

export function planGroupPatch(operations: readonly PatchOperation[]): Result<GroupPatch, ScimError> {
  const attributes: PatchOperation[] = []
  let members = noMemberChange
  for (const operation of operations) {
    if (!isOfMembers(operation)) {
      attributes.push(operation)
      continue
    }
    const next = changeMembers(members, operation)
    if (!next.ok) return next
    if (next.value === 'unclear') return ok({ kind: 'unclear' })
    members = next.value
  }
  return ok({ kind: 'clear', attributes, members })
}

export const isOfMembers = ({ path }: PatchOperation): boolean => path.extension === undefined && path.attribute.name === 'members'

function changeMembers(
  before: MemberChange,
  { op, path, value, isEmptyList }: PatchOperation,
): Result<MemberChange | 'unclear', ScimError> {
  if (path.sub !== undefined)
    // Name, kind and address of a member are ours to say.
    return path.sub.name === 'value' ? err({ reason: 'scim_mutability', detail: 'members.value' }) : ok(before)
  if (path.where !== undefined) {
    const named = op === 'remove' ? namedBy(path.where) : undefined
    return ok(named === undefined ? 'unclear' : without(before, named))
  }
  const given = membersIn(value)
  if (!given.ok) return given
  if (op === 'add') return ok(withThese(before, given.value))
  if (value === undefined && !isEmptyList) return ok(op === 'remove' ? onlyMembers(new Set()) : before)
  return ok(op === 'remove' ? without(before, given.value) : onlyMembers(given.value))
}

const withThese = ({ from, add, remove }: MemberChange, these: ReadonlySet<string>): MemberChange => ({
  from,
  add: new Set([...add, ...these]),
  remove: new Set([...remove].filter((id) => !these.has(id))),
})

const without = ({ from, add, remove }: MemberChange, these: ReadonlySet<string>): MemberChange => ({
  from,
  add: new Set([...add].filter((id) => !these.has(id))),
  remove: from === 'none' ? remove : new Set([...remove, ...these]),
})

/** `value eq "a"`, and several of them joined by `or`. */
function namedBy(filter: Filter): ReadonlySet<string> | undefined {
  if (filter.kind === 'or') {
    const parts = filter.parts.map(namedBy)
    return parts.some((part) => part === undefined) ? undefined : new Set(parts.flatMap((part) => [...(part ?? [])]))
  }
  if (filter.kind !== 'compare' || filter.operator !== 'eq' || filter.operand.type !== 'text') return undefined
  return 'element' in filter.path && filter.path.element.name === 'value' ? new Set([sameId(filter.operand.value)]) : undefined
}

/** Ids in what a client sends: objects with `value` or `$ref`, or plain texts. */
export function membersIn(value: Json | undefined): Result<ReadonlySet<string>, ScimError> {
  const ids = new Set<string>()
  for (const item of isList(value) ? value : value === undefined ? [] : [value]) {
    const id = idOf(item)
    if (id === undefined) return err({ reason: 'scim_value_invalid', detail: 'members' })
    ids.add(id)
  }
  return ok(ids)
}

function idOf(item: Json): string | undefined {
  const { value, $ref } = isObject(item) ? item : { value: item, $ref: undefined }
  if (typeof value === 'string' && value !== '') return sameId(value)
  const last = typeof $ref === 'string' ? /\/([^/]+)$/.exec($ref)?.[1] : undefined
  return last && sameId(last)
}

/** Ids are ours, and lower case; a directory may write them otherwise: RFC 9562 §4. */
const sameId = (id: string): string => id.toLowerCase()
