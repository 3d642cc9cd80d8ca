/** Answers a question for resources, wherever it was asked: a list, its `.search`, or the `.search` of all kinds. RFC 7644 §3.4.2 and §3.4.3. */
import { ok, type Result } from '@drawbridge/core/result'
import type { ScimError } from '@drawbridge/core/scim/error'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { cursorResponse, listResponse } from '@drawbridge/core/scim/list-response'
import { project } from '@drawbridge/core/scim/projection'
import { parseSearch, type SearchRequest, type SearchWords } from '@drawbridge/core/scim/search-request'
import { readCursor, writeCursor } from './cursor.js'
import type { ScimContext, ScimKind } from './resource-kind.js'

export async function searchKind(context: ScimContext, kind: ScimKind, words: SearchWords): Promise<Result<JsonObject, ScimError>> {
  const request = parseSearch(kind.type, words)
  if (!request.ok) return request
  const { page } = request.value
  if (page.by === 'index') {
    const { rows, total } = await pageOf(context, kind, request.value, page.startIndex, page.count)
    return ok(listResponse(rows, total, page.startIndex))
  }
  const after = readCursor(context, kind.type.name, words, page.cursor)
  if (!after.ok) return after
  const { filter, sort, projection } = request.value
  const found = await kind.search(context, { filter, sort, page: { by: 'position', after: after.value, count: page.count } }, projection)
  const resources = found.rows.map((resource) => project(kind.type, resource, projection))
  return ok(cursorResponse(resources, found.next && writeCursor(context, kind.type.name, words, found.next)))
}

async function pageOf(
  context: ScimContext,
  kind: ScimKind,
  { filter, sort, projection }: SearchRequest,
  startIndex: number,
  count: number,
) {
  const found = await kind.search(context, { filter, sort, page: { by: 'index', startIndex, count } }, projection)
  return { rows: found.rows.map((resource) => project(kind.type, resource, projection)), total: found.total ?? 0 }
}

/** All kinds, one behind the other: each in its own order. Pages by index only. */
export async function searchAllKinds(
  context: ScimContext,
  kinds: readonly ScimKind[],
  words: SearchWords,
): Promise<Result<JsonObject, ScimError>> {
  const rows: JsonObject[] = []
  let total = 0
  let startIndex = 1
  let isShort = false
  for (const kind of kinds) {
    const request = parseSearch(kind.type, { ...words, cursor: undefined })
    if (!request.ok) return request
    const { page } = request.value
    if (page.by !== 'index') continue
    startIndex = page.startIndex
    // What of the page is left behind those of the kinds before.
    const from = Math.max(1, page.startIndex + rows.length - total)
    const count = isShort ? 0 : page.count - rows.length
    const found = await pageOf(context, kind, request.value, from, count)
    rows.push(...found.rows)
    // What is left out of a page, because it would be too much, comes before what other kinds have.
    if (found.rows.length < Math.min(count, found.total - from + 1)) isShort = true
    total += found.total
  }
  return ok(listResponse(rows, total, startIndex))
}
