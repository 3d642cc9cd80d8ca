/** What PostgreSQL answers to a filter of groups is what the filter means, members included, beside a reference that reads and judges it by itself. */
import { randomUUID } from 'node:crypto'
import { instant } from '@drawbridge/core/instant'
import { referenceFilter } from '@drawbridge/core/scim/fixtures/reference-filter'
import { parseScimGroup, type ScimGroup, toScimGroupResource } from '@drawbridge/core/scim/group'
import type { JsonObject } from '@drawbridge/core/scim/json'
import { parseFilter } from '@drawbridge/core/scim/parse-filter'
import { groupType } from '@drawbridge/core/scim/resource-type'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ScimCaller } from './scim-caller.js'
import { listMembers } from './scim-group-members.js'
import { searchScimGroups } from './scim-group-search.js'
import { insertScimGroup } from './scim-groups.js'
import { insertScimUser } from './scim-users.js'
import { inTenant } from './transaction.js'

const baseUrl = 'https://broker.example/t/acme/scim/v2'
const badge = 'urn:acme:params:badge:2.0:Group'
const at = 1_800_000_000_000
let fixture: TestDatabase
let tenant: ATenant
let groups: readonly JsonObject[]
/** Fixed, so that a filter can name them before anybody is there. */
const userIds = Array.from({ length: 8 }, (_, nth) => `00000000-0000-4000-8000-00000000000${nth}`)

const texts = ['', 'a', 'A', 'ab', 'Ab c', 'ß', 'ẞ', 'İ', 'ας', '%', '_', "o'm", '\\', '"', '\ue000', '😀', '9', '10', 'true']
const text = fc.constantFrom(...texts)
const scalar = fc.oneof(text, fc.constantFrom(0, -1, 9, 10, 1.5), fc.boolean())
const team = fc.record(
  {
    externalId: text.filter((one) => one !== ''),
    shoeSize: fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }), fc.record({ value: scalar, Kind: text }, { requiredKeys: [] })),
    [badge]: fc.record({ Color: text, level: scalar }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
)

const callerAt = (seconds: number, id: string): ScimCaller => ({
  ...{ ...tenant, tenant: tenant.tenantId, now: instant(at + seconds * 1000), requestId: undefined, newId: () => id },
})

async function insertPeople(): Promise<void> {
  for (const [nth, id] of userIds.entries()) {
    const data = { userName: `person${nth}`, externalId: undefined, active: true, attributes: { displayName: texts[nth + 1] ?? '' } }
    const made = await inTenant(fixture.database, tenant.tenantId, (db) => insertScimUser(db, callerAt(0, id), data))
    if (!made.ok) throw new Error(JSON.stringify(made.error))
  }
}

/** Some have people, some a group that was before them, some both, some nobody. */
async function insertGroups(): Promise<readonly ScimGroup[]> {
  const made: ScimGroup[] = []
  for (const [nth, { externalId, ...rest }] of fc.sample(team, { numRuns: 60, seed: 11 }).entries()) {
    const members = [...userIds.filter((_, who) => nth % (who + 2) === 1), ...(nth % 5 === 4 ? [String(made[nth - 3]?.id)] : [])]
    const body = { ...rest, displayName: `${texts[nth % texts.length] || 'x'}${nth}`, members: members.map((value) => ({ value })) }
    const parsed = parseScimGroup({ ...body, ...(externalId === undefined ? {} : { externalId: `${externalId}${nth}` }) })
    if (!parsed.ok) throw new Error(parsed.error.detail)
    const { data, members: ids } = parsed.value
    const group = await inTenant(fixture.database, tenant.tenantId, (db) => insertScimGroup(db, callerAt(nth % 7, randomUUID()), data, ids))
    if (!group.ok) throw new Error(group.error.kind)
    made.push(group.value)
  }
  return made
}

beforeAll(async () => {
  fixture = await testDatabase()
  tenant = await aTenant(fixture, { slug: 'group-filters' })
  await insertPeople()
  const made = await insertGroups()
  const ids = made.map(({ id }) => id)
  const members = await inTenant(fixture.database, tenant.tenantId, (db) => listMembers(db, callerAt(0, ''), ids))
  groups = made.map((group) => toScimGroupResource(group, members.get(group.id), baseUrl))
})
afterAll(() => fixture.close())

