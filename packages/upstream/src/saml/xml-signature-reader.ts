/** Our own reader: one parse, and the signed parts are taken out of that very tree. Its reasons are ours with a prefix. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { type DocumentLimits, documentLimits } from '@drawbridge/xml-signature/document-limits'
import { parseDocument } from '@drawbridge/xml-signature/parse-document'
import { readSignedElements } from '@drawbridge/xml-signature/read-signed-elements'
import type { DocumentRefusal } from '@drawbridge/xml-signature/refusal'
import { attributeOf, type XmlElement } from '@drawbridge/xml-signature/xml-tree'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import { messageLimits } from './prescan.js'
import type { ReadMessage, SignedPart } from './read-message.js'
import { keysOf } from './signature-algorithms.js'

const { octets: characters, ...counted } = messageLimits
const limits: DocumentLimits = { ...documentLimits, ...counted, characters }

export function readWithXmlSignature(message: string): Result<ReadMessage, UpstreamRefusal> {
  const root = parseDocument(message, limits)
  if (!root.ok) return err(toRefusal(root.error))
  return ok({ root: root.value, findSigned: (certificates) => findSigned(root.value, certificates) })
}

const reasons: Readonly<Record<DocumentRefusal['reason'], UpstreamErrorReason>> = {
  too_large: 'saml_message_too_large',
  limit_exceeded: 'saml_limit_exceeded',
  doctype: 'saml_doctype',
  processing_instruction: 'saml_processing_instruction',
  comment: 'saml_comment',
  cdata: 'saml_cdata',
  encoding_not_utf8: 'saml_encoding_not_utf8',
  xml_malformed: 'saml_xml_malformed',
}
const toRefusal = ({ reason, detail }: DocumentRefusal): UpstreamRefusal => ({
  reason: reasons[reason],
  ...(detail !== undefined && { detail }),
})

function findSigned(root: XmlElement, certificates: readonly string[]): Result<readonly SignedPart[], UpstreamRefusal> {
  const signed = readSignedElements(root, keysOf(certificates))
  if (!signed.ok) return err({ reason: `saml_${signed.error.reason}` })
  return ok(
    signed.value.map(({ source, element }) => ({
      of: source === root ? 'message' : 'assertion',
      id: attributeOf(element, 'ID') ?? '',
      element,
    })),
  )
}
