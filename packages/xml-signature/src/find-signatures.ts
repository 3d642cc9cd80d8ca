/** Where a SAML message may be signed: in its root, and in an assertion directly inside the root. Anywhere else nobody reads a signature. */
import type { Path } from './namespace-context.js'
import { refuse, type SignatureRefusal } from './refusal.js'
import { ok, type Result } from './result.js'
import { namespaces } from './xml-namespaces.js'
import { isNamed, type XmlElement } from './xml-tree.js'

export type PlacedSignature = {
  /** Root first, the element that the signature stands in last. */
  readonly path: Path
  readonly parent: XmlElement
  readonly signature: XmlElement
}

const isSignature = (element: XmlElement): boolean => isNamed(element, namespaces.signature, 'Signature')

/** In document order; a second one in the same parent, and one that the schema has no place for, refuse the message. */
export function findSignatures(root: XmlElement): Result<readonly PlacedSignature[], SignatureRefusal> {
  const places: Path[] = [[root], ...root.children.filter(isAssertion).map((assertion) => [root, assertion])]
  const placed: PlacedSignature[] = []
  for (const path of places) {
    const parent = path.at(-1) as XmlElement
    const [signature, second] = parent.children.filter(isSignature)
    if (second !== undefined) return refuse('signature_shape_invalid')
    if (signature === undefined) continue
    if (!isInPlace(parent, signature)) return refuse('signature_misplaced')
    placed.push({ path, parent, signature })
  }
  return countSignatures(root) === placed.length ? ok(placed) : refuse('signature_misplaced')
}

const isAssertion = (element: XmlElement): boolean => isNamed(element, namespaces.assertion, 'Assertion')

/** @spec SAML Core §5.4.1 and the schema: the signature follows the issuer; metadata has none, and there it comes first */
function isInPlace(parent: XmlElement, signature: XmlElement): boolean {
  const [first, second] = parent.children
  return first === signature || (second === signature && first !== undefined && isNamed(first, namespaces.assertion, 'Issuer'))
}

/** Of any namespace: some reader goes by the local name. */
function countSignatures(element: XmlElement): number {
  let count = element.name === 'Signature' ? 1 : 0
  for (const child of element.children) count += countSignatures(child)
  return count
}
