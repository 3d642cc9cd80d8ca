/** Names of attributes as they stand in filters, PATCH, `attributes` and `sortBy`: with or without URN, in any case. RFC 7644 §3.10. */
import { type Attribute, attribute } from './attribute.js'
import { foldName, type JsonObject, own, spellingIn } from './json.js'
import { findExtension, findStray, type ResourceType } from './resource-type.js'
import { findAttribute } from './schema.js'

/** A name, canonical where a schema knows it. */
export type Named = { readonly name: string; readonly definition: Attribute | undefined }

export type AttributePath = {
  /** The URN under which it is kept; absent: beside the core attributes. */
  readonly extension: string | undefined
  /** An extension as a whole is an attribute that is named by its URN. */
  readonly attribute: Named
  readonly sub: Named | undefined
}

/** RFC 7644 §3.10 attrName. `$ref` alone begins otherwise: what speaks JSONPath (`$.active`) is refused, and not taken for an attribute `$` that is kept. */
const namePattern = /^(?:[A-Za-z][A-Za-z0-9$_-]{0,99}|\$ref)$/i
const isUrn = (text: string): boolean => /^urn:/i.test(text)

const wholeExtension = (urn: string, attributes: readonly Attribute[] | undefined): AttributePath => ({
  extension: undefined,
  attribute: {
    name: urn,
    definition: attributes === undefined ? undefined : attribute(urn, 'An extension', { type: 'complex', subAttributes: attributes }),
  },
  sub: undefined,
})

/**
 * Binds a name to what the schemas know. Undefined: it is no name at all. A name that no schema knows is one all the same.
 *
 * `holds` says whether a URN that no schema knows is an extension as a whole: its last part looks like an attribute.
 */
export function bindPath(type: ResourceType, text: string, holds: (urn: string) => boolean = () => false): AttributePath | undefined {
  if (text.length > 512) return undefined
  if (!isUrn(text)) return bindIn(type, undefined, text)
  for (const schema of [...type.extensions, type.schema]) {
    if (foldName(text) === foldName(schema.id)) return schema === type.schema ? undefined : wholeExtension(schema.id, schema.attributes)
    if (foldName(text).startsWith(`${foldName(schema.id)}:`))
      return bindIn(type, schema === type.schema ? undefined : schema.id, text.slice(schema.id.length + 1))
  }
  if (holds(text)) return wholeExtension(text, undefined)
  const colon = text.lastIndexOf(':')
  return bindIn(type, text.slice(0, colon), text.slice(colon + 1))
}

function bindIn(type: ResourceType, extension: string | undefined, text: string): AttributePath | undefined {
  const [name = '', subName, more] = text.split('.')
  if (more !== undefined || !namePattern.test(name) || (subName !== undefined && !namePattern.test(subName))) return undefined
  const known = extension === undefined ? findAttribute(type.attributes, name) : definedIn(type, extension, name)
  const stray = extension === undefined && known === undefined ? findStray(type, name) : undefined
  const definition = known ?? stray?.definition
  return {
    extension: stray?.extension.id ?? extension,
    attribute: { name: definition?.name ?? name, definition },
    sub: subName === undefined ? undefined : bindSub(definition, subName),
  }
}

const definedIn = (type: ResourceType, urn: string, name: string): Attribute | undefined =>
  findAttribute(findExtension(type, urn)?.attributes ?? [], name)

export function bindSub(parent: Attribute | undefined, name: string): Named {
  const definition = parent && findAttribute(parent.subAttributes, name)
  return { name: definition?.name ?? name, definition }
}

export const isName = (text: string): boolean => namePattern.test(text)

/** The name under which an object keeps it: canonical where a schema knows it, else as the object spells it. */
export const keyOf = (object: JsonObject, named: Named): string =>
  named.definition === undefined ? spellingIn(object, named.name) : named.name

export const valueOf = (object: JsonObject, named: Named) => own(object, keyOf(object, named))

/** As it is written in refusals: names only. */
export const pathText = (path: AttributePath): string =>
  `${path.extension === undefined ? '' : `${path.extension}:`}${path.attribute.name}${path.sub === undefined ? '' : `.${path.sub.name}`}`