async function inDatabase(filter: string): Promise<readonly string[]> {
  const parsed = parseFilter(groupType, filter)
  if (!parsed.ok) throw new Error(`${filter}: ${parsed.error.detail}`)
  const question = { filter: parsed.value, sort: undefined, page: { by: 'index', startIndex: 1, count: 200 } } as const
  const { rows } = await inTenant(fixture.database, tenant.tenantId, (db) =>
    searchScimGroups(db, callerAt(0, ''), question, baseUrl, false),
  )
  return rows.map(({ id }) => String(id)).sort()
}

const operator = fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le')
const quoted = (value: fc.Arbitrary<string>) => value.map((one) => JSON.stringify(one))
const compared = (paths: readonly string[], literal: fc.Arbitrary<string>) =>
  fc.tuple(fc.constantFrom(...paths), operator, literal).map((parts) => parts.join(' '))
const numbered = fc.tuple(text, fc.nat(59)).map(([start, nth]) => `${start || 'x'}${nth}`)
const member = fc.constantFrom(...userIds, '', 'no id')
const inMember = fc.oneof(
  compared(['value', 'VALUE'], quoted(member)),
  compared(['display', 'TYPE', 'nothing'], quoted(fc.oneof(text, fc.constantFrom('User', 'group', 'person7')))),
  compared(['$ref'], quoted(fc.constantFrom(`${baseUrl}/Groups/`, `${baseUrl}/Users/${userIds[1]}`, 'Users', ''))),
  fc.constantFrom('value pr', 'display pr', 'nothing pr', 'display eq null'),
)
const leaf = fc.oneof(
  compared(['displayName', 'DISPLAYNAME', 'urn:ietf:params:scim:schemas:core:2.0:Group:displayName'], quoted(fc.oneof(numbered, text))),
  compared(['externalId'], quoted(fc.oneof(numbered, text))),
  compared(['shoeSize', 'shoeSize.value', 'SHOESIZE.kind', `${badge}:color`, 'nothing', 'userName', 'meta.nothing'], quoted(text)),
  compared(['shoeSize', `${badge}:LEVEL`, 'shoeSize.value'], fc.constantFrom('9', '10', '1.50', '-1', 'true', 'false')),
  compared(
    ['id', 'meta.resourceType', 'meta.location', 'meta.version', 'schemas'],
    quoted(fc.constantFrom('Group', 'W/"1"', 'urn:', 'f', '')),
  ),
  compared(['meta.created', 'meta.lastModified'], quoted(fc.nat(7).map((seconds) => new Date(at + seconds * 1000).toISOString()))),
  compared(['members', 'members.value', 'MEMBERS.value'], quoted(member)),
  compared(['members.display', 'members.type', 'members.nothing'], quoted(fc.oneof(text, fc.constantFrom('User', 'group')))),
  fc
    .tuple(
      fc.constantFrom('displayName', 'externalId', 'members', 'members.display', 'shoeSize', `${badge}:color`),
      fc.constantFrom('pr', 'eq null', 'ne null'),
    )
    .map((parts) => parts.join(' ')),
  fc.tuple(inMember, fc.constantFrom('and', 'or'), inMember).map(([one, word, other]) => `members[${one} ${word} ${other}]`),
  fc.tuple(inMember, inMember).map(([inner, behind]) => `members[not (${inner})].${behind}`),
)
const { filter } = fc.letrec<{ filter: string }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.tuple(tie('filter'), fc.constantFrom('and', 'or', 'OR'), tie('filter')).map((parts) => parts.join(' ')),
    tie('filter').map((inner) => `not (${inner})`),
    tie('filter').map((inner) => `(${inner})`),
  ),
}))

test('a filter of groups in PostgreSQL finds exactly those whom it means', async () => {
  let found = 0
  await fc.assert(
    fc.asyncProperty(filter, async (given) => {
      const judge = referenceFilter('Group', given)
      fc.pre(judge !== undefined && parseFilter(groupType, given).ok)
      const expected = groups.flatMap((one) => (judge?.(one) ? [one['id'] as string] : [])).sort()
      if (expected.length > 0 && expected.length < groups.length) found += 1
      expect({ filter: given, ids: await inDatabase(given) }).toEqual({ filter: given, ids: expected })
    }),
    { numRuns: 400 },
  )
  expect(found).toBeGreaterThan(100)
})
