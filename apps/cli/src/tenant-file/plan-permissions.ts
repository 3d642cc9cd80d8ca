/**
 * What clients may do beyond what their people give them, of a file against what the tenant allows. A permission that the file does not name is left
 * alone, and taken away with `prune`, for what was issued by it ends. One that the file names says what the file says, also where that is less.
 */
import { keyOf as exchangeKey } from '@drawbridge/core/oauth/exchange-permission'
import { keyOf as idJagKey } from '@drawbridge/core/oauth/id-jag-issuing'
import { differencesOf, isSame } from './differences.js'
import type { LiveExchange, LiveIdJagPermission, LivePermissions, Permissions } from './live-tenant.js'
import type { Compared, Planned, Step } from './plan-change.js'

export const planPermissions = ({ file, live, options }: Compared): readonly Planned[] => [
  planEach<LiveExchange>(file.tokenExchange, live.tokenExchange, {
    ...{ what: 'tokenExchange', path: '/token-exchange', prune: options.prune, keyOf: exchangeKey },
    tell: ({ client, from, to, at }) => `exchange by ${client} from ${from} to ${to}${placeOf(at)}`,
  }),
  planEach<LiveIdJagPermission>(file.idJagIssuing, live.idJagIssuing, {
    ...{ what: 'idJagIssuing', path: '/id-jag-issuing', prune: options.prune, keyOf: idJagKey },
    tell: ({ client, audience, resource, at }) => `ID-JAGs for ${client} to ${resource} of ${audience}${placeOf(at)}`,
  }),
]

const placeOf = (at: 'front' | undefined): string => (at === 'front' ? ' at the front' : '')

type Rules<Permission> = {
  readonly what: string
  readonly path: string
  readonly prune: boolean
  readonly keyOf: (permission: Permission) => string
  readonly tell: (permission: Permission) => string
}

function planEach<Permission>(
  wanted: Permissions<Permission> | undefined,
  live: LivePermissions<Permission>,
  { what, path, prune, keyOf, tell }: Rules<Permission>,
): Planned {
  if (wanted === undefined) return { changes: [] }
  const known = new Set(wanted.permissions.map(keyOf))
  const surplus = live.permissions.filter((permission) => !known.has(keyOf(permission)))
  const kept = prune ? wanted.permissions : [...wanted.permissions, ...surplus]
  const leftAlone = prune ? [] : surplus.map((permission) => `${tell(permission)} is not in the file`)
  const byName = (all: readonly Permission[]) => Object.fromEntries(all.map((permission) => [tell(permission), permission]))
  const [before, after] = [byName(live.permissions), byName(kept)]
  if (isSame(before, after)) return { changes: [], leftAlone }
  // They are written whole, so what goes and what comes is one change.
  const steps: readonly Step[] = [{ kind: 'call', method: 'PUT', path: [path], body: { permissions: kept, ifRevision: live.revision } }]
  const differences = differencesOf(before, after)
  if (prune && surplus.length > 0)
    return { changes: [], pruned: [{ does: 'take away', what: `${what}: ${surplus.map(tell).join(', ')}`, differences, steps }] }
  return { changes: [{ does: 'change', what, differences, steps }], leftAlone }
}
