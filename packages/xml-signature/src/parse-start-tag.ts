/** One start tag: its name, its attributes, and the namespaces that it declares. */
import { readAttributeValue } from './character-data.js'
import { isSpace } from './characters.js'
import { type Covered, declare, mayDeclare, type NamespaceBindings } from './namespace-bindings.js'
import { type Scanner, scanName, skip, skipSpace, stop, stopAtLimit } from './scanner.js'
import type { NamespaceDeclaration, XmlAttribute, XmlElement } from './xml-tree.js'

/** While it is open its content grows; to everybody else it is an `XmlElement`. */
export type OpenElement = Omit<XmlElement, 'content' | 'children' | 'text'> & {
  readonly content: (XmlElement | string)[]
  readonly children: XmlElement[]
  text: string
}

export type StartTag = {
  readonly element: OpenElement
  /** As written, prefix and all: what the end tag must repeat. */
  readonly writtenName: string
  readonly isEmpty: boolean
  readonly covered: Covered
}

type QualifiedName = { readonly prefix: string; readonly name: string }
type Written = QualifiedName & { readonly value: string }

const none: readonly never[] = []

/** The scanner stands behind `<`. */
export function parseStartTag(scanner: Scanner, bindings: NamespaceBindings): StartTag | undefined {
  const from = scanner.at
  const name = scanQualifiedName(scanner)
  if (name === undefined || isReservedForAttributes(name)) return stop(scanner)
  const writtenName = scanner.text.slice(from, scanner.at)
  const written = scanAttributes(scanner)
  if (written === undefined) return undefined
  const isEmpty = skip(scanner, '/')
  if (!skip(scanner, '>')) return stop(scanner)
  const declarations = written.length === 0 ? none : declarationsAmong(scanner, written)
  if (declarations === undefined) return undefined
  const covered = declare(bindings, declarations)
  const namespace = bindings.get(name.prefix)
  const attributes = written.length === declarations.length ? none : resolveAttributes(scanner, written, bindings)
  if (namespace === undefined || attributes === undefined) return stop(scanner)
  const element = openElement(name, namespace, attributes, declarations)
  return { element, writtenName, isEmpty, covered }
}

/** Member by member: spreading an object here took ten times as long as all the rest of parsing. */
const openElement = (
  { prefix, name }: QualifiedName,
  namespace: string,
  attributes: readonly XmlAttribute[],
  declarations: readonly NamespaceDeclaration[],
): OpenElement => ({ prefix, namespace, name, attributes, declarations, content: [], children: [], text: '' })

/** Names that begin with `xml` are reserved (XML 1.0 §2.3), and readers have treated them in ways of their own. */
const isReserved = (name: string): boolean => /^xml/i.test(name)

function scanQualifiedName(scanner: Scanner): QualifiedName | undefined {
  const first = scanName(scanner)
  if (first === '') return undefined
  if (!skip(scanner, ':')) return isReserved(first) && first !== 'xmlns' ? undefined : { prefix: '', name: first }
  const name = scanName(scanner)
  if (name === '' || (isReserved(first) && first !== 'xml' && first !== 'xmlns')) return undefined
  return { prefix: first, name }
}

function scanAttributes(scanner: Scanner): readonly Written[] | undefined {
  let written: Written[] | undefined
  for (;;) {
    const separated = skipSpace(scanner)
    const code = scanner.text.charCodeAt(scanner.at)
    if (code === 0x3e || code === 0x2f) return written ?? none
    const attribute = separated ? scanAttribute(scanner) : undefined
    if (attribute === undefined) return stop(scanner)
    written ??= []
    written.push(attribute)
    if (!isWithinLimits(scanner, written)) return undefined
  }
}

function scanAttribute(scanner: Scanner): Written | undefined {
  const name = scanQualifiedName(scanner)
  if (name === undefined) return undefined
  if (isSpace(scanner.text.charCodeAt(scanner.at))) skipSpace(scanner)
  if (!skip(scanner, '=')) return undefined
  skipSpace(scanner)
  const quote = scanner.text[scanner.at]
  if (quote !== '"' && quote !== "'") return undefined
  const end = scanner.text.indexOf(quote, scanner.at + 1)
  if (end === -1) return undefined
  const raw = scanner.text.slice(scanner.at + 1, end)
  const value = raw.includes('<') ? undefined : readAttributeValue(raw)
  scanner.at = end + 1
  return value === undefined ? undefined : { prefix: name.prefix, name: name.name, value }
}

const isReservedForAttributes = (name: QualifiedName): boolean => isDeclaration(name) || name.prefix === 'xml'
const isDeclaration = ({ prefix, name }: QualifiedName): boolean => prefix === 'xmlns' || (prefix === '' && name === 'xmlns')

/** Called after each attribute, so that one tag of a thousand attributes is left at the first too many. */
function isWithinLimits(scanner: Scanner, written: readonly Written[]): boolean {
  const { limits } = scanner
  scanner.attributes += 1
  if (scanner.attributes > limits.attributes) stopAtLimit(scanner, 'attributes')
  if (written.length > limits.attributesPerElement) stopAtLimit(scanner, 'attributesPerElement')
  const last = written.at(-1)
  if (last !== undefined && isDeclaration(last)) {
    scanner.namespaceDeclarations += 1
    if (scanner.namespaceDeclarations > limits.namespaceDeclarations) stopAtLimit(scanner, 'namespaceDeclarations')
    if (written.filter(isDeclaration).length > limits.namespaceDeclarationsPerElement)
      stopAtLimit(scanner, 'namespaceDeclarationsPerElement')
  }
  return scanner.refusal === undefined
}

function declarationsAmong(scanner: Scanner, written: readonly Written[]): readonly NamespaceDeclaration[] | undefined {
  let found: NamespaceDeclaration[] | undefined
  for (const attribute of written) {
    if (!isDeclaration(attribute)) continue
    const declaration = { prefix: attribute.prefix === '' ? '' : attribute.name, namespace: attribute.value }
    const isRepeated = found?.some(({ prefix }) => prefix === declaration.prefix) ?? false
    if (isRepeated || !mayDeclare(declaration, scanner.limits)) return stop(scanner)
    found ??= []
    found.push(declaration)
  }
  return found ?? none
}

/** @spec Namespaces in XML 1.0 §6.3 two attributes may not have the same namespace and local name */
function resolveAttributes(
  scanner: Scanner,
  written: readonly Written[],
  bindings: NamespaceBindings,
): readonly XmlAttribute[] | undefined {
  const resolved: XmlAttribute[] = []
  for (const attribute of written) {
    if (isDeclaration(attribute)) continue
    const { prefix, name, value } = attribute
    const namespace = prefix === '' ? '' : bindings.get(prefix)
    if (namespace === undefined) return stop(scanner)
    for (const other of resolved) if (other.name === name && other.namespace === namespace) return stop(scanner)
    resolved.push({ prefix, namespace, name, value })
  }
  return resolved
}
