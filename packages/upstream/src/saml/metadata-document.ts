/**
 * From what somebody pasted or a URL answered to one element tree, of which it is known who vouches for it.
 *
 * One reading: the linear scan, then the parser of `@drawbridge/xml-signature`; where a certificate is pinned, what is read further is the
 * very tree that this certificate signed. Comments are taken out first (published metadata is full of them, and canonical XML without
 * comments does not sign them); DOCTYPE, CDATA and processing instructions are refused.
 */
import { createHash } from 'node:crypto'
import { err, ok, type Result } from '@drawbridge/core/result'
import { documentLimits } from '@drawbridge/xml-signature/document-limits'
import { parseDocument } from '@drawbridge/xml-signature/parse-document'
import { readSignedElements } from '@drawbridge/xml-signature/read-signed-elements'
import type { XmlElement } from '@drawbridge/xml-signature/xml-tree'
import { certificateOf, readCertificate } from '../certificate.js'
import { toUsablePem } from '../connection-configuration.js'
import type { UpstreamErrorReason } from '../error.js'
import { isNamed, namespaces, walk } from './element.js'
import type { MetadataFinding, MetadataFindingCode } from './metadata-findings.js'
import { metadataLimits, prescan } from './prescan.js'
import { keysOf } from './signature-algorithms.js'

/**
 * `verified`: by a pinned certificate. `intact`: nothing was changed since the certificate that the document itself carries signed it, which
 * says nothing of who that is. `unchecked`: signed by means that we do not verify, or with no certificate in it.
 */
export type MetadataSignature = 'absent' | 'unchecked' | 'intact' | 'verified'
export type MetadataDocument = {
  readonly root: XmlElement
  readonly signature: MetadataSignature
  /** Fingerprint of the certificate of an `intact` one: SHA-256, lower-case hex. */
  readonly signedBy: string | undefined
}
type Read<T> = Result<T, MetadataFinding>

/** Names a document: what an admin saw and what she applies are the same when this is. */
export const digestOfDocument = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex')

const found = (code: MetadataFindingCode, detail?: MetadataFinding['detail']) => err({ code, ...(detail && { detail }) })

/** @spec SAML Metadata §3 the signature covers the root and is checked with a key known beforehand */
export function readMetadataDocument(given: string, pinned: readonly string[] = []): Read<MetadataDocument> {
  const root = readRoot(given)
  if (!root.ok) return root
  const isSigned = root.value.children.some((child) => isNamed(child, namespaces.signature, 'Signature'))
  if (pinned.length === 0) return isSigned ? readCarried(root.value) : ok({ root: root.value, signature: 'absent', signedBy: undefined })
  if (!isSigned) return found('signature_absent')
  const signed = readSignedElements(root.value, keysOf(pinned))
  if (!signed.ok)
    return found(signed.error.reason === 'algorithm_sha1' ? 'signature_sha1' : 'signature_invalid', { why: signed.error.reason })
  const [whole, ...others] = signed.value
  if (whole === undefined || others.length > 0 || whole.source !== root.value) return found('signature_invalid', { why: 'not_the_root' })
  return ok({ root: whole.element, signature: 'verified', signedBy: undefined })
}

/** A chain is short; each costs one verification of a large document. */
const mostCarried = 4

/** By the certificate that came with it: whoever changes the document and cannot sign it anew is found out, and nobody else. */
function readCarried(root: XmlElement): Read<MetadataDocument> {
  const unchecked = ok({ root, signature: 'unchecked' as const, signedBy: undefined })
  const carried = certificatesIn(root)
  let isBroken = false
  for (const signer of carried) {
    const signed = readSignedElements(root, keysOf([signer]))
    const [whole, ...others] = signed.ok ? signed.value : []
    if (whole !== undefined && others.length === 0 && whole.source === root)
      return ok({ root: whole.element, signature: 'intact', signedBy: fingerprintOf(signer) })
    isBroken ||= !signed.ok && signed.error.reason === 'signature_invalid'
  }
  return isBroken ? found('signature_broken') : unchecked
}

const fingerprintOf = (pem: string): string => certificateOf(pem).fingerprint256.replaceAll(':', '').toLowerCase()

function certificatesIn(root: XmlElement): readonly string[] {
  const signature = root.children.find((child) => isNamed(child, namespaces.signature, 'Signature'))
  const written = signature === undefined ? [] : [...walk(signature)].map(({ element }) => element)
  return written
    .filter((element) => isNamed(element as XmlElement, namespaces.signature, 'X509Certificate'))
    .slice(0, mostCarried)
    .flatMap(({ text }) => (readCertificate(text) === undefined ? [] : (toUsablePem(text) ?? [])))
}

function readRoot(given: string): Read<XmlElement> {
  if (given.length > metadataLimits.octets) return found('document_too_large', { limit: metadataLimits.octets })
  const text = given
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .trim()
  const mistaken = mistakenFor(text)
  if (mistaken !== undefined) return found(mistaken)
  const bare = withoutComments(text)
  if (bare === undefined) return found('document_not_xml', { why: 'comment' })
  const scanned = prescan(bare, metadataLimits)
  if (!scanned.ok) return found(codeOf(scanned.error.reason), { why: scanned.error.reason })
  const parsed = parseDocument(bare, { ...documentLimits, characters: metadataLimits.octets })
  if (!parsed.ok) return found('document_not_xml', { why: parsed.error.reason })
  const root = parsed.value
  if (root.namespace === namespaces.protocol || root.namespace === namespaces.assertion) return found('document_is_message')
  const isMetadata = isNamed(root, namespaces.metadata, 'EntityDescriptor') || isNamed(root, namespaces.metadata, 'EntitiesDescriptor')
  return isMetadata ? ok(root) : found('document_not_metadata')
}

/** What people paste instead, told by its first letters. */
function mistakenFor(text: string): MetadataFindingCode | undefined {
  const start = text.slice(0, 200)
  if (start.startsWith('{') || start.startsWith('[')) return 'document_is_json'
  if (start.startsWith('-----BEGIN') || start.startsWith('MII')) return 'document_is_certificate'
  return /^<(!doctype\s+html|html|head|body)\b/i.test(start) ? 'document_is_html' : undefined
}

const codes: Partial<Record<UpstreamErrorReason, MetadataFindingCode>> = {
  saml_doctype: 'document_doctype',
  saml_message_too_large: 'document_too_large',
  saml_limit_exceeded: 'document_too_complex',
  saml_encoding_not_utf8: 'document_not_utf8',
}
const codeOf = (reason: UpstreamErrorReason): MetadataFindingCode => codes[reason] ?? 'document_not_xml'

/** Linear: each comment is looked at once. Undefined where one never ends, or stands inside a tag. */
export function withoutComments(text: string): string | undefined {
  const kept: string[] = []
  let from = 0
  let at = text.indexOf('<!--')
  while (at !== -1) {
    const end = text.indexOf('--', at + 4)
    if (end === -1 || text[end + 2] !== '>') return undefined
    const before = text.slice(from, at)
    if (before.lastIndexOf('<') > before.lastIndexOf('>')) return undefined
    kept.push(before)
    from = end + 3
    at = text.indexOf('<!--', from)
  }
  return kept.join('') + text.slice(from)
}
