/** Resources of a file, and those of the vendor that it names, against what a tenant has. */
import { differencesOf, isSame } from './differences.js'
import type { LiveResource } from './live-tenant.js'
import { type Change, type Compared, idOf, type Planned, type PlanOptions, type Step, together } from './plan-change.js'
import type { FileResource } from './shape.js'

export function planResources({ file: { resources }, live, options }: Compared): Planned {
  if (resources === undefined) return { changes: [] }
  const planned = resources.map((resource, index) => planResource(resource, index, live.resources, options))
  const known = resources.map(({ identifier }) => identifier)
  const surplus = live.resources.filter(({ identifier, shared, mintable }) => !shared && mintable && !known.includes(identifier))
  return together(
    planned,
    surplus.map((each) => ({ told: `resource ${each.identifier}`, prune: withdraw(each) })),
    options.prune,
  )
}

const withdraw = ({ id, identifier }: Pick<LiveResource, 'id' | 'identifier'>): Change => ({
  does: 'take away',
  what: `resource ${identifier}`,
  differences: [],
  steps: [{ kind: 'call', method: 'DELETE', path: [`/resources/${id}`] }],
})

type Scopes = FileResource['scopes'] | LiveResource['scopes']
/** In no order: a resource's scopes are a set. */
const scopesByName = (scopes: Scopes) =>
  Object.fromEntries(scopes.map(({ name, description, tier, isDefault }) => [name, { description, tier, isDefault }]))

function planResource(resource: FileResource, index: number, all: readonly LiveResource[], { prune }: PlanOptions): Planned {
  const { identifier, withdrawn, scopes } = resource
  const what = `resource ${identifier}`
  const live = all.find((each) => each.identifier === identifier)
  if (live === undefined) return { changes: [create(resource)] }
  if (live.shared)
    return {
      changes: [],
      impossible: [{ path: ['resources', index, 'identifier'], say: 'it is the vendor’s: name it in sharedResources' }],
    }
  const { name, accessTokenTtlSeconds = null, toldOfPeople = { profile: false, email: false } } = resource
  const wanted = { name, accessTokenTtlSeconds, ...(live.toldOfPeople === undefined ? {} : { toldOfPeople }) }
  const plain = differencesOf(
    { name: live.name, accessTokenTtlSeconds: live.accessTokenTtlSeconds, ...(live.toldOfPeople && { toldOfPeople: live.toldOfPeople }) },
    wanted,
  )
  const [scopesBefore, scopesAfter] = [scopesByName(live.scopes), scopesByName(scopes)]
  const at = `/resources/${live.id}`
  const steps: Step[] = []
  if (plain.length > 0) steps.push({ kind: 'call', method: 'PATCH', path: [at], body: wanted })
  if (!isSame(scopesBefore, scopesAfter)) steps.push({ kind: 'call', method: 'PUT', path: [`${at}/scopes`], body: { scopes } })
  const differences = [...plain, ...differencesOf(scopesBefore, scopesAfter, ['scopes'])]
  const changes: readonly Change[] = steps.length === 0 ? [] : [{ does: 'change', what, differences, steps }]
  if (withdrawn === !live.mintable) return { changes }
  if (!withdrawn) return { changes, warnings: [`${what} is withdrawn, and stays so: drawbridge resource restore`] }
  return prune ? { changes, pruned: [withdraw(live)] } : { changes, leftAlone: [`${what} is withdrawn in the file`] }
}

function create({ withdrawn, ...resource }: FileResource): Change {
  const { identifier } = resource
  const made: Step = { kind: 'call', method: 'POST', path: ['/resources'], body: resource, keeps: idOf('resource', identifier) }
  const withdrawal: Step = { kind: 'call', method: 'DELETE', path: ['/resources/', idOf('resource', identifier)] }
  const shown = {
    name: resource.name,
    toldOfPeople: resource.toldOfPeople,
    scopes: scopesByName(resource.scopes),
    withdrawn: withdrawn || undefined,
  }
  return {
    does: 'create',
    what: `resource ${identifier}`,
    differences: differencesOf({}, shown),
    steps: withdrawn ? [made, withdrawal] : [made],
  }
}

export function planShares({ file: { sharedResources }, live, options }: Compared): Planned {
  if (sharedResources === undefined) return { changes: [] }
  const shared = live.resources.filter((each) => each.shared && each.mintable)
  const wanted = sharedResources.flatMap((identifier, index) => {
    if (shared.some((each) => each.identifier === identifier)) return []
    return [{ identifier, index, id: options.vendorResources.find((each) => each.identifier === identifier)?.id }]
  })
  const surplus = shared.filter(({ identifier }) => !sharedResources.includes(identifier))
  return {
    changes: wanted.flatMap(({ identifier, id }) => (id === undefined ? [] : [share('create', identifier, id)])),
    impossible: wanted.flatMap(({ id, index }) =>
      id === undefined ? [{ path: ['sharedResources', index], say: 'the vendor has no such resource' }] : [],
    ),
    leftAlone: options.prune ? [] : surplus.map(({ identifier }) => `shared resource ${identifier} is not in the file`),
    pruned: options.prune ? surplus.map(({ identifier, id }) => share('take away', identifier, id)) : [],
  }
}

const share = (does: 'create' | 'take away', identifier: string, id: string): Change => ({
  does,
  what: `shared resource ${identifier}`,
  differences: [],
  steps: [{ kind: 'call', method: does === 'create' ? 'POST' : 'DELETE', path: [`/shared-resources/${id}`] }],
})
