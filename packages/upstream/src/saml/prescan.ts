/**
 * A linear look at a message before any XML parser sees it.
 *
 * Parsers disagree about DOCTYPE, processing instructions, comments and CDATA, and the DOM underneath the signature library is
 * quadratic on hostile input. So whatever SAML does not need is refused here, and whatever may be long has a named limit.
 *
 * @spec SAML Core §1.3 the profile needs elements, attributes and text only
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '../error.js'

/**
 * What a message of an IdP may cost us: by measurement nothing that passes takes 20 ms, twice signed or encrypted inside of a signed one
 * (docs/performance.md). A person with 1500 groups still fits, as distinguished names and encrypted, too.
 */
export const messageLimits = {
  octets: 192 * 1024,
  depth: 24,
  elements: 2000,
  attributes: 4800,
  attributesPerElement: 24,
  namespaceDeclarations: 2400,
  namespaceDeclarationsPerElement: 12,
  /** Canonical text repeats a namespace at every element that uses it. */
  namespaceLength: 256,
} as const

/**
 * What the library may be given, chosen by measurement so that nothing that passes costs more than 20 ms (docs/performance.md): its tree and its
 * canonical text cost six times what our own reader's do, and more where namespaces pile up. A person in 300 groups still fits, each of
 * them with a type and its namespaces as Okta and AD FS write them, signed twice.
 */
export const libraryLimits = {
  octets: 64 * 1024,
  depth: 16,
  elements: 500,
  attributes: 1200,
  attributesPerElement: 16,
  namespaceDeclarations: 800,
  namespaceDeclarationsPerElement: 8,
  namespaceLength: 128,
} as const satisfies Limits

/** Metadata of an IdP lists more roles and certificates than a response, but is read rarely and only for an admin. */
export const metadataLimits = {
  ...messageLimits,
  octets: 1024 * 1024,
  elements: 4000,
  attributes: 8000,
  namespaceDeclarations: 4000,
  namespaceLength: 1024,
} as const

/**
 * A message about logout names one person and a few sessions. Whoever holds no key may send it to us as often as he likes, and what a hostile
 * one costs the library under its signature grows with elements and namespaces.
 */
export const logoutMessageLimits = {
  ...libraryLimits,
  octets: 32 * 1024,
  elements: 256,
  attributes: 512,
  namespaceDeclarations: 64,
} as const

export type LimitName = keyof typeof messageLimits
type Limits = { readonly [Name in LimitName]: number }
type Counts = { depth: number; elements: number; attributes: number; namespaceDeclarations: number }

const declaration =
  /^<\?xml version=(?:"1\.0"|'1\.0')(?:\s+encoding=(?:"([A-Za-z0-9._-]+)"|'([A-Za-z0-9._-]+)'))?(?:\s+standalone=(?:"yes"|"no"|'yes'|'no'))?\s*\?>/

export function prescan(message: string, limits: Limits = messageLimits): Result<undefined, UpstreamRefusal> {
  if (message.length > limits.octets) return err({ reason: 'saml_message_too_large', detail: { limit: limits.octets } })
  const start = pastDeclaration(message)
  if (!start.ok) return start
  const counts: Counts = { depth: 0, elements: 0, attributes: 0, namespaceDeclarations: 0 }
  let at = message.indexOf('<', start.value)
  while (at !== -1) {
    const refused = refusedMarkup(message, at)
    if (refused !== undefined) return err({ reason: refused })
    const end = message.charCodeAt(at + 1) === 0x2f ? endOfEndTag(message, at, counts) : endOfStartTag(message, at, counts, limits)
    if (!end.ok) return end
    at = message.indexOf('<', end.value)
  }
  return ok(undefined)
}

/** An XML declaration is no processing instruction (XML 1.0 §2.6) and honest IdPs send it; it must say 1.0 and UTF-8. */
function pastDeclaration(message: string): Result<number, UpstreamRefusal> {
  if (!message.startsWith('<?xml') || message.startsWith('<?xml-')) return ok(0)
  const match = declaration.exec(message.slice(0, 200))
  if (match === null) return err({ reason: 'saml_xml_malformed', detail: { at: 0 } })
  const encoding = match[1] ?? match[2]
  if (encoding !== undefined && !['utf-8', 'us-ascii'].includes(encoding.toLowerCase())) return err({ reason: 'saml_encoding_not_utf8' })
  return ok(match[0].length)
}

function refusedMarkup(
  message: string,
  at: number,
): 'saml_comment' | 'saml_cdata' | 'saml_doctype' | 'saml_processing_instruction' | undefined {
  const next = message[at + 1]
  if (next === '?') return 'saml_processing_instruction'
  if (next !== '!') return undefined
  if (message.startsWith('<!--', at)) return 'saml_comment'
  return message.startsWith('<![', at) ? 'saml_cdata' : 'saml_doctype'
}

function endOfEndTag(message: string, at: number, counts: Counts): Result<number, UpstreamRefusal> {
  const end = message.indexOf('>', at)
  counts.depth -= 1
  return end === -1 || counts.depth < 0 ? err({ reason: 'saml_xml_malformed', detail: { at } }) : ok(end)
}

/** Walks one start tag; `>` inside quotes does not end it, `<` inside it is malformed. */
function endOfStartTag(message: string, at: number, counts: Counts, limits: Limits): Result<number, UpstreamRefusal> {
  const here = { attributes: 0, namespaceDeclarations: 0, namespaceLength: 0 }
  let declares = false
  let index = at + 1
  for (;;) {
    const character = message[index]
    if (character === undefined || character === '<') return err({ reason: 'saml_xml_malformed', detail: { at } })
    if (character === '>') break
    if (character === '=') here.attributes += 1
    if (character === 'x' && message.startsWith('xmlns', index) && isSpace(message[index - 1])) {
      here.namespaceDeclarations += 1
      declares = true
    }
    if (character === '"' || character === "'") {
      const close = message.indexOf(character, index + 1)
      if (close === -1) return err({ reason: 'saml_xml_malformed', detail: { at } })
      if (declares) here.namespaceLength = Math.max(here.namespaceLength, close - index - 1)
      declares = false
      index = close
    }
    index += 1
  }
  counts.elements += 1
  counts.attributes += here.attributes
  counts.namespaceDeclarations += here.namespaceDeclarations
  const exceeded = exceededLimit({ ...counts, depth: counts.depth + 1 }, here, limits)
  if (message[index - 1] !== '/') counts.depth += 1
  return exceeded === undefined ? ok(index) : err({ reason: 'saml_limit_exceeded', detail: { limit: exceeded } })
}

const isSpace = (character: string | undefined): boolean =>
  character === ' ' || character === '\n' || character === '\t' || character === '\r'

type Here = { attributes: number; namespaceDeclarations: number; namespaceLength: number }

function exceededLimit(counts: Counts, here: Here, limits: Limits): LimitName | undefined {
  if (counts.depth > limits.depth) return 'depth'
  if (counts.elements > limits.elements) return 'elements'
  if (counts.attributes > limits.attributes) return 'attributes'
  if (here.attributes > limits.attributesPerElement) return 'attributesPerElement'
  if (counts.namespaceDeclarations > limits.namespaceDeclarations) return 'namespaceDeclarations'
  if (here.namespaceDeclarations > limits.namespaceDeclarationsPerElement) return 'namespaceDeclarationsPerElement'
  if (here.namespaceLength > limits.namespaceLength) return 'namespaceLength'
  return undefined
}
