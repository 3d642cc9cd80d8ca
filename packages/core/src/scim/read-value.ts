/**
 * Values as directories write them, read by what the schemas say of the attribute: names in canonical spelling, texts for booleans
 * (Entra), one value where a list belongs, a bare text where an object with `value` belongs, JSON inside a text (Entra's roles).
 * What means "not set" is left out. What cannot be meant is refused where it has an effect, and kept as it came elsewhere. RFC 7643 §2.
 */
import { isKeepable } from '../keepable-text.js'
import { err, ok, type Result } from '../result.js'
import type { Attribute } from './attribute.js'
import { type ScimError, scimLimits } from './error.js'
import { parseDateTime } from './filter-operand.js'
import { foldName, isList, isObject, isUnset, type Json, type JsonObject, own } from './json.js'
import { findAttribute } from './schema.js'

type Read = Result<Json | undefined, ScimError>
const notSet: Read = ok(undefined)
const invalid = (name: string): Read => err({ reason: 'scim_value_invalid', detail: name })

/** Undefined: the value means "not set". */
export function readValue(definition: Attribute | undefined, name: string, value: Json): Read {
  if (isUnset(value)) return notSet
  if (definition === undefined) return readUnknown(name, value, 0)
  if (!definition.multiValued) return readOrKeep(definition, isList(value) && definition.type === 'complex' ? firstOf(value) : value)
  const given = definition.type === 'complex' ? fromText(value) : value
  const list = isList(given) ? given : [given]
  if (list.length > (definition.mostValues ?? scimLimits.arrayItems)) return invalid(`${name}, more than the limit`)
  const items: Json[] = []
  for (const one of list) {
    const item = isUnset(one) ? notSet : readOrKeep(definition, one)
    if (!item.ok) return item
    if (item.value !== undefined) items.push(item.value)
  }
  return items.length === 0 ? notSet : ok(withOnePrimary(items))
}

/** At most one value is primary, RFC 7643 §2.4: of several the first. */
function withOnePrimary(items: readonly Json[]): readonly Json[] {
  const first = items.findIndex(isPrimary)
  return items.map((item, at) => (isObject(item) && isPrimary(item) && at !== first ? { ...item, primary: false } : item))
}

const isPrimary = (item: Json): boolean => isObject(item) && own(item, 'primary') === true

const readOrKeep = (definition: Attribute, value: Json): Read => {
  const read = readSingle(definition, value)
  return read.ok || definition.binding === true ? read : readUnknown(definition.name, value, 0)
}

/** Entra writes a manager as a list of one; so is a list of that read, or what was read would be something else when it is read again. */
function firstOf(list: readonly Json[]): Json {
  const [first = null] = list
  if (list.length !== 1) return list
  return isList(first) ? firstOf(first) : first
}

/** JSON that came inside a text, and can be kept; any other text is itself. */
export function fromText(value: Json): Json {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value) || value.length > scimLimits.textCharacters || isDeep(value)) return value
  try {
    const inside = JSON.parse(value) as Json
    return isKeepable(inside) ? inside : value
  } catch {
    return value
  }
}

/** Brackets inside of texts are counted too: that only ever leaves a text what it is. */
function isDeep(text: string): boolean {
  let depth = 0
  for (const character of text) {
    if (character === '[' || character === '{') depth += 1
    else if (character === ']' || character === '}') depth -= 1
    if (depth > scimLimits.depth) return true
  }
  return false
}

function readSingle(definition: Attribute, value: Json): Read {
  const { name } = definition
  switch (definition.type) {
    case 'complex':
      return readComplex(definition, fromText(value))
    case 'boolean': {
      const flag = readBoolean(value)
      return flag === undefined ? invalid(name) : ok(flag)
    }
    case 'integer':
    case 'decimal':
      return typeof value === 'number' ? ok(value) : invalid(name)
    case 'dateTime':
      return typeof value === 'string' && parseDateTime(value) !== undefined ? ok(value) : invalid(name)
    case 'string':
    case 'reference':
    case 'binary':
      return readText(definition, value)
  }
}

