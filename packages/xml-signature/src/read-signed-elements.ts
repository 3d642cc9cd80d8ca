/**
 * Answers one question: which octets, and which element tree, did one of these keys sign?
 *
 * `parseDocument` has read the message once. The signed element is taken out of that very tree, so that what was verified and what
 * is read for an identity cannot be two things. There is no second parse, no search by XPath, and no DOM.
 */
import type { KeyObject } from 'node:crypto'
import { findSignatures } from './find-signatures.js'
import { readSignature } from './read-signature.js'
import { refuse, type SignatureRefusal } from './refusal.js'
import { ok, type Result } from './result.js'
import { hasUniqueIds } from './unique-ids.js'
import { verifySignature } from './verify-signature.js'
import { without, type XmlElement } from './xml-tree.js'

export type SignedElement = {
  /** The element where it stands in the message, its signature in it. Only for telling which one it is. */
  readonly source: XmlElement
  /** Exactly what was signed: the enveloped signature is not part of it. */
  readonly element: XmlElement
  /** Canonical XML of it, whose UTF-8 octets were digested. */
  readonly canonical: string
}

/** Every signature of the message, all of them verified, in document order. One that does not hold refuses the message. */
export function readSignedElements(root: XmlElement, keys: readonly KeyObject[]): Result<readonly SignedElement[], SignatureRefusal> {
  if (!hasUniqueIds(root)) return refuse('duplicate_id')
  const placed = findSignatures(root)
  if (!placed.ok) return placed
  if (placed.value.length === 0) return refuse('unsigned')
  const signed: SignedElement[] = []
  for (const place of placed.value) {
    const facts = readSignature(place.signature, place.parent)
    if (!facts.ok) return facts
    const canonical = verifySignature(place, facts.value, keys)
    if (canonical === undefined) return refuse('signature_invalid')
    signed.push({ source: place.parent, element: without(place.parent, place.signature), canonical })
  }
  return ok(signed)
}
