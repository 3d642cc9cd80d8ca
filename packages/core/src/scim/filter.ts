/** A filter as a tree, its names and values bound to the schemas. RFC 7644 §3.4.2.2. `parse-filter` makes it, `evaluate-filter` says what it means. */
import type { Instant } from '../instant.js'
import type { AttributePath, Named } from './attribute-path.js'

export type CompareOperator = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le'

export type Operand =
  | { readonly type: 'text'; readonly value: string; readonly caseExact: boolean }
  | { readonly type: 'number'; readonly value: number }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'instant'; readonly value: Instant }

/** Inside `attr[...]` names are those of sub-attributes, and `sub` is where a name of the resource's has its attribute. */
export type FilterPath = AttributePath | { readonly element: Named }

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Filter[] }
  | { readonly kind: 'not'; readonly part: Filter }
  | { readonly kind: 'present'; readonly path: FilterPath }
  | { readonly kind: 'compare'; readonly path: FilterPath; readonly operator: CompareOperator; readonly operand: Operand }
  /** One and the same value of the attribute meets the inner filter. */
  | { readonly kind: 'some'; readonly path: AttributePath; readonly part: Filter }

export const leafOf = (path: FilterPath): Named => ('element' in path ? path.element : (path.sub ?? path.attribute))
