/** From the SAMLResponse parameter to text: strict base64, then strict UTF-8. No XML parser before both hold. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '../error.js'
import { messageLimits } from './prescan.js'

/** Base64 may be folded into lines (RFC 2045); nothing else is ignored. */
const base64 = /^[A-Za-z0-9+/]*={0,2}$/

/** @spec SAML Bindings §3.5.4 base64 in a form control */
export function decodeMessage(parameter: string): Result<string, UpstreamRefusal> {
  if (parameter.length === 0) return err({ reason: 'saml_response_missing' })
  if (parameter.length > messageLimits.octets * 1.5)
    return err({ reason: 'saml_message_too_large', detail: { limit: messageLimits.octets } })
  const compact = parameter.replace(/[\r\n]+/g, '')
  if (!base64.test(compact) || compact.length % 4 !== 0) return err({ reason: 'saml_base64_invalid' })
  const octets = Buffer.from(compact, 'base64')
  if (octets.toString('base64') !== compact) return err({ reason: 'saml_base64_invalid' })
  if (octets.length > messageLimits.octets) return err({ reason: 'saml_message_too_large', detail: { limit: messageLimits.octets } })
  const text = decodeUtf8(octets)
  return text === undefined ? err({ reason: 'saml_encoding_not_utf8' }) : ok(text)
}

/** Strict UTF-8 without a byte order mark of any kind left; line ends as XML 1.0 §2.11 wants them. */
function decodeUtf8(octets: Buffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(withLineFeeds(octets))
    return text.includes('\u0000') ? undefined : text
  } catch {
    return undefined
  }
}

const carriageReturn = 0x0d
const lineFeed = 0x0a

/** Over octets, where a message of nothing but carriage returns costs no more than any other: in UTF-8 they are never part of a character. */
function withLineFeeds(octets: Buffer): Buffer {
  if (!octets.includes(carriageReturn)) return octets
  const read = Buffer.alloc(octets.length)
  let length = 0
  for (const [index, octet] of octets.entries()) {
    if (octet === carriageReturn && octets[index + 1] === lineFeed) continue
    read[length] = octet === carriageReturn ? lineFeed : octet
    length += 1
  }
  return read.subarray(0, length)
}
