/** How PostgreSQL finds what guards are owed and what they have answered: many instances, and a long history that none of them is asked about again. */
import { instant } from '@drawbridge/core/instant'
import { type IssuerId, type ResourceId, type ResourceIdentifier, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { explaining, rowsRead } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listLateTenants, lockLivingStreams, recordNoticeAnswers, takeNotices } from './notice-polls.js'
import { type AcrossDb, acrossTenants } from './transaction.js'

const streams = 20
const history = 5000
/** Of the history, of which their deliveries are still known. */
const remembered = 300
/** Handed out and not answered; then those that are new. */
const [open, fresh] = [3, 2]
const now = instant(Date.UTC(2026, 10, 29))
const [tenant, resource, issuer] = ['aa', 'bb', 'cc'].map((end) => `00000000-0000-4000-8000-0000000000${end}`) as [string, string, string]
const of = {
  resource: {
    tenantId: tenant as TenantId,
    resourceId: resource as ResourceId,
    identifier: 'https://documents.example/' as ResourceIdentifier,
  },
  issuer: { tenantId: tenant as TenantId, id: issuer as IssuerId },
}
let fixture: TestDatabase
let ids: readonly string[]

beforeAll(async () => {
  fixture = await testDatabase()
  const run = (sql: string) => asOwner(fixture.ownerUrl, sql)
  await run(`INSERT INTO tenants (id, slug, name, created_at) VALUES ('${tenant}', 'acme', 'A', '2026-01-01')`)
  await run(
    `INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ('${tenant}', '${issuer}', 'https://a.example/', 'tenant', '2026-01-01')`,
  )
  await run(
    `INSERT INTO resources (tenant_id, id, identifier, name, notice_position, created_at) VALUES ('${tenant}', '${resource}', 'https://documents.example/', 'D', ${history}, '2026-01-01')`,
  )
  await run(
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, acknowledged, opened_at, heard_at, issuer_tenant_id, issuer_id)
     SELECT '${tenant}', gen_random_uuid(), '${resource}', 'replica-' || n, ${history}, '2026-01-01', '2026-11-28', '${tenant}', '${issuer}' FROM generate_series(1, ${streams}) n`,
  )
  await run(
    `INSERT INTO notices (tenant_id, resource_id, position, jti, event_id, token, created_at, expires_at, issuer_tenant_id, issuer_id)
     SELECT '${tenant}', '${resource}', n, gen_random_uuid(), gen_random_uuid(), 'a.b.c', '2026-11-28', '2026-12-28', '${tenant}', '${issuer}' FROM generate_series(1, ${history + open + fresh}) n`,
  )
  // Or each of the foreign keys below would be looked up by reading all notices of the resource.
  await run('ANALYZE notices')
  await run(
    `INSERT INTO notice_deliveries (tenant_id, stream_id, resource_id, position, delivered_at, acknowledged_at)
     SELECT '${tenant}', s.id, '${resource}', n, '2026-11-28', CASE WHEN n <= ${history} THEN timestamptz '2026-11-28' END
       FROM notice_streams s, generate_series(${history - remembered}, ${history + open}) n`,
  )
  ids = (await asOwner<{ id: string }>(fixture.ownerUrl, 'SELECT id FROM notice_streams')).map(({ id }) => id)
})
afterAll(() => fixture.close())

/** Rows of notices and of their deliveries that the statements of `run` look at. Nothing of what they do stays. */
async function rowsReadBy(run: (db: AcrossDb) => Promise<unknown>, tables = /^notice(s|_deliveries)$/): Promise<number> {
  let read = 0
  const done = acrossTenants(fixture.database, async (within) => {
    const { db, statements } = explaining(within)
    await run(db)
    read = rowsRead(statements.flat(), tables)
    throw new Error('taken back')
  })
  await expect(done).rejects.toThrow('taken back')
  return read
}

test('a round of polls reads what is open and nothing of what was', async () => {
  // Autovacuum does it within a minute of such a load.
  await asOwner(fixture.ownerUrl, 'ANALYZE notices, notice_deliveries, notice_streams')
  const wanted = ids.map((streamId) => ({ streamId, limit: 100 }))
  // Each stream: its open notices with their deliveries, and the new ones.
  expect(await rowsReadBy((db) => takeNotices(db, of, wanted, { now, lateBefore: now }))).toBeLessThanOrEqual(streams * 4 * (open + fresh))
  const jtis = await asOwner<{ jti: string }>(
    fixture.ownerUrl,
    'SELECT jti::text AS jti FROM notices WHERE position > $1 AND position <= $2',
    [...[history, history + open]],
  )
  const answers = ids.map((streamId) => ({ streamId, taken: jtis.map(({ jti }) => jti), refused: {} }))
  const answering = (db: AcrossDb) => recordNoticeAnswers(db, { ...of, ids }, answers, now)
  expect(await rowsReadBy(answering)).toBeLessThanOrEqual(streams * 6 * (open + fresh))
})

const issuers = [
  ['the front', { tenantId: vendorTenantId, id: issuer as IssuerId }],
  ['the issuer of one tenant', of.issuer],
] as const

test.each(issuers)('what is late at %s is looked for in what is undone, however much was done before', async (_where, at) => {
  const [done, undone] = [20_000, 10]
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO outbox (tenant_id, kind, payload, created_at, done_at)
     SELECT '${tenant}', 'revoke', '{}', '2026-01-01', CASE WHEN n > ${undone} THEN timestamptz '2026-01-01' END FROM generate_series(1, ${done + undone}) n`,
  )
  for (const analyzed of [false, true]) {
    if (analyzed) await asOwner(fixture.ownerUrl, 'ANALYZE outbox, policy_sweeps')
    const look = (db: AcrossDb) => listLateTenants(db, at, instant(Date.UTC(2026, 1, 1)))
    expect(await rowsReadBy(look, /^(outbox|policy_sweeps)$/)).toBeLessThanOrEqual(4 * undone)
  }
  await asOwner(fixture.ownerUrl, 'DELETE FROM outbox')
})

