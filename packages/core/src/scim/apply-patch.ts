/**
 * What a PATCH makes of a document. Operations apply in order to a copy; the first refusal discards all of them. RFC 7644 §3.5.2.
 *
 * Four things are decided for safety, where directories differ from the RFC or the RFC is silent: a removal that lists values removes those
 * and nothing else (Entra); adding what is there changes nothing; `emails[type eq "work"].value` makes the e-mail when there is none (Entra);
 * and a complex value that names somebody else by `value` is replaced as a whole, so that no old name stays beside a new id.
 *
 * Comparisons are counted, and what becomes larger than anything that could be sent is refused: many operations on what many before them made would cost
 * their product.
 */
import { err, ok, type Result } from '../result.js'
import type { Attribute } from './attribute.js'
import { keyOf, type Named, pathText, valueOf } from './attribute-path.js'
import { type ScimError, scimLimits } from './error.js'
import { costOf, matchesFilter } from './evaluate-filter.js'
import type { Filter } from './filter.js'
import { foldName, isList, isObject, isUnset, type Json, type JsonObject, own, withMember } from './json.js'
import type { PatchOperation } from './patch.js'
import { checkLength, primaries } from './resource.js'
import { type Effort, isSpent, mayCompare, withoutValues, withValues } from './value-list.js'

type Applied<T> = Result<T, ScimError>

/** An operation of a request that has made some comparisons. */
type Step = PatchOperation & { readonly effort: Effort }

const tooMany = err<ScimError>({ reason: 'scim_value_invalid', detail: 'more comparisons than the limit comparisons' })

/** All or nothing. The given document is not changed. */
export function applyPatch(document: JsonObject, operations: readonly PatchOperation[]): Applied<JsonObject> {
  const effort: Effort = { comparisons: 0 }
  // What was stored before stands in nobody's way.
  const wasTooLong = !checkLength(document).ok
  let current = document
  for (const operation of operations) {
    const next = applyOperation(current, { ...operation, effort })
    if (isSpent(effort)) return tooMany
    if (!next.ok) return next
    const checked = wasTooLong ? next : checkLength(next.value)
    if (!checked.ok) return checked
    current = checked.value
  }
  return ok(current)
}

function applyOperation(document: JsonObject, operation: Step): Applied<JsonObject> {
  const { extension } = operation.path
  if (extension === undefined) return applyIn(document, operation)
  const key = keyOf(document, { name: extension, definition: undefined })
  const holder = own(document, key)
  const next = applyIn(isObject(holder) ? holder : {}, operation)
  return next.ok ? within(document, withMember(document, key, next.value), undefined) : next
}

function applyIn(holder: JsonObject, operation: Step): Applied<JsonObject> {
  const { path, op } = operation
  const { attribute, sub, where } = path
  if (unsets(operation) && sub === undefined && where === undefined && isNeeded(attribute.definition))
    return err(
      op === 'remove' ? { reason: 'scim_mutability', detail: attribute.name } : { reason: 'scim_value_invalid', detail: attribute.name },
    )
  const key = keyOf(holder, attribute)
  const before = own(holder, key)
  const after =
    where !== undefined
      ? applyWhere(listOf(before), { ...operation, where })
      : ok(sub === undefined ? applyWhole(before, operation) : applySub(before, attribute, sub, operation))
  if (!after.ok) return after
  const value = within(before, after.value, attribute.definition)
  return value.ok ? within(holder, withMember(holder, key, value.value), undefined) : value
}

/** Of a list its values, of an object its names: no more than could be sent, unless there were as many before. */
function within<T extends Json | undefined>(before: Json | undefined, after: T, definition: Attribute | undefined): Applied<T> {
  const [size, limit] = isList(after) ? [after.length, definition?.mostValues ?? scimLimits.arrayItems] : [namesIn(after), scimLimits.names]
  const had = isList(before) ? before.length : namesIn(before)
  return size > limit && size > had
    ? err({
        reason: 'scim_value_invalid',
        detail: `${definition?.name ?? 'the resource'}, more than the limit ${isList(after) ? 'arrayItems' : 'names'}`,
      })
    : ok(after)
}

const namesIn = (value: Json | undefined): number => (isObject(value) ? Object.keys(value).length : 0)

/** Nobody is without a name, and nobody is neither active nor inactive. */
const isNeeded = (definition: Attribute | undefined): boolean => definition?.required === true || definition?.name === 'active'
const unsets = ({ op, value }: PatchOperation): boolean => op === 'remove' || value === undefined

const listOf = (value: Json | undefined): readonly Json[] => (isList(value) ? value : isUnset(value) ? [] : [value])

type Change = Pick<Step, 'op' | 'value' | 'isEmptyList' | 'effort'>

/** The attribute as a whole. */
function applyWhole(before: Json | undefined, operation: Step): Json | undefined {
  const { definition } = operation.path.attribute
  const isMany = definition?.multiValued ?? (isList(before) || isList(operation.value))
  if (!isMany) return changed(before, operation, definition)
  const list = listOf(before)
  if (operation.op === 'remove') return removed(list, operation)
  if (operation.op === 'replace') return operation.value
  return handingOver(list, withValues(list, listOf(operation.value), operation.effort))
}

/** `{"op":"Remove","path":"members","value":[{"value":"id"}]}` removes just those; read literally by the RFC it would empty the list. */
function removed(list: readonly Json[], { value, isEmptyList, effort }: Change): readonly Json[] {
  if (isEmptyList) return list
  return value === undefined ? [] : withoutValues(list, listOf(value), effort)
}

