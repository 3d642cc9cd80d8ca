/** An admin sees what the directory pushed: its groups, whom they hold, and who of these has signed in. */
import { randomUUID } from 'node:crypto'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aScimGroup } from '@drawbridge/testkit/a-scim-group'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
let ada: string
let bob: string
let engineers: string
let staff: string
let elsewhere: string

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  const globex = await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
  ada = await aScimUser(fixture, acme, 'ada')
  bob = await aScimUser(fixture, acme, 'Bob', { active: false })
  engineers = await aScimGroup(fixture, acme, 'Engineers', { externalId: 'g-1', users: [ada, bob] })
  staff = await aScimGroup(fixture, acme, 'Staff', { groups: [engineers] })
  elsewhere = await aScimGroup(fixture, globex, 'Engineers', { users: [await aScimUser(fixture, globex, 'ada')] })
  await owner('UPDATE subjects SET scim_user_id = $2 WHERE id = $1', [acme.subjectId, ada])
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const owner = (sql: string, parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
const namesOf = async (query: string): Promise<readonly string[]> =>
  (await call('GET', `/tenants/acme/scim-groups?${query}`)).body.scimGroups.map(({ displayName }: { displayName: string }) => displayName)

describe('the groups of a tenant', () => {
  it('are listed with how many they hold', async () => {
    const { status, body } = await call('GET', '/tenants/acme/scim-groups?displayName=ENGINEERS')
    expect([status, body]).toEqual([
      200,
      {
        scimGroups: [
          {
            ...{ id: engineers, connectionId: acme.connectionId, displayName: 'Engineers', externalId: 'g-1', memberCount: 2 },
            ...{ createdAt: expect.any(String), updatedAt: expect.any(String) },
          },
        ],
        next: null,
      },
    ])
  })

  it.each([
    ['', ['Staff', 'Engineers']],
    ['externalId=g-1', ['Engineers']],
    ['externalId=G-1', []],
    ['memberId=ADA', ['Engineers']],
    ['memberId=ENGINEERS', ['Staff']],
    ['memberId=ADA&displayName=staff', []],
    [`memberId=${randomUUID()}`, []],
  ])('by %j are %j', async (query, names) => {
    expect(await namesOf(query.replace('ADA', ada).replace('=ENGINEERS', `=${engineers}`))).toEqual(names)
  })

  it('that were deleted are not among them, and have no members', async () => {
    const gone = await aScimGroup(fixture, acme, 'Gone', { users: [ada] })
    await owner('UPDATE scim_groups SET deleted_at = now(), generation = generation + 1 WHERE id = $1', [gone])
    expect(await namesOf(`memberId=${ada}`)).toEqual(['Engineers'])
    expect((await call('GET', `/tenants/acme/scim-groups/${gone}/members`)).status).toBe(404)
  })

  it('are found by no member that is no id', async () => {
    expect((await call('GET', '/tenants/acme/scim-groups?memberId=ada')).status).toBe(400)
  })
})

describe('the members of a group', () => {
  const membersOf = async (group: string) => (await call('GET', `/tenants/acme/scim-groups/${group}/members`)).body.members

  it('are people, with whom they are here, and groups', async () => {
    const people = [
      { id: ada, type: 'user', display: 'ada', userName: 'ada', active: true, subjectId: acme.subjectId },
      { id: bob, type: 'user', display: 'Bob', userName: 'Bob', active: false, subjectId: null },
    ]
    expect(await membersOf(engineers)).toEqual(people.sort((one, other) => (one.id < other.id ? -1 : 1)))
    expect(await membersOf(staff)).toEqual([
      { id: engineers, type: 'group', display: 'Engineers', userName: null, active: null, subjectId: null },
    ])
  })

  it('that count no more, because the group was emptied, are not among them', async () => {
    const emptied = await aScimGroup(fixture, acme, 'Emptied', { users: [ada, bob] })
    await owner('UPDATE scim_groups SET generation = 2, member_count = 0 WHERE id = $1', [emptied])
    expect(await membersOf(emptied)).toEqual([])
  })

  it.each([
    ['of another tenant', () => elsewhere],
    ['unknown', randomUUID],
    ['no id', () => 'engineers'],
  ])('of a group that is %s are 404', async (_says, id) => {
    expect(await call('GET', `/tenants/acme/scim-groups/${id()}/members`)).toMatchObject({
      status: 404,
      body: { type: 'urn:drawbridge:error:not_found' },
    })
  })
})
