/** Policies for people: mistakes with their carets, test cases, and diffs as every tool shows them. */
import { plainText } from './show.js'

type Placed = { readonly path: string; readonly message: string }
type Warning = { readonly rule: string; readonly line: number | null; readonly message: string }
type Cases = {
  readonly total: number
  readonly failed: number
  readonly failures: readonly { readonly name: string; readonly message: string }[]
}

/** What a check answers; a draft has mistakes beside it. */
export type Judged = { readonly mistakes?: readonly Placed[]; readonly warnings: readonly Warning[]; readonly cases: Cases }
export type Draft = {
  readonly id: string
  readonly base: number
  readonly newest: number
  readonly revision: number
  readonly author: string
  readonly note: string
  readonly changedAt: string
  readonly keptUntil: string
  readonly mistakes: readonly Placed[]
  readonly warnings: readonly Warning[]
  readonly caseResults: Cases
}

export function judgedLinesOf({ mistakes = [], warnings, cases }: Judged): readonly string[] {
  return [
    mistakes.length === 0 ? 'It compiles.' : `It does not compile: ${mistakes.length} ${mistakes.length === 1 ? 'mistake' : 'mistakes'}.`,
    ...mistakes.flatMap(mistakeLines),
    ...warnings.map(warningLine),
    ...(mistakes.length > 0 ? [] : caseLines(cases)),
  ]
}

export const warningLine = ({ rule, line, message }: Warning): string =>
  plainText(`! ${line === null ? '' : `line ${line}, `}rule ${rule}: ${message}`)

/** A caret stands below the line that it is about. */
export const mistakeLines = ({ path, message }: Placed): readonly string[] =>
  (path === '' ? message : `${path}: ${message}`).split('\n').map((line, index) => `  ${index === 0 ? '' : '  '}${line}`)

export function caseLines({ total, failed, failures }: Cases): readonly string[] {
  if (total === 0) return ['It has no test cases.']
  const more = failed - failures.length
  return [
    failed === 0 ? `All ${total} test cases hold.` : `${failed} of ${total} test cases do not hold:`,
    ...failures.map(({ name, message }) => plainText(`  - ${name}: ${message}`)),
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ]
}

export const draftLinesOf = (draft: Draft): readonly string[] => [
  `Draft ${draft.id}, revision ${draft.revision}, ${draft.base === 0 ? 'on top of nothing' : `on top of version ${draft.base}`}`,
  plainText(`changed ${draft.changedAt} by ${draft.author}, kept until ${draft.keptUntil}${draft.note === '' ? '' : `: ${draft.note}`}`),
  ...(draft.newest === draft.base
    ? []
    : [`! version ${draft.newest} was published since: look at it (policy diff), then policy draft change --base ${draft.newest}`]),
  ...judgedLinesOf({ ...draft, cases: draft.caseResults }),
]

type Span = { readonly line: number; readonly lines: number }
type Hunk = { readonly before: Span; readonly after: Span; readonly lines: readonly string[] }
type Side = { readonly version: number | null; readonly draft: string | null }
export type Diff = { readonly from: Side; readonly to: Side; readonly changed: Readonly<Record<'document' | 'cases', readonly Hunk[]>> }

/** As a unified diff. */
export function diffLinesOf({ from, to, changed }: Diff): readonly string[] {
  const parts = (['document', 'cases'] as const).filter((part) => changed[part].length > 0)
  if (parts.length === 0) return [`${nameOf(from)} and ${nameOf(to)} are the same.`]
  return parts.flatMap((part) => [
    `--- ${nameOf(from)}, ${part}`,
    `+++ ${nameOf(to)}, ${part}`,
    ...changed[part].flatMap(({ before, after, lines }) => [`@@ -${spanOf(before)} +${spanOf(after)} @@`, ...lines]),
  ])
}

const spanOf = ({ line, lines }: Span): string => (lines === 1 ? String(line) : `${line},${lines}`)
const nameOf = ({ version, draft }: Side): string => (draft === null ? `version ${version ?? 0}` : `draft ${draft}`)
