/** What an element inherits from the elements around it. Canonicalisation needs it of the outermost element alone. */

import { xmlNamespace } from './namespace-bindings.js'
import type { XmlAttribute, XmlElement } from './xml-tree.js'

/** Root first, the element itself last. */
export type Path = readonly XmlElement[]

/** Every prefix that is bound at the end of the path, without `xml`, which always is. A default that was undeclared is ''. */
export function namespacesInScope(path: Path): ReadonlyMap<string, string> {
  const scope = new Map<string, string>()
  for (const { declarations } of path) for (const { prefix, namespace } of declarations) if (prefix !== 'xml') scope.set(prefix, namespace)
  return scope
}

/** Attributes such as `xml:lang` of the ancestors, the nearest of each name, where the element has none of its own. */
export function inheritedXmlAttributes(path: Path): readonly XmlAttribute[] {
  const nearest = new Map<string, XmlAttribute>()
  for (const { attributes } of path.slice(0, -1))
    for (const attribute of attributes) if (attribute.namespace === xmlNamespace) nearest.set(attribute.name, attribute)
  for (const { namespace, name } of path.at(-1)?.attributes ?? []) if (namespace === xmlNamespace) nearest.delete(name)
  return [...nearest.values()]
}
