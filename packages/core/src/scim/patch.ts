/**
 * The body of a PATCH, in the dialects that directories really speak: the RFC's, Okta's path-less object, and both of Entra's (capitalised
 * operations, texts for booleans, one path per operation; or dotted and URN keys inside a path-less object). RFC 7644 §3.5.2.
 *
 * A path-less operation becomes one operation per member, so that whoever applies them sees only paths and values that were read.
 */
import { err, ok, type Result } from '../result.js'
import { bindSub, pathText } from './attribute-path.js'
import { type ScimError, scimLimits } from './error.js'
import { isList, isObject, isUnset, type Json, type JsonObject, memberOf } from './json.js'
import { type PatchPath, parsePatchPath } from './patch-path.js'
import { fromText, readValue } from './read-value.js'
import { isIgnored } from './resource.js'
import type { ResourceType } from './resource-type.js'

export type PatchOperation = {
  readonly op: 'add' | 'replace' | 'remove'
  readonly path: PatchPath
  /** Read by what the schemas say of the path. Absent: none was given, or what means "not set". */
  readonly value: Json | undefined
  /** An empty list was given, which a removal of listed values must not take for "all". */
  readonly isEmptyList: boolean
}

type Operations = Result<readonly PatchOperation[], ScimError>

/** At most `scimLimits.operations`: those that are sent, and those that they unfold to. More are refused unread. */
export function parsePatch(type: ResourceType, body: unknown): Operations {
  const list = isObject(body) ? memberOf(body, 'operations') : undefined
  if (!isList(list) || list.length === 0) return err({ reason: 'scim_body_malformed', detail: 'Operations' })
  return flatten(list, (one) => parseOperation(type, one))
}

const tooMany = err<ScimError>({ reason: 'scim_body_malformed', detail: 'Operations, more than the limit operations' })

/** Reads no more than it may answer; what is ignored counts, too, because it is read. */
function flatten<T>(given: readonly T[], read: (one: T) => Operations): Operations {
  if (given.length > scimLimits.operations) return tooMany
  const operations: PatchOperation[] = []
  for (const one of given) {
    const parsed = read(one)
    if (!parsed.ok) return parsed
    operations.push(...parsed.value)
    if (operations.length > scimLimits.operations) return tooMany
  }
  return ok(operations)
}

export function parseOperation(type: ResourceType, given: Json): Operations {
  if (!isObject(given)) return err({ reason: 'scim_body_malformed', detail: 'Operations' })
  const wanted = memberOf(given, 'op')
  const op = typeof wanted === 'string' ? (['add', 'replace', 'remove'] as const).find((kind) => kind === wanted.toLowerCase()) : undefined
  if (op === undefined) return err({ reason: 'scim_body_malformed', detail: 'op' })
  const path = memberOf(given, 'path')
  const value = memberOf(given, 'value')
  if (path === undefined || path === null || path === '') return parsePathless(type, op, value)
  const parsed = parsePatchPath(type, path, { holds: () => isObject(value), isRemoval: op === 'remove' })
  if (!parsed.ok) return parsed
  if (isReadOnly(parsed.value)) return err({ reason: 'scim_mutability', detail: pathText(parsed.value) })
  return bind(op, parsed.value, value)
}

/** Its keys may be paths themselves (Entra); what is ours to say is ignored (Okta sends the `id`). */
function parsePathless(type: ResourceType, op: PatchOperation['op'], value: Json | undefined): Operations {
  if (op === 'remove') return err({ reason: 'scim_no_target', detail: 'remove needs a path' })
  const object = value === undefined ? undefined : fromText(value)
  if (!isObject(object)) return err({ reason: 'scim_value_invalid', detail: 'value must be an object when there is no path' })
  return flatten(Object.keys(object), (key) => {
    const member = object[key] as Json
    const path = parsePatchPath(type, key, { holds: () => isObject(member) })
    if (!path.ok) return path
    return isReadOnly(path.value) ? ok([]) : bind(op, path.value, member)
  })
}

const isReadOnly = ({ attribute, sub }: PatchPath): boolean =>
  attribute.definition?.mutability === 'readOnly' || sub?.definition?.mutability === 'readOnly'

function bind(op: PatchOperation['op'], path: PatchPath, given: Json | undefined): Operations {
  // A password is accepted and goes nowhere.
  if (isIgnored(path.attribute.definition)) return ok([])
  if (isComplexWhole(path) && isObject(given) && op !== 'remove') return bindMembers(op, path, given)
  return bindValue(op, path, given)
}

const isComplexWhole = ({ attribute, sub, where }: PatchPath): boolean =>
  attribute.definition?.type === 'complex' && !attribute.definition.multiValued && sub === undefined && where === undefined

/** Of a complex value only what is mentioned changes: what is null is unset alone, and an object that says nothing changes nothing. */
function bindMembers(op: PatchOperation['op'], path: PatchPath, given: JsonObject): Operations {
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => !isUnset(value)))
  const unset = op === 'add' ? [] : Object.entries(given).flatMap(([name, value]) => (isUnset(value) ? [name] : []))
  if (unset.length > scimLimits.operations) return tooMany
  const first = Object.keys(said).length === 0 ? ok([]) : bindValue(op, path, said)
  if (!first.ok) return first
  const rest = unset.map((name): PatchOperation => ({ op, path: memberPath(path, name), value: undefined, isEmptyList: false }))
  return ok([...first.value, ...rest])
}

/** Of an extension as a whole the members are attributes. */
const memberPath = (path: PatchPath, name: string): PatchPath => {
  const sub = bindSub(path.attribute.definition, name)
  return /^urn:/i.test(path.attribute.name) ? { ...path, extension: path.attribute.name, attribute: sub } : { ...path, sub }
}

/** An operation with its value read as the attribute's; with a filter, the value is one of the list's. */
function bindValue(op: PatchOperation['op'], path: PatchPath, given: Json | undefined): Operations {
  const { definition, name } = path.sub ?? path.attribute
  const one =
    path.where !== undefined && path.sub === undefined && definition !== undefined ? { ...definition, multiValued: false } : definition
  const read = given === undefined ? ok(undefined) : readValue(one, pathText(path), given)
  if (!read.ok && op !== 'remove') return read
  const value = read.ok ? read.value : undefined
  if (op === 'remove' && !read.ok) return err({ reason: 'scim_value_invalid', detail: name })
  if (value === undefined && op === 'add' && given === undefined) return err({ reason: 'scim_value_invalid', detail: pathText(path) })
  return ok([{ op, path, value, isEmptyList: isList(given) && isUnset(given) }])
}