/** Setting a primary takes the mark from the old one: RFC 7644 §3.5.2. */
function handingOver(before: readonly Json[], after: readonly Json[]): readonly Json[] {
  if (primaries(after) < 2) return after
  const held = new Set(before.filter((item) => isObject(item) && item['primary'] === true))
  return after.map((item) => (isObject(item) && item['primary'] === true && held.has(item) ? { ...item, primary: false } : item))
}

/** One value: a complex one keeps the sub-attributes that are not mentioned. RFC 7644 §3.5.2.3. */
function changed(
  before: Json | undefined,
  { op, value, effort }: Omit<Change, 'isEmptyList'>,
  definition: Attribute | undefined,
): Json | undefined {
  if (op === 'remove') return undefined
  if (value === undefined) return op === 'replace' ? undefined : before
  if (!isObject(before) || !isObject(value) || namesAnother(before, value)) return value
  return merged(before, value, { op, definition, effort })
}

type Merge = { readonly op: Change['op']; readonly definition: Attribute | undefined; readonly effort: Effort }

function merged(before: JsonObject, value: JsonObject, { op, definition, effort }: Merge): JsonObject {
  const members = new Map(Object.entries(before))
  const spellings = new Map(
    Object.keys(before)
      .toReversed()
      .map((name) => [foldName(name), name]),
  )
  for (const [name, inner] of Object.entries(value)) {
    const sub = definition?.subAttributes.find((one) => one.name === name)
    const key = sub !== undefined || members.has(name) ? name : (spellings.get(foldName(name)) ?? name)
    const old = members.get(key)
    const isMany = sub?.multiValued === true && op === 'add'
    const next = isMany ? withValues(listOf(old), listOf(inner), effort) : changed(old, { op, value: inner, effort }, sub)
    if (isUnset(next)) members.delete(key)
    else members.set(key, next)
  }
  return Object.fromEntries(members)
}

const namesAnother = (before: JsonObject, value: JsonObject): boolean =>
  Object.hasOwn(before, 'value') && Object.hasOwn(value, 'value') && before['value'] !== value['value']

function applySub(before: Json | undefined, attribute: Named, sub: Named, operation: Change): Json | undefined {
  const inItem = (item: Json): Json => (isObject(item) ? changeItem(item, sub, operation) : item)
  if (isList(before)) return handingOverIn(before, before.map(inItem))
  // The manager may have been stored as a plain text; a sub-attribute makes it an object.
  const object = isObject(before) ? before : typeof before === 'string' ? { value: before } : {}
  const next = changeItem(object, sub, operation)
  return attribute.definition?.multiValued === true && !isUnset(next) ? [next] : next
}

const changeItem = (item: JsonObject, sub: Named, change: Change): JsonObject =>
  withMember(item, keyOf(item, sub), changed(valueOf(item, sub), change, sub.definition))

/** Whose mark is new keeps it. */
function handingOverIn(before: readonly Json[], after: readonly Json[]): readonly Json[] {
  if (primaries(after) < 2) return after
  const isPrimary = (item: Json | undefined): boolean => isObject(item) && item['primary'] === true
  const fresh = after.findIndex((item, at) => isPrimary(item) && !isPrimary(before[at]))
  return after.map((item, at) => (isObject(item) && isPrimary(item) && at !== fresh ? { ...item, primary: false } : item))
}

/** The values that meet the filter. */
function applyWhere(list: readonly Json[], operation: Step & { readonly where: Filter }): Applied<readonly Json[]> {
  const { where, op, value, path, effort } = operation
  const { sub } = path
  if (!mayCompare(effort, list.length * costOf(where))) return tooMany
  const found = new Set(list.filter((item) => isObject(item) && matchesFilter(where, item)))
  if (found.size === 0) return make(list, operation)
  if (op === 'remove' && sub === undefined) return ok(list.filter((item) => !found.has(item)))
  if (sub === undefined && !isObject(value)) return err({ reason: 'scim_value_invalid', detail: pathText(path) })
  if (!mayCompare(effort, found.size * namesIn(value))) return tooMany
  // Replaced are whole values: RFC 7644 §3.5.2.3.
  const whole = (item: JsonObject): Json =>
    op === 'add' && isObject(value) ? merged(item, value, { op, definition: path.attribute.definition, effort }) : (value ?? item)
  const change = (item: JsonObject): Json => (sub === undefined ? whole(item) : changeItem(item, sub, operation))
  const after = list.map((item) => (isObject(item) && found.has(item) ? change(item) : item))
  return ok(handingOverIn(list, after).filter((item) => !isUnset(item)))
}

/** A value that was not there is made of what the filter says of it. Nothing is made up from `or`, `not` or a comparison. */
function make(list: readonly Json[], operation: Step & { readonly where: Filter }): Applied<readonly Json[]> {
  const { where, op, value, path } = operation
  const noTarget = err<ScimError>({ reason: 'scim_no_target', detail: pathText(path) })
  const known = equalities(where)
  if (op === 'remove' || value === undefined || known === undefined) return noTarget
  // Without a sub-attribute it is the RFC's own case: "no record match was made".
  if (path.sub === undefined && (op === 'replace' || !isObject(value))) return noTarget
  const made = path.sub === undefined ? { ...known, ...(value as JsonObject) } : withMember(known, path.sub.name, value)
  return ok(handingOver(list, [...list, made]))
}

/** `type eq "work" and primary eq true` as an object. */
export function equalities(filter: Filter): JsonObject | undefined {
  if (filter.kind === 'and') {
    const parts = filter.parts.map(equalities)
    return parts.includes(undefined) ? undefined : Object.assign({}, ...parts)
  }
  if (filter.kind !== 'compare' || filter.operator !== 'eq' || !('element' in filter.path)) return undefined
  const { operand } = filter
  return { [filter.path.element.name]: operand.type === 'instant' ? new Date(operand.value).toISOString() : operand.value }
}
