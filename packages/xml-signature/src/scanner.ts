/** Where the parser stands in the text, and the small steps that its parts share. A refusal is remembered, the first one counts. */
import { continuesName, isSpace, startsName } from './characters.js'
import type { DocumentLimits } from './document-limits.js'
import type { DocumentReason, DocumentRefusal } from './refusal.js'

export type Scanner = {
  readonly text: string
  readonly limits: DocumentLimits
  at: number
  elements: number
  attributes: number
  namespaceDeclarations: number
  refusal: DocumentRefusal | undefined
}

export const newScanner = (text: string, at: number, limits: DocumentLimits): Scanner => ({
  text,
  limits,
  at,
  elements: 0,
  attributes: 0,
  namespaceDeclarations: 0,
  refusal: undefined,
})

/** Always `undefined`, so that whoever refuses can return it. */
export function stop(scanner: Scanner, reason: DocumentReason = 'xml_malformed'): undefined {
  scanner.refusal ??= { reason, detail: { at: scanner.at } }
}

export function stopAtLimit(scanner: Scanner, limit: keyof DocumentLimits): undefined {
  scanner.refusal ??= { reason: 'limit_exceeded', detail: { limit } }
}

/** Whether there was any. */
export function skipSpace(scanner: Scanner): boolean {
  const from = scanner.at
  while (isSpace(scanner.text.charCodeAt(scanner.at))) scanner.at += 1
  return scanner.at > from
}

export function skip(scanner: Scanner, expected: string): boolean {
  if (!scanner.text.startsWith(expected, scanner.at)) return false
  scanner.at += expected.length
  return true
}

/** A name without colon; '' if none stands here. */
export function scanName(scanner: Scanner): string {
  const { text, at } = scanner
  if (!startsName(text.charCodeAt(at))) return ''
  let end = at + 1
  while (continuesName(text.charCodeAt(end))) end += 1
  if (end - at > scanner.limits.nameLength) stopAtLimit(scanner, 'nameLength')
  scanner.at = end
  return text.slice(at, end)
}
