/** From the characters written to the characters meant: references replaced, attribute values normalised. */
import { hasForbiddenCharacter } from './characters.js'

const predefined: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
])

/** The longest reference is `&#x10FFFF;`; looking no further keeps a text full of `&` linear. */
const longestReference = 10

/** @spec XML 1.0 §4.6 there is no DTD, so no other entity exists */
export function readText(written: string): string | undefined {
  return written.includes('&') ? replaceReferences(written) : written
}

/**
 * Written white space becomes a space; one that a reference stands for is kept.
 *
 * @spec XML 1.0 §3.3.3 without a DTD every attribute is CDATA
 */
export function readAttributeValue(written: string): string | undefined {
  return readText(/[\t\n\r]/.test(written) ? written.replace(/[\t\n\r]/g, ' ') : written)
}

function replaceReferences(written: string): string | undefined {
  let read = ''
  let from = 0
  for (let ampersand = written.indexOf('&'); ampersand !== -1; ampersand = written.indexOf('&', from)) {
    const semicolon = written.slice(ampersand, ampersand + longestReference).indexOf(';')
    if (semicolon === -1) return undefined
    const character = characterOf(written.slice(ampersand + 1, ampersand + semicolon))
    if (character === undefined) return undefined
    read += written.slice(from, ampersand) + character
    from = ampersand + semicolon + 1
  }
  return read + written.slice(from)
}

function characterOf(reference: string): string | undefined {
  const match = /^#(?:x([0-9A-Fa-f]+)|([0-9]+))$/.exec(reference)
  if (match === null) return predefined.get(reference)
  const code = match[1] === undefined ? Number.parseInt(match[2] ?? '', 10) : Number.parseInt(match[1], 16)
  if (!(code <= 0x10ffff)) return undefined
  const character = String.fromCodePoint(code)
  return hasForbiddenCharacter(character) ? undefined : character
}
