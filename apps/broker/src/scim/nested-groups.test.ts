/** Groups in groups have limits where they are written: what a directory nests is walked by statements that everybody waits for. */
import { randomUUID } from 'node:crypto'
import { mostNestedGroups, mostNestings } from '@drawbridge/store/scim-nested-groups'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { aScimBroker, type Directory, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
let directory: Directory
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker?.close())
beforeEach(async () => {
  directory = await broker.aDirectory()
})

const owner = <Row = Record<string, unknown>>(sql: string, ...parameters: readonly unknown[]) =>
  asOwner<Row>(broker.fixture.ownerUrl, sql, [directory.tenant.tenantId, directory.tenant.connectionId, ...parameters])
const named = (ids: readonly string[]) => ids.map((value) => ({ value }))
const patchOf = (...Operations: object[]) => ({ schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations })

const groups = async (many: number): Promise<readonly string[]> =>
  (
    await owner<{ id: string }>(
      `INSERT INTO scim_groups (tenant_id, id, connection_id, display_name, display_name_key, resource, created_at, updated_at)
       SELECT $1, id, $2, id, id, '{}', now(), now() FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $3::int)) AS made RETURNING id`,
      many,
    )
  ).map(({ id }) => id)
const create = (members: readonly string[]) => directory.call('POST', '/Groups', { displayName: randomUUID(), members: named(members) })
const tooMany = (limit: string) => ({ status: 400, body: { scimType: 'invalidValue', detail: expect.stringContaining(limit) } })

it('a group holds as many groups as the limit says, and not one more, however it is said', async () => {
  const [first = '', second = '', ...others] = await groups(mostNestedGroups + 1)
  expect(await create([first, second, ...others])).toMatchObject(tooMany('mostNestedGroups'))
  const made = await create([second, ...others])
  expect(made.status).toBe(201)
  const at = `/Groups/${String(made.body['id'])}`
  expect(await directory.call('PATCH', at, patchOf({ op: 'add', path: 'members', value: named([first]) }))).toMatchObject(
    tooMany('mostNestedGroups'),
  )
  expect(await directory.call('PUT', at, { displayName: 'x', members: named([first, second, ...others]) })).toMatchObject(
    tooMany('mostNestedGroups'),
  )
  const swap = patchOf({ op: 'remove', path: 'members', value: named([second]) }, { op: 'add', path: 'members', value: named([first]) })
  expect((await directory.call('PATCH', at, swap)).status).toBe(204)
  expect((await directory.call('PUT', at, { displayName: 'x', members: named([second, ...others]) })).status).toBe(200)
})

it('all groups of a connection together hold as many as the limit says', async () => {
  const all = await groups(100)
  await owner(
    `INSERT INTO scim_group_members (tenant_id, group_id, member_id, nested_id, generation)
     SELECT $1, a.id, b.id, b.id, 1 FROM scim_groups a, scim_groups b
     WHERE a.connection_id = $2 AND b.connection_id = $2 AND a.id <> b.id ORDER BY a.id, b.id LIMIT $3`,
    mostNestings - 1,
  )
  const made = await create(all.slice(0, 1))
  expect(made.status).toBe(201)
  expect(await create(all.slice(0, 1))).toMatchObject(tooMany('mostNestings'))
  await directory.call('DELETE', `/Groups/${String(made.body['id'])}`)
  expect((await create(all.slice(0, 1))).status).toBe(201)
})

it('a group that holds more since before the limit is changed in everything but that', async () => {
  const { id: ada } = (await directory.call('POST', '/Users', { userName: 'ada', externalId: 'ada' })).body
  const made = await create([String(ada)])
  const at = `/Groups/${String(made.body['id'])}`
  const nested = await groups(mostNestedGroups + 5)
  await owner(
    `INSERT INTO scim_group_members (tenant_id, group_id, member_id, nested_id, generation) SELECT $1, $3::uuid, id, id, 1 FROM unnest($4::uuid[]) AS id WHERE $2::uuid IS NOT NULL`,
    ...[made.body['id'], nested],
  )
  expect((await directory.call('PUT', at, { displayName: 'x', members: named(nested) })).status).toBe(200)
  const left = await owner('SELECT 1 FROM scim_group_members WHERE tenant_id = $1 AND $2::uuid IS NOT NULL AND user_id = $3', ada)
  expect(left).toEqual([])
  const less = patchOf({ op: 'remove', path: 'members', value: named(nested.slice(0, 1)) })
  expect((await directory.call('PATCH', at, less)).status).toBe(204)
})
