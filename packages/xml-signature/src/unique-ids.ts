/** A reference by ID means something only if no reader, however it spells ID, can find another element by it. */
import type { XmlElement } from './xml-tree.js'

/**
 * `ID`, `Id`, `id`, `xml:id` and any prefixed one share one space, and so do the identifiers of SAML 1.x: some reader looks in each.
 * White space around a value is what a schema would strip from it.
 */
const identifiers: ReadonlySet<string> = new Set(['id', 'assertionid', 'responseid', 'requestid'])

export function hasUniqueIds(root: XmlElement): boolean {
  return collectIds(root, new Set())
}

function collectIds(element: XmlElement, seen: Set<string>): boolean {
  let count = 0
  for (const { name, value } of element.attributes) {
    if (!identifiers.has(name.toLowerCase())) continue
    const id = value.trim()
    count += 1
    if (count > 1 || seen.has(id)) return false
    seen.add(id)
  }
  for (const child of element.children) if (!collectIds(child, seen)) return false
  return true
}
