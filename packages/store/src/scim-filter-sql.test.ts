/** What PostgreSQL answers to a filter is what the filter means: random filters over random people, beside a reference that reads and judges them by itself. */
import { randomUUID } from 'node:crypto'
import { instant } from '@drawbridge/core/instant'
import { referenceFilter } from '@drawbridge/core/scim/fixtures/reference-filter'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { parseFilter } from '@drawbridge/core/scim/parse-filter'
import { readResource } from '@drawbridge/core/scim/resource'
import { userType } from '@drawbridge/core/scim/resource-type'
import { parseSearch } from '@drawbridge/core/scim/search-request'
import { fromDocument, type ScimUser, type ScimUserGroup, toScimResource } from '@drawbridge/core/scim/user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ScimCaller } from './scim-caller.js'
import { deleteScimGroup, insertScimGroup } from './scim-groups.js'
import { searchScimUsers } from './scim-user-search.js'
import { insertScimUser } from './scim-users.js'
import { inTenant } from './transaction.js'

const baseUrl = 'https://broker.example/t/acme/scim/v2'
const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const badge = 'urn:acme:params:badge:2.0:User'
let fixture: TestDatabase
let tenant: ATenant
let people: readonly JsonObject[]
const groupIds = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000003']
const at = instant(1_800_000_000_000)

/** Letters whose lower case is no matter of course, what LIKE and JSON paths would take for signs, and both ends of UTF-16. */
const texts = [
  '',
  'a',
  'A',
  'ab',
  'Ab c',
  'ß',
  'ẞ',
  'İ',
  'ΑΣ',
  'ας',
  'ασα',
  'K',
  'k',
  'ǅ',
  '%',
  '_',
  'a%',
  "o'm",
  '\\',
  '"',
  '$.a',
  '\ue000',
  '😀',
  '9',
  '10',
  'true',
]
const text = fc.constantFrom(...texts)
const email = fc.record({ value: text, type: fc.constantFrom('work', 'HOME', ''), primary: fc.boolean() }, { requiredKeys: [] })
const scalar = fc.oneof(text, fc.constantFrom(0, -1, 9, 10, 1.5, 1e21), fc.boolean())
const anything = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.record({ value: scalar, Kind: text }, { requiredKeys: [] }),
  fc.array(fc.record({ value: scalar, Kind: text }, { requiredKeys: [] }), { maxLength: 2 }),
)
const person = fc.record(
  {
    externalId: fc.constantFrom('a', 'A', 'ab', 'b'),
    active: fc.boolean(),
    displayName: text,
    title: text,
    name: fc.record({ givenName: text, familyName: text }, { requiredKeys: [] }),
    emails: fc.array(email, { maxLength: 3 }).map((list) => list.map((one, index) => (index === 0 ? one : { ...one, primary: false }))),
    [enterprise]: fc.record({ department: text, manager: fc.record({ value: text }, { requiredKeys: [] }) }, { requiredKeys: [] }),
    [badge]: fc.record({ Color: text, level: scalar }, { requiredKeys: [] }),
    shoeSize: anything,
  },
  { requiredKeys: [] },
)

beforeAll(async () => {
  fixture = await testDatabase()
  tenant = await aTenant(fixture, { slug: 'filters' })
  const given = fc.sample(person, { numRuns: 120, seed: 7 })
  const made: ScimUser[] = []
  for (const [index, one] of given.entries()) {
    const caller: ScimCaller = {
      ...tenant,
      tenant: tenant.tenantId,
      now: instant(at + (index % 7) * 1000),
      requestId: undefined,
      newId: randomUUID,
    }
    const userName = `${texts[index % texts.length] || 'x'}${index}`
    const { externalId, ...rest } = one
    const body = { ...rest, userName, ...(externalId === undefined ? {} : { externalId: `${externalId as string}${index}` }) }
    const document = readResource(userType, body)
    const data = document.ok ? fromDocument(document.value) : document
    if (!data.ok) throw new Error(data.error.detail)
    const user = await inTenant(fixture.database, tenant.tenantId, (db) => insertScimUser(db, caller, data.value))
    if (user.ok) made.push(user.value)
  }
  const groups = await inGroups(made.map(({ id }) => id))
  people = made.map((user) => toScimResource(user, groups.get(user.id) ?? [], baseUrl))
})
afterAll(() => fixture.close())

/** Everybody in none, one or two of three groups, the last of which is not theirs any more. */
async function inGroups(ids: readonly string[]): Promise<ReadonlyMap<string, readonly ScimUserGroup[]>> {
  const held = new Map<string, ScimUserGroup[]>()
  for (const [nth, id] of groupIds.entries()) {
    const display = ['a', 'ẞ', 'Ab c'][nth] as string
    const members = ids.filter((_, at) => at % (nth + 2) === 0)
    const caller: ScimCaller = { ...tenant, tenant: tenant.tenantId, now: at, requestId: undefined, newId: () => id }
    const data = { displayName: display, externalId: undefined, attributes: {} }
    await inTenant(fixture.database, tenant.tenantId, async (db) => {
      await insertScimGroup(db, caller, data, new Set(members))
      if (nth === 2) await deleteScimGroup(db, caller, id)
    })
    if (nth < 2) for (const member of members) held.set(member, [...(held.get(member) ?? []), { id, display }])
  }
  return held
}

