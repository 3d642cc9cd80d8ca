/** What PostgreSQL says when it has no time for us, on a real one: that is 503 with Retry-After, and no mistake of ours. */
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isDatabaseGone } from './database-gone.js'

const acme = 'aaaaaaaa-0000-4000-8000-000000000001' as TenantId
let fixture: TestDatabase

beforeAll(async () => {
  fixture = await testDatabase()
  await asOwner(fixture.ownerUrl, "INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, 'acme', 'Acme', now())", [acme])
})
afterAll(() => fixture.close())

const run = (statements: readonly string[]) =>
  inTenant(fixture.database, acme, async (db: Db) => {
    for (const statement of statements) await db.query(statement)
  }).then(
    () => undefined,
    (cause: unknown) => cause,
  )

it('a statement that takes too long', async () => {
  const cause = await run(['SET LOCAL statement_timeout = 20', 'SELECT pg_sleep(5)'])
  expect(cause).toMatchObject({ code: '57014' })
  expect(isDatabaseGone(cause)).toBe(true)
})

it('a lock that somebody else holds for too long', async () => {
  const cause = await inTenant(fixture.database, acme, async (db) => {
    await db.query('SELECT 1 FROM tenants FOR UPDATE')
    return run(['SET LOCAL lock_timeout = 20', 'SELECT 1 FROM tenants FOR UPDATE'])
  })
  expect(cause).toMatchObject({ code: '55P03' })
  expect(isDatabaseGone(cause)).toBe(true)
})

it('a deadlock with another transaction', async () => {
  const both = await Promise.all(
    [
      [1, 2],
      [2, 1],
    ].map(([first, second]) =>
      run([`SELECT pg_advisory_xact_lock(${first})`, 'SELECT pg_sleep(0.2)', `SELECT pg_advisory_xact_lock(${second})`]),
    ),
  )
  const lost = both.filter((cause) => cause !== undefined)
  expect(lost).toEqual([expect.objectContaining({ code: '40P01' })])
  expect(isDatabaseGone(lost[0])).toBe(true)
})

it('what the schema refuses stays a mistake of ours', async () => {
  const cause = await run(['INSERT INTO policies (tenant_id, version) VALUES (NULL, NULL)'])
  expect(cause).toBeInstanceOf(Error)
  expect(isDatabaseGone(cause)).toBe(false)
})
