/** What an attribute is compared with: the literal of a filter as the attribute's type reads it. RFC 7644 §3.4.2.2, RFC 7643 §2.3. */
import { type Instant, instant } from '../instant.js'
import type { Attribute } from './attribute.js'
import { bindSub } from './attribute-path.js'
import { type CompareOperator, type Filter, type FilterPath, leafOf, type Operand } from './filter.js'

type Literal = { readonly kind: 'word' | 'text'; readonly value: string }
type Refusal = { readonly refused: string }

const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i

/** Undefined: no point in time. Without an offset nobody knows which one is meant. RFC 7643 §2.3.5. */
export function parseDateTime(text: string): Instant | undefined {
  const at = dateTime.test(text) ? Date.parse(text.toUpperCase()) : Number.NaN
  return Number.isNaN(at) ? undefined : instant(at)
}

/** A comparison with the attribute that is meant: of a complex one its `value`. */
export function bindComparison(path: FilterPath, operator: CompareOperator, literal: Literal): Filter | Refusal {
  const meant = withValue(path)
  if (meant === undefined) return { refused: 'a complex attribute is compared by one of its sub-attributes' }
  const definition = leafOf(meant).definition
  if (isNull(literal)) return compareWithNull(meant, operator)
  const operand = operandOf(definition, literal)
  if (operand === undefined) return { refused: 'the value is not of the type of the attribute' }
  const isOrdered = operator === 'gt' || operator === 'ge' || operator === 'lt' || operator === 'le'
  if (isOrdered && operand.type === 'boolean') return { refused: 'true and false have no order' }
  if ((operator === 'co' || operator === 'sw' || operator === 'ew') && operand.type !== 'text')
    return { refused: 'only texts contain, start or end' }
  if (isOrdered && definition?.type === 'binary') return { refused: 'binary values have no order' }
  return { kind: 'compare', path: meant, operator, operand }
}

const isNull = (literal: Literal): boolean => literal.kind === 'word' && literal.value.toLowerCase() === 'null'

/** Null means "not set": RFC 7643 §2.5. */
function compareWithNull(path: FilterPath, operator: CompareOperator): Filter | Refusal {
  if (operator === 'ne') return { kind: 'present', path }
  return operator === 'eq' ? { kind: 'not', part: { kind: 'present', path } } : { refused: 'null has no order and no parts' }
}

function withValue(path: FilterPath): FilterPath | undefined {
  const definition = leafOf(path).definition
  if (definition?.type !== 'complex') return path
  if ('element' in path || path.sub !== undefined) return undefined
  const value = bindSub(definition, 'value')
  return value.definition === undefined ? undefined : { ...path, sub: value }
}

function operandOf(definition: Attribute | undefined, literal: Literal): Operand | undefined {
  const { value } = literal
  switch (definition?.type) {
    case undefined:
      return undeclared(literal)
    case 'boolean':
      return booleanOf(value)
    case 'decimal':
    case 'integer':
      return numberOf(value)
    case 'dateTime': {
      const at = parseDateTime(value)
      return at === undefined ? undefined : { type: 'instant', value: at }
    }
    case 'string':
    case 'binary':
    case 'reference':
      return { type: 'text', value, caseExact: definition.caseExact }
    case 'complex':
      return undefined
  }
}

/** Of an attribute that no schema describes the literal tells the type; text is compared without case, the default of RFC 7643 §2.2. */
const undeclared = (literal: Literal): Operand =>
  (literal.kind === 'word' ? (booleanOf(literal.value) ?? numberOf(literal.value)) : undefined) ?? {
    type: 'text',
    value: literal.value,
    caseExact: false,
  }

/** In quotes too: Entra writes "True". */
function booleanOf(text: string): Operand | undefined {
  const folded = text.toLowerCase()
  return folded === 'true' || folded === 'false' ? { type: 'boolean', value: folded === 'true' } : undefined
}

function numberOf(text: string): Operand | undefined {
  const value = numberPattern.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(value) ? { type: 'number', value } : undefined
}
