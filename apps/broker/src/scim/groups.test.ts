/** Groups in the words of the directories that send them, over HTTP to the real broker on a real PostgreSQL. */
import { randomUUID } from 'node:crypto'
import { mostNamedPeople } from '@drawbridge/store/directory'
import { memberDisplayCharacters, mostMembers, mostNamedMembers } from '@drawbridge/store/scim-group-members'
import { mostGroups } from '@drawbridge/store/scim-groups'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aScimBroker, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const groupSchema = 'urn:ietf:params:scim:schemas:core:2.0:Group'
const patchOf = (...Operations: object[]) => ({ schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations })
const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(broker.fixture.ownerUrl, sql, parameters)

/** Four people, the first of whom has signed in, and a group of two. */
async function aCompany() {
  const directory = await broker.aDirectory()
  const people: string[] = []
  for (const userName of ['ada', 'bob', 'cy', 'dan'])
    people.push(String((await directory.call('POST', '/Users', { userName, externalId: userName })).body['id']))
  const [ada = '', bob = '', cy = '', dan = ''] = people
  const made = await directory.call('POST', '/Groups', {
    schemas: [groupSchema, 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group'],
    displayName: 'Engineers',
    externalId: '8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159',
    members: [{ value: ada }, { value: bob, display: 'Bob', $ref: null }],
    meta: { resourceType: 'Group' },
  })
  expect(made.status).toBe(201)
  return { ...directory, ada, bob, cy, dan, group: String(made.body['id']) }
}
type Company = Awaited<ReturnType<typeof aCompany>>

const membersOf = async ({ call, group }: Company): Promise<readonly string[]> =>
  ((await call('GET', `/Groups/${group}`)).body['members'] as { value: string }[]).map(({ value }) => value)
const versionsOf = async ({ tenant }: Company) =>
  (
    await owner<{ claims: number; barrier: number; directory: number }>(
      `SELECT s.claims_version AS claims, s.claims_barrier AS barrier, c.directory_version AS directory FROM subjects s
       JOIN connections c ON c.id = s.connection_id WHERE s.tenant_id = $1 AND s.stable_id = 'ada'`,
      [tenant.tenantId],
    )
  )[0]

describe('create, read, find', () => {
  test('201 with Location, with members; the same name in any case, and the same externalId, are 409', async () => {
    const { call, group, ada, bob } = await aCompany()
    const read = await call('GET', `/Groups/${group}`)
    expect(read).toMatchObject({
      status: 200,
      body: { id: group, displayName: 'Engineers', meta: { resourceType: 'Group', version: 'W/"1"' } },
    })
    expect(new Set((read.body['members'] as { value: string }[]).map(({ value }) => value))).toEqual(new Set([ada, bob]))
    expect((read.body['members'] as object[])[0]).toEqual({
      ...{ value: expect.any(String), type: 'User', display: expect.any(String) },
      $ref: expect.stringMatching(/\/scim\/v2\/Users\//),
    })
    // `scim_group_unique`
    expect(await call('POST', '/Groups', { displayName: 'ENGINEERS' })).toMatchObject({ status: 409, body: { scimType: 'uniqueness' } })
    expect(await call('POST', '/Groups', { displayName: 'x', externalId: '8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159' })).toMatchObject({
      status: 409,
    })
  })

  test.each([
    ['displayName eq "engineers"', 1],
    ['DisplayName sw "Eng"', 1],
    ['externalId eq "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159"', 1],
    ['members.value eq "ADA"', 1],
    ['members[value eq "ADA"]', 1],
    ['members[value eq "ADA" and type eq "Group"]', 0],
    ['members eq "ADA"', 1],
    ['not (members.value eq "ADA")', 0],
    ['members.value eq "CY"', 0],
    ['members.value eq "no id"', 0],
    ['members.display eq "bob"', 1],
    ['members pr and meta.resourceType eq "Group"', 1],
    ['displayName eq "Nobody"', 0],
  ])('the filter %s finds %i', async (filter, total) => {
    const { call, ada, cy } = await aCompany()
    const asked = filter.replace('ADA', ada).replace('CY', cy)
    expect(await call('GET', `/Groups?filter=${encodeURIComponent(asked)}&excludedAttributes=members`)).toMatchObject({
      status: 200,
      body: { totalResults: total },
    })
  })

  test('without members where nobody asks for them; in an order, by cursor, and in the search of everything', async () => {
    const { call, group } = await aCompany()
    await call('POST', '/Groups', { displayName: 'Analysts' })
    expect((await call('GET', `/Groups/${group}?excludedAttributes=members`)).body).not.toHaveProperty('members')
    const first = await call('GET', '/Groups?sortBy=displayName&count=1&cursor=&attributes=displayName')
    expect(first.body['Resources']).toMatchObject([{ displayName: 'Analysts' }])
    const second = await call('GET', `/Groups?sortBy=displayName&count=1&cursor=${String(first.body['nextCursor'])}&attributes=displayName`)
    expect(second.body['Resources']).toMatchObject([{ displayName: 'Engineers' }])
    expect(second.body).not.toHaveProperty('nextCursor')
    const everything = await call('POST', '/.search', { filter: 'meta.resourceType eq "Group"' })
    expect(everything).toMatchObject({ status: 200, body: { totalResults: 2 } })
    expect(await call('GET', '/ResourceTypes/Group')).toMatchObject({ status: 200, body: { endpoint: '/Groups' } })
  })
})

describe('members', () => {
  const ids = ({ ada, bob, cy, dan }: Company) => ({ ada, bob, cy, dan })
  type Ids = ReturnType<typeof ids>
  const cases: readonly (readonly [says: string, body: (company: Ids & { group: string }) => object, left: readonly (keyof Ids)[]])[] = [
    ['Okta adds', ({ cy }) => patchOf({ op: 'add', path: 'members', value: [{ value: cy, display: 'cy' }] }), ['ada', 'bob', 'cy']],
    ['Okta removes', ({ ada }) => patchOf({ op: 'remove', path: `members[value eq "${ada}"]` }), ['bob']],
    [
      'Okta renames with the id in the body, and leaves membership alone',
      ({ group }) => patchOf({ op: 'replace', value: { id: group, displayName: 'Renamed' } }),
      ['ada', 'bob'],
    ],
    ['Okta pushes now', ({ cy }) => patchOf({ op: 'replace', path: 'members', value: [{ value: cy, display: 'c' }] }), ['cy']],
    ['Okta pushes an empty group now', () => patchOf({ op: 'replace', path: 'members', value: [] }), []],
    [
      'nothing said of members in a path-less replacement',
      () => patchOf({ op: 'replace', value: { displayName: 'x', members: null } }),
      ['ada', 'bob'],
    ],
    ['Entra adds', ({ dan }) => patchOf({ op: 'Add', path: 'members', value: [{ $ref: null, value: dan }] }), ['ada', 'bob', 'dan']],
    ['Entra removes just those', ({ bob }) => patchOf({ op: 'Remove', path: 'members', value: [{ $ref: null, value: bob }] }), ['ada']],
    ['Entra with the flag removes', ({ bob }) => patchOf({ op: 'remove', path: `members[value eq "${bob}"]` }), ['ada']],
    ['a removal of nobody', () => patchOf({ op: 'remove', path: 'members', value: [] }), ['ada', 'bob']],
    ['a removal of all', () => patchOf({ op: 'remove', path: 'members' }), []],
    ['somebody who is there is added', ({ ada }) => patchOf({ op: 'add', path: 'members', value: [{ value: ada }] }), ['ada', 'bob']],
    ['somebody who is not there is removed', ({ cy }) => patchOf({ op: 'remove', path: `members[value eq "${cy}"]` }), ['ada', 'bob']],
    [
      'several, in order',
      ({ ada, cy, dan }) =>
        patchOf(
          { op: 'remove', path: 'members', value: [{ value: ada }] },
          { op: 'add', path: 'members', value: [{ value: cy }, { value: dan }] },
          { op: 'remove', path: `members[value eq "${dan}" or value eq "${cy}"]` },
          { op: 'add', path: 'members', value: [{ value: dan }] },
        ),
      ['bob', 'dan'],
    ],
    ['whom a filter finds by looking', () => patchOf({ op: 'remove', path: 'members[display sw "A" and type eq "User"]' }), ['bob']],
    ['path-less addition', ({ cy }) => patchOf({ op: 'add', value: { members: [{ value: cy }] } }), ['ada', 'bob', 'cy']],
  ]
  test.each(cases)('%s', async (_says, body, left) => {
    const company = await aCompany()
    const answer = await company.call('PATCH', `/Groups/${company.group}`, body(company))
    expect([answer.status, answer.body]).toEqual([204, {}])
    expect(new Set(await membersOf(company))).toEqual(new Set(left.map((name) => company[name])))
  })

  test('a PUT says all that there is: members that it does not name, and all where it names none, are gone', async () => {
    const company = await aCompany()
    const { call, group, ada, cy } = company
    expect((await call('PUT', `/Groups/${group}`, { displayName: 'Engineers', members: [{ value: ada }, { value: cy }] })).status).toBe(200)
    expect(new Set(await membersOf(company))).toEqual(new Set([ada, cy]))
    expect((await call('PUT', `/Groups/${group}`, { displayName: 'Engineers' })).body['members']).toEqual([])
  })

  test('who is not there: refused where a request only adds, left out where it takes somebody away', async () => {
    const company = await aCompany()
    const { call, group, ada } = company
    const stranger = (await (await broker.aDirectory()).call('POST', '/Users', { userName: 'mallory' })).body['id']
    for (const value of [randomUUID(), 'no id', String(stranger)]) {
      const add = { op: 'add', path: 'members', value: [{ value }] }
      expect(await call('PATCH', `/Groups/${group}`, patchOf(add))).toMatchObject({ status: 400, body: { scimType: 'invalidValue' } })
      expect(await call('POST', '/Groups', { displayName: `of ${value}`, members: [{ value }] })).toMatchObject({ status: 400 })
      const replaced = await call(
        'PATCH',
        `/Groups/${group}`,
        patchOf({ op: 'replace', path: 'members', value: [{ value: ada }, { value }] }),
      )
      expect([replaced.status, await membersOf(company)]).toEqual([204, [ada]])
    }
    expect(await call('PATCH', `/Groups/${group}`, patchOf({ op: 'add', path: 'members', value: [{ display: 'x' }] }))).toMatchObject({
      status: 400,
    })
    expect(await call('PATCH', `/Groups/${group}`, patchOf({ op: 'remove', path: 'displayName' }))).toMatchObject({ status: 400 })
  })

  test('a deleted user and a deleted group are in no group', async () => {
    const company = await aCompany()
    const { call, ada, bob, group } = company
    const inner = String((await call('POST', '/Groups', { displayName: 'Inner', members: [{ value: bob }] })).body['id'])
    await call('PATCH', `/Groups/${group}`, patchOf({ op: 'add', path: 'members', value: [{ value: inner, type: 'Group' }] }))
    expect(await membersOf(company)).toHaveLength(3)
    await call('DELETE', `/Users/${ada}`)
    expect((await call('DELETE', `/Groups/${inner}`)).status).toBe(204)
    expect((await call('GET', `/Groups/${inner}`)).status).toBe(404)
    expect((await call('PATCH', `/Groups/${inner}`, patchOf({ op: 'replace', value: { displayName: 'x' } }))).status).toBe(404)
    expect(await membersOf(company)).toEqual([bob])
    expect((await call('POST', '/Groups', { displayName: 'inner' })).status).toBe(201)
  })
})

describe('how many there may be', () => {
  const countOf = async ({ tenant }: Company) =>
    (await owner<{ scim_groups: number }>('SELECT scim_groups FROM connections WHERE tenant_id = $1', [tenant.tenantId]))[0]?.scim_groups

  test('of groups the limit mostGroups: the next is refused by its name, whatever is there still changes and goes, and makes room', async () => {
    const company = await aCompany()
    const { call, tenant, group, ada } = company
    const version = () => owner('SELECT configuration_version FROM tenants WHERE id = $1', [tenant.tenantId])
    const before = await version()
    await owner('UPDATE connections SET scim_groups = $2 WHERE tenant_id = $1', [tenant.tenantId, mostGroups - 1])
    const made = await Promise.all(['A', 'B', 'C'].map((displayName) => call('POST', '/Groups', { displayName })))
    expect(made.map(({ status }) => status).toSorted()).toEqual([201, 400, 400])
    // `scim_groups_too_many`
    expect(made.find(({ status }) => status === 400)?.body).toMatchObject({
      status: '400',
      detail: expect.stringContaining('DRAWBRIDGE_DIRECTORY_GROUPS'),
    })
    expect(await countOf(company)).toBe(mostGroups)
    expect((await call('PATCH', `/Groups/${group}`, patchOf({ op: 'remove', path: `members[value eq "${ada}"]` }))).status).toBe(204)
    expect((await call('PUT', `/Groups/${group}`, { displayName: 'Other' })).status).toBe(200)
    expect([(await call('DELETE', `/Groups/${group}`)).status, (await call('DELETE', `/Groups/${group}`)).status]).toEqual([204, 404])
    expect(await countOf(company)).toBe(mostGroups - 1)
    expect((await call('POST', '/Groups', { displayName: 'D' })).status).toBe(201)
    expect(await version()).toEqual(before)
  })

  test('of members that are named mostNamedMembers in an answer, and of a name so many characters', async () => {
    const company = await aCompany()
    const { call, group, ada } = company
    await call('PATCH', `/Users/${ada}`, patchOf({ op: 'add', path: 'displayName', value: 'x'.repeat(2 * memberDisplayCharacters) }))
    const shown = async () => (await call('GET', `/Groups/${group}`)).body['members'] as readonly { value: string; display?: string }[]
    expect((await shown()).find(({ value }) => value === ada)?.display).toBe('x'.repeat(memberDisplayCharacters))
    await owner('UPDATE scim_groups SET member_count = $2 WHERE id = $1', [group, mostNamedMembers + 1])
    const unnamed = await shown()
    expect(unnamed.map(({ display }) => display)).toEqual([undefined, undefined])
    expect(unnamed).toContainEqual({ value: ada, $ref: expect.stringMatching(/\/Users\//), type: 'User' })
    const listed = (await call('GET', '/Groups')).body['Resources'] as readonly { members: readonly object[] }[]
    expect(listed.map(({ members }) => members)).toEqual([unnamed])
  })

  test('of answers with more than that few at once: whoever reads comes again, and what is changed is changed', async () => {
    const { call, group, ada } = await aCompany()
    await owner('UPDATE scim_groups SET member_count = $2 WHERE id = $1', [group, mostNamedMembers + 2])
    const answers: number[] = []
    while (answers.at(-1) !== 503 && answers.length < 100) answers.push((await call('GET', `/Groups/${group}`)).status)
    expect(new Set(answers)).toEqual(new Set([200, 503]))
    expect((await call('GET', '/Groups')).status).toBe(503)
    expect((await call('GET', `/Groups/${group}?excludedAttributes=members`)).status).toBe(200)
    const out = await call('PATCH', `/Groups/${group}?attributes=members`, patchOf({ op: 'remove', path: `members[value eq "${ada}"]` }))
    expect([out.status, out.body['members']]).toEqual([200, undefined])
  })
})

describe('what it does to people', () => {
  const steps: readonly (readonly [
    says: string,
    method: string,
    body: (company: Company) => object | undefined,
    raises: 'her' | 'all' | 'nobody',
  ])[] = [
    ['she is removed', 'PATCH', ({ ada }) => patchOf({ op: 'remove', path: `members[value eq "${ada}"]` }), 'her'],
    ['somebody else is removed', 'PATCH', ({ bob }) => patchOf({ op: 'remove', path: `members[value eq "${bob}"]` }), 'nobody'],
    ['her group is renamed', 'PATCH', () => patchOf({ op: 'replace', value: { displayName: 'Other' } }), 'her'],
    ['her group gets another externalId', 'PATCH', () => patchOf({ op: 'replace', value: { externalId: 'other' } }), 'her'],
    ['her group is deleted', 'DELETE', () => undefined, 'her'],
    ['what is known is said again', 'PATCH', ({ ada }) => patchOf({ op: 'add', path: 'members', value: [{ value: ada }] }), 'nobody'],
    ['something else of it changes', 'PATCH', () => patchOf({ op: 'add', path: 'urn:acme:group:note', value: 'x' }), 'nobody'],
    ['her group gets a group', 'PATCH', ({ group }) => patchOf({ op: 'add', path: 'members', value: [{ value: group }] }), 'all'],
  ]
  test.each(steps)('%s', async (_says, method, body, raises) => {
    const company = await aCompany()
    await owner('UPDATE subjects SET scim_user_id = $2 WHERE tenant_id = $1', [company.tenant.tenantId, company.ada])
    const before = await versionsOf(company)
    const was = await company.call('GET', `/Groups/${company.group}`)
    expect((await company.call(method, `/Groups/${company.group}`, body(company))).status).toBe(204)
    const after = await versionsOf(company)
    const risen = { claims: (after?.claims ?? 0) - (before?.claims ?? 0), directory: (after?.directory ?? 0) - (before?.directory ?? 0) }
    expect(risen).toEqual({ claims: raises === 'her' ? 1 : 0, directory: raises === 'all' ? 1 : 0 })
    if (raises === 'her') expect(after?.barrier).toBe(after?.claims)
    const is = await company.call('GET', `/Groups/${company.group}`)
    if (_says === 'what is known is said again') expect(is.body['meta']).toEqual(was.body['meta'])
  })

  test('a group of more than can be named is emptied, replaced and deleted by one row, and its rows wait for the sweep', async () => {
    const company = await aCompany()
    const { call, tenant, group, ada } = company
    await owner(
      `WITH made AS (
         INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, resource, created_at, updated_at)
         SELECT $1, gen_random_uuid(), $2, 'u' || n, 'u' || n, '{}', now(), now() FROM generate_series(1, $4::int) AS n RETURNING id)
       , held AS (INSERT INTO scim_group_members (tenant_id, group_id, member_id, user_id, generation) SELECT $1, $3, id, id, 1 FROM made)
       UPDATE scim_groups SET member_count = member_count + $4 WHERE id = $3`,
      [tenant.tenantId, tenant.connectionId, group, 3 * mostNamedPeople],
    )
    const before = await versionsOf(company)
    expect((await call('PATCH', `/Groups/${group}`, patchOf({ op: 'replace', path: 'members', value: [{ value: ada }] }))).status).toBe(204)
    expect(await membersOf(company)).toEqual([ada])
    const after = await versionsOf(company)
    expect([after?.claims, after?.directory]).toEqual([before?.claims, (before?.directory ?? 0) + 1])
    const rows = await owner('SELECT count(*)::int AS n FROM scim_group_members WHERE group_id = $1', [group])
    expect(rows).toEqual([{ n: 3 * mostNamedPeople + 2 }])
    expect(await call('GET', `/Groups?filter=${encodeURIComponent(`members.value eq "${company.bob}"`)}`)).toMatchObject({
      body: { totalResults: 0 },
    })
    // Whoever comes back counts again, once.
    await call('PATCH', `/Groups/${group}`, patchOf({ op: 'add', path: 'members', value: [{ value: company.bob }] }))
    expect(new Set(await membersOf(company))).toEqual(new Set([ada, company.bob]))
  })

  test('with If-Match of an older version nothing happens', async () => {
    const company = await aCompany()
    const { call, group } = company
    const stale = { 'if-match': 'W/"0"' }
    expect((await call('PATCH', `/Groups/${group}`, patchOf({ op: 'remove', path: 'members' }), stale)).status).toBe(412)
    expect((await call('PUT', `/Groups/${group}`, { displayName: 'x' }, stale)).status).toBe(412)
    expect((await call('DELETE', `/Groups/${group}`, undefined, stale)).status).toBe(412)
    expect(await membersOf(company)).toHaveLength(2)
  })

  test.each([
    { way: 'by id', out: (bob: string) => `members[value eq "${bob}" or value eq "${randomUUID()}"]` },
    { way: 'by name', out: () => 'members[display sw "bob"]' },
  ])('a full one takes one for each who was in it and whom the same request takes out, $way, and no more', async ({ out }) => {
    const company = await aCompany()
    const { call, group, ada, bob, cy, dan } = company
    await owner('UPDATE scim_groups SET member_count = $2 WHERE id = $1', [group, mostMembers])
    const change = (...more: readonly string[]) =>
      call('PATCH', `/Groups/${group}`, patchOf({ op: 'remove', path: out(bob) }, { op: 'add', path: 'members', value: more }))
    expect(await change(cy, dan)).toMatchObject({ status: 400, body: { detail: expect.stringContaining('mostMembers') } })
    expect(new Set(await membersOf(company))).toEqual(new Set([ada, bob]))
    expect((await change(ada, cy)).status).toBe(204)
    expect(new Set(await membersOf(company))).toEqual(new Set([ada, cy]))
  })

  test('its changes stand in the trail, with whom it named in vain', async () => {
    const { call, tenant, group, ada } = await aCompany()
    await call('PATCH', `/Groups/${group}`, patchOf({ op: 'replace', path: 'members', value: [{ value: ada }, { value: randomUUID() }] }))
    await call('DELETE', `/Groups/${group}`)
    const trail = await owner(
      "SELECT kind, detail - 'scimGroupId' AS detail FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'scim_group.%' ORDER BY id",
      [tenant.tenantId],
    )
    expect(trail).toEqual([
      { kind: 'scim_group.created', detail: { added: 2 } },
      { kind: 'scim_group.updated', detail: { added: 0, removed: 1, unknown: 1, renamed: false } },
      { kind: 'scim_group.deleted', detail: { removed: 1 } },
    ])
  })
})
