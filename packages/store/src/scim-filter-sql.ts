/**
 * Filters as SQL. Every value and every name of a client is a parameter; the text is made of what is written here and nothing else.
 *
 * What a filter means is said by `core/scim/evaluate-filter`, and a property test holds both together. Conditions are never unknown: what is
 * not set makes a comparison false, so that `not` means the same here as there. Columns answer what they hold, so that indexes serve; a
 * condition that only narrows what an index must show stands before the exact one. Under row-level security PostgreSQL lets an index serve
 * only what it knows to be leakproof, and that is plain equality and order on columns: there is no index on an expression.
 */
import { assert } from '@drawbridge/core/assert'
import { type AttributePath, type Named, pathText } from '@drawbridge/core/scim/attribute-path'
import { type CompareOperator, type Filter, type FilterPath, leafOf, type Operand } from '@drawbridge/core/scim/filter'
import { foldName } from '@drawbridge/core/scim/json'
import { isUuid } from './transaction.js'

/** Notes a parameter and answers how it is written. */
export type AddParameter = (value: unknown) => string

/** A fact that a row has beside its document. `sql` is never an expression of a client's. */
export type ScimColumn =
  /** `key`: the same, lower-cased as it was written. */
  | { readonly kind: 'text'; readonly sql: (add: AddParameter) => string; readonly nullable?: true; readonly key?: string }
  | { readonly kind: 'uuid' | 'boolean' | 'instant'; readonly sql: string }
  /** A SELECT of one jsonb column: the values of a list that is kept elsewhere. */
  | { readonly kind: 'values'; readonly sql: (add: AddParameter) => string }
  | { readonly kind: 'always' }

export type FilterTarget = {
  /** The jsonb that holds what no column does. */
  readonly document: string
  /** By what `pathText` says: `userName`, `meta.created`. */
  readonly columns: ReadonlyMap<string, ScimColumn>
  /** Conditions that hold wherever the path equals the text, and that an index serves. */
  readonly narrow: ReadonlyMap<string, (value: string, add: AddParameter) => string>
  /** What it means that the path equals the text, wherever the values need not be looked at for it. */
  readonly equal?: ReadonlyMap<string, (value: string, add: AddParameter) => string>
}

type Context = { readonly target: FilterTarget; readonly add: AddParameter; readonly nextAlias: () => string }

export function filterSql(filter: Filter, target: FilterTarget, add: AddParameter): string {
  let aliases = 0
  return conditionOf(filter, target.document, { target, add, nextAlias: () => `f${(aliases += 1)}` })
}

