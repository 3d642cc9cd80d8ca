/**
 * One pass from text to tree, over the part of XML 1.0 with namespaces that SAML needs.
 *
 * Elements, attributes, text, the five predefined entities, character references. Whatever parsers have disagreed about is refused
 * by name: DOCTYPE, processing instructions, comments, CDATA. It is not a lenient reader of a larger language: everything that it
 * accepts is well-formed XML, and a general strict parser (`saxes`, in the tests) reads the same tree from it.
 *
 * Time is linear in the text: each step looks at a character once, names resolve in one look-up, and every count has a limit.
 */
import { readText } from './character-data.js'
import { hasForbiddenCharacter, isBlank } from './characters.js'
import { type DocumentLimits, documentLimits } from './document-limits.js'
import { initialBindings, type NamespaceBindings, uncover } from './namespace-bindings.js'
import { parseStartTag, type StartTag } from './parse-start-tag.js'
import type { DocumentReason, DocumentRefusal } from './refusal.js'
import { err, ok, type Result } from './result.js'
import { newScanner, type Scanner, skip, skipSpace, stop, stopAtLimit } from './scanner.js'
import { pastXmlDeclaration } from './xml-declaration.js'
import type { XmlElement } from './xml-tree.js'

type Open = { readonly scanner: Scanner; readonly bindings: NamespaceBindings; readonly tags: StartTag[]; root: XmlElement | undefined }

/** The root element. `given` is decoded text: octets that are not UTF-8 never become one. */
export function parseDocument(given: string, limits: DocumentLimits = documentLimits): Result<XmlElement, DocumentRefusal> {
  if (given.length > limits.characters) return err({ reason: 'too_large', detail: { limit: limits.characters } })
  const text = given.includes('\r') ? given.replace(/\r\n/g, '\n').replace(/\r/g, '\n') : given
  const start = pastXmlDeclaration(text)
  if (!start.ok) return start
  const open: Open = { scanner: newScanner(text, start.value, limits), bindings: initialBindings(), tags: [], root: undefined }
  const { scanner } = open
  if (hasForbiddenCharacter(text)) stop(scanner)
  while (scanner.refusal === undefined && scanner.at < text.length) step(open)
  if (scanner.refusal === undefined && (open.root === undefined || open.tags.length > 0)) stop(scanner)
  return scanner.refusal === undefined ? ok(open.root as XmlElement) : err(scanner.refusal)
}

/** The text up to the next tag, and that tag. */
function step(open: Open): void {
  const { scanner } = open
  const tag = scanner.text.indexOf('<', scanner.at)
  const end = tag === -1 ? scanner.text.length : tag
  if (end > scanner.at) addText(open, scanner.text.slice(scanner.at, end))
  scanner.at = end + 1
  if (tag === -1) return
  const next = scanner.text.charCodeAt(tag + 1)
  if (next === 0x2f) endTag(open)
  else if (next === 0x21 || next === 0x3f) stop(scanner, refusedMarkup(scanner.text, tag))
  else startTag(open)
}

function refusedMarkup(text: string, at: number): DocumentReason {
  if (text[at + 1] === '?') return 'processing_instruction'
  if (text.startsWith('<!--', at)) return 'comment'
  return text.startsWith('<![', at) ? 'cdata' : 'doctype'
}

/** Outside of the root there may be white space, and it means nothing. */
function addText(open: Open, written: string): void {
  const inside = open.tags.at(-1)?.element
  if (inside === undefined) {
    if (!isBlank(written)) stop(open.scanner)
    return
  }
  // `]]>` may not stand in text (XML 1.0 §2.4).
  const text = written.includes(']]>') ? undefined : readText(written)
  if (text === undefined) return stop(open.scanner)
  inside.content.push(text)
  inside.text += text
}

function startTag(open: Open): void {
  const { scanner, tags } = open
  scanner.elements += 1
  if (scanner.elements > scanner.limits.elements) return stopAtLimit(scanner, 'elements')
  if (tags.length >= scanner.limits.depth) return stopAtLimit(scanner, 'depth')
  const tag = parseStartTag(scanner, open.bindings)
  if (tag === undefined) return
  const parent = tags.at(-1)?.element
  if (parent === undefined && open.root !== undefined) return stop(scanner)
  open.root ??= tag.element
  parent?.content.push(tag.element)
  parent?.children.push(tag.element)
  if (tag.isEmpty) uncover(open.bindings, tag.covered)
  else tags.push(tag)
}

function endTag(open: Open): void {
  const { scanner } = open
  const tag = open.tags.pop()
  scanner.at += 1
  if (tag === undefined || !skip(scanner, tag.writtenName)) return stop(scanner)
  skipSpace(scanner)
  if (!skip(scanner, '>')) return stop(scanner)
  uncover(open.bindings, tag.covered)
}
