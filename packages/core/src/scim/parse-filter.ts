/**
 * Filters: the whole grammar of RFC 7644 §3.4.2.2, read into a tree whose names and values are bound to the schemas.
 *
 * What the tree means is said by `matchesFilter`, in memory; `store/scim-filter-sql` says the same to PostgreSQL, and a property test holds
 * them together. What cannot be read is refused with `invalidFilter`, never ignored: a filter that was ignored would hand out everybody.
 */
import { err, ok, type Result } from '../result.js'
import { bindPath, bindSub, isName, type Named } from './attribute-path.js'
import { type ScimError, scimLimits } from './error.js'
import type { CompareOperator, Filter, FilterPath } from './filter.js'
import { bindComparison } from './filter-operand.js'
import { readTokens, type Token } from './filter-tokens.js'
import type { ResourceType } from './resource-type.js'

const operators: ReadonlySet<string> = new Set(['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'])
/** Without quotes none of these is a value: the value was forgotten, and the word belongs to what follows. */
const keywords: ReadonlySet<string> = new Set([...operators, 'pr', 'and', 'or', 'not'])

type Refusal = { readonly refused: string }
const isRefusal = (value: object): value is Refusal => 'refused' in value

/** Where a name is looked up: in the resource, or in one value of an attribute. */
type Scope = { readonly bind: (text: string) => FilterPath | undefined; readonly inElement: boolean }

/** @spec RFC 7644 §3.4.2.2 names and operators in any case, `not` before `and` before `or` */
export function parseFilter(type: ResourceType, text: string): Result<Filter, ScimError> {
  return parseWhole(text, { bind: (name) => bindPath(type, name), inElement: false })
}

/** What stands between the brackets of a path: `emails[type eq "work"]`. */
export function parseElementFilter(parent: Named, text: string): Result<Filter, ScimError> {
  return parseWhole(text, elementScope(parent))
}

const elementScope = (parent: Named): Scope => ({
  inElement: true,
  bind: (name) => (isName(name) ? { element: bindSub(parent.definition, name) } : undefined),
})

/** What a filter is refused for that means somebody and is more than is read. */
const beyondLimits = {
  characters: 'longer than the limit filterCharacters',
  terms: 'more than the limit filterTerms',
  depth: 'deeper than the limit filterDepth',
} as const

/** Whether it is refused for its size alone: nothing else of it is wrong as far as it was read. */
export const isBeyondLimits = ({ reason, detail }: ScimError): boolean =>
  reason === 'scim_filter_invalid' && Object.values(beyondLimits).some((beyond) => beyond === detail)

const oneId = /\s*value\s+eq\s+"([A-Za-z0-9_-]{1,200})"/iy
const or = /\s+or(?=\s)/iy

/**
 * `value eq "…"` and as many more as stand there, joined by `or`: what takes many members out by their ids. It costs its length, whatever it names, so it has no limit
 * but that of the body. Undefined: it says something else.
 */
export function parseListOfIds(parent: Named, text: string): Filter | undefined {
  const path: FilterPath = { element: bindSub(parent.definition, 'value') }
  const parts: Filter[] = []
  for (let at = 0; ; at = or.lastIndex) {
    oneId.lastIndex = at
    const id = oneId.exec(text)?.[1]
    if (id === undefined) return undefined
    parts.push({ kind: 'compare', path, operator: 'eq', operand: { type: 'text', value: id, caseExact: true } })
    or.lastIndex = oneId.lastIndex
    if (!or.test(text)) return text.slice(oneId.lastIndex).trim() === '' ? { kind: 'or', parts } : undefined
  }
}

function parseWhole(text: string, scope: Scope): Result<Filter, ScimError> {
  const refuse = (detail: string) => err({ reason: 'scim_filter_invalid' as const, detail })
  if (text.length > scimLimits.filterCharacters) return refuse(beyondLimits.characters)
  const tokens = readTokens(text)
  if (tokens === undefined) return refuse('a text is not closed or cannot be read')
  const reader = createReader(tokens)
  const filter = reader.any(scope)
  if (isRefusal(filter)) return refuse(filter.refused)
  return reader.isAtEnd() ? ok(filter) : refuse('something stands behind its end')
}

