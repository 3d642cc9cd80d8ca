/** An assertion that comes while the directory of its people is being written for long: its client is told to come again, and may. */
import { type AnAssertionCompany, anAssertionCompany } from '@drawbridge/testkit/an-assertion-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'

let fixture: TestDatabase
let company: AnAssertionCompany
beforeAll(async () => {
  fixture = await testDatabase()
  company = await anAssertionCompany(fixture)
})
afterAll(async () => {
  await company?.broker.close()
  await fixture?.close()
})

it('it is answered 503 with Retry-After, and the same assertion is good for a grant afterwards', async () => {
  const trust = await company.begin()
  const assertion = await company.assertion()
  const directory = new pg.Client({ connectionString: fixture.ownerUrl })
  await directory.connect()
  try {
    await directory.query('BEGIN')
    await directory.query("SELECT pg_advisory_xact_lock(hashtextextended('scim:' || $1::text || $2::text, 0))", [
      company.tenant().tenantId,
      trust,
    ])
    const refused = await company.redeem(assertion)
    expect(refused).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(company.told.take()).toEqual(['tenant_busy'])
  } finally {
    await directory.end()
  }
  expect((await company.redeem(assertion)).status).toBe(200)
  expect((await company.redeem(assertion)).body.error).toBe('invalid_grant')
})
