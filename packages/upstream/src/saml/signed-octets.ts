/**
 * Answers one question: which octets of this message did one of the connection's keys sign?
 *
 * Every shape that a signature may have is checked here on our own tree first (one reference to the parent, two known transforms,
 * known algorithms, unique ids). Then the library digests and verifies. It returns the canonical octets that it digested, and
 * those alone are read for an identity: where a parser difference made the library look at another element, that element's octets
 * are what we read, never what we thought it had verified.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import { DOMParser } from '@xmldom/xmldom'
import { SignedXml } from 'xml-crypto'
import type { UpstreamRefusal } from '../error.js'
import { attributeOf, type Element, isNamed, namespaces, walk } from './element.js'
import { type AllowedAlgorithms, hashAlgorithms, keysOf, signatureAlgorithmsFor } from './signature-algorithms.js'
import { checkSignatureShape } from './signature-shape.js'

export type SignedOctets = { readonly of: 'message' | 'assertion'; readonly id: string; readonly octets: string }

/** All signatures of the message, each verified; the response's first where both are signed. Refuses when there is none. */
export function findSignedOctets(
  message: string,
  root: Element,
  certificates: readonly string[],
  allowed: AllowedAlgorithms,
): Result<readonly SignedOctets[], UpstreamRefusal> {
  const unique = checkIdsUnique(root)
  if (!unique.ok) return unique
  const placed = findSignatures(root)
  if (!placed.ok) return placed
  if (placed.value.length === 0) return err({ reason: 'saml_unsigned' })
  const found: SignedOctets[] = []
  for (const { signature, parent } of placed.value) {
    const id = attributeOf(parent, 'ID') ?? ''
    const shape = checkSignatureShape(signature, id, allowed)
    if (!shape.ok) return shape
    const octets = verify(message, parent, certificates, allowed)
    if (octets === undefined) return err({ reason: 'saml_signature_invalid' })
    found.push({ of: parent === root ? 'message' : 'assertion', id, octets })
  }
  return ok(found)
}

/** What some reader takes for an identifier, in any spelling; those of SAML 1.x too. */
const identifiers: readonly string[] = ['id', 'assertionid', 'responseid', 'requestid']

/** `ID`, `Id`, `id`, `xml:id` and any prefixed one share one space, because the library looks in all of them. */
function checkIdsUnique(root: Element): Result<undefined, UpstreamRefusal> {
  const seen = new Set<string>()
  for (const { element } of walk(root)) {
    const ids = element.attributes.filter((attribute) => identifiers.includes(attribute.name.toLowerCase()))
    if (ids.length > 1) return err({ reason: 'saml_duplicate_id' })
    for (const id of ids.map(({ value }) => value.trim())) {
      if (seen.has(id)) return err({ reason: 'saml_duplicate_id' })
      seen.add(id)
    }
  }
  return ok(undefined)
}

type PlacedSignature = { readonly signature: Element; readonly parent: Element }

/**
 * A signature may stand directly in the root, or in an assertion that is a child of the root, once in each, and first or after the
 * Issuer. An element of that name in any other namespace counts too: some reader goes by the local name.
 */
function findSignatures(root: Element): Result<readonly PlacedSignature[], UpstreamRefusal> {
  const found: PlacedSignature[] = []
  for (const { element, parent } of walk(root)) {
    if (element.name !== 'Signature') continue
    const inPlace =
      parent === root || (parent !== undefined && isNamed(parent, namespaces.assertion, 'Assertion') && root.children.includes(parent))
    if (!inPlace || parent === undefined) return err({ reason: 'saml_signature_misplaced' })
    if (found.some((other) => other.parent === parent)) return err({ reason: 'saml_signature_shape_invalid' })
    if (!isNamed(element, namespaces.signature, 'Signature') || !isWhereSchemaWants(element, parent))
      return err({ reason: 'saml_signature_misplaced' })
    found.push({ signature: element, parent })
  }
  return ok(found)
}

/** @spec SAML Core §2.3.3 and §3.2.2: Issuer, then Signature; where there is no Issuer the signature comes first */
function isWhereSchemaWants(signature: Element, { children: [first, second] }: Element): boolean {
  return first === signature || (second === signature && first !== undefined && isNamed(first, namespaces.assertion, 'Issuer'))
}

const enveloped = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'

/** The canonical octets if one of the keys signed them, otherwise undefined. Whatever the library throws on is not signed. */
function verify(message: string, parent: Element, certificates: readonly string[], allowed: AllowedAlgorithms): string | undefined {
  const keys = keysOf(certificates)
  const key = keys[0]
  if (key === undefined) return undefined
  try {
    const signature = findDomSignature(message, parent)
    if (signature === undefined) return undefined
    const library = new SignedXml({ publicCert: key, getCertFromKeyInfo: () => null })
    library.SignatureAlgorithms = signatureAlgorithmsFor(keys, allowed) as typeof library.SignatureAlgorithms
    library.HashAlgorithms = hashAlgorithms(allowed) as typeof library.HashAlgorithms
    library.CanonicalizationAlgorithms = pick(library.CanonicalizationAlgorithms, [
      enveloped,
      namespaces.exclusiveC14n,
      namespaces.inclusiveC14n,
    ])
    // Uniqueness over every spelling of ID was checked on our tree; the library need look for the one that SAML uses only.
    library.idAttributes = ['ID']
    library.loadSignature(signature)
    if (!library.checkSignature(message)) return undefined
    const signed = library.getSignedReferences()
    return signed.length === 1 ? signed[0] : undefined
  } catch {
    return undefined
  }
}

type DomElement = NonNullable<ReturnType<DOMParser['parseFromString']>['documentElement']>

const pick = <T>(from: Record<string, T>, names: readonly string[]): Record<string, T> =>
  Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)))

/** The same signature in the library's own tree: the child of the element with the parent's ID. */
function findDomSignature(message: string, parent: Element): DomElement | undefined {
  const strict = { warning: () => undefined, error: stop, fatalError: stop }
  const root = new DOMParser({ errorHandler: strict }).parseFromString(message, 'text/xml').documentElement
  if (root === null) return undefined
  const id = attributeOf(parent, 'ID')
  const owner = [root, ...domChildren(root)].find((element) => element.localName === parent.name && element.getAttribute('ID') === id)
  return owner && domChildren(owner).find((child) => child.localName === 'Signature' && child.namespaceURI === namespaces.signature)
}

const domChildren = (element: DomElement): DomElement[] =>
  Array.from(element.childNodes).filter((node) => node.nodeType === 1) as DomElement[]

function stop(message: string): never {
  throw new Error(message)
}
