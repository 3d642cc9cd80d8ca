/** Whatever a directory sends, in body, path, filter, cursor or header: never a fault of ours, and always an answer of SCIM. */

import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aScimBroker, type Directory, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
let directory: Directory
let id: string
let group: string
beforeAll(async () => {
  broker = await aScimBroker()
  directory = await broker.aDirectory()
  id = (await directory.call('POST', '/Users', { userName: 'ada', emails: [{ value: 'a@x', type: 'work' }] })).body['id'] as string
  const members = [{ value: id }]
  group = (await directory.call('POST', '/Groups', { displayName: 'Engineers', externalId: 'g-1', members })).body['id'] as string
})
afterAll(() => broker.close())

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const names = fc.constantFrom(
  'userName',
  'externalId',
  'active',
  'emails',
  'name',
  'name.givenName',
  'members',
  'members.value',
  'members[value eq "{id}"]',
  'members[display sw "a" or type ne "Group"]',
  'displayName',
  'groups.value',
  'id',
  'meta',
  'meta.created',
  'schemas',
  'password',
  'manager',
  enterprise,
  `${enterprise}:manager.value`,
  'emails[type eq "work"].value',
  'urn:x:y',
  '__proto__',
  'constructor',
  'a.b.c',
  '',
)
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('\0', '\ud800', '😀', '"', '[', '{"a":', 'bulkId:x', '%', 'W/"1"', '9'.repeat(400)),
)
const value = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue() as fc.Arbitrary<unknown> },
  text,
  fc.record({ value: text, primary: fc.boolean(), type: text }),
  fc.array(fc.record({ value: fc.constantFrom('{id}', '{group}', 'x', ''), $ref: text, display: text }, { requiredKeys: ['value'] }), {
    maxLength: 3,
  }),
  fc.constant(null),
  fc.constant([]),
)
const object = fc.dictionary(fc.oneof(names, text), value, { maxKeys: 5 })
const operation = fc.record(
  { op: fc.constantFrom('add', 'Replace', 'remove', 'x'), path: fc.oneof(names, text), value: fc.oneof(value, object) },
  { requiredKeys: ['op'] },
)
const patch = fc.record({ Operations: fc.array(operation, { maxLength: 4 }) })
const bulk = fc.record({
  Operations: fc.array(
    fc.record(
      {
        method: fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'GET'),
        path: fc.constantFrom(
          '/Users',
          '/Users/bulkId:a',
          '/Users/x',
          '/Groups',
          '/Groups/bulkId:b',
          '/Groups/{group}',
          '/Groups/x',
          '/',
          'Users',
          '',
        ),
        bulkId: fc.constantFrom('a', 'b', ''),
        data: fc.oneof(object, patch),
        version: text,
      },
      { requiredKeys: ['method'] },
    ),
    { maxLength: 3 },
  ),
  failOnErrors: value,
})
const words = fc.constantFrom(
  'userName',
  'emails',
  'emails.value',
  'active',
  'meta.lastModified',
  'shoeSize',
  enterprise,
  'id',
  'schemas',
  'eq',
  'ne',
  'co',
  'sw',
  'gt',
  'le',
  'pr',
  'and',
  'or',
  'not',
  '(',
  ')',
  '[',
  ']',
  '"a"',
  '"2011-05-13T04:42:34Z"',
  '"0000-01-01T00:00:00Z"',
  '"9999-12-31T23:59:59-23:59"',
  '.value',
  'true',
  'null',
  '1',
  '1e308',
  '-0',
)
const filter = fc.oneof(
  fc.array(words, { maxLength: 9 }).map((parts) => parts.join(' ')),
  text,
)
const query = fc.record(
  {
    filter,
    sortBy: fc.oneof(names, text),
    sortOrder: text,
    startIndex: fc.oneof(text, fc.integer()),
    count: fc.oneof(text, fc.integer()),
    cursor: text,
    attributes: fc.oneof(names, text),
    excludedAttributes: fc.oneof(names, text),
  },
  { requiredKeys: [] },
)
type Call = { readonly method: string; readonly path: string; readonly body?: unknown; readonly headers?: Record<string, string> }