/** `holder` is the document, or one value of a list inside `attr[...]`. */
function conditionOf(filter: Filter, holder: string, context: Context): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${filter.parts.map((part) => conditionOf(part, holder, context)).join(filter.kind === 'and' ? ' AND ' : ' OR ')})`
    case 'not':
      return `NOT (${conditionOf(filter.part, holder, context)})`
    case 'present':
      return presence(filter.path, holder, context)
    case 'compare':
      return comparison(filter, holder, context)
    case 'some':
      return someValue(filter.path, filter.part, context)
  }
}

type Comparison = Extract<Filter, { kind: 'compare' }>

const columnOf = (path: FilterPath, { target }: Context): ScimColumn | undefined =>
  'element' in path ? undefined : target.columns.get(pathText(path))

function presence(path: FilterPath, holder: string, context: Context): string {
  const column = columnOf(path, context)
  if (column === undefined || column.kind === 'values') return exists(path, holder, context, (value) => `${value} <> '""'`)
  if (column.kind !== 'text' || column.nullable !== true) return 'TRUE'
  const value = column.sql(context.add)
  return `(${value} IS NOT NULL AND ${value} <> '')`
}

function comparison(filter: Comparison, holder: string, context: Context): string {
  const { path, operator, operand } = filter
  const column = columnOf(path, context)
  if (column !== undefined && column.kind !== 'values') return columnTest(column, operator, operand, context.add)
  const known = operator === 'eq' && operand.type === 'text' && !('element' in path) ? context.target.equal?.get(pathText(path)) : undefined
  if (known !== undefined && operand.type === 'text') return known(operand.value, context.add)
  const isUndeclared = leafOf(path).definition === undefined
  const test = (operatorOf: CompareOperator) => (value: string) =>
    jsonTest(isUndeclared ? `COALESCE(${value} -> 'value', ${value})` : value, operatorOf, operand, context.add)
  if (operator === 'ne') {
    const differs = exists(path, holder, context, (value) => `NOT (${test('eq')(value)})`)
    return `(${differs} OR NOT ${exists(path, holder, context, () => 'TRUE')})`
  }
  const exact = exists(path, holder, context, test(operator))
  const narrow = 'element' in path || operator !== 'eq' || operand.type !== 'text' ? undefined : context.target.narrow.get(pathText(path))
  return narrow === undefined || operand.type !== 'text' ? exact : `(${narrow(operand.value, context.add)} AND ${exact})`
}

function someValue(path: AttributePath, part: Filter, context: Context): string {
  const only = part.kind === 'compare' ? equalities(part)[0] : undefined
  const known = only && context.target.equal?.get(`${pathText(path)}.${only.name}`)
  if (known !== undefined && only !== undefined) return known(only.value, context.add)
  const exact = exists(
    path,
    context.target.document,
    context,
    (value) => `(jsonb_typeof(${value}) = 'object' AND ${conditionOf(part, value, context)})`,
  )
  const narrower = equalities(part).flatMap(({ name, value }) => {
    const narrow = context.target.narrow.get(`${pathText(path)}.${name}`)
    return narrow === undefined ? [] : [narrow(value, context.add)]
  })
  return narrower.length === 0 ? exact : `(${[...narrower, exact].join(' AND ')})`
}

/** What members of a value must equal wherever the filter holds. */
function equalities(filter: Filter): readonly { readonly name: string; readonly value: string }[] {
  if (filter.kind === 'and') return filter.parts.flatMap(equalities)
  if (filter.kind !== 'compare' || filter.operator !== 'eq' || filter.operand.type !== 'text') return []
  return 'element' in filter.path ? [{ name: filter.path.element.name, value: filter.operand.value }] : []
}

/** One of the values at a path meets the test. */
function exists(path: FilterPath, holder: string, context: Context, test: (value: string) => string): string {
  const { from, value } = valuesSql(path, holder, context)
  return `EXISTS (SELECT 1 FROM ${from} WHERE ${isSet(value)} AND ${test(value)})`
}

const isSet = (value: string): string => `${value} NOT IN ('null', '[]', '{}')`

/** The values at a path as rows, lists taken apart: what to select from, and the column. */
export function valuesSql(path: FilterPath, holder: string, context: Context): { readonly from: string; readonly value: string } {
  const first = context.nextAlias()
  if ('element' in path) return { from: apart(member(holder, path.element, context.add), first), value: `${first}.v` }
  const { extension, attribute, sub } = path
  const place = extension === undefined ? holder : member(holder, { name: extension, definition: undefined }, context.add)
  const kept = context.target.columns.get(pathText({ ...path, sub: undefined }))
  const from = kept?.kind === 'values' ? `(${kept.sql(context.add)}) AS ${first}(v)` : apart(member(place, attribute, context.add), first)
  if (sub === undefined) return { from, value: `${first}.v` }
  const second = context.nextAlias()
  return { from: `${from}, LATERAL ${apart(member(`${first}.v`, sub, context.add), second)}`, value: `${second}.v` }
}

const apart = (json: string, alias: string): string =>
  `jsonb_array_elements(CASE jsonb_typeof(${json}) WHEN 'array' THEN ${json} ELSE jsonb_build_array(${json}) END) AS ${alias}(v)`

/** What a schema knows is kept in its spelling; the rest in whatever spelling it came. Names fold as ASCII, hence the collation. */
function member(json: string, named: Named, add: AddParameter): string {
  if (named.definition !== undefined) return `(${json} -> ${add(named.name)}::text)`
  const object = `CASE jsonb_typeof(${json}) WHEN 'object' THEN ${json} ELSE '{}' END`
  return `(SELECT m.value FROM jsonb_each(${object}) AS m WHERE lower(m.key COLLATE "C") = ${add(foldName(named.name))} LIMIT 1)`
}

function jsonTest(value: string, operator: CompareOperator, operand: Operand, add: AddParameter): string {
  switch (operand.type) {
    case 'boolean':
      return `${value} = to_jsonb(${add(operand.value)}::boolean)`
    case 'number':
      return `CASE jsonb_typeof(${value}) WHEN 'number' THEN (${value} #>> '{}')::numeric ${sign(operator)} ${add(String(operand.value))}::numeric ELSE FALSE END`
    case 'text': {
      const text = `(${value} #>> '{}')`
      return `(jsonb_typeof(${value}) = 'string' AND ${textTest(folded(text, operand), operator, folded(`${add(operand.value)}::text`, operand))})`
    }
    case 'instant':
      // A schema with a date that is no column would need one.
      assert(false, 'points in time are columns')
  }
}

