/**
 * Nobody goes on because of what else a request says: where a change is refused that says that she leaves, what she holds ends, and nothing of the resource
 * changes (RFC 7644 §3.5.2).
 */
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aScimBroker, type Directory, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const ada = { userName: 'ada@acme.example', externalId: 'ada', active: true }
const patch = (...operations: readonly object[]) => ({ Operations: operations })
const inactive = { op: 'Replace', path: 'active', value: 'False' }
const bad = {
  noTarget: { op: 'remove', path: 'emails[type eq "work"].value' },
  filter: { op: 'replace', path: 'emails[type xx "work"].value', value: 'x' },
  value: { op: 'replace', path: 'name', value: 17 },
}

/** By the barrier: what was given before is over. The door stays what it was. */
async function isOver({ tenant }: Directory): Promise<boolean> {
  const sql = "SELECT epoch, deactivated_at FROM subjects WHERE tenant_id = $1 AND stable_id = 'ada'"
  const [subject] = await asOwner<{ epoch: number; deactivated_at: Date | null }>(broker.fixture.ownerUrl, sql, [tenant.tenantId])
  expect(subject?.deactivated_at).toBeNull()
  return subject?.epoch === 2
}
/** Ada, who has signed in, and Anna, who left last year and whose name nobody gave back. */
async function aDirectoryOfTwo(): Promise<{ readonly directory: Directory; readonly id: string }> {
  const directory = await broker.aDirectory()
  const id = String((await directory.call('POST', '/Users', ada)).body['id'])
  expect((await directory.call('POST', '/Users', { userName: 'a.miller@acme.example', active: false })).status).toBe(201)
  return { directory, id }
}

describe('a person who is to leave', () => {
  test.each<{ why: string; method: string; send: object; status: number; isLeaving?: boolean }>([
    {
      why: 'a PUT gives her a name that is taken',
      method: 'PUT',
      send: { ...ada, userName: 'a.miller@acme.example', active: false },
      status: 409,
    },
    { why: 'a PUT gives her no name', method: 'PUT', send: { active: 'False' }, status: 400 },
    {
      why: 'a PATCH gives her a name that is taken',
      method: 'PATCH',
      send: patch(inactive, { op: 'replace', path: 'userName', value: 'a.miller@acme.example' }),
      status: 409,
    },
    { why: 'a PATCH removes what is not there', method: 'PATCH', send: patch(bad.noTarget, inactive), status: 400 },
    { why: 'a PATCH has a filter that nobody can read', method: 'PATCH', send: patch(inactive, bad.filter), status: 400 },
    {
      why: 'an object without a path has a key that nobody can read',
      method: 'PATCH',
      send: patch({ op: 'replace', value: { active: false, 'a[b': 1 } }),
      status: 400,
    },
    {
      why: 'an object without a path has keys with the schema in front',
      method: 'PATCH',
      send: patch({ op: 'replace', value: { 'urn:ietf:params:scim:schemas:core:2.0:User:active': 'False', 'a[b': 1 } }),
      status: 400,
    },
    {
      why: 'she comes back in the same request',
      method: 'PATCH',
      send: patch(inactive, bad.noTarget, { op: 'replace', path: 'active', value: true }),
      status: 400,
      isLeaving: false,
    },
    { why: 'nothing is said of it', method: 'PATCH', send: patch(bad.noTarget), status: 400, isLeaving: false },
  ])('has nothing any more although $why', async ({ method, send, status, isLeaving = true }) => {
    const { directory, id } = await aDirectoryOfTwo()
    expect((await directory.call(method, `/Users/${id}`, send)).status).toBe(status)
    expect(await isOver(directory)).toBe(isLeaving)
    expect((await directory.call('GET', `/Users/${id}`)).body).toMatchObject({ userName: ada.userName, active: true })
  })

  test('keeps it where the directory meant another version of her', async () => {
    const { directory, id } = await aDirectoryOfTwo()
    const refused = await directory.call('PATCH', `/Users/${id}`, patch(inactive, bad.noTarget), { 'if-match': 'W/"7"' })
    expect([refused.status, await isOver(directory)]).toEqual([412, false])
  })

  test('loses it by Bulk, too', async () => {
    const { directory, id } = await aDirectoryOfTwo()
    const data = patch(inactive, bad.noTarget)
    const answer = await directory.call('POST', '/Bulk', { Operations: [{ method: 'PATCH', path: `/Users/${id}`, data }] })
    expect([answer.status, answer.body['Operations'], await isOver(directory)]).toMatchObject([200, [{ status: '400' }], true])
  })
})