const idsOf = (resources: readonly JsonObject[]): readonly string[] => resources.map((one) => one['id'] as string).sort()

async function inDatabase(filter: string): Promise<readonly string[]> {
  const parsed = parseFilter(userType, filter)
  if (!parsed.ok) throw new Error(`${filter}: ${parsed.error.detail}`)
  const question = { filter: parsed.value, sort: undefined, page: { by: 'index', startIndex: 1, count: 200 } } as const
  const { rows } = await inTenant(fixture.database, tenant.tenantId, (db) =>
    searchScimUsers(db, { ...tenant, tenant: tenant.tenantId }, question, baseUrl, false),
  )
  return rows.map(({ user }) => String(user.id)).sort()
}

const quoted = (value: string): string => JSON.stringify(value)
const equality = fc.constantFrom('eq', 'ne')
const order = fc.constantFrom('eq', 'ne', 'gt', 'ge', 'lt', 'le')
const onText = fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le')
const userName = fc.tuple(fc.constantFrom(...texts), fc.nat(119)).map(([start, index]) => `${start || 'x'}${index}`)
const inPerson = fc.constantFrom(
  'displayName',
  'TITLE',
  'name.givenName',
  'emails',
  'emails.value',
  'Emails.Type',
  `${enterprise}:department`,
  'manager',
  `${badge}:color`,
  'shoeSize',
  'SHOESIZE.kind',
  'shoeSize.value',
  'nothing',
  'meta.resourceType',
  'meta.nothing',
  'name.nothing',
)
const term = fc.oneof(
  fc.tuple(inPerson, onText, text).map(([path, operator, value]) => `${path} ${operator} ${quoted(value)}`),
  fc
    .tuple(fc.constantFrom('userName', 'USERNAME'), onText, fc.oneof(userName, text))
    .map(([path, operator, value]) => `${path} ${operator} ${quoted(value)}`),
  fc
    .tuple(
      onText,
      fc.oneof(
        fc.constantFrom('a', 'A', ''),
        fc.nat(119).map((index) => `a${index}`),
      ),
    )
    .map(([operator, value]) => `externalId ${operator} ${quoted(value)}`),
  fc.tuple(equality, fc.boolean()).map(([operator, value]) => `active ${operator} ${value}`),
  fc
    .tuple(fc.constantFrom('shoeSize', `${badge}:LEVEL`, 'shoeSize.value'), order, fc.constantFrom('9', '10', '1.50', '-1', '1e21'))
    .map((parts) => parts.join(' ')),
  fc.tuple(fc.constantFrom('shoeSize', `${badge}:level`, 'emails.primary'), equality, fc.boolean()).map((parts) => parts.join(' ')),
  fc
    .tuple(fc.constantFrom('meta.created', 'meta.lastModified'), order, fc.nat(7))
    .map(([path, operator, s]) => `${path} ${operator} "${new Date(at + s * 1000).toISOString()}"`),
  fc
    .tuple(
      fc.oneof(
        inPerson,
        fc.constantFrom('id', 'userName', 'externalId', 'active', 'meta', 'schemas', 'name', enterprise, 'emails.primary'),
      ),
      fc.constantFrom('pr', 'eq null', 'ne null'),
    )
    .filter(([path, test]) => test === 'pr' || !['meta', 'name', enterprise].includes(path))
    .map((parts) => parts.join(' ')),
  fc
    .tuple(
      fc.constantFrom('id', 'meta.location', 'meta.version', 'schemas'),
      onText,
      fc.constantFrom('W/"1"', enterprise, 'urn:', 'User', '1', 'f'),
    )
    .map(([path, operator, value]) => `${path} ${operator} ${quoted(value)}`),
  fc
    .tuple(fc.constantFrom('groups', 'groups.value', 'GROUPS.$ref'), onText, fc.constantFrom(...groupIds, '', 'no id'))
    .map(([path, operator, value]) => `${path} ${operator} ${quoted(value)}`),
  fc
    .tuple(fc.constantFrom('groups.display', 'groups.type'), onText, text)
    .map(([path, operator, value]) => `${path} ${operator} ${quoted(value)}`),
  fc.constantFrom('groups pr', 'groups.display pr', 'groups.nothing pr'),
)
const inGroup = fc.oneof(
  fc
    .tuple(fc.constantFrom('display', 'TYPE', 'value'), onText, text)
    .map(([path, operator, value]) => `${path} ${operator} ${quoted(value)}`),
  fc.constantFrom(...groupIds).map((id) => `value eq "${id}"`),
)
const groupFilter = fc.oneof(
  inGroup,
  fc.tuple(inGroup, fc.constantFrom('and', 'or'), inGroup).map((parts) => parts.join(' ')),
  inGroup.map((one) => `not (${one})`),
)
const inEmail = fc.oneof(
  fc
    .tuple(fc.constantFrom('value', 'TYPE', 'nothing'), onText, text)
    .map(([path, operator, value]) => `${path} ${operator} ${quoted(value)}`),
  fc.tuple(equality, fc.boolean()).map(([operator, value]) => `primary ${operator} ${value}`),
  fc.constantFrom('value pr', 'type pr', 'display pr'),
)
const emailFilter = fc.oneof(
  inEmail,
  fc.tuple(inEmail, fc.constantFrom('and', 'or'), inEmail).map((parts) => parts.join(' ')),
  inEmail.map((one) => `not (${one})`),
)
const leaf = fc.oneof(
  { weight: 4, arbitrary: term },
  { weight: 2, arbitrary: emailFilter.map((inner) => `emails[${inner}]`) },
  { weight: 1, arbitrary: groupFilter.map((inner) => `groups[${inner}]`) },
  { weight: 1, arbitrary: fc.tuple(emailFilter, inEmail).map(([inner, outer]) => `emails[${inner}].${outer}`) },
  { weight: 1, arbitrary: fc.constantFrom('shoeSize[kind eq "a"]', 'SHOESIZE[value gt 8]', 'shoeSize[not (Kind pr)]', 'nothing[a pr]') },
)
const { filter } = fc.letrec<{ filter: string }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.tuple(tie('filter'), fc.constantFrom('and', 'or', 'AND'), tie('filter')).map((parts) => parts.join(' ')),
    tie('filter').map((inner) => `not (${inner})`),
    tie('filter').map((inner) => `(${inner})`),
  ),
}))

