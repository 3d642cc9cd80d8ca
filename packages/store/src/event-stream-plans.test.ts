/** How PostgreSQL finds the event streams that have something to push: a stream for each tenant at a shared resource, and very much news that is not theirs. */
import { instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { explaining, rowsRead } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ClaimedPush, claimPushesAcrossTenants, markPushAnswered } from './event-stream-delivery.js'
import { tellReceipts } from './event-streams.js'
import { deleteExpiredNoticesAcrossTenants } from './notices.js'
import { type AcrossDb, acrossTenants } from './transaction.js'

const streams = 300
const loud = 50_000
const now = instant(Date.UTC(2026, 10, 29))
const vendor = '00000000-0000-4000-8000-0000000000aa'
const resource = '00000000-0000-4000-8000-0000000000bb'
let fixture: TestDatabase

beforeAll(async () => {
  fixture = await testDatabase()
  const run = (sql: string) => asOwner(fixture.ownerUrl, sql)
  await run(`INSERT INTO tenants (id, slug, name, created_at) VALUES ('${vendor}', 'the-vendor', 'V', '2026-01-01')`)
  await run(
    `INSERT INTO tenants (id, slug, name, created_at) SELECT gen_random_uuid(), 'tenant-' || n, 'T', '2026-01-01' FROM generate_series(1, ${streams}) n`,
  )
  await run(
    `INSERT INTO issuers (tenant_id, id, url, kind, created_at) SELECT id, gen_random_uuid(), 'https://a.example/t/' || slug, 'tenant', '2026-01-01' FROM tenants WHERE slug LIKE 'tenant-%'`,
  )
  await run(
    `INSERT INTO resources (tenant_id, id, identifier, name, notice_position, created_at) VALUES ('${vendor}', '${resource}', 'https://shared.example/', 'S', ${loud}, '2026-01-01')`,
  )
  await run(
    `INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ('${vendor}', '${resource}', '${resource}', '', '2026-01-01')`,
  )
  await run(
    `INSERT INTO event_streams (tenant_id, id, resource_id, issuer_tenant_id, issuer_id, credential_id, method, endpoint_url, status, status_by, status_at, position, delivered_to, created_at, heard_at)
     SELECT '${vendor}', gen_random_uuid(), '${resource}', i.tenant_id, i.id, '${resource}', 'push', 'https://receiver.example/', 'enabled', 'receiver', '2026-01-01',
       CASE t.slug WHEN 'tenant-1' THEN ${loud} ELSE 0 END, 0, '2026-01-01', '2026-01-01' FROM issuers i JOIN tenants t ON t.id = i.tenant_id`,
  )
  await run(
    `INSERT INTO notices (tenant_id, resource_id, position, jti, event_id, token, created_at, expires_at, issuer_tenant_id, issuer_id)
     SELECT '${vendor}', '${resource}', n, gen_random_uuid(), gen_random_uuid(), 'a.b.c', '2026-11-28', '2026-12-28', i.tenant_id, i.id
       FROM issuers i JOIN tenants t ON t.id = i.tenant_id, generate_series(1, ${loud}) n WHERE t.slug = 'tenant-1'`,
  )
}, 120_000)
afterAll(() => fixture.close())

/** Rows of notices that the statements of `run` look at. Nothing of what they do stays. */
const noticesReadBy = (run: (db: AcrossDb) => Promise<unknown>): Promise<number> => rowsReadBy(run, /^notices$/)

