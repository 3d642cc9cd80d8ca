/** In which groups people are, as their directory reads it back, over HTTP to the real broker on a real PostgreSQL. RFC 7643 §4.1.2. */
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aScimBroker, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const patchOf = (...Operations: object[]) => ({ schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations })

/** Ada and Bob are engineers, and Ada is an admin; engineers are staff, which holds nobody herself. */
async function aCompany() {
  const directory = await broker.aDirectory()
  const made = async (path: string, body: object) => String((await directory.call('POST', path, body)).body['id'])
  const ada = await made('/Users', { userName: 'ada' })
  const bob = await made('/Users', { userName: 'bob' })
  const cy = await made('/Users', { userName: 'cy' })
  const engineers = await made('/Groups', { displayName: 'Engineers', members: [{ value: ada }, { value: bob }] })
  const admins = await made('/Groups', { displayName: 'admins', members: [{ value: ada }] })
  const staff = await made('/Groups', { displayName: 'Staff', members: [{ value: engineers, type: 'Group' }] })
  const groupsOf = async (id: string): Promise<unknown> => (await directory.call('GET', `/Users/${id}`)).body['groups']
  return { ...directory, ada, bob, cy, engineers, admins, staff, groupsOf }
}
const shown = (id: string, display: string) => ({
  value: id,
  $ref: expect.stringMatching(new RegExp(`/scim/v2/Groups/${id}$`)),
  display,
  type: 'direct',
})

test('a person is shown with the groups that hold her herself, by name; who is in none has no such attribute', async () => {
  const { groupsOf, ada, bob, cy, engineers, admins } = await aCompany()
  expect(await groupsOf(ada)).toEqual([shown(admins, 'admins'), shown(engineers, 'Engineers')])
  expect(await groupsOf(bob)).toEqual([shown(engineers, 'Engineers')])
  expect(await groupsOf(cy)).toBeUndefined()
})

test('it is so in lists, by index and by cursor, in searches of one kind and of all, and in what PUT and PATCH answer', async () => {
  const { call, ada, bob, cy, engineers, admins } = await aCompany()
  const groupsIn = (body: Record<string, unknown>) =>
    Object.fromEntries((body['Resources'] as Record<string, unknown>[]).map((one) => [one['userName'], one['groups']]))
  const all = { ada: [shown(admins, 'admins'), shown(engineers, 'Engineers')], bob: [shown(engineers, 'Engineers')], cy: undefined }
  expect(groupsIn((await call('GET', '/Users')).body)).toEqual(all)
  expect(groupsIn((await call('GET', '/Users?cursor=')).body)).toEqual(all)
  expect(groupsIn((await call('POST', '/Users/.search', {})).body)).toEqual(all)
  expect(groupsIn((await call('POST', '/.search', { filter: 'meta.resourceType eq "User"' })).body)).toEqual(all)
  expect((await call('PUT', `/Users/${bob}`, { userName: 'bob', title: 'x' })).body['groups']).toEqual(all.bob)
  expect((await call('PATCH', `/Users/${ada}`, patchOf({ op: 'replace', value: { title: 'x' } }))).body['groups']).toEqual(all.ada)
  expect((await call('PATCH', `/Users/${cy}`, patchOf({ op: 'replace', value: { title: 'x' } }))).body).not.toHaveProperty('groups')
})

test('attributes and excludedAttributes mean groups and their parts, too', async () => {
  const { call, ada, engineers, admins } = await aCompany()
  const read = async (query: string) => (await call('GET', `/Users/${ada}?${query}`)).body
  expect(await read('excludedAttributes=groups')).not.toHaveProperty('groups')
  expect(await read('attributes=userName')).not.toHaveProperty('groups')
  expect(await read('attributes=groups.display')).toMatchObject({ groups: [{ display: 'admins' }, { display: 'Engineers' }] })
  expect((await read('attributes=Groups.Value'))['groups']).toEqual([{ value: admins }, { value: engineers }])
  expect((await read('excludedAttributes=groups.%24ref,groups.type'))['groups']).toEqual([
    { value: admins, display: 'admins' },
    { value: engineers, display: 'Engineers' },
  ])
})

test.each([
  ['groups.value eq "ENGINEERS"', ['ada', 'bob']],
  ['groups eq "ADMINS"', ['ada']],
  ['groups[value eq "ENGINEERS"]', ['ada', 'bob']],
  ['groups.value eq "ENGINEERS" and groups.value eq "ADMINS"', ['ada']],
  ['groups.value eq "STAFF"', []],
  ['groups.value eq "no id"', []],
  ['groups.display eq "engineers"', ['ada', 'bob']],
  ['groups.display sw "adm"', ['ada']],
  ['groups[display eq "Admins" and type eq "direct"]', ['ada']],
  ['not (groups.display eq "Admins")', ['bob', 'cy']],
  ['not (groups pr)', ['cy']],
  ['groups.type eq "direct"', ['ada', 'bob']],
  ['groups.$ref ew "/ADMINS"', ['ada']],
] as const)('the filter %s finds %j', async (filter, found) => {
  const { call, engineers, admins, staff } = await aCompany()
  const asked = filter.replaceAll('ENGINEERS', engineers).replaceAll('ADMINS', admins).replaceAll('STAFF', staff)
  const { body } = await call('GET', `/Users?filter=${encodeURIComponent(asked)}&sortBy=userName`)
  expect((body['Resources'] as { userName: string }[]).map(({ userName }) => userName)).toEqual(found)
})

