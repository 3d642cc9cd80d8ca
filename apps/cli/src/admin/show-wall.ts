/** For people: what another policy of the vendor would do to whom. */
import { plainText } from './show.js'
import { caseLines, type Judged, mistakeLines, warningLine } from './show-policy.js'

type Changed = { readonly tenant: string; readonly looser: NonNullable<Judged['mistakes']>; readonly cases: Judged['cases'] }
export type CheckedWall = {
  readonly warnings: Judged['warnings']
  readonly tenants: {
    readonly looked: number
    readonly next: string | null
    readonly changed: readonly Changed[]
    readonly leftOut: number
  }
}

export function wallLinesOf({ warnings, tenants: { looked, next, changed, leftOut } }: CheckedWall): readonly string[] {
  const all = changed.length + leftOut
  return [
    'It compiles.',
    ...warnings.map(warningLine),
    all === 0 ? `Of ${looked} tenants, none has numbers or test cases that say otherwise.` : `Of ${looked} tenants, ${all} would notice:`,
    ...changed.flatMap(changedLines),
    ...(leftOut > 0 ? [`… and ${leftOut} more`] : []),
    ...(next === null ? [] : [plainText(`! It took too long. Go on with --after ${next}`)]),
  ]
}

const changedLines = ({ tenant, looser, cases }: Changed): readonly string[] => [
  plainText(tenant),
  ...(looser.length === 0 ? [] : ['  looser than this wall, and would be held to it:', ...looser.flatMap(mistakeLines).map(indented)]),
  ...(cases.failed === 0 ? [] : caseLines(cases).map(indented)),
]

const indented = (line: string): string => `  ${line}`