async function rowsReadBy(run: (db: AcrossDb) => Promise<unknown>, tables: RegExp): Promise<number> {
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

test.each(['before anything is known of the tables', 'after ANALYZE'])(
  '%s, whoever looks for what is due reads nothing of what is not',
  async (when) => {
    if (when === 'after ANALYZE') await asOwner(fixture.ownerUrl, 'ANALYZE notices, event_streams')
    const claim = { leaseId: resource, leaseUntil: now, now, limit: 16, mostOfTenant: 4 }
    expect(await noticesReadBy((db) => claimPushesAcrossTenants(db, claim))).toBeLessThanOrEqual(streams)
  },
)

test('the sweep removes what has expired and is owed to nobody', async () => {
  await asOwner(fixture.ownerUrl, `UPDATE notices SET expires_at = '2026-11-01' WHERE position <= 100`)
  await acrossTenants(fixture.database, (db) => deleteExpiredNoticesAcrossTenants(db, now, 5000))
  expect(await asOwner(fixture.ownerUrl, 'SELECT count(*)::int AS left FROM notices')).toEqual([{ left: loud - 100 }])
})

test('however many streams of one tenant are due, it has its share at a time, and others come beside it', async () => {
  const run = (sql: string) => asOwner<{ slug: string; n: number }>(fixture.ownerUrl, sql)
  await run(
    `INSERT INTO event_streams (tenant_id, id, resource_id, issuer_tenant_id, issuer_id, credential_id, method, endpoint_url, status, status_by, status_at, position, delivered_to, created_at, heard_at)
     SELECT s.tenant_id, gen_random_uuid(), resource_id, issuer_tenant_id, issuer_id, credential_id, method, endpoint_url, status, status_by, status_at, position, delivered_to, s.created_at, heard_at
       FROM event_streams s JOIN tenants t ON t.id = s.issuer_tenant_id, generate_series(1, 19) WHERE t.slug = 'tenant-2'`,
  )
  await run(
    `INSERT INTO notices (tenant_id, resource_id, position, jti, event_id, token, created_at, expires_at, issuer_tenant_id, issuer_id)
     SELECT '${vendor}', '${resource}', ${loud} + row_number() OVER (), gen_random_uuid(), gen_random_uuid(), 'a.b.c', '2026-11-28', '2026-12-28', i.tenant_id, i.id
       FROM issuers i JOIN tenants t ON t.id = i.tenant_id WHERE t.slug IN ('tenant-2', 'tenant-3')`,
  )
  const claim = { leaseId: resource, leaseUntil: instant(now + 60_000), now, limit: 16, mostOfTenant: 4 }
  await acrossTenants(fixture.database, (db) => claimPushesAcrossTenants(db, claim))
  await acrossTenants(fixture.database, (db) => claimPushesAcrossTenants(db, claim))
  expect(
    await run(
      `SELECT t.slug, count(*)::int AS n FROM event_streams s JOIN tenants t ON t.id = s.issuer_tenant_id WHERE s.lease_until IS NOT NULL GROUP BY 1 ORDER BY 1`,
    ),
  ).toEqual([
    { slug: 'tenant-2', n: 4 },
    { slug: 'tenant-3', n: 1 },
  ])
})

test.each(['before anything is known of the tables', 'after ANALYZE'])(
  '%s, what one stream answers, and what it is ended with, is written into its own receipts alone, of whichever tenants they are',
  async (when) => {
    const run = <Row>(sql: string) => asOwner<Row>(fixture.ownerUrl, sql)
    if (when === 'after ANALYZE') await run('ANALYZE notice_receipts, deprovisioning_events')
    else {
      await run(
        `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at, swept_at)
         SELECT t.id, gen_random_uuid(), 'admin', 'subject', n::text, 'test', '2026-11-28', '2026-11-28', '2026-11-28' FROM tenants t, generate_series(1, 50) n WHERE t.slug LIKE 'tenant-%'`,
      )
      await run(
        `INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at)
         SELECT e.tenant_id, e.id, CASE WHEN e.target_id = '1' AND t.slug IN ('tenant-4', 'tenant-5') THEN '${resource}'::uuid ELSE gen_random_uuid() END, 'r', 'i', '2026-11-28'
           FROM deprovisioning_events e JOIN tenants t ON t.id = e.tenant_id`,
      )
      await run(`UPDATE event_streams SET id = '${resource}', lease_id = '${resource}' WHERE id = (SELECT id FROM event_streams LIMIT 1)`)
    }
    const [due] = await run<{ tenant: TenantId; id: string }>(
      `SELECT tenant_id AS tenant, event_id AS id FROM notice_receipts WHERE stream_id = '${resource}' LIMIT 1`,
    )
    if (due === undefined) throw new Error('no receipt is due')
    const receipts = /^notice_receipts$/
    const push = { tenantId: vendor as TenantId, id: resource, leaseId: resource } as ClaimedPush
    const answer = { notice: { position: loud, jti: resource, token: 'a.b.c', event: due }, refusal: undefined, now, leaseUntil: now }
    expect(await rowsReadBy((db) => markPushAnswered(db, push, answer), receipts)).toBeLessThanOrEqual(10)
    const refused = { ...answer, refusal: 'invalid_key' }
    expect(await rowsReadBy((db) => markPushAnswered(db, push, refused), receipts)).toBeLessThanOrEqual(10)
    expect(await rowsReadBy((db) => tellReceipts(db, resource, { status: 'disabled', now }), receipts)).toBeLessThanOrEqual(10)
  },
)
