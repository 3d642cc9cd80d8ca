/** Carries a plan out, change by change, and says exactly how far it came. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { AdminClient, Refused } from '../admin/admin-client.js'
import { plainText } from '../admin/show.js'
import { membersOfMetadata } from './check-tenant.js'
import type { LiveTenant } from './live-tenant.js'
import { type Change, type Named, named, type PathOfCall, type Plan, type Step, secret } from './plan-change.js'
import type { SecretReference } from './shape.js'

/** What a change showed that nobody can read again. */
export type ShownOnce = { readonly what: string; readonly secret: string }
export type Stopped = {
  readonly done: readonly Change[]
  readonly at: Change
  /** How many calls of that change were answered well. */
  readonly stepsDone: number
  readonly left: number
  readonly refused: Refused
}

export type Carrying = {
  readonly client: AdminClient
  readonly live: LiveTenant | undefined
  readonly secretOf: (reference: SecretReference) => string
  readonly say: (line: string) => void
  readonly show: (shown: ShownOnce) => void
}

type Trip = Carrying & { readonly at: string; readonly ids: Map<string, string>; readonly change: Change }

export async function carryOut({ slug, changes }: Plan, carrying: Carrying): Promise<Result<readonly Change[], Stopped>> {
  const ids = idsOf(carrying.live)
  for (const [index, change] of changes.entries()) {
    const trip: Trip = { ...carrying, at: `/tenants/${encodeURIComponent(slug)}`, ids, change }
    for (const [stepsDone, step] of change.steps.entries()) {
      const refused = await take(step, trip)
      if (refused) return err({ done: changes.slice(0, index), at: change, stepsDone, left: changes.length - index, refused })
    }
    carrying.say(plainText(`done: ${change.does} ${change.what}`))
  }
  return ok(changes)
}

const keyOf = ({ [named]: { kind, name } }: Named): string => `${kind} ${name}`
const idsOf = (live: LiveTenant | undefined): Map<string, string> =>
  new Map([
    ...(live?.connections ?? []).map(({ name, id }) => [`connection ${name}`, id] as const),
    ...(live?.assertionTrusts ?? []).map(({ name, id }) => [`trust ${name}`, id] as const),
    ...(live?.resources ?? []).map(({ identifier, id }) => [`resource ${identifier}`, id] as const),
  ])

/** Answers why it was refused. */
async function take(step: Step, trip: Trip): Promise<Refused | undefined> {
  switch (step.kind) {
    case 'call':
      return call(step, trip)
    case 'remove-or-kill':
      return removeOrKill(step.path, trip)
    case 'use-metadata':
      return useMetadata(step, trip)
    case 'configure':
      return configure(step, trip)
    case 'await-tenant':
      return awaitTenant(trip)
  }
}

type StepOf<Kind extends Step['kind']> = Extract<Step, { readonly kind: Kind }>

async function call({ method, path, body, keeps, shows }: StepOf<'call'>, trip: Trip): Promise<Refused | undefined> {
  const answered = await trip.client.call(method, addressOf(path, trip), body === undefined ? undefined : fillIn(body, trip))
  if (!answered.ok) return answered.error
  const answer = (answered.value ?? {}) as Readonly<Record<string, unknown>>
  if (keeps) trip.ids.set(keyOf(keeps), String(answer['id']))
  const shown = shows === undefined ? undefined : answer[shows]
  if (typeof shown === 'string') trip.show({ what: trip.change.what, secret: shown })
  return undefined
}

function addressOf(path: PathOfCall, trip: Trip): string {
  const text = path.map((part) => (typeof part === 'string' ? part : resolve(part, trip))).join('')
  return text === '/tenants' ? text : `${trip.at}${text}`
}

function resolve(name: Named, { ids }: Trip): string {
  const id = ids.get(keyOf(name))
  if (id === undefined) throw new Error(`the plan names ${keyOf(name)} before it is made`)
  return id
}

/** Ids and secrets in the places of their names. */
function fillIn(value: unknown, trip: Trip): unknown {
  if (Array.isArray(value)) return value.map((each) => fillIn(each, trip))
  if (typeof value !== 'object' || value === null) return value
  if (named in value) return resolve(value as Named, trip)
  if (secret in value) return trip.secretOf(value[secret] as SecretReference)
  return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, fillIn(inner, trip)]))
}

async function removeOrKill(path: PathOfCall, trip: Trip): Promise<Refused | undefined> {
  const address = addressOf(path, trip)
  const removed = await trip.client.call('DELETE', address)
  if (removed.ok) return undefined
  if (removed.error.reason !== 'still_in_use') return removed.error
  const killed = await trip.client.call('POST', `${address}/kill`, { reason: 'drawbridge apply --prune: not in the file of the tenant' })
  return killed.ok ? undefined : killed.error
}

async function useMetadata({ connection, metadata }: StepOf<'use-metadata'>, trip: Trip): Promise<Refused | undefined> {
  const address = `${trip.at}/connections/${resolve(connection, trip)}/metadata`
  const looked = await trip.client.call('POST', `${address}/preview`, metadata)
  if (!looked.ok) return looked.error
  const { diagnosis } = looked.value as { readonly diagnosis: { readonly digest: string } }
  const applied = await trip.client.call('POST', `${address}/apply`, { ...metadata, digest: diagnosis.digest })
  return applied.ok ? undefined : applied.error
}

/** What the metadata brought stays as it is at this moment: a certificate that the worker has taken in meanwhile is not lost. */
async function configure({ connection, configuration, hasMetadata, clientSecret, revision }: StepOf<'configure'>, trip: Trip) {
  const address = `${trip.at}/connections/${resolve(connection, trip)}`
  const read = await trip.client.call('GET', address)
  if (!read.ok) return read.error
  const there = read.value as { kind: string; name: string; configuration: Readonly<Record<string, unknown>>; revision: string }
  const kept = Object.entries(there.configuration).filter(([member]) => hasMetadata && membersOfMetadata.includes(member))
  const answered = await trip.client.call('PUT', address, {
    kind: there.kind,
    name: there.name,
    configuration: { ...Object.fromEntries(kept), ...configuration },
    ifRevision: revision ?? there.revision,
    ...(clientSecret !== undefined && { clientSecret: clientSecret && trip.secretOf(clientSecret[secret]) }),
  })
  return answered.ok ? undefined : answered.error
}

const awaitMs = 10_000
const lookEveryMs = 200

async function awaitTenant({ client, at }: Trip): Promise<Refused | undefined> {
  const until = performance.now() + awaitMs
  for (;;) {
    const found = await client.call('GET', at)
    if (found.ok) return undefined
    if (found.error.status !== 404 || performance.now() > until) return found.error
    await new Promise((done) => setTimeout(done, lookEveryMs))
  }
}
