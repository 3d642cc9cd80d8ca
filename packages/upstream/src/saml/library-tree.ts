/**
 * What the library does: its tree of a message, and the canonical text of a signature's SignedInfo and of the element that it stands in.
 *
 * Its own search for the signed element walks the whole message three times for each signature, in XPath, which cost more than all else
 * together. Where the element is we know already, so the library is asked for canonical text alone, one tree for all signatures. Nothing is
 * believed because it was found here: a text counts only as what somebody signed, or as what a signed digest names.
 */
import { DOMParser } from '@xmldom/xmldom'
import { C14nCanonicalization, ExclusiveCanonicalization, findAncestorNs } from 'xml-crypto'
import { attributeOf, type Element, namespaces } from './element.js'
import type { Canonicalization } from './signature-shape.js'

export type LibraryTree = {
  /** Of the signature directly in `parent`. Undefined: the library does not see one there. */
  readonly openSignature: (parent: Element) => OpenedSignature | undefined
}
export type OpenedSignature = {
  readonly signedInfo: (how: Canonicalization) => string
  /** Without the signature, which is taken out of the tree for good: what is inside of the element is to be asked for after it. */
  readonly signedElement: (how: Canonicalization) => string
}

/** Throws where the library cannot read the message; so do the functions of the tree. */
export function readLibraryTree(message: string): LibraryTree {
  const strict = { warning: () => undefined, error: stop, fatalError: stop }
  const root = new DOMParser({ errorHandler: strict }).parseFromString(message, 'text/xml').documentElement
  return { openSignature: (parent) => (root === null ? undefined : openSignature(root, parent)) }
}

function openSignature(root: DomElement, parent: Element): OpenedSignature | undefined {
  const id = attributeOf(parent, 'ID')
  const owner = [root, ...domChildren(root)].find((element) => element.localName === parent.name && element.getAttribute('ID') === id)
  const signature = owner && domChildren(owner).find((child) => isSignaturePart(child, 'Signature'))
  const signedInfo = signature && domChildren(signature).find((child) => isSignaturePart(child, 'SignedInfo'))
  if (owner === undefined || signature === undefined || signedInfo === undefined) return undefined
  return {
    signedInfo: (how) => canonicalize(signedInfo, how),
    signedElement: (how) => {
      owner.removeChild(signature)
      return canonicalize(owner, how)
    },
  }
}

function canonicalize(element: DomElement, how: Canonicalization): string {
  const ancestorNamespaces = findAncestorNs(element as never, '.')
  const inclusiveNamespacesPrefixList = how.kind === 'exclusive' ? [...how.prefixList] : []
  const canonicalization = how.kind === 'exclusive' ? new ExclusiveCanonicalization() : new C14nCanonicalization()
  return canonicalization.process(element as never, { ancestorNamespaces, inclusiveNamespacesPrefixList })
}

type DomElement = NonNullable<ReturnType<DOMParser['parseFromString']>['documentElement']>

const domChildren = (element: DomElement): DomElement[] =>
  Array.from(element.childNodes).filter((node) => node.nodeType === 1) as DomElement[]

const isSignaturePart = (element: DomElement, name: string): boolean =>
  element.localName === name && element.namespaceURI === namespaces.signature

function stop(message: string): never {
  throw new Error(message)
}
