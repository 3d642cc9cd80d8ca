/**
 * Canonical XML of one element and all that is in it: the octets that are digested.
 *
 * Exclusive and inclusive canonicalisation differ in one question only: which namespaces does an element have to show? Exclusive:
 * those that its own name and its attributes use, and those that a PrefixList names. Inclusive: all that are in scope. Either way a
 * namespace is written where the written ancestors do not already say the same, so both are one walk with one map, `shown`.
 *
 * The octets determine the tree: names, namespaces, attributes, text and their order can all be read back from them. So whoever has
 * these octets signed has signed this tree, whatever the message around it looks like.
 *
 * @spec Exclusive XML Canonicalization 1.0 §3
 * @spec Canonical XML 1.0 §2.3
 */
import { escapeAttribute, escapeText } from './escape-canonical.js'
import { inheritedXmlAttributes, namespacesInScope, type Path } from './namespace-context.js'
import type { NamespaceDeclaration, XmlAttribute, XmlElement } from './xml-tree.js'

export type Canonicalization =
  | { readonly kind: 'inclusive' }
  /** Prefixes that are treated as inclusive canonicalisation would; '' is the default namespace. */
  | { readonly kind: 'exclusive'; readonly prefixList: readonly string[] }

type Writer = {
  readonly isListed: (prefix: string) => boolean
  readonly showsUsedOnly: boolean
  /** The namespaces that the ancestors written so far show. */
  readonly shown: Map<string, string>
  readonly omitted: XmlElement | undefined
  written: string
}

/** Canonical XML of the last element of the path, as if `omitted` (the enveloped signature) were not in it. */
export function canonicalize(path: Path, how: Canonicalization, omitted?: XmlElement): string {
  const apex = path.at(-1)
  if (apex === undefined) throw new Error('invariant broken: a path has an end')
  const isExclusive = how.kind === 'exclusive'
  const isListed = isExclusive ? (prefix: string) => how.prefixList.includes(prefix) : () => true
  const writer: Writer = { isListed, showsUsedOnly: isExclusive, shown: new Map(), omitted, written: '' }
  const inScope = isExclusive && how.prefixList.length === 0 ? [] : declarationsInScope(path)
  writeElement(writer, apex, inScope, isExclusive ? [] : inheritedXmlAttributes(path))
  return writer.written
}

const declarationsInScope = (path: Path): readonly NamespaceDeclaration[] =>
  [...namespacesInScope(path)].map(([prefix, namespace]) => ({ prefix, namespace }))

function writeElement(
  writer: Writer,
  element: XmlElement,
  declarations: readonly NamespaceDeclaration[] = element.declarations,
  inherited: readonly XmlAttribute[] = [],
): void {
  const name = element.prefix === '' ? element.name : `${element.prefix}:${element.name}`
  const toShow = namespacesToShow(writer, element, declarations)
  const covered = toShow.map(({ prefix }) => writer.shown.get(prefix))
  for (const { prefix, namespace } of toShow) writer.shown.set(prefix, namespace)
  writer.written += `<${name}${writtenNamespaces(toShow)}${writtenAttributes(element.attributes, inherited)}>`
  for (const node of element.content)
    if (typeof node === 'string') writer.written += escapeText(node)
    else if (node !== writer.omitted) writeElement(writer, node)
  writer.written += `</${name}>`
  for (const [index, { prefix }] of toShow.entries()) putBack(writer.shown, prefix, covered[index])
}

function putBack(shown: Map<string, string>, prefix: string, namespace: string | undefined): void {
  if (namespace === undefined) shown.delete(prefix)
  else shown.set(prefix, namespace)
}

const nothing: readonly NamespaceDeclaration[] = []

/** Nothing shown means nothing bound: so the default namespace is undeclared (`xmlns=""`) only where an ancestor shows one. */
function namespacesToShow(
  writer: Writer,
  element: XmlElement,
  declarations: readonly NamespaceDeclaration[],
): readonly NamespaceDeclaration[] {
  let found: NamespaceDeclaration[] | undefined
  const consider = (prefix: string, namespace: string): void => {
    if (prefix === 'xml' || (writer.shown.get(prefix) ?? '') === namespace) return
    if (found?.some((other) => other.prefix === prefix)) return
    found ??= []
    found.push({ prefix, namespace })
  }
  if (writer.showsUsedOnly) {
    consider(element.prefix, element.namespace)
    for (const { prefix, namespace } of element.attributes) if (prefix !== '') consider(prefix, namespace)
  }
  for (const { prefix, namespace } of declarations) if (writer.isListed(prefix)) consider(prefix, namespace)
  return found ?? nothing
}

/** Sorted by prefix, the default first. Prefixes are ASCII, so every order of strings is the order of code points. */
function writtenNamespaces(declarations: readonly NamespaceDeclaration[]): string {
  let written = ''
  const sorted = declarations.length < 2 ? declarations : declarations.toSorted((a, b) => compare(a.prefix, b.prefix))
  for (const { prefix, namespace } of sorted) written += `${prefix === '' ? ' xmlns' : ` xmlns:${prefix}`}="${escapeAttribute(namespace)}"`
  return written
}

/** Sorted by namespace, those without one first, then by local name. */
function writtenAttributes(own: readonly XmlAttribute[], inherited: readonly XmlAttribute[]): string {
  const attributes = inherited.length === 0 ? own : [...own, ...inherited]
  const sorted =
    attributes.length < 2 ? attributes : attributes.toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name))
  let written = ''
  for (const { prefix, name, value } of sorted) written += ` ${prefix === '' ? name : `${prefix}:${name}`}="${escapeAttribute(value)}"`
  return written
}

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)
