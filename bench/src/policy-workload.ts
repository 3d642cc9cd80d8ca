/** The same permissions three times: as a policy of ours, as Cedar's, and as bare CEL. One rule in five is of each kind that people write. */

import { inputOfSituation, policySituation } from '@drawbridge/core/policy/cases'
import { type CompiledPolicy, compileDocument } from '@drawbridge/core/policy/compile'
import { policySchema } from '@drawbridge/core/policy/document'
import type { PolicyInput } from '@drawbridge/core/policy/input'
import type { ResourceIdentifier, Scope } from '@drawbridge/core/tenant/ids'

type Rule =
  | { readonly kind: 'group' | 'group_and_claim' | 'denied_group'; readonly group: string; readonly scope: string }
  | { readonly kind: 'denied_claim'; readonly department: string; readonly scope: string }
  | { readonly kind: 'client'; readonly client: string; readonly scope: string }

const kinds = 5

export const rulesOf = (count: number): readonly Rule[] =>
  Array.from({ length: count }, (_, index): Rule => {
    switch (index % kinds) {
      case 0:
        return { kind: 'group', group: `team-${index}`, scope: 'orders:read' }
      case 1:
        return { kind: 'group_and_claim', group: `team-${index - 1}`, scope: 'orders:write' }
      case 2:
        return { kind: 'denied_claim', department: `department-${index}`, scope: 'orders:refund' }
      case 3:
        return { kind: 'client', client: `client-${index}`, scope: 'orders:read' }
      default:
        return { kind: 'denied_group', group: `contractors-${index}`, scope: 'orders:admin' }
    }
  })

/** The groups of somebody who is in that many: the first are those that rules name. */
export const groupsOf = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `team-${index * kinds}`)

const department = 'engineering'

function ours(rule: Rule, index: number): object {
  const named = { name: `r${index}`, scopes: [rule.scope] }
  switch (rule.kind) {
    case 'group':
      return { ...named, effect: 'grant', groups: [rule.group] }
    case 'group_and_claim':
      return { ...named, effect: 'grant', groups: [rule.group], when: `claims.department == '${department}'` }
    case 'denied_claim':
      return { ...named, effect: 'deny', when: `claims.department == '${rule.department}'` }
    case 'client':
      return { ...named, effect: 'grant', clients: { ids: [rule.client] } }
    case 'denied_group':
      return { ...named, effect: 'deny', groups: [rule.group] }
  }
}

/** A document's value, because ten thousand rules are more than 64 KiB of text. */
export const documentOf = (rules: readonly Rule[]) => policySchema.parse({ version: 1, rules: rules.map(ours) })

export function compile(document: ReturnType<typeof documentOf>): CompiledPolicy {
  const compiled = compileDocument(document, { version: 1 })
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error.slice(0, 2)))
  return compiled.value
}

const tiers = { 'orders:read': 'read', 'orders:write': 'write', 'orders:refund': 'sensitive', 'orders:admin': 'admin' } as const
const resource = {
  identifier: 'https://mcp.example' as ResourceIdentifier,
  scopes: Object.entries(tiers).map(([name, tier]) => ({ name: name as Scope, tier, description: name, isDefault: false })),
  accessTokenTtlSeconds: undefined,
}
export const requested = ['orders:read', 'orders:write']

/** A login of its own each time: what is remembered of one is of no use to the next. */
export function inputOf(groups: readonly string[]): PolicyInput {
  const situation = policySituation.parse({ groups: [...groups], claims: { department, email: 'ada@acme.example' }, request: requested })
  const input = inputOfSituation(situation, [resource])
  if (input === undefined) throw new Error('there is one resource')
  return input
}

export const cedarPolicies = (rules: readonly Rule[]): string =>
  rules
    .map((rule) => {
      const action = `action == Action::"${rule.scope}"`
      switch (rule.kind) {
        case 'group':
          return `permit(principal in Group::"${rule.group}", ${action}, resource);`
        case 'group_and_claim':
          return `permit(principal in Group::"${rule.group}", ${action}, resource) when { principal.department == "${department}" };`
        case 'denied_claim':
          return `forbid(principal, ${action}, resource) when { principal.department == "${rule.department}" };`
        case 'client':
          return `permit(principal, ${action}, resource) when { context.client == "${rule.client}" };`
        case 'denied_group':
          return `forbid(principal in Group::"${rule.group}", ${action}, resource);`
      }
    })
    .join('\n')

export const cedarEntities = (groups: readonly string[]) => [
  {
    uid: { type: 'User', id: 'ada' },
    attrs: { department },
    parents: groups.map((id) => ({ type: 'Group', id })),
  },
]

/** One expression for each rule. */
export const celConditions = (
  rules: readonly Rule[],
): readonly { readonly scope: string; readonly isDeny: boolean; readonly when: string }[] =>
  rules.map((rule) => {
    const isDeny = rule.kind === 'denied_claim' || rule.kind === 'denied_group'
    const of = { scope: rule.scope, isDeny }
    if (rule.kind === 'client') return { ...of, when: `client == '${rule.client}'` }
    if (rule.kind === 'denied_claim') return { ...of, when: `claims.department == '${rule.department}'` }
    const claim = rule.kind === 'group_and_claim' ? ` && claims.department == '${department}'` : ''
    return { ...of, when: `'${rule.group}' in groups${claim}` }
  })
export const celContext = (groups: readonly string[]) => ({ groups, claims: { department }, client: 'agent' })
