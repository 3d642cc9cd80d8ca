/**
 * What a PATCH makes of a document. Operations apply in order to a copy; the first refusal discards all of them. RFC 7644 §3.5.2.
 *
 * Four things are decided for safety, where directories differ from the RFC or the RFC is silent: a removal that lists values removes those
 * and nothing else (Entra); adding what is there changes nothing; `emails[type eq "work"].value` makes the e-mail when there is none (Entra);
 * and a complex value that names somebody else by `value` is replaced as a whole, so that no old name stays beside a new id.
 */
import { err, ok, type Result } from '../result.js'
import type { Attribute } from './attribute.js'
import { keyOf, type Named, pathText, valueOf } from './attribute-path.js'
import type { ScimError } from './error.js'
import { matchesFilter } from './evaluate-filter.js'
import type { Filter } from './filter.js'
import { isList, isObject, isPartOf, isUnset, type Json, type JsonObject, own, withMember } from './json.js'
import type { PatchOperation } from './patch.js'
import type { PatchPath } from './patch-path.js'
import { primaries } from './resource.js'

type Applied<T> = Result<T, ScimError>

/** All or nothing. The given document is not changed. */
export function applyPatch(document: JsonObject, operations: readonly PatchOperation[]): Applied<JsonObject> {
  let current = document
  for (const operation of operations) {
    const next = applyOperation(current, operation)
    if (!next.ok) return next
    current = next.value
  }
  return ok(current)
}

function applyOperation(document: JsonObject, operation: PatchOperation): Applied<JsonObject> {
  const { extension } = operation.path
  if (extension === undefined) return applyIn(document, operation)
  const key = keyOf(document, { name: extension, definition: undefined })
  const holder = own(document, key)
  const next = applyIn(isObject(holder) ? holder : {}, operation)
  return next.ok ? ok(withMember(document, key, next.value)) : next
}

function applyIn(holder: JsonObject, operation: PatchOperation): Applied<JsonObject> {
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
  return ok(withMember(holder, key, after.value))
}

/** Nobody is without a name, and nobody is neither active nor inactive. */
const isNeeded = (definition: Attribute | undefined): boolean => definition?.required === true || definition?.name === 'active'
const unsets = ({ op, value }: PatchOperation): boolean => op === 'remove' || value === undefined

const listOf = (value: Json | undefined): readonly Json[] => (isList(value) ? value : isUnset(value) ? [] : [value])

type Change = Pick<PatchOperation, 'op' | 'value' | 'isEmptyList'>

/** The attribute as a whole. */
function applyWhole(before: Json | undefined, operation: Change & { readonly path: PatchPath }): Json | undefined {
  const { definition } = operation.path.attribute
  const isMany = definition?.multiValued ?? (isList(before) || isList(operation.value))
  if (!isMany) return changed(before, operation, definition)
  const list = listOf(before)
  if (operation.op === 'remove') return removed(list, operation)
  if (operation.op === 'replace') return operation.value
  return handingOver(list, added(list, listOf(operation.value)))
}

/** `{"op":"Remove","path":"members","value":[{"value":"id"}]}` removes just those; read literally by the RFC it would empty the list. */
function removed(list: readonly Json[], { value, isEmptyList }: Change): readonly Json[] {
  if (isEmptyList) return list
  return value === undefined ? [] : list.filter((item) => !listOf(value).some((one) => isPartOf(one, item)))
}

const added = (list: readonly Json[], fresh: readonly Json[]): readonly Json[] =>
  fresh.reduce<readonly Json[]>((all, one) => (all.some((item) => isPartOf(one, item)) ? all : [...all, one]), list)

/** Setting a primary takes the mark from the old one: RFC 7644 §3.5.2. */
function handingOver(before: readonly Json[], after: readonly Json[]): readonly Json[] {
  if (primaries(after) < 2) return after
  const held = new Set(before.filter((item) => isObject(item) && item['primary'] === true))
  return after.map((item) => (isObject(item) && item['primary'] === true && held.has(item) ? { ...item, primary: false } : item))
}

/** One value: a complex one keeps the sub-attributes that are not mentioned. RFC 7644 §3.5.2.3. */
function changed(
  before: Json | undefined,
  { op, value }: Pick<Change, 'op' | 'value'>,
  definition: Attribute | undefined,
): Json | undefined {
  if (op === 'remove') return undefined
  if (value === undefined) return op === 'replace' ? undefined : before
  if (!isObject(before) || !isObject(value) || namesAnother(before, value)) return value
  return merged(before, value, op, definition)
}

function merged(before: JsonObject, value: JsonObject, op: Change['op'], definition: Attribute | undefined): JsonObject {
  return Object.entries(value).reduce<JsonObject>((object, [name, inner]) => {
    const sub = definition?.subAttributes.find((one) => one.name === name)
    const key = keyOf(object, { name, definition: sub })
    const old = own(object, key)
    const isMany = sub?.multiValued === true && op === 'add'
    return withMember(object, key, isMany ? added(listOf(old), listOf(inner)) : changed(old, { op, value: inner }, sub))
  }, before)
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
function applyWhere(list: readonly Json[], operation: PatchOperation & { readonly where: Filter }): Applied<readonly Json[]> {
  const { where, op, value, path } = operation
  const { sub } = path
  const meets = (item: Json): boolean => isObject(item) && matchesFilter(where, item)
  if (!list.some(meets)) return make(list, operation)
  if (op === 'remove' && sub === undefined) return ok(list.filter((item) => !meets(item)))
  if (sub === undefined && !isObject(value)) return err({ reason: 'scim_value_invalid', detail: pathText(path) })
  // Replaced are whole values: RFC 7644 §3.5.2.3.
  const whole = (item: JsonObject): Json =>
    op === 'add' && isObject(value) ? merged(item, value, op, path.attribute.definition) : (value ?? item)
  const change = (item: JsonObject): Json => (sub === undefined ? whole(item) : changeItem(item, sub, operation))
  const after = list.map((item) => (isObject(item) && meets(item) ? change(item) : item))
  return ok(handingOverIn(list, after).filter((item) => !isUnset(item)))
}

/** A value that was not there is made of what the filter says of it. Nothing is made up from `or`, `not` or a comparison. */
function make(list: readonly Json[], operation: PatchOperation & { readonly where: Filter }): Applied<readonly Json[]> {
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
