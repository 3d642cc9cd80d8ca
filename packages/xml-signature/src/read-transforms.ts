/** From the names of transforms to what is done: the enveloped signature is left out, then the rest is canonicalised. Nothing else is known. */
import type { Canonicalization } from './canonicalize.js'
import { isBlank } from './characters.js'
import { envelopedSignature, inclusiveC14n, namespaces } from './xml-namespaces.js'
import { attributeOf, isNamed, type XmlElement } from './xml-tree.js'

const longestPrefixList = 64
const prefixName = /^[A-Za-z_][A-Za-z0-9._-]*$/

/** @spec SAML Core §5.4.4 enveloped-signature and a canonicalisation, in this order, and both */
export function readTransforms(transforms: XmlElement): Canonicalization | undefined {
  const [first, second, ...others] = transforms.children
  if (first === undefined || second === undefined || others.length > 0 || !isBlank(transforms.text)) return undefined
  if (!isTransform(first) || !isTransform(second)) return undefined
  const isEnveloped = attributeOf(first, 'Algorithm') === envelopedSignature && isBlank(first.text) && hasAtMostAPrefixList(first)
  return isEnveloped ? readCanonicalization(second) : undefined
}

/** The `Algorithm` of a Transform or a CanonicalizationMethod, with the PrefixList that exclusive canonicalisation may have. */
export function readCanonicalization(element: XmlElement): Canonicalization | undefined {
  if (!isBlank(element.text)) return undefined
  const [parameter, ...others] = element.children
  const algorithm = attributeOf(element, 'Algorithm')
  if (algorithm === inclusiveC14n) return parameter === undefined ? { kind: 'inclusive' } : undefined
  if (algorithm !== namespaces.exclusiveC14n || others.length > 0) return undefined
  const prefixList = parameter === undefined ? [] : readPrefixList(parameter)
  return prefixList && { kind: 'exclusive', prefixList }
}

/** @spec Exclusive XML Canonicalization 1.0 §4 */
function readPrefixList(element: XmlElement): readonly string[] | undefined {
  const list = attributeOf(element, 'PrefixList')
  if (list === undefined || !isNamed(element, namespaces.exclusiveC14n, 'InclusiveNamespaces')) return undefined
  if (element.children.length > 0 || !isBlank(element.text)) return undefined
  const prefixes = list.split(/[ \t\n\r]+/).filter((prefix) => prefix !== '')
  if (prefixes.length > longestPrefixList) return undefined
  return prefixes.every((prefix) => prefix === '#default' || prefixName.test(prefix))
    ? prefixes.map((prefix) => (prefix === '#default' ? '' : prefix))
    : undefined
}

const isTransform = (element: XmlElement): boolean => isNamed(element, namespaces.signature, 'Transform')
/**
 * xml-crypto as a signer writes its prefix list into every transform, in a namespace of its own making; there it means nothing. One is
 * enough: thousands, each with a long namespace, would be megabytes to canonicalise and to hash for every key, before anybody vouches for them.
 */
const hasAtMostAPrefixList = ({ children: [list, ...others] }: XmlElement): boolean =>
  list === undefined || (others.length === 0 && list.name === 'InclusiveNamespaces' && list.children.length === 0 && isBlank(list.text))
