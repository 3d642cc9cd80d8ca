/**
 * What a decision costs: ours with and without its whole explanation, Cedar's for the same permissions, and bare CEL that tries each rule.
 *
 * CPU time of this process, so other work on the machine shows less; it is not free of it, because caches, clock rate and the cores' other
 * threads are shared. Other work only ever makes slower, so the best of several rounds says most of the code, and the middle one how noisy it was.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import { decide } from '@drawbridge/core/policy/decide'
import { explain } from '@drawbridge/core/policy/explain'
import { Environment } from '@marcbachmann/cel-js'
import { measureHostilePolicies } from './hostile-policies.js'
import * as workload from './policy-workload.js'
import { inMilliseconds, printTable } from './table.js'

const ruleCounts = [10, 100, 1_000, 10_000] as const
const groupCounts = [5, 50, 250] as const
const logins = 500
const rounds = 9
/** How many rules of bare CEL are still worth waiting for. */
const celRules = 1_000

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

type Rate = { readonly best: number; readonly middle: number }

/** Times per second of CPU, in rounds, after a warm-up of as long as all of them. */
function perSecond(seconds: number, once: (turn: number) => void): Rate {
  const during = (ms: number): number => {
    const begin = cpuMs()
    let turns = 0
    while (cpuMs() - begin < ms) {
      for (const end = turns + batchOf(turns); turns < end; turns += 1) once(turns)
    }
    return (turns * 1000) / (cpuMs() - begin)
  }
  during(seconds * 1000)
  const rates = Array.from({ length: rounds }, () => during((seconds * 1000) / rounds)).toSorted((one, other) => one - other)
  return { best: rates.at(-1) ?? 0, middle: rates[Math.floor(rounds / 2)] ?? 0 }
}

/** Asking for the time costs some, so it is asked rarely once a turn is known to be short. */
const batchOf = (turns: number): number => Math.max(1, Math.min(1_000, Math.floor(turns / 10)))

type Measured = {
  readonly name: string
  readonly decides: Rate
  readonly explains: Rate
  readonly cedar: Rate
  readonly cel: Rate | undefined
}

export function measurePolicies(isTrial: boolean): void {
  const seconds = isTrial ? 0.02 : 0.3
  const measured = ruleCounts.flatMap((rules) => groupCounts.map((groups) => measure(rules, groups, seconds)))
  printTable(
    `Decisions about two scopes per second of one core (CPU time), the best of ${rounds} rounds and the middle one`,
    ['rules × groups', 'ours', 'with its whole explanation', 'Cedar', 'bare CEL, each rule tried'],
    measured.map(({ name, decides, explains, cedar: cedars, cel }) => [
      name,
      shown(decides),
      shown(explains),
      shown(cedars),
      cel === undefined ? '' : shown(cel),
    ]),
  )
  printTable(
    'One policy',
    ['rules', 'compiled from its value (ms)', 'kept in memory (KiB)'],
    ruleCounts.map((rules) => compiled(rules)),
  )
  measureHostilePolicies(isTrial)
}

const shown = ({ best, middle }: Rate): string => `${inThousands(best)} (${inThousands(middle)})`
const inThousands = (value: number): string => (value < 1_000 ? value.toFixed(0) : `${(value / 1_000).toFixed(value < 10_000 ? 1 : 0)}k`)

function measure(rules: number, groupCount: number, seconds: number): Measured {
  const written = workload.rulesOf(rules)
  const policy = workload.compile(workload.documentOf(written))
  const groups = workload.groupsOf(groupCount)
  const inputs = Array.from({ length: logins }, () => workload.inputOf(groups))
  const at = (turn: number) => inputs[turn % logins] as (typeof inputs)[number]
  if (decide(policy, at(0)).kind !== 'allow') throw new Error('the bench measures what is granted')
  return {
    name: `${rules} × ${groupCount}`,
    decides: perSecond(seconds, (turn) => void decide(policy, at(turn))),
    explains: perSecond(seconds, (turn) => void explain(policy, at(turn))),
    cedar: perSecond(seconds, cedarDecision(written, groups)),
    cel: rules > celRules ? undefined : perSecond(seconds, celDecision(written, groups)),
  }
}

type Rules = ReturnType<typeof workload.rulesOf>

/** Its policies are parsed once, and kept inside; who asks is told with every call. */
function cedarDecision(rules: Rules, groups: readonly string[]): () => void {
  const parsed = cedar.preparsePolicySet('bench', { staticPolicies: workload.cedarPolicies(rules) })
  if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed))
  const entities = workload.cedarEntities(groups)
  const ask = (scope: string): boolean => {
    const answer = cedar.statefulIsAuthorized({
      principal: { type: 'User', id: 'ada' },
      action: { type: 'Action', id: scope },
      resource: { type: 'Resource', id: 'https://mcp.example' },
      context: { client: 'agent' },
      preparsedPolicySetId: 'bench',
      entities,
    })
    if (answer.type !== 'success') throw new Error(JSON.stringify(answer))
    return answer.response.decision === 'allow'
  }
  if (!workload.requested.every(ask)) throw new Error('Cedar grants what we grant')
  return () => void workload.requested.map(ask)
}

function celDecision(rules: Rules, groups: readonly string[]): () => void {
  const environment = new Environment({ unlistedVariablesAreDyn: true })
  const conditions = workload.celConditions(rules).map(({ when, ...rest }) => ({ ...rest, holds: environment.parse(when) }))
  const context = workload.celContext(groups)
  const ask = (scope: string): boolean => {
    const of = conditions.filter((condition) => condition.scope === scope)
    const isDenied = of.some(({ isDeny, holds }) => isDeny && holds(context) === true)
    return !isDenied && of.some(({ isDeny, holds }) => !isDeny && holds(context) === true)
  }
  if (!workload.requested.every(ask)) throw new Error('CEL grants what we grant')
  return () => void workload.requested.map(ask)
}

function compiled(rules: number): readonly string[] {
  const document = workload.documentOf(workload.rulesOf(rules))
  workload.compile(document)
  const begin = cpuMs()
  const copies = Math.max(3, Math.ceil(2_000 / rules))
  const before = bytesInUse()
  const kept = Array.from({ length: copies }, () => workload.compile(document))
  const took = (cpuMs() - begin) / copies
  const bytes = (bytesInUse() - before) / kept.length
  return [String(rules), inMilliseconds(took), (bytes / 1024).toFixed(0)]
}

function bytesInUse(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}
