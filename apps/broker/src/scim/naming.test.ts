/** After a restore: by which requests a directory names somebody, so that she comes in again, and what a request costs on which nothing is awaited. */
import { instant } from '@drawbridge/core/instant'
import { inTenant } from '@drawbridge/store/transaction'
import { unnameAll } from '@drawbridge/store/unnamed-people'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aScimBroker, type Directory, directoryOf, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const person = (name: string) => ({
  ...{ userName: `${name}@acme.example`, externalId: name, active: true },
  emails: [{ value: `${name}@acme.example`, type: 'work' }],
})
const patchOf = (...Operations: object[]) => ({ Operations })
const filtered = (filter: string, more = '') => `/Users?filter=${encodeURIComponent(filter)}${more}`

/** Ada and Ben, whom the copy had. */
async function aRestored(): Promise<{
  readonly directory: Directory
  readonly ada: string
  readonly unnamed: () => Promise<readonly string[]>
}> {
  const directory = await broker.aDirectory()
  const { tenantId, connectionId } = directory.tenant
  const ada = (await directory.call('POST', '/Users', person('ada'))).body['id'] as string
  await directory.call('POST', '/Users', person('ben'))
  await inTenant(broker.fixture.database, tenantId, (db) => unnameAll(db, tenantId, [connectionId], instant(broker.clock.at)))
  const unnamed = async () => {
    const rows = await asOwner<{ name: string }>(
      broker.fixture.ownerUrl,
      `SELECT external_id AS name FROM scim_users u JOIN connections c ON c.id = u.connection_id
        WHERE u.tenant_id = $1 AND c.unnamed_since IS NOT NULL AND u.named_after < c.recoveries ORDER BY name`,
      [tenantId],
    )
    return rows.map(({ name }) => name)
  }
  expect(await unnamed()).toEqual(['ada', 'ben'])
  return { directory, ada, unnamed }
}

type Asked = readonly [what: string, method: string, path: (id: string) => string, body: object | undefined]

describe('a directory names her', () => {
  const asked: readonly Asked[] = [
    ['by the whole of her, as Okta sends it', 'PUT', (id) => `/Users/${id}`, person('ada')],
    ['by a word on active, as Okta sends it', 'PATCH', (id) => `/Users/${id}`, patchOf({ op: 'replace', value: { active: true } })],
    ['by a word on active, as Entra sends it', 'PATCH', (id) => `/Users/${id}`, patchOf({ op: 'Replace', path: 'active', value: 'True' })],
    [
      'where it says that she is gone, which keeps her out',
      'PATCH',
      (id) => `/Users/${id}`,
      patchOf({ op: 'replace', path: 'active', value: false }),
    ],
    [
      'where it looks for her by name, as Entra does before it compares',
      'GET',
      () => filtered('userName eq "ADA@acme.example"'),
      undefined,
    ],
    ['where it looks for her by its own id', 'GET', () => filtered('externalId eq "ada"'), undefined],
    ['where it looks for her by her address', 'GET', () => filtered('emails[type eq "work"].value eq "ada@acme.example"'), undefined],
    ['where it looks for her by a value of an address', 'GET', () => filtered('emails[value eq "ada@acme.example"]'), undefined],
    [
      'where it looks for her by name and something else',
      'GET',
      () => filtered('userName eq "ada@acme.example" and active eq true', '&count=1'),
      undefined,
    ],
    ['where it reads her', 'GET', (id) => `/Users/${id}`, undefined],
  ]
  test.each(asked)('%s', async (_what, method, path, body) => {
    const { directory, ada, unnamed } = await aRestored()
    expect((await directory.call(method, path(ada), body)).status).toBe(200)
    expect(await unnamed()).toEqual(['ben'])
  })
})

