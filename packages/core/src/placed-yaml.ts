/**
 * YAML that people write, read with the place of every value, and written for people: the one home of the library in this house.
 *
 * Refused, wherever YAML is read: what is not YAML, aliases and anchors (they grow), tags, a key twice, keys that are no plain text, and
 * nesting beyond a limit. The length is the caller's to limit, beforehand.
 *
 * Whoever sends a text may send one that is nothing but mistakes, so that reading costs no more than its length is ours to see to: the
 * library compares each key with each, copies the whole line for each mistake, and digs into brackets without end, which took minutes.
 */
import {
  Composer,
  type CST,
  Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  type ParsedNode,
  Parser,
} from 'yaml'
import { err, ok, type Result } from './result.js'

export const yamlLimits = {
  depth: 64,
  mistakes: 50,
  documents: 1_000,
} as const

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
  const ended: { by?: YamlMistake } = {}
  try {
    const documents: Document.Parsed<ParsedNode>[] = []
    for (const document of boundedComposer().compose(boundedTokens(text, counter, ended))) {
      if (documents.length === yamlLimits.documents)
        return err([mistake('syntax', `more than ${yamlLimits.documents} documents`, undefined)])
      documents.push(document)
    }
    if (ended.by !== undefined) return err([ended.by])
    const broken = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]).slice(0, yamlLimits.mistakes)
    const mistakes = broken.map(({ message, pos: [start] }) => mistake('syntax', firstLine(message), placeAt(start)))
    if (mistakes.length === 0) for (const { contents } of documents) findMistakes({ contents, placeAt, mistakes })
    if (mistakes.length > 0) return err(mistakes.slice(0, yamlLimits.mistakes))
    return ok(documents.map((document) => placed(document, placeAt)))
  } catch {
    // The library's own recursion ends before ours is asked.
    return err([tooDeep()])
  }
}

/** What the library holds of a level of nesting while it reads: a pair, its collection, and the item of a list around it. */
const heldPerLevel = 3

/** The tokens of a text, up to where it is too much: then `ended` says so, and nothing is made of the document that was begun. */
function* boundedTokens(text: string, counter: LineCounter, ended: { by?: YamlMistake }): Generator<CST.Token, void> {
  const parser = new Parser(counter.addNewLine)
  counter.addNewLine(0)
  let mistakes = 0
  const isTold = (token: CST.Token): boolean => token.type !== 'error' || ++mistakes <= yamlLimits.mistakes
  for (const lexeme of new Lexer().lex(text)) {
    if (parser.stack.length > heldPerLevel * (yamlLimits.depth + 1)) {
      ended.by = tooDeep()
      return
    }
    for (const token of parser.next(lexeme)) if (isTold(token)) yield token
  }
  for (const token of parser.end()) if (isTold(token)) yield token
}

/** One that makes nothing of mistakes which nobody will be told of. It has no setting for that: a test holds what is reached into here. */
function boundedComposer(): Composer {
  const composer = new Composer({ uniqueKeys: false, resolveKnownTags: false, merge: false })
  const report: (...said: readonly unknown[]) => void = composer['onError']
  composer['onError'] = (...said: readonly unknown[]) => {
    if (composer['errors'].length + composer['warnings'].length < yamlLimits.mistakes) report(...said)
  }
  return composer
}

const tooDeep = (): YamlMistake => mistake('syntax', `nested deeper than ${yamlLimits.depth} levels`, undefined)
const mistake = (kind: YamlMistake['kind'], say: string, place: Place | undefined): YamlMistake => ({ kind, say, place })
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? ''

type PlaceAt = (offset: number) => Place
type Search = { readonly contents: Node | null; readonly placeAt: PlaceAt; readonly mistakes: YamlMistake[] }

function findMistakes({ contents, placeAt, mistakes }: Search): void {
  const visit = (node: unknown, depth: number): void => {
    if (!isNode(node) || mistakes.length >= yamlLimits.mistakes) return
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
  const keysOf = keyFinder()
  const find = (path: Path): { readonly key: Node | undefined; readonly value: Node | undefined } => {
    let key: Node | undefined
    let value: unknown = document.contents
    for (const part of path) {
      const next = stepInto(value, part, keysOf)
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

type KeyFinder = (node: { readonly items: readonly Pair[] }) => ReadonlyMap<string, Pair>

/** The pairs of a map by their keys, put in order once: whoever asks for the place of each of thousands looks through none of them. */
function keyFinder(): KeyFinder {
  const known = new WeakMap<object, ReadonlyMap<string, Pair>>()
  return (node) => {
    const found = known.get(node) ?? new Map(node.items.flatMap((pair) => (isScalar(pair.key) ? [[String(pair.key.value), pair]] : [])))
    known.set(node, found)
    return found
  }
}

function stepInto(
  node: unknown,
  part: string | number,
  keysOf: KeyFinder,
): { readonly key: Node | undefined; readonly value: unknown } | undefined {
  if (isSeq(node)) return typeof part === 'number' && part in node.items ? { key: undefined, value: node.items[part] } : undefined
  if (!isMap(node)) return undefined
  const pair = keysOf(node).get(String(part))
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
  const found = stepInto(parent, at.at(-1) ?? 0, keyFinder())
  const node = found?.key ?? found?.value
  return isNode(node) ? node : undefined
}
