/** A plan for people, as a diff, and for machines. Names are of tenants: none of them begins a line of its own. */
import { plainText } from '../admin/show.js'
import type { Difference } from './differences.js'
import type { Change, Plan } from './plan-change.js'

const signs = { create: '+', change: '~', 'take away': '-' } as const

/** Whose plan it is stands first, by the name that the broker knows: a copied file with a slug left in it is seen there. */
export function showPlan({ slug, knownAs, changes, leftAlone, warnings }: Plan): string {
  const whose = `Tenant ${slug}, ${knownAs === undefined ? 'which is not there yet' : plainText(knownAs)}`
  const much = changes.length === 0 ? 'nothing to change' : `${changes.length} ${changes.length === 1 ? 'change' : 'changes'}`
  return [
    `${whose}: ${much}`,
    ...changes.flatMap(showChange),
    ...leftAlone.map((what) => `  . ${plainText(what)}: left alone; --prune takes it away`),
    ...warnings.map((what) => `  ! ${plainText(what)}`),
  ].join('\n')
}

const showChange = ({ does, what, differences }: Change): readonly string[] => [
  `  ${signs[does]} ${plainText(what)}`,
  ...differences.flatMap((difference) => showDifference(difference).map((line) => `      ${line}`)),
]

function showDifference({ path, from, to }: Difference): readonly string[] {
  const label = path === '' ? '' : `${plainText(path)}: `
  if (isText(from) || isText(to)) return [...(path === '' ? [] : [plainText(path)]), ...linesThatDiffer(from, to)]
  if (from === undefined) return [`+ ${label}${shown(to)}`]
  if (to === undefined) return [`- ${label}${shown(from)}`]
  return [`${label}${shown(from)} → ${shown(to)}`]
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.includes('\n')
const shown = (value: unknown): string => plainText(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

/** What two texts do not share at their beginning and end. */
function linesThatDiffer(from: unknown, to: unknown): readonly string[] {
  const [before, after] = [linesOf(from), linesOf(to)]
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1
  let end = 0
  const shortest = Math.min(before.length, after.length) - start
  while (end < shortest && before.at(-1 - end) === after.at(-1 - end)) end += 1
  const middle = (lines: readonly string[], sign: string) => lines.slice(start, lines.length - end).map((line) => `${sign} ${line}`)
  return [
    ...(start > 0 ? [`  … ${start} lines the same`] : []),
    ...middle(before, '-'),
    ...middle(after, '+'),
    ...(end > 0 ? [`  … ${end} lines the same`] : []),
  ]
}
const linesOf = (value: unknown): readonly string[] => (typeof value === 'string' ? value.replace(/\n$/, '').split('\n') : [])

export const planAsJson = ({ slug, changes, leftAlone, warnings }: Plan) => ({
  tenant: slug,
  changes: changes.map(({ does, what, differences }) => ({
    does,
    what,
    differences: differences.map(({ path, from, to }) => ({ path, from: from ?? null, to: to ?? null })),
  })),
  leftAlone,
  warnings,
})
