/** Which attributes go back: `attributes`, `excludedAttributes`, and what the schemas say must or may never. RFC 7644 §3.9, RFC 7643 §7. */
import { err, ok, type Result } from '../result.js'
import type { Attribute } from './attribute.js'
import { type AttributePath, bindPath, keyOf } from './attribute-path.js'
import { type ScimError, scimLimits } from './error.js'
import { isList, isObject, isUnset, type Json, type JsonObject, own, withMember } from './json.js'
import type { ResourceType } from './resource-type.js'

/** Both absent: what is returned by default. */
export type Projection = {
  readonly attributes: readonly AttributePath[] | undefined
  readonly excluded: readonly AttributePath[]
}

export const wholeResource: Projection = { attributes: undefined, excluded: [] }
/** Nobody reads the answer: what always goes back is enough. */
export const nothingAsked: Projection = { attributes: [], excluded: [] }

/** Names that say nothing to us match nothing. Lists come as one text in a query and as a list in a SearchRequest. */
export function parseProjection(type: ResourceType, attributes: unknown, excluded: unknown): Result<Projection, ScimError> {
  const wanted = namesIn(attributes)
  const unwanted = namesIn(excluded)
  if (wanted === undefined || unwanted === undefined) return err({ reason: 'scim_value_invalid', detail: 'attributes' })
  // A URN that no schema knows may name an extension, or an attribute of one: whichever there is.
  const bind = (names: readonly string[]): readonly AttributePath[] =>
    names.flatMap((name) => [bindPath(type, name, () => true), bindPath(type, name)].filter((path) => path !== undefined))
  return ok({ attributes: wanted.length === 0 ? undefined : bind(wanted), excluded: bind(unwanted) })
}

function namesIn(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return []
  const list: unknown = typeof value === 'string' ? value.split(',') : value
  if (!Array.isArray(list) || list.length > scimLimits.projectedNames) return undefined
  const texts = list.filter((one): one is string => typeof one === 'string').map((one) => one.trim())
  return texts.length === list.length ? texts.filter((one) => one !== '') : undefined
}

/** Says whether an attribute is asked for at all, so that what is dear to read need not be read: the members of a group. */
export function asksFor({ attributes, excluded }: Projection, name: string): boolean {
  const names = (path: AttributePath): boolean => path.extension === undefined && path.attribute.name === name
  return (attributes === undefined || attributes.some(names)) && !excluded.some((path) => names(path) && path.sub === undefined)
}

/** `schemas`, `id` and where the resource is are in every answer. @spec RFC 7643 §3.1 */
export function project(type: ResourceType, resource: JsonObject, projection: Projection): JsonObject {
  const secret = type.attributes.filter((one) => one.returned === 'never').map((one) => one.name)
  const open = Object.fromEntries(Object.entries(resource).filter(([name]) => !secret.includes(name)))
  const { attributes, excluded } = projection
  if (attributes === undefined && excluded.length === 0) return open
  const kept = attributes === undefined ? open : attributes.reduce<JsonObject>((all, path) => withPath(all, open, path), {})
  const left = excluded.reduce<JsonObject>((all, path) => (mustStay(path) ? all : withoutPath(all, path)), kept)
  return { ...always(type.attributes, open), ...left, meta: metaOf(open, left) }
}

const mustStay = ({ attribute, sub }: AttributePath): boolean =>
  attribute.definition?.returned === 'always' || sub?.definition?.returned === 'always'

const always = (attributes: readonly Attribute[], resource: JsonObject): JsonObject =>
  Object.fromEntries(
    attributes.flatMap(({ name, returned }) =>
      returned === 'always' && Object.hasOwn(resource, name) ? [[name, resource[name] as Json]] : [],
    ),
  )

function metaOf(resource: JsonObject, left: JsonObject): Json {
  const whole = own(resource, 'meta')
  const asked = own(left, 'meta')
  const { resourceType, location } = isObject(whole) ? whole : {}
  return {
    ...(isObject(asked) ? asked : {}),
    ...(resourceType === undefined ? {} : { resourceType }),
    ...(location === undefined ? {} : { location }),
  }
}

function holderOf(resource: JsonObject, path: AttributePath): { readonly key: string | undefined; readonly holder: JsonObject } {
  if (path.extension === undefined) return { key: undefined, holder: resource }
  const key = keyOf(resource, { name: path.extension, definition: undefined })
  const holder = own(resource, key)
  return { key, holder: isObject(holder) ? holder : {} }
}

const place = (into: JsonObject, key: string | undefined, name: string, value: Json): JsonObject => {
  if (key === undefined) return { ...into, [name]: value }
  const holder = own(into, key)
  return { ...into, [key]: { ...(isObject(holder) ? holder : {}), [name]: value } }
}

/** `into` with what `path` names in `resource`. */
function withPath(into: JsonObject, resource: JsonObject, path: AttributePath): JsonObject {
  const { key, holder } = holderOf(resource, path)
  const name = keyOf(holder, path.attribute)
  const value = own(holder, name)
  if (value === undefined) return into
  const { sub } = path
  if (sub === undefined) return place(into, key, name, value)
  const only = (item: Json): JsonObject => {
    const inner = isObject(item) ? own(item, keyOf(item, sub)) : undefined
    return inner === undefined ? {} : { [sub.name]: inner }
  }
  const before = own(holderOf(into, path).holder, name)
  const items = isList(value) ? value.map(only) : only(value)
  return isUnset(items) && before === undefined ? into : place(into, key, name, before === undefined ? items : together(before, items))
}

/** Sub-attributes that were asked for one by one stand together again. */
function together(before: Json, next: Json): Json {
  if (isList(before) && isList(next)) return before.map((item, at) => together(item, next[at] ?? {}))
  return isObject(before) && isObject(next) ? { ...before, ...next } : before
}

function withoutPath(resource: JsonObject, path: AttributePath): JsonObject {
  const { key, holder } = holderOf(resource, path)
  const name = keyOf(holder, path.attribute)
  const value = own(holder, name)
  if (value === undefined) return resource
  const { sub } = path
  const without = (item: Json): Json => (isObject(item) && sub !== undefined ? withMember(item, keyOf(item, sub), undefined) : item)
  const left = sub === undefined ? undefined : isList(value) ? value.map(without) : without(value)
  const changed = withMember(holder, name, left)
  return key === undefined ? changed : withMember(resource, key, changed)
}