/** "True" and "False" too. */
export const readBoolean = (value: unknown): boolean | undefined => {
  if (typeof value === 'boolean') return value
  const folded = typeof value === 'string' ? value.toLowerCase() : undefined
  return folded === 'true' || folded === 'false' ? folded === 'true' : undefined
}

/** A number where a text belongs is that text: templates that an admin writes hold an employee number without quotes. */
function readText({ name, mostCharacters = scimLimits.textCharacters }: Attribute, value: Json): Read {
  const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value
  return typeof text !== 'string' || text.length > mostCharacters ? invalid(name) : ok(text)
}

function readComplex(definition: Attribute, value: Json): Read {
  const given = isObject(value) ? value : standsForValue(definition, value)
  const object = given !== undefined && definition.unwrapsJson === true ? unwrapped(given) : given
  if (object === undefined) return invalid(definition.name)
  const read = readMembers(object, (name, member) => {
    const sub = findAttribute(definition.subAttributes, name)
    const inner = readValue(sub, `${definition.name}.${sub?.name ?? name}`, member)
    return inner.ok ? ok([sub?.name ?? name, inner.value]) : inner
  })
  return read.ok && isUnset(read.value) ? notSet : read
}

/** `{"value": "{\"id\":\"1\",\"value\":\"admin\",\"displayName\":\"Admin\"}"}`. */
function unwrapped(object: JsonObject): JsonObject {
  const inner = fromText(own(object, 'value') ?? null)
  if (!isObject(inner) || typeof own(inner, 'value') !== 'string') return object
  const { displayName, ...rest } = inner
  return { ...object, ...(displayName === undefined ? {} : { display: displayName }), ...rest }
}

/** `"manager": "id"`, `"emails": ["a@b"]`. */
const standsForValue = (definition: Attribute, value: Json): JsonObject | undefined =>
  (typeof value === 'string' || typeof value === 'number') && findAttribute(definition.subAttributes, 'value') !== undefined
    ? { value }
    : undefined

/** Members by their own reader, which names them. The same name in two spellings is no object: which one counts would be a guess. */
export function readMembers(
  object: JsonObject,
  read: (name: string, value: Json) => Result<readonly [string, Json | undefined], ScimError>,
): Result<JsonObject, ScimError> {
  if (Object.keys(object).length > scimLimits.names) return err({ reason: 'scim_value_invalid', detail: 'more than the limit names' })
  const seen = new Set<string>()
  const members: [string, Json][] = []
  for (const [name, value] of Object.entries(object)) {
    if (seen.has(foldName(name))) return err({ reason: 'scim_body_malformed', detail: 'an attribute is named twice' })
    seen.add(foldName(name))
    const member = isUnset(value) ? ok([name, undefined] as const) : read(name, value)
    if (!member.ok) return member
    if (member.value[1] !== undefined) members.push([member.value[0], member.value[1]])
  }
  return ok(Object.fromEntries(members))
}

/** What no schema describes is kept as it came, within limits. */
function readUnknown(name: string, value: Json, depth: number): Read {
  if (depth > scimLimits.depth) return invalid(`${name}, deeper than the limit`)
  if (typeof value === 'string') return value.length > scimLimits.textCharacters ? invalid(`${name}, longer than the limit`) : ok(value)
  if (isList(value)) {
    if (value.length > scimLimits.arrayItems) return invalid(`${name}, more than the limit`)
    const items = value.filter((item) => !isUnset(item)).map((item) => readUnknown(name, item, depth + 1))
    return items.find((item) => !item.ok) ?? ok(items.flatMap((item) => (item.ok && item.value !== undefined ? [item.value] : [])))
  }
  if (!isObject(value)) return ok(value)
  return readMembers(value, (key, member) => {
    const inner = readUnknown(name, member, depth + 1)
    return inner.ok ? ok([key, inner.value]) : inner
  })
}