function createReader(tokens: readonly Token[]) {
  let at = 0
  let depth = 0
  let terms = 0
  const isNext = (kind: Token['kind']): boolean => tokens[at]?.kind === kind
  const isKeyword = (keyword: string, ahead = 0): boolean => {
    const token = tokens[at + ahead]
    return token?.kind === 'word' && token.value.toLowerCase() === keyword
  }
  const takeWord = (): string | undefined => {
    const token = tokens[at]
    if (token?.kind !== 'word') return undefined
    at += 1
    return token.value
  }

  const chain = (keyword: 'and' | 'or', part: (scope: Scope) => Filter | Refusal, scope: Scope): Filter | Refusal => {
    const parts: Filter[] = []
    for (;;) {
      const one = part(scope)
      if (isRefusal(one)) return one
      parts.push(one)
      if (!isKeyword(keyword)) return parts.length === 1 ? one : { kind: keyword, parts }
      at += 1
    }
  }
  const any = (scope: Scope): Filter | Refusal => chain('or', all, scope)
  const all = (scope: Scope): Filter | Refusal => chain('and', single, scope)

  const enclosed = (close: ')' | ']', scope: Scope): Filter | Refusal => {
    at += 1
    depth += 1
    if (depth > scimLimits.filterDepth) return { refused: beyondLimits.depth }
    const inner = any(scope)
    if (isRefusal(inner)) return inner
    if (!isNext(close)) return { refused: `${close} is missing` }
    at += 1
    depth -= 1
    return inner
  }

  function single(scope: Scope): Filter | Refusal {
    if (isNext('(')) return enclosed(')', scope)
    if (isKeyword('not') && tokens[at + 1]?.kind === '(') {
      at += 1
      const part = enclosed(')', scope)
      return isRefusal(part) ? part : { kind: 'not', part }
    }
    terms += 1
    if (terms > scimLimits.filterTerms) return { refused: beyondLimits.terms }
    const name = takeWord()
    const path = name === undefined ? undefined : scope.bind(name)
    if (path === undefined) return { refused: 'the name of an attribute is missing' }
    return isNext('[') ? valuePath(path) : attributeTerm(path)
  }

  /** `emails[type eq "work"]`, and with a sub-attribute behind it, which the grammar has for PATCH and Entra for filters. */
  function valuePath(path: FilterPath): Filter | Refusal {
    if ('element' in path || path.sub !== undefined) return { refused: 'brackets stand behind an attribute of the resource' }
    const scope = elementScope(path.attribute)
    const inner = enclosed(']', scope)
    if (isRefusal(inner)) return inner
    const token = tokens[at]
    if (token?.kind !== 'word' || !token.value.startsWith('.')) return { kind: 'some', path, part: inner }
    at += 1
    const sub = scope.bind(token.value.slice(1))
    if (sub === undefined) return { refused: 'the name behind the brackets cannot be read' }
    const outer = attributeTerm(sub)
    return isRefusal(outer) ? outer : { kind: 'some', path, part: { kind: 'and', parts: [inner, outer] } }
  }

  function attributeTerm(path: FilterPath): Filter | Refusal {
    const operator = takeWord()?.toLowerCase()
    if (operator === 'pr') return isSecret(path) ? { refused: 'the attribute cannot be searched' } : { kind: 'present', path }
    if (operator === undefined || !operators.has(operator)) return { refused: 'an operator is missing' }
    const literal = tokens[at]
    if (literal?.kind !== 'word' && literal?.kind !== 'text') return { refused: 'a value is missing' }
    if (literal.kind === 'word' && keywords.has(literal.value.toLowerCase())) return { refused: 'a value is missing' }
    at += 1
    if (isSecret(path)) return { refused: 'the attribute cannot be searched' }
    return bindComparison(path, operator as CompareOperator, literal)
  }

  return { any, isAtEnd: () => at === tokens.length }
}

/** What never leaves must not be told bit by bit either. */
const isSecret = (path: FilterPath): boolean =>
  'element' in path ? path.element.definition?.returned === 'never' : path.attribute.definition?.returned === 'never'