describe('members who are to leave a group', () => {
  async function aGroup() {
    const { directory, id } = await aDirectoryOfTwo()
    const bob = String((await directory.call('POST', '/Users', { userName: 'bob' })).body['id'])
    const members = [{ value: id }, { value: bob }]
    const group = String((await directory.call('POST', '/Groups', { displayName: 'Engineers', externalId: 'g-1', members })).body['id'])
    expect((await directory.call('POST', '/Groups', { displayName: 'Clerks', externalId: 'g-2' })).status).toBe(201)
    const names = async () => {
      const { body } = await directory.call('GET', `/Groups/${group}`)
      const held = (body['members'] ?? []) as readonly { readonly value: string }[]
      return [body['displayName'], held.map(({ value }) => (value === id ? 'ada' : value === bob ? 'bob' : value)).toSorted()]
    }
    return { directory, id, bob, group, names }
  }

  test.each<{ why: string; operations: (id: string, bob: string) => readonly object[]; left?: readonly string[] }>([
    {
      why: 'their id is written in capitals in a filter',
      operations: (id) => [{ op: 'remove', path: `members[value eq "${id.toUpperCase()}"]` }],
    },
    {
      why: 'their id is written in capitals in a list',
      operations: (id) => [{ op: 'remove', path: 'members', value: [{ value: id.toUpperCase() }] }],
    },
    {
      why: 'they were added a moment before, in small letters',
      operations: (id) => [
        { op: 'add', path: 'members', value: [{ value: id }] },
        { op: 'remove', path: 'members', value: [{ value: id.toUpperCase() }] },
      ],
    },
    {
      why: 'a name of another day stands beside it, and another operation looks into the members',
      operations: (id, bob) => [
        { op: 'remove', path: `members[value eq "${bob}" and type eq "User"]` },
        { op: 'remove', path: 'members', value: [{ value: id, display: 'an old name', $ref: 'https://elsewhere.example/Users/1' }] },
      ],
      left: [],
    },
  ])('leave it although $why', async ({ operations, left = ['bob'] }) => {
    const { directory, id, bob, group, names } = await aGroup()
    expect((await directory.call('PATCH', `/Groups/${group}`, patch(...operations(id, bob)))).status).toBe(204)
    expect(await names()).toEqual(['Engineers', left])
  })

  test.each<{ when: string; change: object }>([
    { when: 'the id of another', change: { displayName: 'g-2' } },
    { when: 'the id of another in capitals', change: { displayName: 'G-2' } },
    { when: 'as its id the name of another', change: { externalId: 'Clerks' } },
  ])('no group is given as its name $when: policy knows groups by either', async ({ change }) => {
    const { directory, group } = await aGroup()
    const operations = Object.entries(change).map(([path, value]) => ({ op: 'replace', path, value }))
    expect((await directory.call('PATCH', `/Groups/${group}`, patch(...operations))).status).toBe(409)
    expect((await directory.call('POST', '/Groups', { displayName: 'Others', externalId: 'g-3', ...change })).status).toBe(409)
    // And what is so already keeps nobody from leaving.
    expect(
      (await directory.call('PATCH', `/Groups/${group}`, patch({ op: 'replace', path: 'displayName', value: 'Engineering' }))).status,
    ).toBe(204)
  })
})
