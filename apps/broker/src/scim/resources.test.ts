/** What every kind of SCIM resource does alike: versions, attributes, orders, pages, searches, and what is refused. */
import { addSeconds } from '@drawbridge/core/instant'
import { scimLimits } from '@drawbridge/core/scim/error'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aScimBroker, type Directory, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const patchOf = (...Operations: object[]) => ({ schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations })
const created = async ({ call }: Directory, userName: string, rest: object = {}): Promise<string> =>
  String((await call('POST', '/Users', { userName, externalId: userName, ...rest })).body['id'])
const names = (body: Record<string, unknown>): unknown[] => (body['Resources'] as { userName: string }[]).map(({ userName }) => userName)

describe('versions', () => {
  test('a change with If-Match of an older version is 412 and changes nothing; with the present one it is done', async () => {
    const directory = await broker.aDirectory()
    const id = await created(directory, 'ada')
    const change = (version: string, title: string) =>
      directory.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', path: 'title', value: title }), { 'if-match': version })
    const first = await change('W/"1"', 'one')
    expect([first.status, first.headers.get('etag'), first.body['meta']]).toMatchObject([200, 'W/"2"', { version: 'W/"2"' }])
    // `scim_version_stale`
    expect(await change('W/"1"', 'two')).toMatchObject({ status: 412, body: { status: '412' } })
    expect(await directory.call('PUT', `/Users/${id}`, { userName: 'ada', active: false }, { 'if-match': 'W/"1"' })).toMatchObject({
      status: 412,
    })
    expect(await directory.call('DELETE', `/Users/${id}`, undefined, { 'if-match': 'W/"1"' })).toMatchObject({ status: 412 })
    expect(await directory.call('GET', `/Users/${id}`)).toMatchObject({ status: 200, body: { title: 'one', active: true } })
    expect((await directory.call('DELETE', `/Users/${id}`, undefined, { 'if-match': '*' })).status).toBe(204)
  })

  test('If-None-Match of the present version is 304 without a body; an answer with groups, which change without a version, never is', async () => {
    const directory = await broker.aDirectory()
    const id = await created(directory, 'ada')
    const known = await directory.call('GET', `/Users/${id}?excludedAttributes=groups`, undefined, { 'if-none-match': 'W/"1"' })
    expect([known.status, known.headers.get('etag'), known.body]).toEqual([304, 'W/"1"', {}])
    const ask = async (query: string, version: string) =>
      (await directory.call('GET', `/Users/${id}${query}`, undefined, { 'if-none-match': version })).status
    expect([await ask('?attributes=userName', 'W/"1"'), await ask('?attributes=userName', 'W/"0"')]).toEqual([304, 200])
    expect([await ask('', 'W/"1"'), await ask('?attributes=groups.value', '*')]).toEqual([200, 200])
  })

  test('saying what is known already makes no new version', async () => {
    const directory = await broker.aDirectory()
    const body = { userName: 'ada', emails: [{ value: 'a@x', type: 'work', primary: true }] }
    const made = await directory.call('POST', '/Users', body)
    const id = String(made.body['id'])
    broker.clock.at = addSeconds(broker.clock.at, 60)
    for (const answer of [
      await directory.call('PUT', `/Users/${id}`, body),
      await directory.call('PATCH', `/Users/${id}`, patchOf({ op: 'add', path: 'emails', value: [{ value: 'a@x', type: 'work' }] })),
      await directory.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: true, userName: 'ada' } })),
    ])
      expect(answer).toMatchObject({ status: 200, body: { meta: made.body['meta'] } })
  })
})

describe('attributes', () => {
  test.each(['GET', 'PUT', 'PATCH', 'POST'])('%s answers those that are asked for', async (method) => {
    const directory = await broker.aDirectory()
    const id = await created(directory, 'ada', { title: 'T', [enterprise]: { department: 'R' } })
    const body = {
      GET: undefined,
      PUT: { userName: 'ada', title: 'T' },
      PATCH: patchOf({ op: 'add', path: 'title', value: 'T' }),
      POST: { userName: 'bob', title: 'T' },
    }[method]
    const answer = await directory.call(method, `/Users${method === 'POST' ? '' : `/${id}`}?attributes=title,password`, body)
    expect(Object.keys(answer.body).sort()).toEqual(['id', 'meta', 'schemas', 'title'])
    const other = await directory.call('GET', `/Users/${id}?excludedAttributes=title,id`)
    expect([other.body['title'], other.body['id'], other.body['userName']]).toEqual([undefined, id, 'ada'])
  })

  test('lists too, and what nobody described is kept', async () => {
    const directory = await broker.aDirectory()
    const custom = 'urn:acme:params:badge:2.0:User'
    const id = await created(directory, 'ada', { [custom]: { Color: 'red' }, shoeSize: 41 })
    await directory.call('PATCH', `/Users/${id}`, patchOf({ op: 'replace', path: `${custom}:color`, value: 'blue' }))
    expect(
      await directory.call(
        'GET',
        `/Users?filter=${encodeURIComponent(`${custom}:color eq "BLUE" and shoesize gt 40`)}&attributes=${custom}:color`,
      ),
    ).toMatchObject({
      status: 200,
      body: { totalResults: 1, Resources: [{ id, [custom]: { Color: 'blue' } }] },
    })
    expect((await directory.call('GET', `/Users/${id}`)).body['schemas']).toEqual(['urn:ietf:params:scim:schemas:core:2.0:User', custom])
  })
})

