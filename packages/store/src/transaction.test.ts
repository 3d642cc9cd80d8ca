import { type AddressInfo, connect, createServer } from 'node:net'
import { instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase } from './database.js'
import { keptStatement } from './kept-statements.js'
import { acrossTenants, acrossTenantsInOneStatement, type Db, inTenant, inTenantAndThen, toTimestamp } from './transaction.js'

const acme = 'aaaaaaaa-0000-4000-8000-000000000001' as TenantId
const globex = 'bbbbbbbb-0000-4000-8000-000000000002' as TenantId
let fixture: TestDatabase

beforeAll(async () => {
  fixture = await testDatabase()
  for (const [id, slug] of [
    [acme, 'acme'],
    [globex, 'globex'],
  ]) {
    await asOwner(fixture.ownerUrl, 'INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $2, $3)', [
      id,
      slug,
      toTimestamp(instant(0)),
    ])
  }
})
afterAll(() => fixture.close())

test('a failed transaction leaves nothing behind', async () => {
  const failing = inTenant(fixture.database, acme, async (db) => {
    await db.query("UPDATE tenants SET name = 'changed' WHERE id = $1", [acme])
    throw new Error('on purpose')
  })
  await expect(failing).rejects.toThrow('on purpose')
  const { rows } = await acrossTenants(fixture.database, (db) =>
    db.query<{ name: string }>('SELECT name FROM tenants WHERE id = $1', [acme]),
  )
  expect(rows).toEqual([{ name: 'acme' }])
})

test('a transaction that goes through two tenants sees one after the other, and commits whole or not at all', async () => {
  const slugs = async (db: Db) => (await db.query<{ slug: string }>('SELECT slug FROM tenants')).rows.map(({ slug }) => slug)
  const rename = (db: Db, id: TenantId) => db.query("UPDATE tenants SET name = 'changed' WHERE id = $1", [id])
  const seen: (readonly string[])[] = []
  const failing = inTenantAndThen(
    fixture.database,
    { tenant: acme, run: async (db) => (seen.push(await slugs(db)), rename(db, acme)) },
    {
      tenant: globex,
      run: async (db) => {
        seen.push(await slugs(db))
        expect((await rename(db, acme)).rowCount).toBe(0)
        throw new Error('on purpose')
      },
    },
  )
  await expect(failing).rejects.toThrow('on purpose')
  expect(seen).toEqual([['acme'], ['globex']])
  const { rows } = await acrossTenants(fixture.database, (db) => db.query('SELECT id FROM tenants WHERE name = $1', ['changed']))
  expect(rows).toEqual([])
})

test('values arrive as instants and numbers', async () => {
  const { rows } = await inTenant(fixture.database, acme, (db) =>
    db.query('SELECT created_at, configuration_version FROM tenants WHERE id = $1', [acme]),
  )
  expect(rows).toEqual([{ created_at: 0, configuration_version: 1 }])
})

test('Prisma runs in a transaction of one tenant', async () => {
  const found = await fixture.database.prisma(acme, (client) => client.tenant.findUnique({ where: { id: acme } }))
  expect(found?.slug).toBe('acme')
})

test('a connection that breaks between two statements fails the transaction, and not the process', async () => {
  const cut = inTenant(fixture.database, acme, async (db) => {
    const { rows } = await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    await asOwner(fixture.ownerUrl, 'SELECT pg_terminate_backend($1)', [rows[0]?.pid])
    for (;;) {
      const [alive] = await asOwner(fixture.ownerUrl, 'SELECT 1 FROM pg_stat_activity WHERE pid = $1', [rows[0]?.pid])
      if (!alive) break
    }
    await new Promise((resolve) => setTimeout(resolve, 50)) // its last words arrive
    await db.query('SELECT 1')
  })
  await expect(cut).rejects.toThrow()
  expect((await inTenant(fixture.database, acme, (db) => db.query('SELECT 1 AS one'))).rows).toEqual([{ one: 1 }])
})

test('what promised one statement across tenants sees all of them, and runs no second one', async () => {
  const names = 'SELECT slug FROM tenants WHERE id = ANY ($1::uuid[]) ORDER BY slug'
  const { rows } = await acrossTenantsInOneStatement(fixture.database, (db) => db.query<{ slug: string }>(names, [[acme, globex]]))
  expect(rows).toEqual([{ slug: 'acme' }, { slug: 'globex' }])
  await asOwner(fixture.ownerUrl, "INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'test', '{}', $2)", [
    ...[acme, toTimestamp(instant(0))],
  ])
  const relay = (at: number) =>
    ["UPDATE outbox SET relayed_at = $2 WHERE tenant_id = $1 AND kind = 'test'", [acme, toTimestamp(instant(at))]] as const
  const twice = acrossTenantsInOneStatement(fixture.database, async (db) => {
    await db.query(...relay(1))
    await db.query(...relay(2))
  })
  await expect(twice).rejects.toThrow('one statement')
  expect(await asOwner(fixture.ownerUrl, "SELECT relayed_at FROM outbox WHERE kind = 'test'")).toEqual([{ relayed_at: new Date(1) }])
})

