/** A directory of a hundred thousand people with a group of fifty thousand: what its requests take, one after the other, and what an empty one costs. */
import { asOwner } from '@drawbridge/testkit/database'
import { createSender, percentile } from './closed-loop.js'
import type { Laboratory } from './laboratory.js'
import { cpuMsOf } from './process-figures.js'
import { scimHeaders } from './take-away.js'

const base = '/t/bench/scim/v2'
const patch = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'

export type LargeRow = {
  readonly name: string
  readonly runs: number
  readonly p50Ms: number
  readonly longestMs: number
  readonly cpuMs: number
}
type Size = { readonly people: number; readonly members: number; readonly runs: number }
type Made = { readonly group: string; readonly users: readonly string[] }

export async function measureLargeDirectory(laboratory: Laboratory, broker: number, size: Size): Promise<readonly LargeRow[]> {
  const { group, users } = await employMany(laboratory, size)
  const sender = createSender(laboratory.brokerUrl)
  const headers = scimHeaders(laboratory)
  const send = async (method: 'GET' | 'POST' | 'PATCH', path: string, body?: object): Promise<string> => {
    const sent = { method, path: `${base}${path}`, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const { status, text } = await sender.send(sent)
    if (status >= 300) throw new Error(`${method} ${path} was answered ${status}: ${text}`)
    return text
  }
  const change = (op: string, value: unknown, path = 'members') =>
    send('PATCH', `/Groups/${group}`, { schemas: [patch], Operations: [{ op, path, value }] })
  const find = async (type: string, filter: string, more = '') => {
    const found = JSON.parse(await send('GET', `/${type}?filter=${encodeURIComponent(filter)}${more}`)) as { totalResults?: number }
    if (found.totalResults !== 1) throw new Error(`${filter} found ${String(found.totalResults)}`)
  }
  const userAt = (turn: number) => users[turn % users.length] ?? ''
  const cases: readonly (readonly [string, number, (turn: number) => Promise<unknown>])[] = [
    ['one person added to the group', size.runs, (turn) => change('add', [{ value: userAt(size.members + turn) }])],
    ['one person taken out of it', size.runs, (turn) => change('remove', undefined, `members[value eq "${userAt(turn)}"]`)],
    ['the group without its members', size.runs, () => send('GET', `/Groups/${group}?excludedAttributes=members`)],
    [
      'the group found by its name, without members',
      size.runs,
      () => find('Groups', 'displayName eq "everybody"', '&excludedAttributes=members'),
    ],
    ['a person found by userName', size.runs, (turn) => find('Users', `userName eq "many-${1 + ((turn * 37) % size.people)}"`)],
    [
      'a page of 100 people, by index, from the middle',
      size.runs,
      () => send('GET', `/Users?startIndex=${Math.ceil(size.people / 2)}&count=100`),
    ],
    ['a page of 100 people, by cursor', size.runs, () => send('GET', '/Users?cursor&count=100')],
    ['… without their groups', size.runs, () => send('GET', '/Users?cursor&count=100&excludedAttributes=groups')],
    [
      'a page of 100 people of the group, by cursor',
      size.runs,
      () => send('GET', `/Users?cursor&count=100&filter=${encodeURIComponent(`groups.value eq "${group}"`)}`),
    ],
    [
      'one person switched off',
      size.runs,
      (turn) =>
        send('PATCH', `/Users/${userAt(turn)}`, { schemas: [patch], Operations: [{ op: 'replace', path: 'active', value: false }] }),
    ],
    ['the whole group emptied (replace members [])', 1, () => change('replace', [])],
  ]
  try {
    const rows: LargeRow[] = []
    for (const [name, runs, run] of cases) {
      console.error(`  ${name} …`)
      const before = cpuMsOf(broker) + cpuMsOf(laboratory.databasePid)
      const took: number[] = []
      for (let turn = 0; turn < runs; turn += 1) {
        const begun = performance.now()
        await run(turn)
        took.push(performance.now() - begun)
      }
      const cpuMs = (cpuMsOf(broker) + cpuMsOf(laboratory.databasePid) - before) / runs
      rows.push({ name, runs, p50Ms: percentile(took, 0.5), longestMs: Math.max(...took), cpuMs })
    }
    return rows
  } finally {
    sender.close()
  }
}

/** Half of them have signed in here. */
async function employMany({ fixture, tenant }: Laboratory, { people, members }: Size): Promise<Made> {
  const users = await asOwner<{ id: string }>(
    fixture.ownerUrl,
    `WITH known AS (
       INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at)
       SELECT $1, gen_random_uuid(), $2, 'many-' || n, 'many-' || n, 'many-' || n, true,
         jsonb_build_object('displayName', 'Many ' || n, 'emails', jsonb_build_array(jsonb_build_object('type', 'work', 'value', 'many-' || n || '@bench.example'))),
         now() - n * interval '1 second', now() FROM generate_series(1, $3) AS n RETURNING id),
     person AS (
       INSERT INTO subjects (tenant_id, id, connection_id, stable_id, scim_user_id, claims, claims_at, created_at, last_login_at)
       SELECT $1, gen_random_uuid(), $2, id::text, id, '{}', now(), now(), now() FROM known WHERE random() < 0.5 RETURNING 1)
     SELECT id, (SELECT count(*) FROM person) AS n FROM known`,
    [tenant.tenantId, tenant.connectionId, people],
  )
  const ids = users.map(({ id }) => id)
  const [made] = await asOwner<{ id: string }>(
    fixture.ownerUrl,
    `WITH made AS (
       INSERT INTO scim_groups (tenant_id, id, connection_id, display_name, display_name_key, resource, member_count, created_at, updated_at)
       VALUES ($1, gen_random_uuid(), $2, 'everybody', 'everybody', '{}', $4, now(), now()) RETURNING id, generation),
     joined AS (
       INSERT INTO scim_group_members (tenant_id, group_id, member_id, user_id, generation)
       SELECT $1, made.id, member, member, made.generation FROM made, unnest($3::uuid[]) AS member RETURNING 1)
     SELECT id, (SELECT count(*) FROM joined) AS n FROM made`,
    [tenant.tenantId, tenant.connectionId, ids.slice(0, members), members],
  )
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET groups_since = now() WHERE tenant_id = $1 AND id = $2', [
    tenant.tenantId,
    tenant.connectionId,
  ])
  await asOwner(fixture.ownerUrl, 'ANALYZE')
  return { group: made?.id ?? '', users: ids }
}
