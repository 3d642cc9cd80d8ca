/** One call of the admin API from a command of the table; names become ids where the API knows ids alone. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { AdminClient, Refused } from './admin-client.js'
import type { AdminCommand, ArgumentName, Call, Given, Outcome } from './command.js'

export async function makeCall(command: AdminCommand, given: Given, client: AdminClient): Promise<Outcome> {
  const { call, shows } = command
  if (!call) throw new Error(`${command.name} has neither a call nor a run`)
  const named = await resolveNames(given.arguments, client)
  if (!named.ok) return { kind: 'refused', refused: named.error }
  const path = fillPath(call.path, named.value)
  const answered =
    call.method === 'GET'
      ? await get(path, command, given, client)
      : await client.call(call.method, path, bodyOf(call, named.value, given), given.ifMatch)
  if (!answered.ok) return { kind: 'refused', refused: answered.error }
  return { kind: 'done', answer: shows === undefined && answered.value === undefined ? undefined : answered.value }
}

async function get(path: string, { shows }: AdminCommand, { body }: Given, client: AdminClient) {
  if (shows === undefined || !('rows' in shows)) return client.call('GET', path)
  const { all, ...filters } = body
  const query = Object.fromEntries(Object.entries(filters).map(([name, value]) => [name, String(value)]))
  const newestFirst = shows.newestFirst === true
  const rows = await client.list(path, { member: shows.rows, query, newestFirst, firstPageAlone: newestFirst && all !== true })
  return rows.ok ? ok({ [shows.rows]: rows.value }) : rows
}

type Named = Partial<Readonly<Record<ArgumentName, string>>>

export const fillPath = (path: string, named: Named): string =>
  path.replaceAll(/\{([\w-]+)\}/g, (_, name: string) => encodeURIComponent(named[name as ArgumentName] ?? ''))

function bodyOf({ body, inBody = {} }: Call, named: Named, given: Given): unknown {
  const fromArguments = Object.fromEntries(Object.entries(inBody).map(([name, member]) => [member, named[name as ArgumentName]]))
  const whole = { ...body, ...fromArguments, ...given.body }
  return Object.keys(whole).length === 0 && body === undefined ? undefined : whole
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const findable = {
  connection: { path: '/tenants/{tenant}/connections', member: 'connections', name: 'name' },
  trust: { path: '/tenants/{tenant}/assertion-trusts', member: 'assertionTrusts', name: 'name' },
  resource: { path: '/tenants/{tenant}/resources', member: 'resources', name: 'identifier' },
  'shared-resource': { path: '/shared-resources', member: 'resources', name: 'identifier' },
} as const

/** Connections, trusts and resources may be named as people know them; a name that two of them carry is refused. */
export async function resolveNames(named: Named, client: AdminClient): Promise<Result<Named, Refused>> {
  const resolved: Record<string, string | undefined> = { ...named }
  for (const [kind, { path, member, name }] of Object.entries(findable)) {
    const given = named[kind as ArgumentName]
    if (given === undefined || uuid.test(given)) continue
    const rows = await client.list(fillPath(path, named), { member })
    if (!rows.ok) return rows
    const found = (rows.value as readonly Readonly<Record<string, string>>[]).filter((row) => row[name] === given)
    if (found.length !== 1) return err(notOne(kind, given, found.length))
    resolved[kind] = found[0]?.['id']
  }
  return ok(resolved)
}

const notOne = (kind: string, given: string, count: number): Refused => ({
  status: count === 0 ? 404 : 409,
  reason: '',
  title: count === 0 ? 'Not found' : 'Ambiguous',
  detail: count === 0 ? `there is no ${kind} "${given}"` : `${count} of them are called "${given}": name it by its id`,
  errors: [],
})
