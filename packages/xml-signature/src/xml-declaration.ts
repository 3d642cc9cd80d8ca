/** An XML declaration is no processing instruction (XML 1.0 §2.6), and honest IdPs send it; it must say 1.0 and UTF-8. */
import type { DocumentRefusal } from './refusal.js'
import { err, ok, type Result } from './result.js'

const space = '[ \\t\\n]'
const quoted = (value: string): string => `(?:"${value}"|'${value}')`
const property = (name: string, value: string): string => `${space}+${name}${space}*=${space}*${quoted(value)}`
const declaration = new RegExp(
  `^<\\?xml${property('version', '1\\.0')}(?:${property('encoding', '([A-Za-z][A-Za-z0-9._-]*)')})?(?:${property('standalone', '(?:yes|no)')})?${space}*\\?>`,
)
const longestDeclaration = 200
const encodings: readonly string[] = ['utf-8', 'us-ascii']

/** The place behind it, 0 where there is none. */
export function pastXmlDeclaration(text: string): Result<number, DocumentRefusal> {
  if (!/^<\?xml[ \t\n]/.test(text)) return ok(0)
  const match = declaration.exec(text.slice(0, longestDeclaration))
  if (match === null) return err({ reason: 'xml_malformed', detail: { at: 0 } })
  const encoding = match[1] ?? match[2]
  if (encoding !== undefined && !encodings.includes(encoding.toLowerCase())) return err({ reason: 'encoding_not_utf8' })
  return ok(match[0].length)
}
