/**
 * The tree that a message is read into: elements, attributes and text, because the profile has nothing else.
 *
 * A node knows nothing above it. Whoever is handed a signed element cannot climb out of it into what nobody signed.
 */
export type XmlAttribute = {
  readonly prefix: string
  /** '' where the attribute has no prefix: the default namespace does not reach attributes. */
  readonly namespace: string
  /** Local name. */
  readonly name: string
  /** Normalised (XML 1.0 §3.3.3), references replaced. */
  readonly value: string
}

/** `xmlns:prefix="namespace"`; '' stands for the default, and for its being undeclared. */
export type NamespaceDeclaration = { readonly prefix: string; readonly namespace: string }

export type XmlElement = {
  readonly prefix: string
  readonly namespace: string
  /** Local name. */
  readonly name: string
  readonly attributes: readonly XmlAttribute[]
  readonly declarations: readonly NamespaceDeclaration[]
  /** Elements and character data in document order; two neighbours are never both text. */
  readonly content: readonly (XmlElement | string)[]
  /** The elements among the content. */
  readonly children: readonly XmlElement[]
  /** All character data directly inside, in order. */
  readonly text: string
}

export const isNamed = (element: XmlElement, namespace: string, name: string): boolean =>
  element.name === name && element.namespace === namespace

/** The value of an attribute without namespace. */
export function attributeOf(element: XmlElement, name: string): string | undefined {
  for (const attribute of element.attributes) if (attribute.name === name && attribute.namespace === '') return attribute.value
  return undefined
}

/** The same element without one of its children, as if that had never been written there. */
export function without(element: XmlElement, child: XmlElement): XmlElement {
  const content: (XmlElement | string)[] = []
  for (const node of element.content) {
    const previous = content.at(-1)
    if (node === child) continue
    if (typeof node === 'string' && typeof previous === 'string') content[content.length - 1] = previous + node
    else content.push(node)
  }
  return { ...element, content, children: element.children.filter((each) => each !== child) }
}
