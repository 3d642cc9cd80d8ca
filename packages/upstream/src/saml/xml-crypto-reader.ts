/** The library as a reader: it says which octets are signed, and those octets are parsed again by us, so that nothing else is read. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '../error.js'
import { attributeOf, type Element, isNamed, namespaces, readElement, walk } from './element.js'
import { type LimitName, libraryLimits, prescan } from './prescan.js'
import type { ReadMessage, SignedPart } from './read-message.js'
import type { AllowedAlgorithms } from './signature-algorithms.js'
import { findSignedOctets, type SignedOctets } from './signed-octets.js'

export const readWithXmlCrypto = (message: string): Result<ReadMessage, UpstreamRefusal> => read(message, 'sha2')

/** For the time of an admin's exception, whichever reader the connection has: the profile of our own knows no SHA-1. */
export const readWithSha1Too = (message: string): Result<ReadMessage, UpstreamRefusal> => read(message, 'sha1-too')

function read(message: string, allowed: AllowedAlgorithms): Result<ReadMessage, UpstreamRefusal> {
  const scanned = prescanForLibrary(message)
  if (!scanned.ok) return scanned
  const root = readScanned(message)
  if (!root.ok) return root
  return ok({
    root: root.value,
    findSigned: (certificates) => findSigned(findSignedOctets(message, root.value, certificates, allowed), root.value),
  })
}

function findSigned(
  octets: Result<readonly SignedOctets[], UpstreamRefusal>,
  root: Element,
): Result<readonly SignedPart[], UpstreamRefusal> {
  if (!octets.ok) return octets
  const parts: SignedPart[] = []
  for (const part of octets.value) {
    const element = reread(part, root)
    if (!element.ok) return element
    parts.push({ of: part.of, id: part.id, element: element.value })
  }
  return ok(parts)
}

/** The octets must be, themselves, the element whose signature was looked for. */
function reread(part: SignedOctets, { namespace, name }: Element): Result<Element, UpstreamRefusal> {
  const read = readScanned(part.octets)
  if (!read.ok) return read
  const isThatElement =
    part.of === 'message' ? isNamed(read.value, namespace, name) : isNamed(read.value, namespaces.assertion, 'Assertion')
  return isThatElement && attributeOf(read.value, 'ID') === part.id ? read : err({ reason: 'saml_signature_invalid' })
}

/** What only the library may not be given is refused in words of its own: another reader of the connection takes it. */
function prescanForLibrary(message: string): Result<undefined, UpstreamRefusal> {
  const scanned = prescan(message, libraryLimits)
  if (scanned.ok) return scanned
  const forAnyReader = prescan(message)
  if (!forAnyReader.ok) return forAnyReader
  const { reason, detail } = scanned.error
  const limit = reason === 'saml_message_too_large' ? 'octets' : (detail?.['limit'] as LimitName)
  return err({ reason: 'saml_reader_limit_exceeded', detail: { limit, most: libraryLimits[limit] } })
}

const halfCharacter = /\p{Surrogate}/u

/**
 * No XML parser sees what the linear scan has not let through. Canonical text may be longer than what it was made of. UTF-8 writes every half
 * of a character as the same replacement: a digest would not tell them apart, and text is what we read.
 */
function readScanned(message: string): Result<Element, UpstreamRefusal> {
  const scanned = prescan(message)
  if (!scanned.ok) return scanned
  if (halfCharacter.test(message)) return err({ reason: 'saml_xml_malformed' })
  const root = readElement(message)
  return root.ok && ![...walk(root.value)].every(({ element }) => isCanonicalizable(element)) ? err({ reason: 'saml_xml_malformed' }) : root
}

const declarations = 'http://www.w3.org/2000/xmlns/'

/**
 * Canonicalisation must refuse a relative namespace (C14N 1.0 §1.3); where a library gives up there, nothing at all is what it signs and verifies.
 * And the library leaves out every attribute whose name begins with `xmlns`, as if it were a declaration: nothing that we see is to be outside
 * of what is signed. Such names are reserved (XML 1.0 §2.3).
 */
const isCanonicalizable = ({ attributes }: Element): boolean =>
  attributes.every(({ namespace, name, value }) => {
    if (name.startsWith('xmlns') && (namespace === '' || (namespace === declarations && name !== 'xmlns'))) return false
    return namespace !== declarations || value === '' || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(value)
  })
