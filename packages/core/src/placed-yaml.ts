/**
 * YAML that people write, read with the place of every value, and written for people: the one home of the library in this house.
 *
 * Refused, wherever YAML is read: what is not YAML, aliases and anchors (they grow), tags, a key twice, keys that are no plain text, and
 * nesting beyond a limit. Keys are compared by us: the library compares each with each, which takes seconds where somebody writes
 * thousands. The length is the caller's to limit, beforehand.
 */
import { Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, type ParsedNode, parseAllDocuments } from 'yaml'
import { err, ok, type Result } from './result.js'

export const yamlLimits = { depth: 64, mistakes: 50 } as const

/** Both count from 1. */
export type Place = { readonly line: number; readonly column: number }
export type YamlMistake = { readonly kind: 'syntax' | 'alias'; readonly say: string; readonly place: Place | undefined }
export type Path = readonly (string | number)[]

/** `rules[2].when` */
export const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}${text === '' ? '' : '.'}${String(part)}`),
    '',
  )

export type PlacedYaml = {
  readonly value: unknown
  /** Of the key, or of the item of a list; of what is around it where there is no such thing. */
  readonly placeOf: (path: Path) => Place
  /** Of the value itself, which may begin on a later line than its key. */
  readonly placeOfValue: (path: Path) => Place | undefined
}

/** Reads all documents of a text. Every mistake at once, at most `yamlLimits.mistakes`; never throws. */
export function readYaml(text: string): Result<readonly PlacedYaml[], readonly YamlMistake[]> {
  const counter = new LineCounter()
  const placeAt = (offset: number): Place => {
    const { line, col } = counter.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  try {
    const documents = [...parseAllDocuments(text, { lineCounter: counter, uniqueKeys: false, resolveKnownTags: false, merge: false })]
    const broken = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])
    const mistakes = broken.map(({ message, pos: [start] }) => mistake('syntax', firstLine(message), placeAt(start)))
    if (mistakes.length === 0) for (const { contents } of documents) findMistakes({ contents, placeAt, mistakes })
    if (mistakes.length > 0) return err(mistakes.slice(0, yamlLimits.mistakes))
    return ok(documents.map((document) => placed(document, placeAt)))
  } catch {
    // The library's own recursion ends before ours is asked.
    return err([mistake('syntax', `nested deeper than ${yamlLimits.depth} levels`, undefined)])
  }
}

const mistake = (kind: YamlMistake['kind'], say: string, place: Place | undefined): YamlMistake => ({ kind, say, place })
const firstLine = (message: string): string => (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '')

type PlaceAt = (offset: number) => Place
type Search = { readonly contents: Node | null; readonly placeAt: PlaceAt; readonly mistakes: YamlMistake[] }

function findMistakes({ contents, placeAt, mistakes }: Search): void {
  const visit = (node: unknown, depth: number): void => {
    if (!isNode(node)) return
    const found = (kind: YamlMistake['kind'], say: string) => void mistakes.push(mistake(kind, say, placeAt(startOf(node))))
    if (isAlias(node)) return found('alias', 'anchors and aliases are not allowed')
    if (node.anchor !== undefined) found('alias', 'anchors and aliases are not allowed')
    if (depth > yamlLimits.depth) return found('syntax', `nested deeper than ${yamlLimits.depth} levels`)
    if (isSeq(node)) for (const item of node.items) visit(item, depth + 1)
    if (!isMap(node)) return
    const seen = new Set<string>()
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : undefined
      const wrong = name === undefined ? 'a key must be plain text' : seen.has(name) ? `"${name}" is said twice` : undefined
      if (wrong !== undefined) mistakes.push(mistake('syntax', wrong, isNode(key) ? placeAt(startOf(key)) : undefined))
      seen.add(name ?? '')
      if (isScalar(key)) visit(key, depth + 1)
      visit(value, depth + 1)
    }
  }
  visit(contents, 0)
}

const startOf = (node: Node): number => node.range?.[0] ?? 0

function placed(document: Document.Parsed<ParsedNode>, placeAt: PlaceAt): PlacedYaml {
  const find = (path: Path): { readonly key: Node | undefined; readonly value: Node | undefined } => {
    let key: Node | undefined
    let value: unknown = document.contents
    for (const part of path) {
      const next = stepInto(value, part)
      if (next === undefined) return { key: undefined, value: undefined }
      key = next.key
      value = next.value
    }
    return { key, value: isNode(value) ? value : undefined }
  }
  const placeOf = (path: Path): Place => {
    const { key, value } = find(path)
    const node = key ?? value
    if (node !== undefined) return placeAt(startOf(node))
    return path.length === 0 ? placeAt(document.range[0]) : placeOf(path.slice(0, -1))
  }
  const placeOfValue = (path: Path): Place | undefined => {
    const { value } = find(path)
    return value && placeAt(startOf(value))
  }
  return { value: document.toJS({ maxAliasCount: 0 }), placeOf, placeOfValue }
}

function stepInto(node: unknown, part: string | number): { readonly key: Node | undefined; readonly value: unknown } | undefined {
  if (isSeq(node)) return typeof part === 'number' && part in node.items ? { key: undefined, value: node.items[part] } : undefined
  if (!isMap(node)) return undefined
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part))
  return pair && { key: isNode(pair.key) ? pair.key : undefined, value: pair.value }
}

export type Comment = { readonly at: Path; readonly say: string }

/** One document for people: texts of several lines as blocks, nothing folded, comments above what they are about; an empty path: above all. */
export function writeYaml(value: unknown, comments: readonly Comment[]): string {
  const document = new Document(value, { aliasDuplicateObjects: false })
  for (const { at, say } of comments) {
    const text = say
      .split(/\r\n|\p{Cc}/u)
      .map((line) => ` ${line}`)
      .join('\n')
    const target = at.length === 0 ? document : keyOrItem(document, at)
    if (target) target.commentBefore = target.commentBefore ? `${target.commentBefore}\n${text}` : text
  }
  return document.toString({ lineWidth: 0, blockQuote: 'literal' })
}

/** A comment above a member belongs to its key; above an item of a list to the item. */
function keyOrItem(document: Document, at: Path): { commentBefore?: string | null | undefined } | undefined {
  const parent: unknown = at.length === 1 ? document.contents : document.getIn(at.slice(0, -1), true)
  const found = stepInto(parent, at.at(-1) ?? 0)
  const node = found?.key ?? found?.value
  return isNode(node) ? node : undefined
}
