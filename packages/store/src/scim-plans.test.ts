/**
 * How PostgreSQL answers a directory of a hundred thousand people: what directories ask all day is found by an index, in the role that row-level
 * security binds, and no plan of theirs reads the tenant.
 */
import { readFileSync } from 'node:fs'
import { userType } from '@drawbridge/core/scim/resource-type'
import { parseSearch, type SearchWords } from '@drawbridge/core/scim/search-request'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { explaining, type PlanNode, rowsRead } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { searchScimUsers } from './scim-user-search.js'
import { inTenant } from './transaction.js'

const people = 100_000
let fixture: TestDatabase
let tenant: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  tenant = await aTenant(fixture, { slug: 'large' })
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at)
     SELECT $1, gen_random_uuid(), $2, 'User' || n || '@acme.example', 'user' || n || '@acme.example', 'ext-' || n, n % 1000 <> 0,
       jsonb_build_object('displayName', 'User ' || n, 'emails', jsonb_build_array(jsonb_build_object('type', 'work', 'value', 'User' || n || '@acme.example'))),
       timestamptz '2020-01-01' + n * interval '1 minute', timestamptz '2021-01-01' + n * interval '1 minute'
     FROM generate_series(1, ${people}) AS n`,
    [tenant.tenantId, tenant.connectionId],
  )
  // One of fifty thousand, five hundred of two hundred: everybody is in one or two, and in no living one more.
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO scim_groups (tenant_id, id, connection_id, display_name, display_name_key, resource, created_at, updated_at)
     SELECT $1, lpad(n::text, 32, '0')::uuid, $2, 'Group ' || n, 'group ' || n, '{}', timestamptz '2020-01-01', timestamptz '2020-01-01' FROM generate_series(0, 500) AS n`,
    [tenant.tenantId, tenant.connectionId],
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO scim_group_members (tenant_id, group_id, member_id, user_id, generation)
     SELECT $1, lpad(g::text, 32, '0')::uuid, id, id, 1
     FROM (SELECT id, row_number() OVER (ORDER BY created_at) AS n FROM scim_users WHERE tenant_id = $1) AS u,
       LATERAL (VALUES (1 + n % 500), (CASE WHEN n % 2 = 0 THEN 0 END)) AS of (g) WHERE g IS NOT NULL`,
    [tenant.tenantId],
  )
  await asOwner(fixture.ownerUrl, 'ANALYZE scim_users, scim_user_keys, scim_groups, scim_group_members')
}, 180_000)
afterAll(() => fixture.close())

/** The plans of the statements by which a question is answered, as they were carried out. */
async function plansOf(words: SearchWords, position: boolean, withGroups = false): Promise<readonly PlanNode[]> {
  const search = parseSearch(userType, words)
  if (!search.ok) throw new Error(search.error.detail)
  const { filter, sort } = search.value
  return inTenant(fixture.database, tenant.tenantId, async (within) => {
    const { db, statements } = explaining(within)
    const page = position
      ? ({ by: 'position', after: undefined, count: 100 } as const)
      : ({ by: 'index', startIndex: 1, count: 100 } as const)
    await searchScimUsers(
      db,
      { tenant: tenant.tenantId, connectionId: tenant.connectionId },
      { filter, sort, page },
      'https://x',
      withGroups,
    )
    return statements.flat()
  })
}

const groupId = (n: number): string => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`

/** Rows that a scan took up, whether it kept them or not. */
const readBy = (node: PlanNode): number => rowsRead([node], /./)

