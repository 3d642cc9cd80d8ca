/** From the characters written to the characters meant: references replaced, attribute values normalised. */
import { isCharacter } from './characters.js'

/** Behind the ampersand. */
const predefined: readonly (readonly [written: string, character: string])[] = [
  ['amp;', '&'],
  ['lt;', '<'],
  ['gt;', '>'],
  ['quot;', '"'],
  ['apos;', "'"],
]

/** Digits of the largest character, `1114111`; looking no further keeps a text full of `&#` linear. */
const mostDigits = 7

/** @spec XML 1.0 §4.6 there is no DTD, so no other entity exists */
export function readText(written: string): string | undefined {
  return written.includes('&') ? replaceReferences(written) : written
}

/**
 * Written white space becomes a space; one that a reference stands for is kept. Line ends are `\n` by now (XML 1.0 §2.11).
 *
 * @spec XML 1.0 §3.3.3 without a DTD every attribute is CDATA
 */
export function readAttributeValue(written: string): string | undefined {
  return readText(/[\t\n]/.test(written) ? written.replace(/\t/g, ' ').replace(/\n/g, ' ') : written)
}

type Reference = { readonly character: string; readonly end: number }

function replaceReferences(written: string): string | undefined {
  let read = ''
  let from = 0
  for (let ampersand = written.indexOf('&'); ampersand !== -1; ampersand = written.indexOf('&', from)) {
    const reference = readReference(written, ampersand + 1)
    if (reference === undefined) return undefined
    read += written.slice(from, ampersand) + reference.character
    from = reference.end
  }
  return read + written.slice(from)
}

function readReference(written: string, at: number): Reference | undefined {
  if (written.charCodeAt(at) === 0x23) return readCharacterReference(written, at + 1)
  for (const [name, character] of predefined) if (written.startsWith(name, at)) return { character, end: at + name.length }
  return undefined
}

/** `#` is behind us: decimal digits, or `x` and hexadecimal ones, and a semicolon. */
function readCharacterReference(written: string, at: number): Reference | undefined {
  const isHexadecimal = written.charCodeAt(at) === 0x78
  const radix = isHexadecimal ? 16 : 10
  const start = isHexadecimal ? at + 1 : at
  let end = start
  let code = 0
  for (; end < start + mostDigits; end += 1) {
    const digit = digitOf(written.charCodeAt(end), radix)
    if (digit === undefined) break
    code = code * radix + digit
  }
  if (end === start || written.charCodeAt(end) !== 0x3b || !isCharacter(code)) return undefined
  return { character: String.fromCodePoint(code), end: end + 1 }
}

function digitOf(code: number, radix: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = (code | 0x20) - 0x61
  return radix === 16 && letter >= 0 && letter < 6 ? letter + 10 : undefined
}
