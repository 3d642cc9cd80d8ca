/** A question for resources: filter, order, page and attributes, from a query or from a SearchRequest. RFC 7644 §3.4.2 and §3.4.3, RFC 9865. */
import { err, ok, type Result } from '../result.js'
import { type AttributePath, bindPath } from './attribute-path.js'
import { type ScimError, scimLimits } from './error.js'
import type { Filter } from './filter.js'
import { isObject, type JsonObject } from './json.js'
import { parseFilter } from './parse-filter.js'
import { type Projection, parseProjection } from './projection.js'
import type { ResourceType } from './resource-type.js'

export type Sort = { readonly by: AttributePath; readonly descending: boolean }

/** An empty cursor asks for the first page. */
export type Page =
  | { readonly by: 'index'; readonly startIndex: number; readonly count: number }
  | { readonly by: 'cursor'; readonly cursor: string; readonly count: number }

export type SearchRequest = {
  readonly filter: Filter | undefined
  readonly sort: Sort | undefined
  readonly page: Page
  readonly projection: Projection
}

/** What was said, whether in a query or in a body. */
export type SearchWords = {
  readonly filter?: unknown
  readonly sortBy?: unknown
  readonly sortOrder?: unknown
  readonly startIndex?: unknown
  readonly count?: unknown
  readonly cursor?: unknown
  readonly attributes?: unknown
  readonly excludedAttributes?: unknown
}

const names = ['filter', 'sortBy', 'sortOrder', 'startIndex', 'count', 'cursor', 'attributes', 'excludedAttributes'] as const

/** From a SearchRequest message; names in any case. */
export function searchWordsOf(body: unknown): Result<SearchWords, ScimError> {
  if (!isObject(body)) return err({ reason: 'scim_body_malformed' })
  return ok(pickWords(body))
}

/** Only the words that are known: `filter` is the same word in any case. */
export const pickWords = (given: JsonObject | Readonly<Record<string, string>>): SearchWords =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => {
      const known = names.find((one) => one.toLowerCase() === name.toLowerCase())
      return known === undefined ? [] : [[known, value]]
    }),
  )

export function parseSearch(type: ResourceType, words: SearchWords): Result<SearchRequest, ScimError> {
  const { filter } = words
  if (filter !== undefined && filter !== null && typeof filter !== 'string') return err({ reason: 'scim_filter_invalid' })
  const parsed = typeof filter === 'string' ? parseFilter(type, filter) : ok(undefined)
  if (!parsed.ok) return parsed
  const projection = parseProjection(type, words.attributes, words.excludedAttributes)
  if (!projection.ok) return projection
  const sort = parseSort(type, words)
  if (!sort.ok) return sort
  const page = parsePage(words)
  return page.ok ? ok({ filter: parsed.value, sort: sort.value, page: page.value, projection: projection.value }) : page
}

/** By a complex attribute: by its `value`. */
function parseSort(type: ResourceType, { sortBy, sortOrder }: SearchWords): Result<Sort | undefined, ScimError> {
  if (sortBy === undefined || sortBy === null || sortBy === '') return ok(undefined)
  const path = typeof sortBy === 'string' ? bindPath(type, sortBy.trim()) : undefined
  if (path === undefined || path.attribute.definition?.returned === 'never') return err({ reason: 'scim_value_invalid', detail: 'sortBy' })
  const { definition } = path.attribute
  const value =
    definition?.type === 'complex' && path.sub === undefined ? definition.subAttributes.find((one) => one.name === 'value') : undefined
  const by = value === undefined ? path : { ...path, sub: { name: value.name, definition: value } }
  return ok({ by, descending: typeof sortOrder === 'string' && sortOrder.toLowerCase() === 'descending' })
}

/**
 * `startIndex` below 1 counts as 1, a negative `count` as 0; what is no number counts as absent. With a cursor it is refused.
 *
 * @spec RFC 7644 §3.4.2.4
 * @spec RFC 9865 §2.3 invalidCount
 */
export function parsePage({ startIndex, count, cursor }: SearchWords): Result<Page, ScimError> {
  const asked = numberOf(count)
  if (cursor === undefined || cursor === null)
    return ok({ by: 'index', startIndex: Math.max(1, numberOf(startIndex) ?? 1), count: bounded(asked ?? scimLimits.defaultPageSize) })
  if (typeof cursor !== 'string') return err({ reason: 'scim_cursor_invalid' })
  if (count !== undefined && count !== null && (asked === undefined || asked < 0)) return err({ reason: 'scim_count_invalid' })
  return ok({ by: 'cursor', cursor, count: bounded(asked ?? scimLimits.defaultPageSize) })
}

const numberOf = (value: unknown): number | undefined =>
  (typeof value === 'string' || typeof value === 'number') && /^-?\d{1,9}$/.test(String(value)) ? Number(value) : undefined

const bounded = (count: number): number => Math.min(scimLimits.pageSize, Math.max(0, count))
