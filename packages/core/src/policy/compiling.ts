/** What the parts of the compiler share: where values stand, and the mistakes found so far. */
import { pathText } from '../placed-yaml.js'
import type { ExpressionMistake } from './cel.js'
import { type LineFinder, mistake } from './document.js'
import type { PolicyMistake } from './error.js'

export type Compiling = {
  readonly lineOf: LineFinder
  readonly mistakes: PolicyMistake[]
  cost: number
  groups: number
  /** It was accepted before, by us or by an earlier version. Absent: it is to be saved. */
  readonly isPublished?: boolean
}
type Path = readonly (string | number)[]

export function report(compiling: Compiling, reason: PolicyMistake['reason'], path: Path, detail: string): void {
  compiling.mistakes.push(mistake(reason, pathText(path), compiling.lineOf(path), detail))
}

/** A mistake inside an expression, placed in the document too. */
export function placeMistake(compiling: Compiling, path: Path, { reason, say, position }: ExpressionMistake): void {
  compiling.mistakes.push({ reason, say, path: pathText(path), line: compiling.lineOf(path), expression: position })
}