/** The plain lower() knows only the letters of the cluster's locale; ICU's root collation knows all, and the order of "C" is that of code points. */
const folded = (text: string, { caseExact }: { readonly caseExact: boolean }): string =>
  caseExact ? `(${text} COLLATE "C")` : `(lower(${text} COLLATE "und-x-icu") COLLATE "C")`

function textTest(value: string, operator: CompareOperator, operand: string): string {
  switch (operator) {
    case 'co':
      return `position(${operand} in ${value}) > 0`
    case 'sw':
      return `starts_with(${value}, ${operand})`
    case 'ew':
      return `right(${value}, length(${operand})) = ${operand}`
    default:
      return `${value} ${sign(operator)} ${operand}`
  }
}

const signs = { eq: '=', ne: '<>', gt: '>', ge: '>=', lt: '<', le: '<=' } as const
function sign(operator: CompareOperator): string {
  assert(operator !== 'co' && operator !== 'sw' && operator !== 'ew', 'only texts contain, start or end')
  return signs[operator]
}

function columnTest(
  column: Exclude<ScimColumn, { kind: 'values' }>,
  operator: CompareOperator,
  operand: Operand,
  add: AddParameter,
): string {
  switch (column.kind) {
    case 'always':
      return 'FALSE'
    case 'boolean':
      return operand.type === 'boolean' ? `${column.sql} ${sign(operator)} ${add(operand.value)}::boolean` : 'FALSE'
    case 'instant':
      return operand.type === 'instant'
        ? `${column.sql} ${sign(operator)} to_timestamp(${add(operand.value)}::double precision / 1000)`
        : 'FALSE'
    case 'uuid':
      return operand.type === 'text' ? uuidTest(column.sql, operator, operand.value, add) : 'FALSE'
    case 'text':
      return operand.type === 'text' ? textColumnTest(column, operator, operand, add) : 'FALSE'
  }
}

function uuidTest(column: string, operator: CompareOperator, value: string, add: AddParameter): string {
  if (operator === 'eq') return isUuid(value) ? `${column} = ${add(value)}::uuid` : 'FALSE'
  return textTest(`(${column}::text COLLATE "C")`, operator, `(${add(value)}::text COLLATE "C")`)
}

type TextColumn = Extract<ScimColumn, { kind: 'text' }>
type TextOperand = Extract<Operand, { type: 'text' }>

function textColumnTest(column: TextColumn, operator: CompareOperator, operand: TextOperand, add: AddParameter): string {
  const value = column.sql(add)
  const test = textColumnExact(column, value, operator, operand, add)
  if (column.nullable !== true) return test
  return operator === 'ne' ? `(${value} IS NULL OR ${test})` : `(${value} IS NOT NULL AND ${test})`
}

function textColumnExact(column: TextColumn, value: string, operator: CompareOperator, operand: TextOperand, add: AddParameter): string {
  if (operand.caseExact)
    return operator === 'eq'
      ? `${value} = ${add(operand.value)}::text`
      : textTest(`(${value} COLLATE "C")`, operator, `(${add(operand.value)}::text COLLATE "C")`)
  const { key } = column
  if (key === undefined) return textTest(folded(value, operand), operator, folded(`${add(operand.value)}::text`, operand))
  // Lowered by JavaScript, as the key was when it was written.
  const lowered = operand.value.toLowerCase()
  if (operator === 'eq') return `${key} = ${add(lowered)}::text`
  const test = textTest(`(${key} COLLATE "C")`, operator, `(${add(lowered)}::text COLLATE "C")`)
  return operator === 'sw' && lowered !== '' ? `(${prefixRange(key, lowered, add)}${test})` : test
}

/** The part of an index in which everything lies that begins so. */
function prefixRange(key: string, prefix: string, add: AddParameter): string {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number)
  while (points.at(-1) === 0x10ffff) points.pop()
  const last = points.pop()
  const from = `${key} COLLATE "C" >= ${add(prefix)}::text AND `
  if (last === undefined) return from
  const next = last === 0xd7ff ? 0xe000 : last + 1
  return `${from}${key} COLLATE "C" < ${add(String.fromCodePoint(...points, next))}::text AND `
}
