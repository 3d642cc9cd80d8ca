/** Trusts in assertions, of a file against those of a tenant. The name is what makes one the same, as of a connection; the connections it speaks of are named. */
import { trustByName } from './declare-tenant.js'
import { differencesOf } from './differences.js'
import type { LiveTrust } from './live-tenant.js'
import { type Change, type Compared, idOf, type Planned, type Step, together } from './plan-change.js'
import { unknownIn } from './plan-domains.js'
import type { FileTrust } from './shape.js'
import { connectionsIn, withConnections } from './trust-connections.js'

const killReason = { reason: 'drawbridge apply: killed in the file of the tenant' }
const killOf = (name: string): Step => ({
  kind: 'call',
  method: 'POST',
  path: ['/assertion-trusts/', idOf('trust', name), '/kill'],
  body: killReason,
})
const toldOf = ({ name }: { readonly name: string }): string => `trust "${name}"`

export function planTrusts(compared: Compared): Planned {
  const { file, live, options } = compared
  const { assertionTrusts: trusts } = file
  if (trusts === undefined) return { changes: [] }
  const known = trusts.map(({ name }) => name)
  const surplus = live.assertionTrusts.filter(({ name, disabledAt }) => !known.includes(name) && disabledAt === null)
  return together(
    trusts.map((trust, index) => planTrust(trust, index, compared)),
    surplus.map((each) => ({ told: toldOf(each), prune: prune(each) })),
    options.prune,
  )
}

const prune = (trust: LiveTrust): Change => ({
  does: 'take away',
  what: toldOf(trust),
  differences: [],
  steps: [{ kind: 'remove-or-kill', path: [`/assertion-trusts/${trust.id}`] }],
})

function planTrust(trust: FileTrust, index: number, compared: Compared): Planned {
  const { name, configuration, killed } = trust
  const at = ['assertionTrusts', index]
  const [live, second] = compared.live.assertionTrusts.filter((each) => each.name === name)
  if (second !== undefined) {
    const say = 'two trusts of the tenant carry this name: rename one, drawbridge trust update --name'
    return { changes: [], impossible: [{ path: [...at, 'name'], say }] }
  }
  const unknown = connectionsIn(configuration).flatMap((each) => unknownIn(compared, each.name, [...at, 'configuration', ...each.path]))
  if (unknown.length > 0) return { changes: [], impossible: unknown }
  const body = { name, configuration: withConnections(configuration, (connection) => idOf('connection', connection)) }
  if (live === undefined) {
    const made: Step = { kind: 'call', method: 'POST', path: ['/assertion-trusts'], body, keeps: idOf('trust', name) }
    const differences = differencesOf({}, { configuration, killed: killed || undefined })
    return { changes: [{ does: 'create', what: toldOf(trust), differences, steps: killed ? [made, killOf(name)] : [made] }] }
  }
  const differences = differencesOf(trustByName(live, compared.live), configuration, ['configuration'])
  const change: Step = {
    kind: 'call',
    method: 'PUT',
    path: ['/assertion-trusts/', idOf('trust', name)],
    body: { ...body, ifRevision: live.revision },
  }
  const changes: readonly Change[] = differences.length === 0 ? [] : [{ does: 'change', what: toldOf(trust), differences, steps: [change] }]
  return { ...judgeKill(trust, live, compared), changes }
}

function judgeKill(trust: FileTrust, { disabledAt }: LiveTrust, { options }: Compared): Omit<Planned, 'changes'> {
  if (trust.killed === (disabledAt !== null)) return {}
  if (!trust.killed) return { warnings: [`${toldOf(trust)} was killed at ${disabledAt}, and stays so: drawbridge trust enable`] }
  if (!options.prune) return { leftAlone: [`${toldOf(trust)} is killed in the file`] }
  const differences = [{ path: 'killed', from: undefined, to: true }]
  return { pruned: [{ does: 'take away', what: toldOf(trust), differences, steps: [killOf(trust.name)] }] }
}
