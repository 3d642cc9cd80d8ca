/** The groups of a page of people, and where a page ends because they would be too many. */
import { randomUUID } from 'node:crypto'
import { instant } from '@drawbridge/core/instant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ScimCaller } from './scim-caller.js'
import { insertScimGroup } from './scim-groups.js'
import { listGroupsOf } from './scim-user-groups.js'
import { insertScimUser } from './scim-users.js'
import { inTenant } from './transaction.js'

let fixture: TestDatabase
let tenant: ATenant
const people: string[] = []

const callerOf = ({ tenantId, connectionId }: ATenant): ScimCaller => ({
  ...{ tenant: tenantId, connectionId, now: instant(1_800_000_000_000), requestId: undefined, newId: randomUUID },
})

/** Four people: the first is in three groups, the second in two, the third in none, the fourth in one. */
beforeAll(async () => {
  fixture = await testDatabase()
  tenant = await aTenant(fixture, { slug: 'groups' })
  const caller = callerOf(tenant)
  await inTenant(fixture.database, tenant.tenantId, async (db) => {
    for (const userName of ['ada', 'bob', 'cy', 'dan']) {
      const made = await insertScimUser(db, caller, { userName, externalId: undefined, active: true, attributes: {} })
      if (made.ok) people.push(made.value.id)
    }
    const [ada = '', bob = '', , dan = ''] = people
    for (const [displayName, members] of [
      ['c', [ada]],
      ['B', [ada, bob]],
      ['a', [ada, bob, dan]],
    ] as const)
      await insertScimGroup(db, caller, { displayName, externalId: undefined, attributes: {} }, new Set(members))
  })
})
afterAll(() => fixture.close())

async function listed(most?: number, of: readonly string[] = people): Promise<Record<string, readonly string[]>> {
  const caller = callerOf(tenant)
  const found = await inTenant(fixture.database, tenant.tenantId, (db) => listGroupsOf(db, caller, of, most))
  const names = ['ada', 'bob', 'cy', 'dan']
  return Object.fromEntries([...found].map(([id, groups]) => [names[people.indexOf(id)], groups.map(({ display }) => display)]))
}

test('each is shown with hers, by name', async () => {
  expect(await listed()).toEqual({ ada: ['a', 'B', 'c'], bob: ['a', 'B'], cy: [], dan: ['a'] })
  expect(await listed(undefined, [])).toEqual({})
})

test.each([
  [6, { ada: ['a', 'B', 'c'], bob: ['a', 'B'], cy: [], dan: ['a'] }],
  [5, { ada: ['a', 'B', 'c'], bob: ['a', 'B'], cy: [] }],
  [4, { ada: ['a', 'B', 'c'] }],
  [3, { ada: ['a', 'B', 'c'] }],
  [2, { ada: ['a', 'B'] }],
])('where %i find room, whoever has no room is left out with those behind her, and the first is there', async (most, expected) => {
  expect(await listed(most)).toEqual(expected)
})

test('of another tenant nobody is in any', async () => {
  const other = await aTenant(fixture, { slug: 'other' })
  const caller = callerOf(other)
  const found = await inTenant(fixture.database, other.tenantId, (db) => listGroupsOf(db, caller, people))
  expect([...found.values()]).toEqual([[], [], [], []])
})
