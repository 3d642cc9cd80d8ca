/** Bulk over HTTP: each operation is what it would be alone. RFC 7644 §3.7. */
import { scimLimits } from '@drawbridge/core/scim/error'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aScimBroker, type Directory, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const bulk = ({ call }: Directory, Operations: object[], rest: object = {}) =>
  call('POST', '/Bulk', { schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'], Operations, ...rest })
const statuses = (body: Record<string, unknown>): unknown[] => (body['Operations'] as { status: string }[]).map(({ status }) => status)
const deactivate = { Operations: [{ op: 'replace', value: { active: false } }] }

test('creates, names what it creates, changes and deletes, and says so of each', async () => {
  const directory = await broker.aDirectory()
  const { status, body, headers } = await bulk(directory, [
    {
      method: 'POST',
      path: '/Users',
      bulkId: 'a',
      data: { userName: 'ada', externalId: 'ada', [enterprise]: { manager: { value: 'bulkId:b' } } },
    },
    { method: 'POST', path: '/Users', bulkId: 'b', data: { userName: 'bob' } },
    { method: 'PATCH', path: '/Users/bulkId:a', data: deactivate },
    { method: 'DELETE', path: '/Users/bulkId:b' },
  ])
  expect([status, headers.get('content-type'), statuses(body)]).toEqual([
    200,
    'application/scim+json; charset=utf-8',
    ['201', '201', '200', '204'],
  ])
  const [first, second] = body['Operations'] as { location: string; bulkId: string; version: string }[]
  expect([first?.bulkId, first?.version]).toEqual(['a', 'W/"1"'])
  const ada = await directory.call('GET', `/Users/${first?.location.split('/').at(-1)}`)
  expect(ada.body).toMatchObject({ active: false, [enterprise]: { manager: { value: second?.location.split('/').at(-1) } } })
  // The barrier of the one operation, as it would be alone.
  expect(
    await asOwner(broker.fixture.ownerUrl, "SELECT epoch FROM subjects WHERE tenant_id = $1 AND stable_id = 'ada'", [
      directory.tenant.tenantId,
    ]),
  ).toEqual([{ epoch: 2 }])
})

test('an operation that fails takes nothing of the others back, and after failOnErrors the rest is left undone', async () => {
  const directory = await broker.aDirectory()
  const operations = [
    { method: 'POST', path: '/Users', bulkId: '1', data: { userName: 'ada', externalId: 'ada' } },
    { method: 'PATCH', path: '/Users/bulkId:1', data: deactivate },
    { method: 'POST', path: '/Users', bulkId: '2', data: { userName: 'ADA' } },
    { method: 'PUT', path: '/Users/bulkId:1', version: 'W/"1"', data: { userName: 'x' } },
    { method: 'POST', path: '/Users', bulkId: '3', data: { userName: 'cy', manager: 'bulkId:2' } },
    { method: 'DELETE', path: '/Robots/1' },
    { method: 'POST', path: '/Users', bulkId: '4', data: { userName: 'd', manager: 'bulkId:5' } },
    { method: 'POST', path: '/Users', bulkId: '5', data: { userName: 'e', manager: 'bulkId:4' } },
    { method: 'POST', path: '/Users', bulkId: '6', data: { userName: 'f' } },
  ]
  const all = await bulk(directory, operations)
  // `scim_bulk_reference_unknown`, `scim_bulk_path_unknown`, `scim_bulk_circular` twice
  expect(statuses(all.body)).toEqual(['201', '200', '409', '412', '400', '404', '409', '409', '201'])
  expect((all.body['Operations'] as object[])[2]).toMatchObject({ response: { status: '409', scimType: 'uniqueness' } })
  expect(statuses((await bulk(directory, [{ method: 'DELETE', path: '/Users/1' }, ...operations], { failOnErrors: 1 })).body)).toEqual([
    '404',
  ])
  expect(
    await asOwner(broker.fixture.ownerUrl, "SELECT epoch FROM subjects WHERE tenant_id = $1 AND stable_id = 'ada'", [
      directory.tenant.tenantId,
    ]),
  ).toEqual([{ epoch: 2 }])
})

/** Of each limit a hundredth; time stands still. */
const aSlowBroker = () => aScimBroker({ rateLimitFactor: 0.01 })

test('an operation counts as it would alone: what is beyond the limit of its kind is not done and says so, and another kind still is', async () => {
  const slow = await aSlowBroker()
  try {
    const directory = await slow.aDirectory()
    const users = Array.from({ length: 30 }, (_, at) => ({ method: 'POST', path: '/Users', bulkId: `${at}`, data: { userName: `u${at}` } }))
    const { status, body } = await bulk(directory, [...users, { method: 'DELETE', path: '/Users/bulkId:0' }])
    // A hundredth of 2,000; `scim_bulk_limited`
    expect([status, statuses(body)]).toEqual([200, [...Array(20).fill('201'), ...Array(10).fill('429'), '204']])
    expect((body['Operations'] as object[])[20]).toMatchObject({ response: { status: '429' } })
    expect((await directory.call('GET', '/Users?count=0')).body['totalResults']).toBe(19)
  } finally {
    await slow.close()
  }
})

test('what is larger than it says is 413', async () => {
  const directory = await broker.aDirectory()
  const many = Array.from({ length: scimLimits.bulkOperations + 1 }, () => ({ method: 'DELETE', path: '/Users/1' }))
  expect(await bulk(directory, many)).toMatchObject({ status: 413, body: { status: '413' } })
  expect(await bulk(directory, [{ method: 'DELETE', path: `/Users/${'x'.repeat(scimLimits.bulkBytes)}` }])).toMatchObject({ status: 413 })
})