describe('pages', () => {
  const people = ['eve', 'Bob', 'ada', 'dan', 'Cy']
  async function aFullDirectory(): Promise<Directory> {
    const directory = await broker.aDirectory()
    for (const name of people) {
      broker.clock.at = addSeconds(broker.clock.at, 1)
      await created(directory, name, { active: name !== 'dan' })
    }
    return directory
  }

  test('by index, in the order in which they came', async () => {
    const { call } = await aFullDirectory()
    expect(names((await call('GET', '/Users?startIndex=2&count=3')).body)).toEqual(people.slice(1, 4))
    expect(await call('GET', '/Users?startIndex=6')).toMatchObject({
      body: { totalResults: 5, itemsPerPage: 0, Resources: [], startIndex: 6 },
    })
  })

  test('sorted, by GET and by .search', async () => {
    const { call } = await aFullDirectory()
    expect(names((await call('GET', '/Users?sortBy=userName')).body)).toEqual(['ada', 'Bob', 'Cy', 'dan', 'eve'])
    const body = {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'],
      filter: 'active eq true',
      sortBy: 'meta.lastModified',
      sortOrder: 'descending',
      count: 2,
    }
    const answer = await call('POST', '/Users/.search', body)
    expect([answer.status, names(answer.body), answer.body['totalResults']]).toEqual([200, ['Cy', 'ada'], 4])
    expect(names((await call('POST', '/.search', { ...body, startIndex: 3, attributes: ['userName'] })).body)).toEqual(['Bob', 'eve'])
  })

  test('by cursor, to the last one, which has no nextCursor', async () => {
    const { call } = await aFullDirectory()
    const seen: unknown[] = []
    let cursor = ''
    for (;;) {
      const { status, body } = await call('GET', `/Users?sortBy=userName&count=2&cursor=${cursor}`)
      expect(status).toBe(200)
      seen.push(...names(body))
      if (body['nextCursor'] === undefined) break
      cursor = body['nextCursor'] as string
      expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/)
    }
    expect(seen).toEqual(['ada', 'Bob', 'Cy', 'dan', 'eve'])
  })

  test('a cursor is of one tenant and one question, cannot be made, and grows old', async () => {
    const [one, other] = [await aFullDirectory(), await aFullDirectory()]
    const cursor = String((await one.call('GET', '/Users?count=2&cursor=')).body['nextCursor'])
    const ask = async (directory: Directory, query: string) => {
      const { status, body } = await directory.call('GET', `/Users?count=2&${query}`)
      return [status, body['scimType']]
    }
    // `scim_cursor_invalid`
    expect(await ask(one, `cursor=${cursor}`)).toEqual([200, undefined])
    expect(await ask(other, `cursor=${cursor}`)).toEqual([400, 'invalidCursor'])
    expect(await ask(one, `cursor=${cursor}&sortBy=userName`)).toEqual([400, 'invalidCursor'])
    expect(await ask(one, `cursor=${cursor}&filter=active%20eq%20true`)).toEqual([400, 'invalidCursor'])
    expect(await ask(one, `cursor=${cursor.slice(0, -2)}AA`)).toEqual([400, 'invalidCursor'])
    expect(await ask(one, 'cursor=x')).toEqual([400, 'invalidCursor'])
    const { status, body } = await one.call('GET', `/Users?count=x&cursor=${cursor}`)
    expect([status, body['scimType']]).toEqual([400, 'invalidCount'])
    broker.clock.at = addSeconds(broker.clock.at, scimLimits.cursorSeconds)
    // `scim_cursor_expired`
    expect(await ask(one, `cursor=${cursor}`)).toEqual([400, 'expiredCursor'])
  })
})

test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])('%s /Me is 501 in the words of SCIM', async (method) => {
  const { call } = await broker.aDirectory()
  // `scim_me_absent`
  const answer = await call(method, '/Me', method === 'GET' || method === 'DELETE' ? undefined : {})
  expect(answer).toMatchObject({ status: 501, body: { schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: '501' } })
  expect(answer.headers.get('content-type')).toBe('application/scim+json; charset=utf-8')
})

test('a suspended tenant’s directory is answered everywhere: what it may ask, it must be able to find out', async () => {
  const directory = await broker.aDirectory()
  await asOwner(broker.fixture.ownerUrl, 'UPDATE tenants SET suspended_at = created_at WHERE id = $1', [directory.tenant.tenantId])
  const paths = ['/Users', '/Groups', '/ServiceProviderConfig', '/Schemas', '/ResourceTypes', '/ResourceTypes/User']
  const statuses = await Promise.all(paths.map(async (path) => (await directory.call('GET', path)).status))
  expect(statuses).toEqual(paths.map(() => 200))
})
