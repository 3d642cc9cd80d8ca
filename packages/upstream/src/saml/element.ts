/** A small read-only element tree, made by a strict streaming parser and asked by (namespace, local name) only. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { SaxesParser } from 'saxes'
import type { UpstreamRefusal } from '../error.js'

export const namespaces = {
  protocol: 'urn:oasis:names:tc:SAML:2.0:protocol',
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  metadata: 'urn:oasis:names:tc:SAML:2.0:metadata',
  signature: 'http://www.w3.org/2000/09/xmldsig#',
  exclusiveC14n: 'http://www.w3.org/2001/10/xml-exc-c14n#',
  inclusiveC14n: 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315',
  schemaInstance: 'http://www.w3.org/2001/XMLSchema-instance',
} as const

export type Attribute = { readonly namespace: string; readonly name: string; readonly value: string }
export type Element = {
  readonly namespace: string
  readonly name: string
  readonly attributes: readonly Attribute[]
  readonly children: readonly Element[]
  /** All character data directly inside, in order. */
  readonly text: string
}
type Growing = Element & { readonly children: Element[]; text: string }

/** Parses prescanned text. Anything not well-formed with namespaces is a refusal, never an exception. */
export function readElement(message: string): Result<Element, UpstreamRefusal> {
  const open: Growing[] = []
  let root: Element | undefined
  const parser = new SaxesParser({ xmlns: true, position: false, defaultXMLVersion: '1.0', forceXMLVersion: true })
  parser.on('opentag', (tag) => {
    const attributes = Object.values(tag.attributes).map((a) => ({ namespace: a.uri, name: a.local, value: a.value }))
    const element: Growing = { namespace: tag.uri, name: tag.local, attributes, children: [], text: '' }
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  parser.on('closetag', () => void open.pop())
  parser.on('text', (text) => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  })
  try {
    parser.write(message).close()
  } catch {
    return err({ reason: 'saml_xml_malformed' })
  }
  return root === undefined ? err({ reason: 'saml_xml_malformed' }) : ok(root)
}

export const isNamed = (element: Element, namespace: string, name: string): boolean =>
  element.namespace === namespace && element.name === name

/** The value of an attribute without namespace. */
export const attributeOf = (element: Element, name: string): string | undefined =>
  element.attributes.find((attribute) => attribute.namespace === '' && attribute.name === name)?.value

export const childrenNamed = (element: Element, namespace: string, name: string): readonly Element[] =>
  element.children.filter((child) => isNamed(child, namespace, name))

export type PlacedElement = { readonly element: Element; readonly parent: Element | undefined }

/** Every element of the tree with its parent, in document order. Not recursive: generators in generators cost depth times elements. */
export function* walk(root: Element): Generator<PlacedElement> {
  const pending: PlacedElement[] = [{ element: root, parent: undefined }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    yield next
    for (const child of next.element.children.toReversed()) pending.push({ element: child, parent: next.element })
  }
}

/** Trimmed text of an element that must hold text only: pretty-printed messages exist. Undefined if elements are inside. */
export const textOf = (element: Element): string | undefined => (element.children.length === 0 ? trimXmlSpace(element.text) : undefined)

/**
 * The white space of XML and no other: a no-break space is part of a name. Whoever may choose hers at an IdP must not become somebody else
 * here by one that the IdP tells apart. XML 1.0 §2.3.
 */
function trimXmlSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isXmlSpace(text.charCodeAt(start))) start += 1
  while (end > start && isXmlSpace(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

const isXmlSpace = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d && code !== 0x0b && code !== 0x0c)
