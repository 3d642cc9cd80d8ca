/**
 * PATCH in the dialects that directories really speak: the RFC's, Okta's path-less object, and both of Entra's (capitalised
 * operations, texts for booleans, one path per operation; or dotted and URN keys inside a path-less object).
 *
 * Operations apply in order to a copy; the first refusal discards all of them. RFC 7644 §3.5.2.
 */
import { err, ok, type Result } from '../result.js'
import { type ScimError, scimLimits } from './error.js'
import { canonicalName, cleanJson, enterpriseUserSchema, isObject, type Json, type JsonObject, userSchema } from './user.js'

type Kind = 'add' | 'replace' | 'remove'
export type PatchOperation = { readonly op: Kind; readonly path: PatchPath | undefined; readonly value: Json | undefined }
/** `name.givenName` is {attribute: name, sub: givenName}; `emails[type eq "work"].value` has the condition as well. */
export type PatchPath = {
  readonly extension: string | undefined
  readonly attribute: string
  readonly where: { readonly name: string; readonly value: string } | undefined
  readonly sub: string | undefined
}

const multiValued: ReadonlySet<string> = new Set([
  'emails',
  'phoneNumbers',
  'ims',
  'photos',
  'addresses',
  'entitlements',
  'roles',
  'x509Certificates',
])
const readOnly: ReadonlySet<string> = new Set(['id', 'meta', 'schemas', 'groups'])

export function parsePatch(body: unknown): Result<readonly PatchOperation[], ScimError> {
  const cleaned =
    typeof body === 'object' && body !== null ? Object.entries(body).find(([name]) => name.toLowerCase() === 'operations')?.[1] : undefined
  if (!Array.isArray(cleaned) || cleaned.length === 0 || cleaned.length > scimLimits.operations)
    return err({ reason: 'scim_body_malformed', detail: 'Operations' })
  const operations: PatchOperation[] = []
  for (const one of cleaned) {
    const operation = parseOperation(one)
    if (!operation.ok) return operation
    operations.push(operation.value)
  }
  return ok(operations)
}

function parseOperation(value: unknown): Result<PatchOperation, ScimError> {
  if (typeof value !== 'object' || value === null) return err({ reason: 'scim_body_malformed', detail: 'Operations' })
  const fields = new Map(Object.entries(value).map(([name, field]): [string, unknown] => [name.toLowerCase(), field]))
  const op = (['add', 'replace', 'remove'] as const).find((kind) => kind === String(fields.get('op')).toLowerCase())
  if (op === undefined) return err({ reason: 'scim_body_malformed', detail: 'op' })
  const rawPath = fields.get('path')
  const path = rawPath === undefined || rawPath === null || rawPath === '' ? undefined : parsePath(rawPath)
  if (path !== undefined && !path.ok) return path
  if (op === 'remove' && path === undefined) return err({ reason: 'scim_no_target', detail: 'remove needs a path' })
  const given = fields.get('value')
  const cleaned = given === undefined || given === null ? undefined : cleanJson(given, 0)
  return ok({ op, path: path?.value, value: cleaned })
}

