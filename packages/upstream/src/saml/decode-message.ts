/** From a parameter that carries a message to text: strict base64, inflated within limits where it was deflated, strict UTF-8. No XML parser before all hold. */
import { inflateRawSync } from 'node:zlib'
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
  return octets.toString('base64') === compact ? toText(octets) : err({ reason: 'saml_base64_invalid' })
}

function toText(octets: Buffer): Result<string, UpstreamRefusal> {
  if (octets.length > messageLimits.octets) return tooLarge
  const text = decodeUtf8(octets)
  return text === undefined ? err({ reason: 'saml_encoding_not_utf8' }) : ok(text)
}

/** An assertion that a client brings. One spelling only. @spec RFC 7522 §2.1 base64url, in one line, without padding, no bits left over */
export function decodeBroughtAssertion(parameter: string): Result<string, UpstreamRefusal> {
  const octets = Buffer.from(parameter, 'base64url')
  return octets.length > 0 && octets.toString('base64url') === parameter ? toText(octets) : err({ reason: 'saml_base64_invalid' })
}

const tooLarge = err<UpstreamRefusal>({ reason: 'saml_message_too_large', detail: { limit: messageLimits.octets } })

/**
 * A message out of a query. Inflating ends at the limit, however small the message was; what stands behind the end of the stream, where one
 * reader would look and another would not, is refused.
 *
 * @spec SAML Bindings §3.4.4.1 DEFLATE, then base64 without line breaks
 */
export function inflateMessage(parameter: string): Result<string, UpstreamRefusal> {
  const deflated = decodeBase64(parameter)
  if (deflated === undefined) return err({ reason: 'saml_base64_invalid' })
  try {
    const inflated = inflateRawSync(deflated, { maxOutputLength: messageLimits.octets, info: true }) as unknown as Inflated
    return inflated.engine.bytesWritten === deflated.length ? toText(inflated.buffer) : err({ reason: 'saml_deflate_invalid' })
  } catch (error) {
    return (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge : err({ reason: 'saml_deflate_invalid' })
  }
}

/** With `info`, Node answers the engine too, which knows how much of its input it has read. */
type Inflated = { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } }

/** One spelling only: no white space, no other alphabet, no bits left over. Undefined for anything else, and for nothing. */
export function decodeBase64(text: string): Buffer | undefined {
  const octets = Buffer.from(text, 'base64')
  return octets.length > 0 && octets.toString('base64') === text ? octets : undefined
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