test.each<[string, SearchWords]>([
  ['userName', { filter: 'userName eq "USER77@acme.example"' }],
  ['userName, unknown', { filter: 'userName eq "nobody"' }],
  ['userName without quotes', { filter: 'userName eq user77@acme.example' }],
  ['the start of userName', { filter: 'userName sw "user7777"' }],
  ['externalId', { filter: 'externalId eq "ext-77"' }],
  ['id', { filter: 'id eq "6d0c5d1c-2f4e-4a5c-8a61-5d3d3f8d3c11"' }],
  ['a work address', { filter: 'emails[type eq "work"].value eq "user77@ACME.example"' }],
  ['any address', { filter: 'emails eq "user77@acme.example"' }],
  ['displayName', { filter: 'displayName eq "user 77"' }],
  ['userName and externalId', { filter: 'userName eq "user77@acme.example" and externalId eq "ext-77"' }],
  ['userName or externalId', { filter: 'userName eq "user77@acme.example" or externalId eq "ext-78"' }],
  ['whoever is inactive', { filter: 'active eq false' }],
  ['a group of hers', { filter: `groups.value eq "${groupId(7)}"` }],
  ['a group of hers, in brackets', { filter: `groups[value eq "${groupId(7)}" and type eq "direct"]` }],
  ['the name of a group of hers', { filter: 'groups.display eq "GROUP 7"' }],
  ['the name of a group of hers, in brackets', { filter: 'groups[display eq "Group 7"]' }],
  ['a group of hers that nobody knows', { filter: `groups.value eq "${groupId(999)}"` }],
  ['what was changed lately', { filter: 'meta.lastModified gt "2021-03-11T10:00:00Z"' }],
])('by %s an index finds them', async (_, words) => {
  for (const plan of [await plansOf(words, false), await plansOf(words, true)]) {
    expect(plan.filter((node) => node['Node Type'] === 'Seq Scan')).toEqual([])
    expect(Math.max(...plan.map(readBy))).toBeLessThan(people / 100)
  }
})

test.each<[string, SearchWords]>([
  ['as they came', {}],
  ['by userName', { sortBy: 'userName', sortOrder: 'descending' }],
  ['by change', { sortBy: 'meta.lastModified' }],
])('a page by cursor %s reads a page', async (_, words) => {
  expect(Math.max(...(await plansOf(words, true)).map(readBy))).toBeLessThan(people / 100)
})

test('the groups of a page are read by an index, for its people alone', async () => {
  for (const position of [false, true]) {
    const [alone, together] = [
      await plansOf({ filter: 'active eq false' }, position),
      await plansOf({ filter: 'active eq false' }, position, true),
    ]
    expect(together.length).toBeGreaterThan(alone.length)
    // Five hundred groups may be read as a whole, people and members never.
    expect(together.filter((node) => node['Node Type'] === 'Seq Scan' && node['Relation Name'] !== 'scim_groups')).toEqual([])
    expect(Math.max(...together.map(readBy))).toBeLessThan(people / 100)
  }
})

test.each([
  ['by its id', `groups.value eq "${groupId(0)}"`],
  ['by its id, in brackets', `groups[value eq "${groupId(0)}" and type eq "direct"]`],
  ['beside something else', `active eq true and groups.value eq "${groupId(0)}"`],
])('a page of a group of fifty thousand, named %s, reads a page', async (_, filter) => {
  const plan = await plansOf({ filter }, true)
  expect(plan.filter((node) => node['Node Type'] === 'Seq Scan')).toEqual([])
  expect(Math.max(...plan.map(readBy))).toBeLessThan(1000)
})

test('what no index serves would be seen', async () => {
  const plan = await plansOf({ filter: 'title eq "x"' }, true)
  expect(Math.max(...plan.map(readBy))).toBe(people)
})

test('what the migration writes is found: the keys of a trigger and those of a backfill are the same', async () => {
  const migration = readFileSync(new URL('../../../prisma/migrations/0062_scim_search/migration.sql', import.meta.url), 'utf8')
  const [backfill] =
    /INSERT INTO scim_user_keys \(tenant_id, connection_id, name, key, user_id\)\nSELECT u\.[\s\S]*?;/.exec(migration) ?? []
  const count = () => asOwner<{ keys: number }>(fixture.ownerUrl, 'SELECT count(*)::int AS keys FROM scim_user_keys')
  const before = await count()
  await asOwner(fixture.ownerUrl, `${backfill?.slice(0, -1)} ON CONFLICT DO NOTHING`)
  expect([before, await count()]).toEqual([[{ keys: 2 * people }], [{ keys: 2 * people }]])
}, 60_000)