describe('a filter in PostgreSQL', () => {
  test('finds exactly whom it means', async () => {
    expect(people.length).toBeGreaterThan(100)
    let found = 0
    await fc.assert(
      fc.asyncProperty(filter, async (given) => {
        const judge = referenceFilter('User', given)
        fc.pre(judge !== undefined && parseFilter(userType, given).ok)
        const expected = idsOf(people.filter((one) => judge?.(one)))
        if (expected.length > 0 && expected.length < people.length) found += 1
        expect({ filter: given, ids: await inDatabase(given) }).toEqual({ filter: given, ids: expected })
      }),
      { numRuns: 400 },
    )
    expect(found).toBeGreaterThan(100)
  })

  test('in every order, page after page by cursor is the whole in that order, and by index too', async () => {
    const sorts = [
      '',
      'userName',
      'id',
      'active',
      'meta.created',
      'externalId',
      'displayName',
      'emails',
      'shoeSize',
      'meta.version',
      `${badge}:color`,
      'schemas',
      'nothing',
    ]
    for (const sortBy of sorts) {
      for (const sortOrder of ['ascending', 'descending']) {
        const search = parseSearch(userType, { sortBy, sortOrder })
        if (!search.ok) throw new Error(sortBy)
        const ask = (page: Parameters<typeof searchScimUsers>[2]['page']) =>
          inTenant(fixture.database, tenant.tenantId, (db) =>
            searchScimUsers(
              db,
              { ...tenant, tenant: tenant.tenantId },
              { filter: undefined, sort: search.value.sort, page },
              baseUrl,
              false,
            ),
          )
        const whole = (await ask({ by: 'index', startIndex: 1, count: 200 })).rows.map(({ user }) => user.id)
        const pages: string[] = []
        for (let after: { key: string | undefined; id: string } | undefined; ; ) {
          const found = await ask({ by: 'position', after, count: 50 })
          pages.push(...found.rows.map(({ user }) => user.id))
          if (found.next === undefined) break
          after = found.next
        }
        expect({ sortBy, sortOrder, ids: pages }).toEqual({ sortBy, sortOrder, ids: whole })
        expect((await ask({ by: 'index', startIndex: 51, count: 10 })).rows.map(({ user }) => user.id)).toEqual(whole.slice(50, 60))
        expect(new Set(whole).size).toBe(people.length)
      }
    }
  })

  test('an order is that of what is asked for, without case, what is not set last', async () => {
    const sort = {
      by: { extension: undefined, attribute: { name: 'displayName', definition: undefined }, sub: undefined },
      descending: false,
    }
    const { rows } = await inTenant(fixture.database, tenant.tenantId, (db) =>
      searchScimUsers(
        db,
        { ...tenant, tenant: tenant.tenantId },
        { filter: undefined, sort, page: { by: 'index', startIndex: 1, count: 200 } },
        baseUrl,
        false,
      ),
    )
    const names = rows.map(({ user }) => user.attributes['displayName'] as string | undefined)
    const set = names.filter((name) => name !== undefined).map((name) => name.toLowerCase())
    expect(names.slice(set.length).every((name) => name === undefined)).toBe(true)
    expect(set).toEqual([...set].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))))
  })
})
