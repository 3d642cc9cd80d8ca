/** Members who are to leave a group by a filter that is longer than filters may be: nobody stays because many leave. */
import { scimLimits } from '@drawbridge/core/scim/error'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aScimBroker, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const patch = (...Operations: readonly object[]) => ({ Operations })
const many = <T>(count: number, of: (at: number) => T): readonly T[] => Array.from({ length: count }, (_, at) => of(at))
/** Ids that nobody has, and hers. */
const listing = (id: string, others: number): string =>
  [...many(others, (at) => `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`), id].map((each) => `value eq "${each}"`).join(' or ')
/** More terms than are read; hers is the last. */
const beyond = (id: string): string => [...many(scimLimits.filterTerms, () => 'type eq "x"'), `value eq "${id}"`].join(' or ')

async function aGroup() {
  const directory = await broker.aDirectory()
  const make = async (userName: string) => String((await directory.call('POST', '/Users', { userName })).body['id'])
  const [ada, bob] = [await make('ada'), await make('bob')]
  const group = String((await directory.call('POST', '/Groups', { displayName: 'Engineers', members: [ada, bob] })).body['id'])
  const send = (...operations: readonly object[]) => directory.call('PATCH', `/Groups/${group}`, patch(...operations))
  const nameOf = (id: string) => (id === ada ? 'ada' : 'bob')
  const shown = async () =>
    (((await directory.call('GET', `/Groups/${group}`)).body['members'] ?? []) as { value: string }[])
      .map(({ value }) => nameOf(value))
      .toSorted()
  /** Whom the group gives something: what policy is told. */
  const given = async () => {
    const held = await asOwner<{ id: string }>(
      broker.fixture.ownerUrl,
      'SELECT u.id FROM scim_users u WHERE u.tenant_id = $1 AND $2 = ANY (groups_above($1, u.id, 8, 100)::text[]) ORDER BY u.user_name',
      [directory.tenant.tenantId, group],
    )
    return held.map(({ id }) => nameOf(id))
  }
  return { ada, send, shown, given }
}

test.each<{ what: string; operations: (ada: string) => readonly object[]; left?: readonly string[] }>([
  {
    what: 'as many ids as a body holds',
    operations: (ada) => [{ op: 'remove', path: `members[${listing(ada, 100_000).toUpperCase()}]` }],
  },
  {
    what: 'more ids than other filters have terms, where another operation looks into the members',
    operations: (ada) => [
      { op: 'remove', path: 'members[display sw "bob"]' },
      { op: 'remove', path: `members[${listing(ada, 200)}]` },
    ],
    left: [],
  },
])('by $what', async ({ operations, left = ['bob'] }) => {
  const { ada, send, shown, given } = await aGroup()
  expect((await send(...operations(ada))).status).toBe(204)
  expect([await shown(), await given()]).toEqual([left, left])
})

test.each<{ what: string; operations: (ada: string) => readonly object[]; left: readonly string[] }>([
  {
    what: 'a list of ids beside something that is refused takes it from those',
    operations: (ada) => [
      { op: 'remove', path: `members[${listing(ada, 200)}]` },
      { op: 'remove', path: 'nothing[type eq "x"]' },
    ],
    left: ['bob'],
  },
  {
    what: 'more than is read of a filter takes it from everybody',
    operations: (ada) => [{ op: 'Remove', path: `members[${beyond(ada)}]` }],
    left: [],
  },
  {
    what: 'as a key of an object, with others in their place, too',
    operations: (ada) => [{ op: 'replace', value: { [`members[${beyond(ada)}]`]: [{ value: ada }] } }],
    left: [],
  },
  {
    what: 'where it adds it takes nothing',
    operations: (ada) => [{ op: 'add', path: `members[${beyond(ada)}]`, value: { value: ada } }],
    left: ['ada', 'bob'],
  },
  {
    what: 'nor where it is no filter, however long it is',
    operations: () => [{ op: 'remove', path: `members[value eq "${'x'.repeat(scimLimits.filterCharacters)}` }],
    left: ['ada', 'bob'],
  },
])('what is refused shows the group as it was: $what', async ({ operations, left }) => {
  const { ada, send, shown, given } = await aGroup()
  expect((await send(...operations(ada))).status).toBe(400)
  expect([await shown(), await given()]).toEqual([['ada', 'bob'], left])
})
