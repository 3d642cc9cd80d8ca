/** Whether two parsers read the same: names, namespaces, attributes, declarations, text, and all of it in order. */
import type { XmlElement } from '../xml-tree.js'

export function isSameTree(a: XmlElement, b: XmlElement): boolean {
  const isSameName = a.name === b.name && a.prefix === b.prefix && a.namespace === b.namespace && a.text === b.text
  if (!isSameName || a.content.length !== b.content.length || a.children.length !== b.children.length) return false
  if (attributesOf(a) !== attributesOf(b) || declarationsOf(a) !== declarationsOf(b)) return false
  return a.content.every((node, index) => isSameNode(node, b.content[index]))
}

function isSameNode(a: XmlElement | string, b: XmlElement | string | undefined): boolean {
  if (typeof a === 'string' || typeof b === 'string' || b === undefined) return a === b
  return isSameTree(a, b)
}

const attributesOf = ({ attributes }: XmlElement): string =>
  listOf(attributes, ({ prefix, namespace, name, value }) => [prefix, namespace, name, value])
const declarationsOf = ({ declarations }: XmlElement): string => listOf(declarations, ({ prefix, namespace }) => [prefix, namespace])
const listOf = <T>(items: readonly T[], parts: (item: T) => readonly string[]): string =>
  items.length === 0 ? '' : JSON.stringify(items.map(parts))
