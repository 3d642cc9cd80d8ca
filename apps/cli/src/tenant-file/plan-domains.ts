/** Domains of a file, and what chooses a connection, against those of a tenant. */
import { parseDomainName } from '@drawbridge/core/tenant/domain-name'
import { choiceByName } from './declare-tenant.js'
import { differencesOf, isSame } from './differences.js'
import type { LiveDomain } from './live-tenant.js'
import { type Change, type Compared, type Impossible, idOf, type Planned, type PlanOptions, type Step, together } from './plan-change.js'
import type { FileDomain } from './shape.js'

/** In A-labels, as the broker keeps it. */
const keyOf = (domain: string): string => parseDomainName(domain) ?? domain
const pathOf = (domain: string) => [`/domains/${encodeURIComponent(domain)}`] as const

export function planDomains(compared: Compared): Planned {
  const { file, live, options } = compared
  const { domains } = file
  if (domains === undefined) return { changes: [] }
  const planned = domains.map((domain, index) => planDomain(domain, index, compared))
  const known = domains.map(({ domain }) => keyOf(domain))
  const surplus = live.domains.filter(({ domain }) => !known.includes(domain))
  return together(
    planned,
    surplus.map((each) => ({ told: `domain ${each.domain}`, prune: prune(each) })),
    options.prune,
  )
}

const prune = ({ domain }: LiveDomain): Change => ({
  does: 'take away',
  what: `domain ${domain}`,
  differences: [],
  steps: [{ kind: 'call', method: 'DELETE', path: pathOf(domain) }],
})

function planDomain({ domain: written, connection, vouched }: FileDomain, index: number, compared: Compared): Planned {
  const domain = keyOf(written)
  const what = `domain ${domain}`
  const unknown = unknownIn(compared, connection, ['domains', index, 'connection'])
  if (unknown.length > 0) return { changes: [], impossible: unknown }
  const connectionId = connection === undefined ? null : idOf('connection', connection)
  const live = compared.live.domains.find((each) => each.domain === domain)
  if (live === undefined) {
    const body = { domain, ...(connectionId && { connectionId }), verified: vouched }
    const steps: readonly Step[] = [{ kind: 'call', method: 'POST', path: ['/domains'], body }]
    return { changes: [{ does: 'create', what, differences: differencesOf({}, { connection, vouched: vouched || undefined }), steps }] }
  }
  const before = nameOf(compared, live.connectionId)
  const moves = before !== connection
  const vouches = vouched && live.verifiedAt === null && live.lapsedAt === null
  const body = { ...(moves && { connectionId }), ...(vouches && { verified: true }) }
  const differences = [
    ...(moves ? [{ path: 'connection', from: before, to: connection }] : []),
    ...(vouches ? [{ path: 'vouched', from: undefined, to: true }] : []),
  ]
  const changes: readonly Change[] =
    differences.length === 0
      ? []
      : [{ does: 'change', what, differences, steps: [{ kind: 'call', method: 'PATCH', path: pathOf(domain), body }] }]
  return { ...judgeProof(what, vouched, live, compared.options), changes }
}

function judgeProof(what: string, vouched: boolean, live: LiveDomain, { prune: may }: PlanOptions): Omit<Planned, 'changes'> {
  if (vouched && live.lapsedAt !== null)
    return { warnings: [`the proof of ${what} lapsed at ${live.lapsedAt}, and stays so: drawbridge domain vouch`] }
  if (vouched || live.proof !== 'vouched') return {}
  if (!may) return { leftAlone: [`${what} is proven by the word of the vendor, which the file does not give`] }
  const steps: readonly Step[] = [{ kind: 'call', method: 'PATCH', path: pathOf(live.domain), body: { verified: false } }]
  return {
    pruned: [{ does: 'take away', what: `the proof of ${what}`, differences: [{ path: 'vouched', from: true, to: undefined }], steps }],
  }
}

/** A name that is neither in the file nor, once, in the tenant. */
export function unknownIn({ file, live }: Compared, name: string | undefined, path: Impossible['path']): readonly Impossible[] {
  if (name === undefined || file.connections?.some((each) => each.name === name) === true) return []
  const count = live.connections.filter((each) => each.name === name).length
  if (count === 1) return []
  return [{ path, say: count === 0 ? `the tenant has no connection "${name}"` : `${count} connections of the tenant are called "${name}"` }]
}

/** An id that no connection has any more is shown as it is, so that it differs from every name. */
const nameOf = ({ live }: Compared, id: string | null): string | undefined =>
  id === null ? undefined : (live.connections.find((each) => each.id === id)?.name ?? id)

export function planChoice(compared: Compared): Planned {
  const { connectionChoice: wanted } = compared.file
  if (wanted === undefined) return { changes: [] }
  const impossible = [
    ...wanted.rules.flatMap(({ connection }, index) => unknownIn(compared, connection, ['connectionChoice', 'rules', index, 'connection'])),
    ...unknownIn(compared, wanted.fallback, ['connectionChoice', 'fallback']),
  ]
  if (impossible.length > 0) return { changes: [], impossible }
  const before = choiceByName(compared.live)
  const after = { ...wanted, fallback: wanted.fallback }
  if (isSame(before, after)) return { changes: [] }
  const { rules, fallback, ...rest } = wanted
  const body = {
    ...rest,
    rules: rules.map(({ connection, ...rule }) => ({ ...rule, connectionId: idOf('connection', connection) })),
    fallbackConnectionId: fallback === undefined ? null : idOf('connection', fallback),
  }
  const steps: readonly Step[] = [{ kind: 'call', method: 'PUT', path: ['/connection-choice'], body }]
  return { changes: [{ does: 'change', what: 'connection choice', differences: differencesOf(before, after), steps }] }
}
