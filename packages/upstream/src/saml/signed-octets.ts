/**
 * Answers one question: which octets of this message did one of the connection's keys sign?
 *
 * Every shape that a signature may have is checked here on our own tree first (one reference to the parent, two known transforms,
 * known algorithms, unique ids). Then the library writes canonical text, and what counts is text alone: a key must have signed the text of
 * SignedInfo, which is read again by itself, and the digest that stands in it must be that of the octets which are handed on and read for an
 * identity. So where a parser difference made the library look at another element, nothing is believed that no key signed.
 */
import type { KeyObject } from 'node:crypto'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '../error.js'
import { attributeOf, type Element, isNamed, namespaces, readElement, walk } from './element.js'
import { type LibraryTree, type OpenedSignature, readLibraryTree } from './library-tree.js'
import { messageLimits, prescan } from './prescan.js'
import { type AllowedAlgorithms, hasDigest, isSignedBy, keysOf } from './signature-algorithms.js'
import { readSignature, readSignedInfo, type SignatureFacts, type SignedInfo } from './signature-shape.js'

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
  const trust = { keys: keysOf(certificates), allowed }
  const found: SignedOctets[] = []
  let tree: LibraryTree | undefined
  for (const { signature, parent } of placed.value) {
    const id = attributeOf(parent, 'ID') ?? ''
    const claimed = readSignature(signature, id, allowed)
    if (!claimed.ok) return claimed
    try {
      tree ??= readLibraryTree(message)
      const octets = verify(tree.openSignature(parent), { id, claimed: claimed.value }, trust)
      if (octets === undefined) return err({ reason: 'saml_signature_invalid' })
      found.push({ of: parent === root ? 'message' : 'assertion', id, octets })
    } catch {
      // Whatever the library throws on is not signed.
      return err({ reason: 'saml_signature_invalid' })
    }
  }
  return ok(found)
}

type Trust = { readonly keys: readonly KeyObject[]; readonly allowed: AllowedAlgorithms }

/**
 * The canonical octets if one of the keys signed them. The signature comes before the element: whoever holds no key costs no
 * canonicalisation of what may be large.
 *
 * @spec XML Signature §3.2 reference and signature validation
 */
function verify(
  opened: OpenedSignature | undefined,
  { id, claimed }: { readonly id: string; readonly claimed: SignatureFacts },
  { keys, allowed }: Trust,
): string | undefined {
  if (opened === undefined) return undefined
  const text = opened.signedInfo(claimed.info.canonicalization)
  const info = readAgain(text, id, allowed)
  if (info === undefined || info.canonicalization.kind !== claimed.info.canonicalization.kind) return undefined
  if (!isSignedBy(info.method, { keys, allowed }, { text, value: claimed.value })) return undefined
  const octets = opened.signedElement(info.transform)
  return hasDigest(octets, info, allowed) ? octets : undefined
}

/** SignedInfo out of the very text that is verified. */
function readAgain(text: string, id: string, allowed: AllowedAlgorithms): SignedInfo | undefined {
  if (!prescan(text, messageLimits).ok) return undefined
  const element = readElement(text)
  const info = element.ok ? readSignedInfo(element.value, id, allowed) : element
  return info.ok ? info.value : undefined
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