test('what is renamed, left, emptied or deleted shows at once, though the person is of the same version', async () => {
  const { call, groupsOf, ada, bob, engineers, admins } = await aCompany()
  const { body: before } = await call('GET', `/Users/${ada}`)
  await call('PATCH', `/Groups/${engineers}`, patchOf({ op: 'replace', path: 'displayName', value: 'Makers' }))
  expect(await groupsOf(ada)).toEqual([shown(admins, 'admins'), shown(engineers, 'Makers')])
  await call('PATCH', `/Groups/${engineers}`, patchOf({ op: 'remove', path: `members[value eq "${ada}"]` }))
  expect(await groupsOf(ada)).toEqual([shown(admins, 'admins')])
  expect((await call('GET', `/Users/${ada}`)).body['meta']).toEqual(before['meta'])
  await call('PUT', `/Groups/${engineers}`, { displayName: 'Makers' })
  await call('DELETE', `/Groups/${admins}`)
  expect([await groupsOf(ada), await groupsOf(bob)]).toEqual([undefined, undefined])
})

test('a directory cannot write them: in POST, PUT and in a path-less PATCH they are ignored, by name they are refused', async () => {
  const { call, groupsOf, cy, engineers } = await aCompany()
  const groups = [{ value: engineers, display: 'Engineers' }]
  const made = await call('POST', '/Users', { userName: 'dan', groups })
  expect(made.status).toBe(201)
  expect(made.body).not.toHaveProperty('groups')
  expect(await call('PUT', `/Users/${cy}`, { userName: 'cy', groups })).toMatchObject({ status: 200 })
  expect(await call('PATCH', `/Users/${cy}`, patchOf({ op: 'add', value: { groups, title: 'x' } }))).toMatchObject({
    status: 200,
    body: { title: 'x' },
  })
  // RFC 7644 §3.5.2: whoever names what is read-only is told.
  expect(await call('PATCH', `/Users/${cy}`, patchOf({ op: 'add', path: 'groups', value: groups }))).toMatchObject({
    status: 400,
    body: { scimType: 'mutability' },
  })
  expect([await groupsOf(cy), await groupsOf(String(made.body['id']))]).toEqual([undefined, undefined])
  expect((await call('GET', `/Groups/${engineers}`)).body['members']).toHaveLength(2)
})

test('Schemas describes them as read-only', async () => {
  const { call } = await broker.aDirectory()
  const { body } = await call('GET', '/Schemas/urn:ietf:params:scim:schemas:core:2.0:User')
  const groups = (body['attributes'] as { name: string }[]).find(({ name }) => name === 'groups')
  expect(groups).toMatchObject({
    ...{ type: 'complex', multiValued: true, mutability: 'readOnly', returned: 'default' },
    subAttributes: [{ name: 'value' }, { name: '$ref', referenceTypes: ['Group'] }, { name: 'display' }, { name: 'type' }],
  })
})

test("groups of another tenant's directory are in no answer", async () => {
  const [one, other] = [await aCompany(), await aCompany()]
  const { body } = await other.call(
    'GET',
    `/Users?filter=${encodeURIComponent(`groups.value eq "${one.engineers}" or groups.value eq "${other.admins}"`)}`,
  )
  expect((body['Resources'] as { id: string }[]).map(({ id }) => id)).toEqual([other.ada])
})

test('a page of people who are together in too many groups is shorter, and nobody is lost behind it, by cursor, by index or in the search of all', async () => {
  const { call, tenant } = await broker.aDirectory()
  const place = [tenant.tenantId, tenant.connectionId]
  const owner = (sql: string) => asOwner(broker.fixture.ownerUrl, sql, place)
  await owner(`INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, active, resource, created_at, updated_at)
    SELECT $1, gen_random_uuid(), $2, 'u' || n, 'u' || n, true, '{}', timestamptz '2020-01-01', timestamptz '2020-01-01' FROM generate_series(1, 6) AS n`)
  await owner(`INSERT INTO scim_groups (tenant_id, id, connection_id, display_name, display_name_key, resource, created_at, updated_at)
    SELECT $1, gen_random_uuid(), $2, 'g' || n, 'g' || n, '{}', timestamptz '2020-01-01', timestamptz '2020-01-01' FROM generate_series(1, 4400) AS n`)
  await owner(`INSERT INTO scim_group_members (tenant_id, group_id, member_id, user_id, generation)
    SELECT $1, g.id, u.id, u.id, 1 FROM scim_users AS u, scim_groups AS g WHERE u.tenant_id = $1 AND g.tenant_id = $1 AND u.connection_id = $2`)
  const namesIn = (body: Record<string, unknown>) =>
    (body['Resources'] as Record<string, unknown>[]).map((one) => one['userName'] ?? one['displayName'])
  const first = await call('GET', '/Users?cursor=&sortBy=userName')
  const second = await call('GET', `/Users?cursor=${String(first.body['nextCursor'])}&sortBy=userName`)
  expect([namesIn(first.body), namesIn(second.body), second.body['nextCursor']]).toEqual([
    ['u1', 'u2', 'u3', 'u4'],
    ['u5', 'u6'],
    undefined,
  ])
  expect(await call('GET', '/Users?sortBy=userName&startIndex=2')).toMatchObject({ body: { totalResults: 6, itemsPerPage: 4 } })
  const all = await call('POST', '/.search', { attributes: ['userName', 'displayName', 'groups.value'], sortBy: 'userName', count: 8 })
  expect([namesIn(all.body), all.body['totalResults']]).toEqual([['u1', 'u2', 'u3', 'u4'], 4406])
  const more = await call('POST', '/.search', {
    attributes: ['userName', 'displayName', 'groups.value'],
    sortBy: 'userName',
    startIndex: 5,
    count: 3,
  })
  expect(namesIn(more.body)).toEqual(['u5', 'u6', expect.stringMatching(/^g/)])
}, 60_000)
