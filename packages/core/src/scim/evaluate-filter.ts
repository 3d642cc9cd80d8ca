/**
 * What a filter means, said as plainly as possible: for value paths in PATCH, and as the measure of what PostgreSQL answers.
 *
 * An attribute has any number of values; a comparison holds when it holds for one of them. `ne` holds for a value that differs, and where
 * there is none: what is not set is not identical to anything.
 */

import { valueOf } from './attribute-path.js'
import { type CompareOperator, type Filter, type FilterPath, leafOf, type Operand } from './filter.js'
import { parseDateTime } from './filter-operand.js'
import { isList, isObject, isUnset, type Json, type JsonObject, own } from './json.js'

export function matchesFilter(filter: Filter, resource: JsonObject): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.parts.every((part) => matchesFilter(part, resource))
    case 'or':
      return filter.parts.some((part) => matchesFilter(part, resource))
    case 'not':
      return !matchesFilter(filter.part, resource)
    case 'present':
      return valuesAt(filter.path, resource).some((value) => value !== '')
    case 'compare': {
      const values = leavesAt(filter.path, resource)
      const { operator, operand } = filter
      if (operator === 'ne') return values.length === 0 || values.some((value) => !compares('eq', value, operand))
      return values.some((value) => compares(operator, value, operand))
    }
    case 'some':
      return valuesAt(filter.path, resource).some((value) => isObject(value) && matchesFilter(filter.part, value))
  }
}

/** How many comparisons it takes: its terms, and more for what is long. */
export function costOf(filter: Filter): number {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.parts.reduce((sum, part) => sum + costOf(part), 0)
    case 'not':
    case 'some':
      return costOf(filter.part)
    case 'present':
      return 1
    case 'compare':
      return weightOf(filter.operand.value)
  }
}

/** A long text counts as several. */
export const weightOf = (text: unknown): number => (typeof text === 'string' ? 1 + Math.floor(text.length / 64) : 1)

const listOf = (value: Json | undefined): readonly Json[] => {
  if (isList(value)) return value.filter((item) => !isUnset(item))
  return isUnset(value) ? [] : [value]
}

/** The values of an attribute, lists taken apart, without what is not set. */
export function valuesAt(path: FilterPath, resource: JsonObject): readonly Json[] {
  if ('element' in path) return listOf(valueOf(resource, path.element))
  const holder = path.extension === undefined ? resource : valueOf(resource, { name: path.extension, definition: undefined })
  const values = isObject(holder) ? listOf(valueOf(holder, path.attribute)) : []
  const { sub } = path
  return sub === undefined ? values : values.flatMap((value) => (isObject(value) ? listOf(valueOf(value, sub)) : []))
}

/** What is compared: of an object that no schema describes its `value`. */
function leavesAt(path: FilterPath, resource: JsonObject): readonly Json[] {
  const values = valuesAt(path, resource)
  return leafOf(path).definition === undefined ? values.map((value) => (isObject(value) ? (own(value, 'value') ?? value) : value)) : values
}

function compares(operator: CompareOperator, value: Json, operand: Operand): boolean {
  switch (operand.type) {
    case 'boolean':
      return typeof value === 'boolean' && operator === 'eq' && value === operand.value
    case 'number':
      return typeof value === 'number' && isOrdered(operator, value - operand.value)
    case 'instant': {
      const at = typeof value === 'string' ? parseDateTime(value) : undefined
      return at !== undefined && isOrdered(operator, at - operand.value)
    }
    case 'text':
      return typeof value === 'string' && comparesText(operator, fold(value, operand), fold(operand.value, operand))
  }
}

const fold = (text: string, { caseExact }: { readonly caseExact: boolean }): string => (caseExact ? text : text.toLowerCase())

function comparesText(operator: CompareOperator, value: string, operand: string): boolean {
  switch (operator) {
    case 'co':
      return value.includes(operand)
    case 'sw':
      return value.startsWith(operand)
    case 'ew':
      return value.endsWith(operand)
    default:
      return isOrdered(operator, inCodePoints(value, operand))
  }
}

function isOrdered(operator: CompareOperator, difference: number): boolean {
  switch (operator) {
    case 'eq':
      return difference === 0
    case 'gt':
      return difference > 0
    case 'ge':
      return difference >= 0
    case 'lt':
      return difference < 0
    case 'le':
      return difference <= 0
    default:
      return false
  }
}

/** JavaScript's own order is that of UTF-16, in which characters beyond U+FFFF come before some below it. */
export function inCodePoints(one: string, other: string): number {
  const length = Math.min(one.length, other.length)
  for (let at = 0; at < length; at += 1) {
    const [left, right] = [one.charCodeAt(at), other.charCodeAt(at)]
    // Where they differ, half of a pair stands for a character beyond U+FFFF.
    if (left !== right) return (isHalf(left) ? left + 0x10000 : left) - (isHalf(right) ? right + 0x10000 : right)
  }
  return one.length - other.length
}
const isHalf = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff
