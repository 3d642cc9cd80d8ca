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

export const onlyMembers = (members: ReadonlySet<string>): MemberChange => ({ from: 'none', add: members, remove: new Set() })

/** Nobody loses anything by its being refused. */
export const onlyAdds = ({ from, remove }: MemberChange): boolean => from === 'present' && remove.size === 0

/** `unclear`: whom it means can be told only by looking at the members (`member-list`). */
export type GroupPatch =
  | { readonly kind: 'clear'; readonly attributes: readonly PatchOperation[]; readonly members: MemberChange }
  | { readonly kind: 'unclear'; readonly attributes: readonly PatchOperation[] }

/** Costs its operations and the members that they name, and no product of the two. */
export function planGroupPatch(operations: readonly PatchOperation[]): Result<GroupPatch, ScimError> {
  const attributes: PatchOperation[] = []
  const members: Draft = { from: 'present', add: new Set(), remove: new Set() }
  let isClear = true
  for (const operation of operations) {
    if (!isOfMembers(operation)) {
      attributes.push(operation)
      continue
    }
    const read = readMemberOperation(operation)
    if (!read.ok) return read
    const change = read.value
    if (change.kind === 'unclear') isClear = false
    else if (change.kind !== 'nothing') fold(members, change.kind, change.these)
  }
  return ok(isClear ? { kind: 'clear', attributes, members } : { kind: 'unclear', attributes })
}

export const isOfMembers = ({ path }: PatchOperation): boolean => path.extension === undefined && path.attribute.name === 'members'

/** What one operation does: it adds some, takes some away, or leaves some alone in the group. */
export type OneMemberChange =
  | { readonly kind: 'add' | 'remove' | 'only'; readonly these: ReadonlySet<string> }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unclear' }

export function readMemberOperation({ op, path, value, isEmptyList }: PatchOperation): Result<OneMemberChange, ScimError> {
  if (path.sub !== undefined)
    // Name, kind and address of a member are ours to say.
    return path.sub.name === 'value' ? err({ reason: 'scim_mutability', detail: 'members.value' }) : ok({ kind: 'nothing' })
  if (path.where !== undefined) {
    const these = op === 'remove' ? namedBy(path.where) : undefined
    return ok(these === undefined ? { kind: 'unclear' } : { kind: 'remove', these })
  }
  const given = membersIn(value)
  if (!given.ok) return given
  const these = given.value
  if (op === 'add') return ok({ kind: 'add', these })
  if (value === undefined && !isEmptyList) return ok(op === 'remove' ? { kind: 'only', these } : { kind: 'nothing' })
  return ok({ kind: op === 'remove' ? 'remove' : 'only', these })
}

/** A change while it is read. One pair of sets for all operations: a copy for each would cost their product. */
type Draft = { from: MemberChange['from']; readonly add: Set<string>; readonly remove: Set<string> }

function fold(draft: Draft, kind: 'add' | 'remove' | 'only', these: ReadonlySet<string>): void {
  if (kind === 'only') {
    draft.from = 'none'
    draft.add.clear()
    draft.remove.clear()
  }
  const [to, away] = kind === 'remove' ? [draft.remove, draft.add] : [draft.add, draft.remove]
  for (const id of these) {
    away.delete(id)
    // Of nobody there is nobody to remove.
    if (to === draft.add || draft.from === 'present') to.add(id)
  }
}

/** `value eq "a"`, and several of them joined by `or`. `orFewer`: with `and`, too, whom it means at most. */
export function namedBy(filter: Filter, orFewer = false): ReadonlySet<string> | undefined {
  if (filter.kind === 'and' && orFewer) return filter.parts.map((part) => namedBy(part, true)).find((part) => part !== undefined)
  if (filter.kind === 'or') {
    const parts = filter.parts.map((part) => namedBy(part, orFewer))
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

export function idOf(item: Json): string | undefined {
  const { value, $ref } = isObject(item) ? item : { value: item, $ref: undefined }
  if (typeof value === 'string' && value !== '') return sameId(value)
  const last = typeof $ref === 'string' ? /\/([^/]+)$/.exec($ref)?.[1] : undefined
  return last && sameId(last)
}

/** Ids are ours, and lower case; a directory may write them otherwise: RFC 9562 §4. */
const sameId = (id: string): string => id.toLowerCase()
