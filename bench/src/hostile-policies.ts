/** Documents that are made to be slow, each as large as is still accepted: how long they compile, and how long one decision takes. */
import { inputOfSituation, policySituation } from '@drawbridge/core/policy/cases'
import { type CompiledPolicy, compilePolicy } from '@drawbridge/core/policy/compile'
import { decide } from '@drawbridge/core/policy/decide'
import { policyLimits } from '@drawbridge/core/policy/error'
import type { ResourceIdentifier, Scope } from '@drawbridge/core/tenant/ids'
import { inMilliseconds, printTable } from './table.js'

/** Each grants nothing, so that none spares the others, and reads nothing that could be looked up. */
const conditions: Readonly<Record<string, (index: number) => string>> = {
  'each group compared': () => "groups.exists(g, g == 'z' || g == 'y' || g == 'x')",
  'each group changed': () => "groups.map(g, g + 'x').exists(g, g == 'z')",
  'groups joined': () => 'groups + groups + groups == groups',
  'a text searched': () => "claims.email.contains('zz')",
  'patterns that no engine can keep': (index) => `claims.email.matches('[ab]*a[ab]{${16 + (index % 20)}}[cd]')`,
  'one such pattern, often': () => "claims.email.matches('[ab]*a[ab]{29}[cd]$')",
  'the time somewhere': () => "request.time.getHours('Europe/Vienna') == 77",
  'errors in a loop': () => 'groups.exists(g, g == claims.title)',
  'a text that grows': () => "[claims.email].map(e, e + e + e + e).map(e, e + e + e + e)[0].contains('zz')",
  'a claim among the groups': () => 'claims.email in groups',
  'nothing but numbers': () => 'auth.ageSeconds > 99999',
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

export function measureHostilePolicies(isTrial: boolean): void {
  const rows = Object.entries(conditions).map(([name, condition]) => {
    const { policy, rules, compileMs } = largestAccepted(condition, isTrial)
    const took = Array.from({ length: isTrial ? 2 : 12 }, () => decisionMs(policy)).toSorted((one, other) => one - other)
    return [
      name,
      String(rules),
      inMilliseconds(compileMs),
      inMilliseconds(took[Math.floor(took.length / 2)] ?? 0),
      inMilliseconds(took.at(-1) ?? 0),
    ]
  })
  printTable(
    `Hostile policies, as large as is accepted: ${policyLimits.groups} groups, claims as long as they may be (CPU in ms)`,
    ['conditions', 'rules', 'compiled', 'a decision', 'the slowest'],
    rows,
  )
}

const written = (rules: number, condition: (index: number) => string): string =>
  `version: 1\nrules:\n${Array.from({ length: rules }, (_, index) => ` - {name: r${index}, effect: grant, scopes: [a], when: "${condition(index)}"}`).join('\n')}`

type Accepted = { readonly policy: CompiledPolicy; readonly rules: number; readonly compileMs: number }

/** By halving, then compiled once more with its time taken. */
function largestAccepted(condition: (index: number) => string, isTrial: boolean): Accepted {
  let [accepted, refused] = [1, isTrial ? 3 : 1_000]
  while (refused - accepted > 1) {
    const middle = Math.floor((accepted + refused) / 2)
    if (compilePolicy(written(middle, condition)).ok) accepted = middle
    else refused = middle
  }
  const text = written(accepted, condition)
  const begin = cpuMs()
  const compiled = compilePolicy(text)
  const compileMs = cpuMs() - begin
  if (!compiled.ok) throw new Error(`${condition(0)}: ${JSON.stringify(compiled.error[0])}`)
  return { policy: compiled.value, rules: accepted, compileMs }
}

const resource = {
  identifier: 'https://mcp.example' as ResourceIdentifier,
  scopes: [{ name: 'a' as Scope, tier: 'read' as const, description: 'a', isDefault: true }],
  accessTokenTtlSeconds: undefined,
}

/** Another text each time, so that no engine has seen it. */
function decisionMs(policy: CompiledPolicy): number {
  const random = (length: number): string => Array.from({ length }, () => (Math.random() < 0.5 ? 'a' : 'b')).join('')
  const groups = Array.from({ length: policyLimits.groups }, (_, index) => `group-${index}`.padEnd(64, 'x'))
  const input = inputOfSituation(policySituation.parse({ groups, claims: { email: random(policyLimits.claimCharacters) } }), [resource])
  if (input === undefined) throw new Error('there is one resource')
  const begin = cpuMs()
  decide(policy, input)
  return cpuMs() - begin
}
