/** Which prefix stands for which namespace at the place that is being read. One map with an undo list: looking up never walks ancestors. */
import type { DocumentLimits } from './document-limits.js'
import type { NamespaceDeclaration } from './xml-tree.js'

export const xmlNamespace = 'http://www.w3.org/XML/1998/namespace'
const xmlnsNamespace = 'http://www.w3.org/2000/xmlns/'

export type NamespaceBindings = Map<string, string>
/** What the declarations of one element covered, to be put back at its end tag. */
export type Covered = readonly (readonly [prefix: string, namespace: string | undefined])[]

export const initialBindings = (): NamespaceBindings =>
  new Map([
    ['', ''],
    ['xml', xmlNamespace],
  ])

/**
 * An absolute URI in ASCII. Canonicalisation must refuse relative ones (C14N 1.0 §1.3), and with ASCII alone the order of
 * UTF-16 units, of code points and of octets is one. No `&`, though a URI may have one: libxml2 and xml-crypto write it into
 * canonical XML as it is, the specification wants it escaped, and so readers would not agree on the octets.
 */
const absoluteUri = /^[A-Za-z][A-Za-z0-9+.-]*:[!#-%'-;=?-[\]_a-z~]*$/

/** @spec Namespaces in XML 1.0 §3 the prefixes `xml` and `xmlns`, §2.3 a prefix cannot be undeclared */
export function mayDeclare({ prefix, namespace }: NamespaceDeclaration, limits: DocumentLimits): boolean {
  if (prefix === 'xml') return namespace === xmlNamespace
  if (prefix === 'xmlns' || namespace === xmlNamespace || namespace === xmlnsNamespace) return false
  if (namespace === '') return prefix === ''
  return namespace.length <= limits.namespaceLength && absoluteUri.test(namespace)
}

const nothing: Covered = []

export function declare(bindings: NamespaceBindings, declarations: readonly NamespaceDeclaration[]): Covered {
  if (declarations.length === 0) return nothing
  const covered = declarations.map(({ prefix }) => [prefix, bindings.get(prefix)] as const)
  for (const { prefix, namespace } of declarations) bindings.set(prefix, namespace)
  return covered
}

export function uncover(bindings: NamespaceBindings, covered: Covered): void {
  for (const [prefix, namespace] of covered)
    if (namespace === undefined) bindings.delete(prefix)
    else bindings.set(prefix, namespace)
}
