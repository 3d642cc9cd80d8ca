/** A dry run for people: the outcome, then scope by scope why, then what must be proved, and which limit won. */
import type { shownDryRun } from '@drawbridge/broker/admin/dry-run-shapes'
import type { z } from 'zod'
import { plainText } from './show.js'

export type DryRun = z.output<typeof shownDryRun>
type Considered = DryRun['clientRules'][number]
type Scope = DryRun['scopes'][number]

export const dryRunLinesOf = (found: DryRun): readonly string[] =>
  [
    outcomeLine(found),
    ...found.scopes.flatMap(scopeLines),
    ...section('Rules for clients', found.clientRules.filter(isNear).map(consideredLine)),
    ...section('Must be proved', found.demands.map(demandLine)),
    ...lifetimeLines(found),
    ...(found.valuesLeftOut > 0 ? [`… and ${found.valuesLeftOut} more values that conditions read`] : []),
    ...found.notes.map((note) => `! ${note}`),
  ].map(plainText)

function outcomeLine({ outcome, granted, missing, reason, policy, at }: DryRun): string {
  const asked =
    policy.draft === null ? (policy.version === null ? 'the given policy' : `version ${policy.version}`) : `draft ${policy.draft}`
  const said = `By ${asked}, at ${at}: `
  if (outcome === 'allow') return `${said}granted ${granted.join(' ')}`
  return outcome === 'step_up' ? `${said}sent back once for ${missing ?? ''}` : `${said}denied (${reason ?? ''}): ${missing ?? ''}`
}

const scopeLines = ({ scope, tier, granted, because, rules, rulesLeftOut }: Scope): readonly string[] => [
  `${granted ? '+' : '-'} ${scope} (${tier}): ${because}`,
  ...rules.map((rule) => `    ${rule.effect} ${consideredLine(rule)}`),
  ...(rulesLeftOut > 0 ? [`    … and ${rulesLeftOut} more rules`] : []),
]

/** Of many rules that concern others nothing is to be learnt. */
const isNear = ({ outcome }: Considered): boolean => outcome !== 'no'

const consideredLine = ({ name, owner, line, because, values }: Considered): string => {
  const where = line === null ? '' : ` (${owner === 'vendor' ? 'the vendor\u2019s ' : ''}line ${line})`
  const read = values.map(({ variable, value }) => `${variable} = ${value}`)
  return `${name}${where}: ${because}${read.length === 0 ? '' : `; ${read.join(', ')}`}`
}

const demandLine = (demand: DryRun['demands'][number]): string =>
  `${consideredLine(demand)}; ${demand.strength.replaceAll('_', ' ')}: ${demand.missing === null ? 'proved' : `missing ${demand.missing}`}`

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)]

type Ceilings = DryRun['ceilings']['access']

function lifetimeLines({ outcome, ceilings }: DryRun): readonly string[] {
  if (outcome === 'deny') return []
  const { access, refresh } = ceilings
  return section('Lifetimes', [
    ...ceilingLines('access token', access),
    ...(refresh === null ? ['no refresh token'] : ceilingLines('refresh token', refresh)),
  ])
}

const ceilingLines = (what: string, { won, all }: Ceilings): readonly string[] => [
  `${what} ${won.seconds} s: ${won.detail}`,
  ...all
    .filter(({ seconds, by }) => seconds !== won.seconds || by !== won.by)
    .map(({ seconds, detail }) => `  not ${seconds} s: ${detail}`),
]
