/** A resource as a client sends it, read by the schemas of its type. RFC 7644 §3.3 and §3.5.1. */
import { err, ok, type Result } from '../result.js'
import type { Attribute } from './attribute.js'
import { bindPath } from './attribute-path.js'
import { type ScimError, scimLimits } from './error.js'
import { foldName, isList, isObject, isUnset, isWithin, type Json, type JsonObject, own, withMember } from './json.js'
import { readMembers, readValue } from './read-value.js'
import type { ResourceType } from './resource-type.js'

/** Ours to say, or never to be known: ignored on input. */
export const isIgnored = (definition: Attribute | undefined): boolean =>
  definition?.mutability === 'readOnly' || definition?.mutability === 'writeOnly'

/**
 * The document that is kept: canonical names, extensions under their URNs, what no schema describes beside them, without what is ours to
 * say, secret or not set. A client's `id`, `meta` and `schemas` are ignored.
 *
 * @spec RFC 7644 §3.3 read-only attributes in the body are ignored
 */
export function readResource(type: ResourceType, body: unknown): Result<JsonObject, ScimError> {
  if (!isObject(body)) return err({ reason: 'scim_body_malformed' })
  const flat = withoutCoreUrn(type, body)
  if (flat === undefined) return err({ reason: 'scim_body_malformed', detail: 'an attribute is named twice' })
  let document: JsonObject = {}
  const read = readMembers(flat, (name, value) => {
    const placed = place(type, document, name, value)
    if (!placed.ok) return placed
    document = placed.value
    return ok([name, undefined])
  })
  if (!read.ok) return read
  return checkResource(type, document)
}

/** Some clients put the core attributes, too, under their URN. Undefined: one stands in both places. */
function withoutCoreUrn(type: ResourceType, body: JsonObject): JsonObject | undefined {
  const key = Object.keys(body).find((name) => foldName(name) === foldName(type.schema.id))
  const inner = key === undefined ? undefined : own(body, key)
  if (key === undefined || !isObject(inner)) return body
  const outer = Object.fromEntries(Object.entries(body).filter(([name]) => name !== key))
  return Object.keys(inner).some((name) => Object.hasOwn(outer, name)) ? undefined : { ...outer, ...inner }
}

function place(type: ResourceType, document: JsonObject, name: string, value: Json): Result<JsonObject, ScimError> {
  const path = bindPath(type, name, () => isObject(value))
  // No name of RFC 7643 §2.1; kept all the same.
  const attribute = path === undefined || path.sub !== undefined ? { name, definition: undefined } : path.attribute
  if (isIgnored(attribute.definition)) return ok(document)
  const read = readValue(attribute.definition, attribute.name, value)
  if (!read.ok) return read
  const extension = path?.sub === undefined ? path?.extension : undefined
  // Once with its URN and once without: which one counts would be a guess.
  const isTwice = extension === undefined && !/^urn:/i.test(attribute.name) && Object.hasOwn(document, attribute.name)
  if (isTwice) return err({ reason: 'scim_body_malformed', detail: 'an attribute is named twice' })
  if (extension === undefined) return ok(merged(document, attribute.name, read.value))
  const holder = own(document, extension)
  const inside = isObject(holder) ? holder : {}
  // What stands under its URN already was meant more exactly.
  return ok(withMember(document, extension, { [attribute.name]: read.value ?? null, ...inside }))
}

/** An extension whose stray attribute came first is completed, not replaced. */
const merged = (document: JsonObject, name: string, value: Json | undefined): JsonObject => {
  const before = own(document, name)
  return withMember(document, name, isObject(before) && isObject(value) ? { ...before, ...value } : value)
}

/** What must be there is there. */
function checkResource(type: ResourceType, document: JsonObject): Result<JsonObject, ScimError> {
  for (const definition of type.attributes) {
    const value = own(document, definition.name)
    if (definition.required && (isUnset(value) || (typeof value === 'string' && value.trim() === '')))
      return err({ reason: 'scim_value_invalid', detail: definition.name })
  }
  return ok(document)
}

/** What is kept of one resource, members apart. */
export const checkLength = (document: JsonObject): Result<JsonObject, ScimError> =>
  isWithin(document, scimLimits.documentCharacters)
    ? ok(document)
    : err({ reason: 'scim_value_invalid', detail: 'the resource, longer than the limit documentCharacters' })

export const primaries = (value: Json | undefined): number =>
  isList(value) ? value.filter((item) => isObject(item) && item['primary'] === true).length : 0
