/**
 * Nobody goes on because of what else a request says: where a change is refused that says that she leaves, what she holds ends, and nothing of the resource
 * changes (RFC 7644 §3.5.2).
 */
import { scimLimits } from '@drawbridge/core/scim/error'
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
const many = <T>(count: number, one: T): readonly T[] => Array.from({ length: count }, () => one)
const inactive = { op: 'Replace', path: 'active', value: 'False' }
const strangers = (count: number) => Array.from({ length: count }, (_, at) => `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`)
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
    {
      why: 'a PATCH has more operations than the limit',
      method: 'PATCH',
      send: patch(...many(scimLimits.operations, { op: 'replace', path: 'title', value: 'x' }), inactive),
      status: 400,
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

  const manager = (bulkId: string) => ({ op: 'add', path: 'manager', value: { value: `bulkId:${bulkId}` } })
  const taken = { method: 'POST', path: '/Users', bulkId: 'x', data: { userName: 'a.miller@acme.example' } }
  test.each<{ why: string; operations: (id: string) => readonly object[]; statuses: readonly string[]; isLeaving?: boolean }>([
    {
      why: 'whom it names beside her was refused',
      operations: (id) => [taken, { method: 'PATCH', path: `/Users/${id}`, data: patch(inactive, manager('x')) }],
      statuses: ['409', '400'],
    },
    {
      why: 'whom it names beside her is nobody, in a PUT',
      operations: (id) => [{ method: 'PUT', path: `/Users/${id}`, data: { ...ada, active: false, manager: { value: 'bulkId:nobody' } } }],
      statuses: ['400'],
    },
    {
      why: 'whom it names beside her wait for each other',
      operations: (id) => [
        { method: 'PATCH', path: `/Users/${id}`, data: patch(inactive, manager('one')) },
        { method: 'POST', path: '/Users', bulkId: 'one', data: { userName: 'carol', manager: { value: 'bulkId:other' } } },
        { method: 'POST', path: '/Users', bulkId: 'other', data: { userName: 'dave', manager: { value: 'bulkId:one' } } },
      ],
      statuses: ['409', '409', '409'],
    },
    {
      why: 'she is to come back by it',
      operations: (id) => [{ method: 'PUT', path: `/Users/${id}`, data: { ...ada, manager: { value: 'bulkId:nobody' } } }],
      statuses: ['400'],
      isLeaving: false,
    },
  ])('loses it by an operation of Bulk that is refused because $why', async ({ operations, statuses, isLeaving = true }) => {
    const { directory, id } = await aDirectoryOfTwo()
    const { body } = await directory.call('POST', '/Bulk', { Operations: operations(id) })
    expect((body['Operations'] as readonly { readonly status: string }[]).map(({ status }) => status)).toEqual(statuses)
    expect(await isOver(directory)).toBe(isLeaving)
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
    {
      why: 'very many are to leave by one filter, as many as a body holds',
      operations: (id) => [
        { op: 'remove', path: `members[${[...strangers(100_000), id].map((each) => `VALUE EQ "${each}"`).join(' OR ')}]` },
      ],
    },
    {
      why: 'their filter is longer than others may be, and another operation looks into the members',
      operations: (id) => [
        { op: 'remove', path: 'members[display sw "bob"]' },
        { op: 'remove', path: `members[${[...strangers(200), id].map((each) => `value eq "${each}"`).join(' or ')}]` },
      ],
      left: [],
    },
  ])('leave it although $why', async ({ operations, left = ['bob'] }) => {
    const { directory, id, bob, group, names } = await aGroup()
    expect((await directory.call('PATCH', `/Groups/${group}`, patch(...operations(id, bob)))).status).toBe(204)
    expect(await names()).toEqual(['Engineers', left])
  })

  describe('by a request that is refused for something else', () => {
    /** Whom the group gives something: what policy is told. */
    async function given({ directory, id, bob, group }: Awaited<ReturnType<typeof aGroup>>): Promise<readonly string[]> {
      const sql = 'SELECT groups_above($1, $2::uuid, 8, 100) AS groups'
      const asked = [id, bob].map((user) =>
        asOwner<{ groups: readonly string[] }>(broker.fixture.ownerUrl, sql, [directory.tenant.tenantId, user]),
      )
      const said = await Promise.all(asked)
      return ['ada', 'bob'].filter((_, at) => said[at]?.[0]?.groups.includes(group))
    }
    const claimsVersion = async ({ directory }: Awaited<ReturnType<typeof aGroup>>) => {
      const sql = "SELECT claims_version FROM subjects WHERE tenant_id = $1 AND stable_id = 'ada'"
      return (await asOwner<{ claims_version: number }>(broker.fixture.ownerUrl, sql, [directory.tenant.tenantId]))[0]?.claims_version
    }
    const withheld = async ({ directory }: Awaited<ReturnType<typeof aGroup>>) => {
      const sql = "SELECT detail FROM audit_events WHERE tenant_id = $1 AND kind = 'scim_group.members_withheld'"
      return (await asOwner<{ detail: { withheld: number } }>(broker.fixture.ownerUrl, sql, [directory.tenant.tenantId])).map(
        ({ detail }) => detail.withheld,
      )
    }
    const taken = { op: 'replace', path: 'displayName', value: 'Clerks' }
    const idsAnd = (id: string, count: number) => [...strangers(count), id].map((each) => `value eq "${each}"`).join(' or ')

    test.each<{ how: string; method: string; send: (id: string, bob: string) => object; left?: readonly string[] }>([
      { how: 'a PUT with a name that is taken', method: 'PUT', send: (_, bob) => ({ displayName: 'Clerks', members: [{ value: bob }] }) },
      { how: 'a PUT without a name', method: 'PUT', send: (_, bob) => ({ members: [{ value: bob }] }) },
      {
        how: 'a PUT of no group at all, which names nobody',
        method: 'PUT',
        send: () => ({ displayName: '' }),
        left: ['ada', 'bob'],
      },
      {
        how: 'a PATCH with a name that is taken',
        method: 'PATCH',
        send: (id) => patch({ op: 'remove', path: `members[value eq "${id}"]` }, taken),
      },
      {
        how: 'a PATCH without a path, in the words of Entra',
        method: 'PATCH',
        send: (_, bob) => patch({ op: 'Replace', value: { members: [{ value: bob }], displayName: 'Clerks', 'a[b': 1 } }),
      },
      {
        how: 'a PATCH that looks into the members',
        method: 'PATCH',
        send: () => patch({ op: 'remove', path: 'members[display sw "ada"]' }, taken),
      },
      {
        how: 'a PATCH of which one operation cannot be read',
        method: 'PATCH',
        send: (id) => patch({ op: 'remove', path: 'members', value: [{ value: id }] }, { op: 'replace', path: 'displayName[', value: 'x' }),
      },
      {
        how: 'a PATCH that looks into the members, beside a look that finds nobody',
        method: 'PATCH',
        send: () => patch({ op: 'remove', path: 'members[display sw "nobody"]' }, { op: 'remove', path: 'members[display sw "ada"]' }),
      },
      {
        how: 'a PATCH of more operations than the limit',
        method: 'PATCH',
        send: (id) =>
          patch(...many(scimLimits.operations, { op: 'replace', path: 'displayName', value: 'Engineering' }), {
            op: 'remove',
            path: `members[value eq "${id}"]`,
          }),
      },
      {
        how: 'a PATCH that says more of members than is read',
        method: 'PATCH',
        send: () => patch(...many(scimLimits.refusedOperations + 1, { op: 'add', path: 'members', value: [] })),
        left: [],
      },
      {
        how: 'a PATCH that takes out more by a filter than is read of one',
        method: 'PATCH',
        send: (id) =>
          patch({ op: 'Remove', path: `members[${many(scimLimits.filterTerms, 'type eq "x"').join(' or ')} or value eq "${id}"]` }),
        left: [],
      },
      {
        how: 'a PATCH that puts somebody in the place of more than is read of a filter, as a key',
        method: 'PATCH',
        send: (id) =>
          patch({
            op: 'replace',
            value: { [`members[${many(scimLimits.filterTerms, 'type eq "x"').join(' or ')} or value eq "${id}"]`]: [{ value: id }] },
          }),
        left: [],
      },
      {
        how: 'a PATCH that adds by a filter that is too long, which takes out nobody',
        method: 'PATCH',
        send: (id) =>
          patch({ op: 'add', path: `members[${many(scimLimits.filterTerms + 1, `value eq "${id}"`).join(' or ')}]`, value: { value: id } }),
        left: ['ada', 'bob'],
      },
      {
        how: 'a PATCH whose filter nobody can read, however long it is',
        method: 'PATCH',
        send: () => patch({ op: 'remove', path: `members[value eq "${'x'.repeat(scimLimits.filterCharacters)}` }),
        left: ['ada', 'bob'],
      },
      {
        how: 'a PATCH that lists more ids than a filter has terms, and a name that is taken',
        method: 'PATCH',
        send: (id) => patch({ op: 'remove', path: `members[${idsAnd(id, 200)}]` }, taken),
      },
      { how: 'a PATCH that empties it', method: 'PATCH', send: () => patch({ op: 'remove', path: 'members' }, taken), left: [] },
      {
        how: 'a PATCH that adds her again in the end',
        method: 'PATCH',
        send: (id) =>
          patch({ op: 'remove', path: `members[value eq "${id}"]` }, { op: 'add', path: 'members', value: [{ value: id }] }, taken),
        left: ['ada', 'bob'],
      },
      { how: 'a PATCH that says nothing of members', method: 'PATCH', send: () => patch(taken), left: ['ada', 'bob'] },
    ])('have nothing by it any more, and it is shown as it was: $how', async ({ method, send, left = ['bob'] }) => {
      const company = await aGroup()
      const { directory, id, bob, group, names } = company
      const before = await claimsVersion(company)
      expect((await directory.call(method, `/Groups/${group}`, send(id, bob))).status).toBeGreaterThanOrEqual(400)
      expect([await given(company), await names()]).toEqual([left, ['Engineers', ['ada', 'bob']]])
      expect(((await claimsVersion(company)) ?? 0) > (before ?? 0)).toBe(!left.includes('ada'))
      expect(await withheld(company)).toEqual(left.length === 2 ? [] : [2 - left.length])
      // Said again it is no news.
      await directory.call(method, `/Groups/${group}`, send(id, bob))
      expect((await withheld(company)).length).toBeLessThanOrEqual(1)
    })

    test('have it again by a request that adds them, and go by one that takes them out', async () => {
      const company = await aGroup()
      const { directory, id, group, names } = company
      const out = { op: 'remove', path: `members[value eq "${id}"]` }
      const send = (...operations: object[]) => directory.call('PATCH', `/Groups/${group}`, patch(...operations))
      expect((await send(out, taken)).status).toBe(409)
      expect((await send({ op: 'replace', path: 'displayName', value: 'Engineering' })).status).toBe(204)
      expect(await given(company)).toEqual(['bob'])
      const before = await claimsVersion(company)
      expect((await send({ op: 'add', path: 'members', value: [{ value: id }] })).status).toBe(204)
      expect([await given(company), await names()]).toEqual([
        ['ada', 'bob'],
        ['Engineering', ['ada', 'bob']],
      ])
      expect(await claimsVersion(company)).toBeGreaterThan(before ?? 0)
      expect([(await send(out, taken)).status, (await send(out)).status]).toEqual([409, 204])
      expect([await given(company), await names()]).toEqual([['bob'], ['Engineering', ['bob']]])
    })

    test.each<{ what: string; operations: (id: string) => readonly object[]; left: readonly string[]; shown: readonly string[] }>([
      {
        what: 'takes others out by their names',
        operations: () => [{ op: 'remove', path: 'members[display sw "bob"]' }],
        left: [],
        shown: ['ada'],
      },
      {
        what: 'takes others out by their names and adds them',
        operations: (id) => [
          { op: 'remove', path: 'members[display sw "bob"]' },
          { op: 'add', path: 'members', value: [{ value: id.toUpperCase() }] },
        ],
        left: ['ada'],
        shown: ['ada'],
      },
      {
        what: 'adds them and takes them out by their names',
        operations: (id) => [
          { op: 'add', path: 'members', value: [{ value: id }] },
          { op: 'remove', path: 'members[display sw "ada"]' },
        ],
        left: ['bob'],
        shown: ['bob'],
      },
    ])('have it again only by its words: by one that is accepted and $what', async ({ operations, left, shown }) => {
      const company = await aGroup()
      const { directory, id, group, names } = company
      const send = (...words: readonly object[]) => directory.call('PATCH', `/Groups/${group}`, patch(...words))
      expect((await send({ op: 'remove', path: `members[value eq "${id}"]` }, taken)).status).toBe(409)
      const before = (await claimsVersion(company)) ?? 0
      expect((await send(...operations(id))).status).toBe(204)
      expect([await given(company), await names()]).toEqual([left, ['Engineers', shown]])
      expect(((await claimsVersion(company)) ?? 0) > before).toBe(left.includes('ada') || !shown.includes('ada'))
    })

    test('have nothing by it any more where it would take too many comparisons to tell who, all of them but whom it adds in the end', async () => {
      const company = await aGroup()
      const { directory, bob, group, names } = company
      // A name of 256 characters counts as five comparisons with each term.
      const named = (userName: string) => ({
        method: 'POST',
        path: '/Users',
        bulkId: userName,
        data: { userName, displayName: 'x'.repeat(256) },
      })
      const made = await directory.call('POST', '/Bulk', { Operations: many(60, 0).map((_, at) => named(`u${at}`)) })
      const crowd = (made.body['Operations'] as { location: string }[]).map(({ location }) => ({ value: location.split('/').at(-1) }))
      expect((await directory.call('PATCH', `/Groups/${group}`, patch({ op: 'add', path: 'members', value: crowd }))).status).toBe(204)
      const terms = [...many(49, 'display eq "nobody"'), 'display pr'].join(' or ')
      const looks = many(80, { op: 'add', path: `members[${terms}]`, value: { display: 'x' } })
      const out = { op: 'remove', path: 'members[display sw "nobody"]' }
      const answer = await directory.call(
        'PATCH',
        `/Groups/${group}`,
        patch(...looks, out, { op: 'add', path: 'members', value: [{ value: bob }] }),
      )
      expect(answer).toMatchObject({ status: 400, body: { detail: expect.stringContaining('comparisons') } })
      expect([await given(company), (await names())[1]]).toEqual([['bob'], expect.arrayContaining(['ada', 'bob'])])
    })

    test('keep it where the directory meant another version, and lose it by Bulk, too', async () => {
      const company = await aGroup()
      const { directory, id, group } = company
      const data = patch({ op: 'remove', path: `members[value eq "${id}"]` }, taken)
      expect((await directory.call('PATCH', `/Groups/${group}`, data, { 'if-match': 'W/"7"' })).status).toBe(412)
      expect(await given(company)).toEqual(['ada', 'bob'])
      await directory.call('POST', '/Bulk', { Operations: [{ method: 'PATCH', path: `/Groups/${group}`, data }] })
      expect(await given(company)).toEqual(['bob'])
    })
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
