/** How PostgreSQL finds whose turn it is, and what is due, with a hundred thousand entries waiting: by the index, and by what it hands out alone. */
import { instant } from '@drawbridge/core/instant'
import { type Lane, shareOut, tellingLane } from '@drawbridge/core/outbox/share-out'
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { explaining, isScan, rowsRead } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  claimOutboxAcrossTenants,
  countHandedOverAcrossTenants,
  listWaitingTenantsAcrossTenants,
  markRelayedAcrossTenants,
} from './outbox-relay.js'
import { type AcrossDb, acrossTenants } from './transaction.js'

const waiting = 100_000
const others = 100
const now = instant(Date.UTC(2026, 10, 29))
let fixture: TestDatabase

beforeAll(async () => {
  fixture = await testDatabase()
  const run = (sql: string) => asOwner(fixture.ownerUrl, sql)
  await run(
    `INSERT INTO tenants (id, slug, name, created_at) SELECT gen_random_uuid(), CASE n WHEN 0 THEN 'large' ELSE 'small-' || n END, 'T', '2026-01-01' FROM generate_series(0, ${others}) n`,
  )
  // Of the large tenant most waits, and thousands pause or are dead: neither may be read to find what is due.
  await run(
    `INSERT INTO outbox (tenant_id, kind, payload, created_at, due_at, dead_at)
     SELECT id, 'revoke', '{}', '2026-01-01', CASE n % 10 WHEN 0 THEN timestamptz '2027-01-01' WHEN 1 THEN 'infinity' ELSE '-infinity' END,
       CASE n % 10 WHEN 1 THEN timestamptz '2026-01-02' END
     FROM tenants, generate_series(1, ${waiting}) n WHERE slug = 'large'`,
  )
  await run(
    `INSERT INTO outbox (tenant_id, kind, payload, created_at) SELECT id, 'revoke', '{}', '2026-01-01' FROM tenants WHERE slug LIKE 'small-%'`,
  )
}, 120_000)
afterAll(() => fixture.close())

/** How many rows of the outbox the statements of `run` read, by way of getting there. */
const readBy = (run: (db: AcrossDb) => Promise<unknown>): Promise<{ readonly rows: number; readonly ways: readonly string[] }> =>
  acrossTenants(fixture.database, async (within) => {
    const { db, statements } = explaining(within)
    await run(db)
    const scans = statements.flat().filter((node) => isScan(node) && node['Relation Name'] === 'outbox')
    const ways = scans.map((node) => `${node['Node Type']} ${node['Index Name'] ?? ''}`.trim())
    return { rows: rowsRead(scans, /./), ways: [...new Set(ways)] }
  })

const turns = (db: AcrossDb) => listWaitingTenantsAcrossTenants(db, { from: vendorTenantId, limit: 257 })
const claim = (db: AcrossDb, tenants: readonly TenantId[], lane: Lane = 'telling') =>
  claimOutboxAcrossTenants(db, {
    lane,
    shares: shareOut(tellingLane, { tenants, held: new Map() }),
    now,
    relayedBefore: now,
    kinds: ['revoke'],
    unknownBefore: now,
  })

test.each(['before anything is known of the tables', 'after ANALYZE'])(
  '%s, the turn and the claim read what they hand out',
  async (when) => {
    if (when === 'after ANALYZE') await asOwner(fixture.ownerUrl, 'ANALYZE outbox')
    const found = await readBy(turns)
    expect(found.rows).toBeLessThanOrEqual(2 * (others + 2))
    const tenants = await acrossTenants(fixture.database, turns)
    expect(tenants).toHaveLength(others + 1)
    const claimed = await readBy((db) => claim(db, tenants))
    expect(claimed.rows).toBeLessThanOrEqual(3 * (others + tellingLane.share))
    expect([...found.ways, ...claimed.ways].filter((way) => !/^Index (Only )?Scan outbox_by_lane$/.test(way))).toEqual([])
    for (const lane of ['deciding', 'following'] as const) expect((await readBy((db) => claim(db, tenants, lane))).rows).toBe(0)
  },
)

test('what the queue holds is counted without what waits', async () => {
  const tenants = await acrossTenants(fixture.database, turns)
  await acrossTenants(fixture.database, async (db) => {
    const claimed = await claim(db, tenants)
    await markRelayedAcrossTenants(db, claimed, { now, dueAt: instant(now + 30_000) })
    expect(await claim(db, tenants)).not.toContainEqual(expect.objectContaining({ id: claimed[0]?.id }))
  })
  expect((await readBy((db) => countHandedOverAcrossTenants(db, now))).rows).toBeLessThanOrEqual(others + tellingLane.share)
})
