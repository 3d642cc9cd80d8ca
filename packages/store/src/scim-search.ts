/** Pages of SCIM resources: filtered, in a stable order, by index or behind a position. RFC 7644 §3.4.2, RFC 9865. */
import { pathText } from '@drawbridge/core/scim/attribute-path'
import type { Filter } from '@drawbridge/core/scim/filter'
import type { Sort } from '@drawbridge/core/scim/search-request'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type AddParameter, type FilterTarget, filterSql, valuesSql } from './scim-filter-sql.js'
import type { Db } from './transaction.js'

/** Where resources of a type are. `$1` is the tenant and `$2` the connection. */
export type SearchSource = {
  readonly columns: string
  readonly from: string
  readonly where: string
  readonly target: FilterTarget
  /** A column of every row, and of no two the same. */
  readonly id: string
  readonly createdAt: string
  /** Filters that one index answers in the order of `id` and in no other. Where nobody asked for an order, those have it. */
  readonly isInOrderOfId?: (filter: Filter) => boolean
}

/** The place of a row in an order: what stands behind it begins there. Undefined keys are values that are not set. */
export type SearchPosition = { readonly key: string | undefined; readonly id: string }

export type SearchQuestion = {
  readonly filter: Filter | undefined
  readonly sort: Sort | undefined
  readonly page:
    | { readonly by: 'index'; readonly startIndex: number; readonly count: number }
    | { readonly by: 'position'; readonly after: SearchPosition | undefined; readonly count: number }
}

export type SearchAnswer<Row> = {
  readonly rows: readonly Row[]
  /** Counted for pages by index only. */
  readonly total: number | undefined
  /** Where the next page begins; absent on the last one. */
  readonly next: SearchPosition | undefined
}

type Placed = { sort_key: string | null; sort_id: string }
type Caller = { readonly tenant: TenantId; readonly connectionId: ConnectionId }

export async function searchResources<Row>(
  db: Db,
  caller: Caller,
  source: SearchSource,
  question: SearchQuestion,
): Promise<SearchAnswer<Row>> {
  const parameters: unknown[] = [caller.tenant, caller.connectionId]
  const add: AddParameter = (value) => `$${parameters.push(value)}`
  const where = question.filter === undefined ? source.where : `${source.where} AND ${filterSql(question.filter, source.target, add)}`
  const { page } = question
  if (page.by === 'index') {
    const counted = await db.query<{ total: string | number }>(`SELECT count(*) AS total FROM ${source.from} WHERE ${where}`, parameters)
    const total = Number(counted.rows[0]?.total ?? 0)
    if (total < page.startIndex || page.count === 0) return { rows: [], total, next: undefined }
    const order = orderOf(question, source, add)
    const limits = `OFFSET ${add(page.startIndex - 1)} LIMIT ${add(page.count)}`
    const { rows } = await db.query<Row>(
      `SELECT ${source.columns} FROM ${source.from} WHERE ${where} ORDER BY ${order.by} ${limits}`,
      parameters,
    )
    return { rows, total, next: undefined }
  }
  const order = orderOf(question, source, add)
  const behind = page.after === undefined ? '' : `AND ${order.behind(page.after)}`
  const { rows } = await db.query<Row & Placed>(
    `SELECT ${source.columns}, (${order.key})::text AS sort_key, ${source.id}::text AS sort_id FROM ${source.from}
     WHERE ${where} ${behind} ORDER BY ${order.by} LIMIT ${add(page.count + 1)}`,
    parameters,
  )
  const shown = rows.slice(0, page.count)
  const last = rows.length > page.count ? shown.at(-1) : undefined
  return { rows: shown, total: undefined, next: last && { key: last.sort_key ?? undefined, id: last.sort_id } }
}

type Order = { readonly key: string; readonly by: string; readonly behind: (position: SearchPosition) => string }

/** How much of a text counts in an order: a cursor carries it. */
const orderedCharacters = 256

/** @spec RFC 7644 §3.4.2.3 what is not set comes last, and first in descending order; of a list the primary value counts, or the first */
function orderOf({ sort, filter }: SearchQuestion, source: SearchSource, add: AddParameter): Order {
  const way = sort?.descending === true ? 'DESC' : 'ASC'
  const sign = sort?.descending === true ? '<' : '>'
  const certain = (key: string, cast: string): Order => ({
    key,
    by: `${key} ${way}, ${source.id} ${way}`,
    behind: (position) => `(${key}, ${source.id}) ${sign} (${add(position.key)}::${cast}, ${add(position.id)}::uuid)`,
  })
  const column = sort === undefined ? undefined : source.target.columns.get(pathText(sort.by))
  if (sort === undefined && filter !== undefined && source.isInOrderOfId?.(filter) === true) return certain(source.id, 'uuid')
  if (sort === undefined) return certain(source.createdAt, 'timestamptz')
  if (column?.kind === 'instant') return certain(column.sql, 'timestamptz')
  if (column?.kind === 'uuid') return certain(column.sql, 'uuid')
  if (column?.kind === 'boolean') return certain(column.sql, 'boolean')
  if (column?.kind === 'text' && column.key !== undefined) return certain(`${column.key} COLLATE "C"`, 'text')
  const key = column?.kind === 'text' ? `left(${column.sql(add)}, ${orderedCharacters}) COLLATE "C"` : jsonKey(sort, source, add)
  return {
    key,
    by: `(${key}) IS NULL ${way}, ${key} ${way}, ${source.id} ${way}`,
    behind: ({ key: at, id }) =>
      `((${key}) IS NULL, COALESCE(${key}, ''), ${source.id}) ${sign} (${add(at === undefined)}::boolean, ${add(at ?? '')}::text, ${add(id)}::uuid)`,
  }
}

/** The text of the primary value, or of the first. */
function jsonKey({ by }: Sort, source: SearchSource, add: AddParameter): string {
  if (source.target.columns.get(pathText({ ...by, sub: undefined }))?.kind === 'values') return 'NULL::text'
  const aliases = ['s1', 's2']
  const context = { target: source.target, add, nextAlias: () => aliases.shift() as string }
  const { from, value } = valuesSql(by, source.target.document, context)
  const text = `${value} #>> '{}'`
  const exact = (by.sub ?? by.attribute).definition?.caseExact === true
  const ordered = `left(${exact ? text : `lower((${text}) COLLATE "und-x-icu")`}, ${orderedCharacters})`
  return `(SELECT ${ordered} COLLATE "C" FROM ${from.replace(' AS s1(v)', ' WITH ORDINALITY AS s1(v, nth)')}
    WHERE jsonb_typeof(${value}) IN ('string', 'number', 'boolean') ORDER BY (s1.v -> 'primary') IS NOT DISTINCT FROM 'true' DESC, s1.nth LIMIT 1)`
}