test.each(issuers)(
  'whose end came and has no barrier is looked for among those alone at %s, however many people there are',
  async (_where, at) => {
    const [people, untold] = [3000, 10]
    const run = (sql: string) => asOwner(fixture.ownerUrl, sql)
    const connection = '00000000-0000-4000-8000-0000000000dd'
    await run(
      `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ('${tenant}', '${connection}', 'oidc', 'O', '{}', '2026-01-01')`,
    )
    // A third has no end, a third has been told of, and the end of a third is to come.
    await run(
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at, deactivates_at, ended_for)
     SELECT '${tenant}', gen_random_uuid(), '${connection}', 'p' || n, '{}', now(), now(), now(), ended.at, CASE WHEN n > ${untold} THEN ended.at END
       FROM generate_series(1, ${people}) n, LATERAL (SELECT CASE WHEN n <= ${untold} THEN timestamptz '2026-01-01' + n * interval '1 hour'
         WHEN n % 3 = 0 THEN timestamptz '2026-01-01' WHEN n % 3 = 1 THEN timestamptz '2030-01-01' END AS at) ended`,
    )
    for (const analyzed of [false, true]) {
      if (analyzed) await run('ANALYZE subjects')
      const look = (db: AcrossDb) => listLateTenants(db, at, instant(Date.UTC(2026, 1, 1)))
      expect(await rowsReadBy(look, /^subjects$/)).toBeLessThanOrEqual(2 * untold)
    }
    const hereBefore = (time: string) => acrossTenants(fixture.database, (db) => listLateTenants(db, of.issuer, instant(Date.parse(time))))
    expect(await hereBefore('2026-01-01T01:00:00Z')).toEqual([])
    expect(await hereBefore('2026-01-01T01:00:01Z')).toEqual(['acme'])
    await run('UPDATE subjects SET ended_for = deactivates_at')
    expect(await hereBefore('2029-12-31T23:59:59Z')).toEqual([])
    await run('DELETE FROM subjects')
    await run('DELETE FROM connections')
  },
)

test('of two instances one of which is closed and one of which is silent, only the third is heard', async () => {
  const [closed, silent, living] = ids as [string, string, string]
  await asOwner(fixture.ownerUrl, `UPDATE notice_streams SET closed_at = '2026-11-28' WHERE id = '${closed}'`)
  await asOwner(fixture.ownerUrl, `UPDATE notice_streams SET heard_at = '2026-11-27' WHERE id = '${silent}'`)
  const lapsedBefore = instant(Date.UTC(2026, 10, 27, 12))
  expect([...(await acrossTenants(fixture.database, (db) => lockLivingStreams(db, of, [closed, silent, living], lapsedBefore)))]).toEqual([
    living,
  ])
  const elsewhere = { ...of, issuer: { ...of.issuer, id: resource as IssuerId } }
  expect((await acrossTenants(fixture.database, (db) => lockLivingStreams(db, elsewhere, [living], lapsedBefore))).size).toBe(0)
})