describe('nobody is named', () => {
  const asked: readonly Asked[] = [
    [
      'by a new title: who left is not told of again',
      'PATCH',
      (id) => `/Users/${id}`,
      patchOf({ op: 'replace', path: 'title', value: 'Countess' }),
    ],
    ['by the whole of her without a word on active', 'PUT', (id) => `/Users/${id}`, { ...person('ada'), active: undefined }],
    ['by a list', 'GET', () => '/Users', undefined],
    ['by a list of one', 'GET', () => '/Users?count=1', undefined],
    ['by a filter that happens to find one', 'GET', () => filtered('externalId sw "ad"'), undefined],
    ['by a filter that excludes all others', 'GET', () => filtered('not (externalId eq "ben")'), undefined],
    ['by a filter with another way', 'GET', () => filtered('externalId eq "ada" or externalId eq "nobody"'), undefined],
    ['by a kind of address', 'GET', () => filtered('emails[type eq "work"]', '&count=1'), undefined],
  ]
  test.each(asked)('%s', async (_what, method, path, body) => {
    const { directory, ada, unnamed } = await aRestored()
    expect((await directory.call(method, path(ada), body)).status).toBe(200)
    expect(await unnamed()).toEqual(['ada', 'ben'])
  })

  test('by whoever may read alone', async () => {
    const { directory, ada, unnamed } = await aRestored()
    const reader = await directoryOf(broker.fixture, broker.origin, directory.tenant, broker.clock.at, 'scim:read')
    expect((await reader.call('GET', `/Users/${ada}`)).status).toBe(200)
    expect((await reader.call('GET', filtered('externalId eq "ada"'))).status).toBe(200)
    expect(await unnamed()).toEqual(['ada', 'ben'])
  })

  test('by a change that is refused', async () => {
    const { directory, ada, unnamed } = await aRestored()
    expect((await directory.call('PUT', `/Users/${ada}`, { ...person('ada'), userName: 'ben@acme.example' })).status).toBe(409)
    expect(await unnamed()).toEqual(['ada', 'ben'])
  })
})

test('what names her is written once: afterwards her row is left alone by whatever only reads or agrees', async () => {
  const { directory, ada } = await aRestored()
  await directory.call('GET', `/Users/${ada}`)
  const [before] = await asOwner(broker.fixture.ownerUrl, 'SELECT xmin::text, ctid::text FROM scim_users WHERE id = $1', [ada])
  await directory.call('GET', `/Users/${ada}`)
  await directory.call('PUT', `/Users/${ada}`, person('ada'))
  await directory.call('PATCH', `/Users/${ada}`, patchOf({ op: 'replace', path: 'active', value: true }))
  expect(await asOwner(broker.fixture.ownerUrl, 'SELECT xmin::text, ctid::text FROM scim_users WHERE id = $1', [ada])).toEqual([before])
})

test.each([
  ['looks for her', 'GET', undefined],
  ['says that she is active', 'PATCH', patchOf({ op: 'replace', value: { active: true } })],
] as const)(
  'whose last word here was an end is to be told back, once, when the directory %s; nobody else is',
  async (_what, method, body) => {
    const { directory, ada } = await aRestored()
    const { tenantId, connectionId } = directory.tenant
    const owner = (sql: string) => asOwner(broker.fixture.ownerUrl, sql, [tenantId])
    await owner(`UPDATE subjects SET scim_user_id = '${ada}', barrier_at = last_login_at + interval '1 hour' WHERE tenant_id = $1`)
    const told = async () => (await owner("SELECT 1 FROM outbox WHERE tenant_id = $1 AND kind = 'tell-reinstated'")).length
    for (const _time of [1, 2]) {
      expect((await directory.call(method, `/Users/${ada}`, body)).status).toBe(200)
      expect(await told()).toBe(1)
    }
    await inTenant(broker.fixture.database, tenantId, (db) => unnameAll(db, tenantId, [connectionId], instant(broker.clock.at)))
    await owner("UPDATE subjects SET last_login_at = barrier_at + interval '1 hour' WHERE tenant_id = $1")
    expect((await directory.call(method, `/Users/${ada}`, body)).status).toBe(200)
    expect(await told()).toBe(1)
  },
)

test('whom the directory switches on in the same word is not told back twice', async () => {
  const { directory, ada } = await aRestored()
  const { tenantId, connectionId } = directory.tenant
  const owner = (sql: string) => asOwner(broker.fixture.ownerUrl, sql, [tenantId])
  await owner(`UPDATE subjects SET scim_user_id = '${ada}' WHERE tenant_id = $1`)
  const isActive = (active: boolean) => directory.call('PATCH', `/Users/${ada}`, patchOf({ op: 'replace', value: { active } }))
  await isActive(false)
  await inTenant(broker.fixture.database, tenantId, (db) => unnameAll(db, tenantId, [connectionId], instant(broker.clock.at)))
  expect((await isActive(true)).status).toBe(200)
  expect(await owner("SELECT 1 FROM outbox WHERE tenant_id = $1 AND kind = 'tell-reinstated'")).toHaveLength(1)
})