const encoded = (words: object): string => new URLSearchParams(Object.entries(words).map(([name, one]) => [name, String(one)])).toString()
const tag = fc.constantFrom('W/"1"', '*', '', '"', ',,', 'x'.repeat(500))
const kinds = fc.constantFrom({ list: '/Users', one: '/Users/{id}' }, { list: '/Groups', one: '/Groups/{group}' })
const call: fc.Arbitrary<Call> = fc.oneof(
  fc
    .tuple(fc.constantFrom('/Users', '/Groups', '/Users/.search', '/Groups/.search', '/.search'), query)
    .map(
      ([path, words]): Call =>
        !path.endsWith('.search') ? { method: 'GET', path: `${path}?${encoded(words)}` } : { method: 'POST', path, body: words },
    ),
  fc
    .tuple(kinds, fc.constantFrom('POST', 'PUT'), fc.oneof(object, value), query)
    .map(([{ list, one }, method, body, words]): Call => ({ method, path: `${method === 'PUT' ? one : list}?${encoded(words)}`, body })),
  fc
    .tuple(kinds, fc.oneof(patch, value), tag)
    .map(([{ one }, body, version]): Call => ({ method: 'PATCH', path: one, body, headers: { 'if-match': version } })),
  fc.tuple(kinds, text, tag).map(
    ([{ list }, name, version]): Call => ({
      method: 'GET',
      path: `${list}/${encodeURIComponent(Buffer.from(name).toString())}`,
      headers: { 'if-none-match': version },
    }),
  ),
  fc.oneof(bulk, value).map((body): Call => ({ method: 'POST', path: '/Bulk', body })),
  fc.tuple(kinds, text).map(([{ list }, body]): Call => ({ method: 'POST', path: list, body })),
)

/** Ids are known only when somebody is there. */
const filled = <Value>(given: Value): Value =>
  given === undefined ? given : (JSON.parse(JSON.stringify(given).replaceAll('{id}', id).replaceAll('{group}', group)) as Value)

/** That something is done, too, and not only refused, is left to no chance. */
const honest: readonly Call[] = [
  { method: 'GET', path: '/Users' },
  { method: 'GET', path: '/Groups' },
  { method: 'POST', path: '/Users/.search', body: { count: 1 } },
  { method: 'POST', path: '/.search', body: { count: 1 } },
  { method: 'POST', path: '/Users', body: {} },
  { method: 'POST', path: '/Groups', body: {} },
  { method: 'PATCH', path: '/Groups/{group}', body: { Operations: [{ op: 'add', path: 'members', value: [{ value: '{id}' }] }] } },
  { method: 'POST', path: '/Groups/.search', body: { filter: 'members.value eq "{id}"' } },
  { method: 'PUT', path: '/Groups/{group}', body: { displayName: 'Engineers', members: [{ value: '{id}' }] } },
  {
    ...{ method: 'POST', path: '/Bulk' },
    body: {
      Operations: [
        { method: 'POST', path: '/Users', bulkId: 'a', data: { userName: 'in-bulk' } },
        { method: 'POST', path: '/Groups', bulkId: 'b', data: { displayName: 'In bulk', members: [{ value: 'bulkId:a' }] } },
        { method: 'PATCH', path: '/Groups/bulkId:b', data: { Operations: [{ op: 'remove', path: 'members' }] } },
        { method: 'PUT', path: '/Groups/bulkId:b', data: { displayName: 'In bulk still' } },
        { method: 'DELETE', path: '/Groups/bulkId:b' },
        { method: 'PATCH', path: '/Groups/{group}', data: { Operations: [] } },
      ],
    },
  },
]

/** What the answer says of each operation of a Bulk request, which answers 200 whatever became of them. */
const saidWithin = (body: unknown): readonly { readonly said: string; readonly status: number }[] =>
  ((body as { Operations?: readonly { method: string; status: string; location?: string }[] }).Operations ?? []).map(
    ({ method, status, location = '' }) => ({
      said: `Bulk ${method} ${location.split('/').at(-2) ?? ''} ${status}`,
      status: Number(status),
    }),
  )
test('never a 5xx', async () => {
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(call, async ({ method, path, body, headers }) => {
      const answer = await directory.call(method, filled(path), filled(body), headers)
      const said = `${path.split(/[/?]/)[1]} ${answer.status}`
      seen.set(said, (seen.get(said) ?? 0) + 1)
      const within = path === '/Bulk' && answer.status === 200 ? saidWithin(answer.body) : []
      for (const one of within) seen.set(one.said, (seen.get(one.said) ?? 0) + 1)
      const isFault = answer.status >= 500 || within.some(({ status }) => !(status < 500))
      expect({ method, path, body, isFault }).toEqual({ method, path, body, isFault: false })
      if (answer.status >= 400) expect(answer.body).toMatchObject({ status: String(answer.status), detail: expect.any(String) })
    }),
    { numRuns: 1600, examples: honest.map((one) => [one]) },
  )
  expect([...seen.keys()]).toEqual(
    expect.arrayContaining(['Users 200', 'Users 400', 'Groups 200', 'Groups 204', 'Groups 400', 'Bulk 200', '.search 200']),
  )
  expect([...seen.keys()]).toEqual(
    expect.arrayContaining(['Bulk POST Groups 201', 'Bulk PATCH Groups 200', 'Bulk PUT Groups 200', 'Bulk DELETE Groups 204']),
  )
})
