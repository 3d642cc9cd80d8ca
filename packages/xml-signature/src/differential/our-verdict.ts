/** What we say of a message, with everything that the strangers will be compared with. */
import type { KeyObject } from 'node:crypto'
import type { KeyKind } from '../algorithms.js'
import { findSignatures } from '../find-signatures.js'
import { parseDocument } from '../parse-document.js'
import { readSignature } from '../read-signature.js'
import { readSignedElements } from '../read-signed-elements.js'
import type { DocumentReason, SignatureReason } from '../refusal.js'
import type { XmlElement } from '../xml-tree.js'
import { type Identity, identityOf } from './identity.js'

export type OurVerdict = {
  readonly root: XmlElement | undefined
  readonly refused: DocumentReason | SignatureReason | undefined
  /** One for each signature, the root's first. */
  readonly canonical: readonly string[]
  readonly identities: readonly (Identity | undefined)[]
  readonly places: readonly ('response' | 'assertion')[]
  /** Which kind of key each signature names. */
  readonly keyKinds: readonly KeyKind[]
}

export function ourVerdict(message: string, keys: readonly KeyObject[]): OurVerdict {
  const nothing = { canonical: [], identities: [], places: [], keyKinds: [] }
  const document = parseDocument(message)
  if (!document.ok) return { root: undefined, refused: document.error.reason, ...nothing }
  const root = document.value
  const signed = readSignedElements(root, keys)
  if (!signed.ok) return { root, refused: signed.error.reason, ...nothing }
  return {
    root,
    refused: undefined,
    canonical: signed.value.map(({ canonical }) => canonical),
    identities: signed.value.map(({ element }) => identityOf(element)),
    places: signed.value.map(({ source }) => (source === root ? 'response' : 'assertion')),
    keyKinds: keyKindsOf(root),
  }
}

function keyKindsOf(root: XmlElement): readonly KeyKind[] {
  const placed = findSignatures(root)
  if (!placed.ok) return []
  return placed.value.flatMap(({ signature, parent }) => {
    const facts = readSignature(signature, parent)
    return facts.ok ? [facts.value.method.keyKind] : []
  })
}
