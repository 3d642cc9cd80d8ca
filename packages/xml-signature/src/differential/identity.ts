/** Who a signed element speaks of. The same question is asked of our tree and of what the others say was signed. */
import { namespaces } from '../xml-namespaces.js'
import { attributeOf, isNamed, type XmlElement } from '../xml-tree.js'

export type Identity = string

/** NameID and attributes of the one assertion in (or that is) the signed element, as one comparable text; undefined if there is none. */
export function identityOf(signed: XmlElement): Identity | undefined {
  const assertions = isNamed(signed, namespaces.assertion, 'Assertion') ? [signed] : childrenNamed(signed, 'Assertion')
  const [assertion, ...others] = assertions
  if (assertion === undefined || others.length > 0) return undefined
  const names = childrenNamed(assertion, 'Subject').flatMap((subject) => childrenNamed(subject, 'NameID').map(({ text }) => text))
  if (names.length === 0) return undefined
  const attributes = childrenNamed(assertion, 'AttributeStatement')
    .flatMap((statement) => childrenNamed(statement, 'Attribute'))
    .map((attribute) => [attributeOf(attribute, 'Name'), childrenNamed(attribute, 'AttributeValue').map(({ text }) => text)])
  return JSON.stringify([names, attributes])
}

const childrenNamed = (element: XmlElement, name: string): readonly XmlElement[] =>
  element.children.filter((child) => isNamed(child, namespaces.assertion, name))