const nameOf = keptStatement('SELECT name FROM tenants WHERE id = ANY ($1::uuid[])')
/** More often than a plan is made for the values at hand. */
const often = Array.from({ length: 8 })
const keptPlans = 'SELECT generic_plans::int AS generic, custom_plans::int AS custom FROM pg_prepared_statements WHERE name = $1'

test('a kept statement is planned a few times for its connection, and its plan shows each tenant its own rows and nobody else’s', async () => {
  const database = createDatabase({ url: fixture.url, connectionBudget: 4 })
  try {
    const seen: string[] = []
    for (const tenant of [...often.map(() => acme), ...often.map(() => globex), acme])
      await inTenant(database, tenant, async (db) => {
        const { rows } = await db.query<{ name: string }>(nameOf, [[acme, globex]])
        seen.push(rows.map(({ name }) => name).join())
      })
    expect(seen).toEqual([...often.map(() => 'acme'), ...often.map(() => 'globex'), 'acme'])
    const { rows } = await inTenant(database, acme, (db) => db.query<{ generic: number; custom: number }>(keptPlans, [nameOf.name]))
    expect(rows).toEqual([{ generic: 2 * often.length + 1 - 5, custom: 5 }])
  } finally {
    await database.close()
  }
})

test('a connection whose kept plan a migration has made useless fails one transaction and is replaced', async () => {
  const database = createDatabase({ url: fixture.url, connectionBudget: 4 })
  const name = () => inTenant(database, acme, async (db) => (await db.query<{ name: string }>(nameOf, [[acme]])).rows[0]?.name)
  try {
    expect(await name()).toBe('acme')
    await asOwner(fixture.ownerUrl, 'ALTER TABLE tenants RENAME name TO given_name')
    await asOwner(fixture.ownerUrl, 'ALTER TABLE tenants ADD COLUMN name varchar')
    await asOwner(fixture.ownerUrl, 'UPDATE tenants SET name = given_name')
    await expect(name()).rejects.toThrow('cached plan must not change result type')
    expect(await name()).toBe('acme')
  } finally {
    await database.close()
  }
})

test('a connection that breaks while it is looked at is refused to whoever wanted it, and the process goes on', async () => {
  let looks = 0
  const database = createDatabase({
    url: fixture.url,
    connectionBudget: 4,
    admit: async (client) => {
      looks += 1
      if (looks > 1) return
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      const broken = new Promise((resolve) => client.once('end', resolve))
      await asOwner(fixture.ownerUrl, 'SELECT pg_terminate_backend($1)', [rows[0]?.pid])
      await broken
      await client.query('SELECT 1')
    },
  })
  const one = () => acrossTenants(database, (db) => db.query<{ one: number }>('SELECT 1 AS one'))
  await expect(one()).rejects.toThrow()
  expect((await one()).rows).toEqual([{ one: 1 }])
  await database.close()
})

/** What a server sends that ends a connection: severity, SQLSTATE, message (PostgreSQL, Message Formats, ErrorResponse). */
const ended = ((fields: string) => {
  const message = Buffer.from(`E....${fields}\0`)
  message.writeInt32BE(message.length - 1, 1)
  return message
})('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0')
const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

test('a connection that the server ends with the word by which it opens it fails one transaction, and not the process', async () => {
  const { hostname, port } = new URL(fixture.url)
  let toEnd = 1
  const proxy = createServer((near) => {
    const far = connect(Number(port), hostname)
    near.pipe(far)
    far.on('data', (data) => {
      const isOpened = data.subarray(-readyForQuery.length).equals(readyForQuery)
      if (isOpened && toEnd-- > 0) near.end(Buffer.concat([data, ended]))
      else near.write(data)
    })
    for (const socket of [near, far]) socket.on('error', () => undefined).on('close', () => [near, far].map((each) => each.destroy()))
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const url = new URL(fixture.url)
  url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const database = createDatabase({ url: url.href, connectionBudget: 4 })
  const one = () => acrossTenants(database, (db) => db.query<{ one: number }>('SELECT 1 AS one'))
  await expect(one()).rejects.toThrow()
  expect((await one()).rows).toEqual([{ one: 1 }])
  await database.close()
  await new Promise((resolve) => proxy.close(resolve))
})