const pathShape =
  /^([A-Za-z$][A-Za-z0-9$_-]{0,99})(?:\[\s*([A-Za-z$][A-Za-z0-9$_-]{0,99})\s+eq\s+(?:"([^"\\]{0,256})"|(true|false))\s*\])?(?:\.([A-Za-z$][A-Za-z0-9$_-]{0,99}))?$/i

export function parsePath(value: unknown): Result<PatchPath, ScimError> {
  if (typeof value !== 'string' || value.length > 512) return err({ reason: 'scim_path_invalid' })
  const text = value.trim()
  const lower = text.toLowerCase()
  const schema = [enterpriseUserSchema, userSchema].find((one) => lower === one.toLowerCase() || lower.startsWith(`${one.toLowerCase()}:`))
  const rest = schema === undefined ? text : text.slice(schema.length + 1)
  const extension = schema === enterpriseUserSchema ? schema : undefined
  if (rest === '' && extension !== undefined) return ok({ extension: undefined, attribute: extension, where: undefined, sub: undefined })
  const match = pathShape.exec(rest)
  if (match === null) return err({ reason: 'scim_path_invalid' })
  const [, attribute = '', whereName, whereText, whereFlag, sub] = match
  const where =
    whereName === undefined ? undefined : { name: canonicalName(whereName), value: whereText ?? (whereFlag ?? '').toLowerCase() }
  return ok({ extension, attribute: canonicalName(attribute), where, sub: sub === undefined ? undefined : canonicalName(sub) })
}

/** All or nothing: a document with every operation applied, or the first refusal. The given document is not changed. */
export function applyPatch(document: JsonObject, operations: readonly PatchOperation[]): Result<JsonObject, ScimError> {
  let current = document
  for (const operation of operations) {
    const next = operation.path === undefined ? applyObject(current, operation) : applyAt(current, operation.path, operation)
    if (!next.ok) return next
    current = next.value
  }
  return ok(current)
}

/** A path-less operation is one operation per member; its keys may be paths themselves (Entra), and our own `id` is ignored (Okta). */
function applyObject(document: JsonObject, operation: PatchOperation): Result<JsonObject, ScimError> {
  if (!isObject(operation.value)) return err({ reason: 'scim_value_invalid', detail: 'value must be an object when there is no path' })
  let current = document
  for (const [key, value] of Object.entries(operation.value)) {
    if (readOnly.has(canonicalName(key))) continue
    const path = parsePath(key)
    if (!path.ok) return path
    const next = applyAt(current, path.value, { op: operation.op, value })
    if (!next.ok) return next
    current = next.value
  }
  return ok(current)
}

type Change = Pick<PatchOperation, 'op' | 'value'>

function applyAt(document: JsonObject, path: PatchPath, change: Change): Result<JsonObject, ScimError> {
  if (readOnly.has(path.attribute)) return err({ reason: 'scim_mutability', detail: path.attribute })
  if (path.attribute === 'password') return ok(document)
  if (change.op === 'remove' && path.sub === undefined && (path.attribute === 'userName' || path.attribute === 'active'))
    return err({ reason: 'scim_mutability', detail: path.attribute })
  if (change.op !== 'remove' && change.value === undefined && path.attribute === 'active')
    return err({ reason: 'scim_value_invalid', detail: 'active' })
  if (path.extension !== undefined) {
    const inner = document[path.extension]
    const next = applyAt(isObject(inner) ? inner : {}, { ...path, extension: undefined }, change)
    return next.ok ? ok(withMember(document, path.extension, next.value)) : next
  }
  const before = document[path.attribute]
  if (path.where !== undefined) return applyWhere(document, path, path.where, change)
  if (path.sub !== undefined) return applySub(document, path.attribute, path.sub, change)
  return ok(withMember(document, path.attribute, changed(before, change, multiValued.has(path.attribute))))
}

/** Sets or removes; an empty object or list is the same as not set. */
function withMember(document: JsonObject, name: string, value: Json | undefined): JsonObject {
  const empty = value === undefined || (Array.isArray(value) && value.length === 0) || (isObject(value) && Object.keys(value).length === 0)
  const rest = Object.fromEntries(Object.entries(document).filter(([key]) => key !== name))
  return empty ? rest : { ...rest, [name]: value }
}

function changed(before: Json | undefined, change: Change, isMultiValued: boolean): Json | undefined {
  if (change.op === 'remove') return undefined
  if (isMultiValued) return change.op === 'replace' ? asList(change.value) : union(asList(before), asList(change.value))
  if (isObject(before) && isObject(change.value)) return { ...before, ...change.value }
  return change.value ?? before
}

const asList = (value: Json | undefined): readonly Json[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as readonly Json[]) : [value]

/** Adding a value that is there already changes nothing; a new primary takes the mark from the old one. */
function union(before: readonly Json[], added: readonly Json[]): readonly Json[] {
  const fresh = added.filter((item) => !before.some((old) => JSON.stringify(old) === JSON.stringify(item)))
  const takesPrimary = fresh.some((item) => isObject(item) && item['primary'] === true)
  const kept = takesPrimary
    ? before.map((item) => (isObject(item) && item['primary'] === true ? { ...item, primary: false } : item))
    : before
  return [...kept, ...fresh]
}

function applySub(document: JsonObject, attribute: string, sub: string, change: Change): Result<JsonObject, ScimError> {
  const before = document[attribute]
  if (Array.isArray(before)) {
    const items = (before as readonly Json[]).map((item) =>
      isObject(item) ? withMember(item, sub, changed(item[sub], change, false)) : item,
    )
    return ok(withMember(document, attribute, items))
  }
  // Entra may have sent the manager as a plain text before; a sub-attribute makes it an object.
  const inner = isObject(before) ? before : typeof before === 'string' ? { value: before } : {}
  return ok(withMember(document, attribute, withMember(inner, sub, changed(inner[sub], change, false))))
}

/** `emails[type eq "work"].value` creates the e-mail when there is none, as Entra expects; without a sub-attribute nothing is made up. */
function applyWhere(
  document: JsonObject,
  path: PatchPath,
  where: NonNullable<PatchPath['where']>,
  change: Change,
): Result<JsonObject, ScimError> {
  const items = asList(document[path.attribute])
  const matches = (item: Json): boolean => {
    const value = isObject(item) ? (item[where.name] ?? '') : undefined
    return value !== undefined && typeof value !== 'object' && String(value).toLowerCase() === where.value.toLowerCase()
  }
  if (!items.some(matches)) {
    if (change.op === 'remove') return err({ reason: 'scim_no_target', detail: path.attribute })
    if (path.sub === undefined && !isObject(change.value)) return err({ reason: 'scim_no_target', detail: path.attribute })
    const fresh = path.sub === undefined ? (change.value as JsonObject) : { [path.sub]: change.value ?? '' }
    return ok(withMember(document, path.attribute, [...items, { [where.name]: where.value, ...fresh }]))
  }
  if (change.op === 'remove' && path.sub === undefined)
    return ok(
      withMember(
        document,
        path.attribute,
        items.filter((item) => !matches(item)),
      ),
    )
  const next = items.map((item) => (matches(item) && isObject(item) ? changeItem(item, path.sub, change) : item))
  return ok(withMember(document, path.attribute, next))
}

const changeItem = (item: JsonObject, sub: string | undefined, change: Change): Json =>
  sub === undefined ? (changed(item, change, false) ?? item) : withMember(item, sub, changed(item[sub], change, false))
