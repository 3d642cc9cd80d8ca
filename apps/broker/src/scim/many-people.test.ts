/** How many people a directory may have: whoever is one too many is refused by name, and nothing that takes access away ever is. */
import { readFileSync } from 'node:fs'
import { knownUsersFactor } from '@drawbridge/store/scim-users'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { aScimBroker, type Directory, type ScimBroker } from '../../test/a-directory.js'

const most = 3
let broker: ScimBroker
let directory: Directory
beforeAll(async () => {
  broker = await aScimBroker({ directoryUsers: most })
})
afterAll(() => broker.close())
beforeEach(async () => {
  directory = await broker.aDirectory()
})

const owner = <Row extends object>(sql: string, ...more: unknown[]) =>
  asOwner<Row>(broker.fixture.ownerUrl, sql, [directory.tenant.tenantId, ...more])
const person = (name: string, active = true) => ({
  ...{ schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], userName: `${name}@acme.example`, externalId: name, active },
})
const create = (name: string, active?: boolean) => directory.call('POST', '/Users', person(name, active))
const gone = {
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: [{ op: 'replace', path: 'active', value: false }],
}
const tooMany = { status: '400', detail: expect.stringContaining('DRAWBRIDGE_DIRECTORY_USERS') }
const counts = async () =>
  (await owner<{ living: number; known: number }>('SELECT living, known FROM scim_user_counts WHERE tenant_id = $1'))[0]
const signedIn = (name: string) =>
  owner(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
     VALUES ($1, gen_random_uuid(), $2, $3, '{}', now(), now(), now())`,
    ...[directory.tenant.connectionId, name],
  )
const isOut = async (name: string) =>
  (await owner<{ out: boolean }>('SELECT deactivated_at IS NOT NULL AS out FROM subjects WHERE tenant_id = $1 AND stable_id = $2', name))[0]
    ?.out

it('of so many as there may be, however many come at once, none is one more; another directory has as many', async () => {
  const made = await Promise.all(['ada', 'ben', 'cem', 'dan', 'eve'].map((name) => create(name)))
  expect(made.map(({ status }) => status).toSorted()).toEqual([201, 201, 201, 400, 400])
  // `scim_users_too_many`
  expect(made.find(({ status }) => status === 400)?.body).toMatchObject(tooMany)
  expect(await counts()).toEqual({ living: most, known: most })
  directory = await broker.aDirectory()
  expect((await create('ada')).status).toBe(201)
})

it('where there are as many, everybody still leaves, changes and makes room; who is told of as gone comes beyond it, and is out', async () => {
  const ids: unknown[] = []
  for (const name of ['ada', 'ben', 'cem']) ids.push((await create(name)).body['id'])
  await signedIn('ben')
  await signedIn('dan')
  expect((await directory.call('PUT', `/Users/${ids[1]}`, person('ben', true))).status).toBe(200)
  expect((await directory.call('PATCH', `/Users/${ids[1]}`, gone)).status).toBe(200)
  expect((await create('dan', false)).status).toBe(201)
  expect([await isOut('ben'), await isOut('dan')]).toEqual([true, true])
  expect(await counts()).toEqual({ living: most + 1, known: most + 1 })
  for (const id of ids.slice(0, 2)) expect((await directory.call('DELETE', `/Users/${id}`)).status).toBe(204)
  expect(await counts()).toEqual({ living: most - 1, known: most + 1 })
  expect([(await create('eve')).status, (await create('fay')).status]).toEqual([201, 400])
})

it('who is made and deleted without end is stopped, too: those who left are kept', async () => {
  for (let n = 0; n < most * knownUsersFactor; n += 1) {
    const made = await create(`n${n}`)
    expect([n, made.status]).toEqual([n, 201])
    if (n > 0) expect((await directory.call('DELETE', `/Users/${made.body['id']}`)).status).toBe(204)
  }
  expect(await counts()).toEqual({ living: 1, known: most * knownUsersFactor })
  expect((await create('one more')).body).toMatchObject(tooMany)
  expect((await create('one who is gone', false)).status).toBe(201)
})

it('those who were there before they were counted are', async () => {
  const made = await create('ada')
  await create('ben')
  await directory.call('DELETE', `/Users/${made.body['id']}`)
  await owner('UPDATE scim_user_counts SET living = 7, known = 7 WHERE tenant_id = $1')
  const migration = new URL('../../../../prisma/migrations/0185_people_counted_before/migration.sql', import.meta.url)
  await asOwner(broker.fixture.ownerUrl, readFileSync(migration, 'utf8'))
  expect(await counts()).toEqual({ living: 1, known: 2 })
})
