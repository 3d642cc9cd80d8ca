/** With a thousand tenants before which a front issuer stands: whatever is asked of one of them reads its own issuers, and those of nobody else. */
import { instant } from '@drawbridge/core/instant'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { explaining, rowsRead } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from './database.js'
import { openStreamsAcrossTenants } from './notice-streams.js'
import { listIssuersOfTenant } from './revocations.js'
import { loadConfigurationAcrossTenants } from './tenant-configuration.js'
import { type AcrossDb, acrossTenants } from './transaction.js'

const others = 1000
/** More than a tenant has of its own and at the front, each read as often as a statement joins them. */
const ofOneTenant = 12
const now = instant(Date.UTC(2026, 10, 30))
let fixture: TestDatabase
let acme: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  const run = (sql: string, parameters: readonly unknown[] = []) => asOwner(fixture.ownerUrl, sql, parameters)
  await run(
    `INSERT INTO tenants (id, slug, name, created_at) SELECT gen_random_uuid(), 'other-' || n, 'T', '2026-01-01' FROM generate_series(1, ${others}) n`,
  )
  await run(
    `INSERT INTO issuers (tenant_id, id, url, kind, created_at) SELECT id, gen_random_uuid(), 'http://localhost:4400/t/' || slug, 'tenant', created_at FROM tenants WHERE slug LIKE 'other-%'`,
  )
  await run("INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, 'vendor', 'Vendor', '2026-01-01')", [vendorTenantId])
  acme = await aTenant(fixture, { slug: 'acme' })
  await run(
    `INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, gen_random_uuid(), 'http://localhost:4400', 'front', '2026-01-01')`,
    [vendorTenantId],
  )
  await run('ANALYZE issuers, tenants')
}, 120_000)
afterAll(() => fixture.close())

/** How many rows of issuers the statements of `run` read, the most of any statement. */
const issuersReadBy = (run: (db: AcrossDb) => Promise<unknown>): Promise<number> =>
  acrossTenants(fixture.database, async (within) => {
    const { db, statements } = explaining(within)
    await run(db)
    return Math.max(...statements.map((nodes) => rowsRead(nodes, /^issuers$/)))
  })

const asPool = (db: AcrossDb) =>
  ({ acrossPool: { query: ({ text, values }: { text: string; values: unknown[] }) => db.query(text, values) } }) as unknown as Database

test.each(['tenant', 'front_member'] as const)('its configuration at its issuer of kind %s', async (kind) => {
  const read = await issuersReadBy(async (db) => {
    const loaded = await loadConfigurationAcrossTenants(asPool(db), 'acme', kind)
    expect(loaded?.signer.tenantId).toBe(kind === 'tenant' ? acme.tenantId : vendorTenantId)
  })
  expect(read).toBeGreaterThan(0)
  expect(read).toBeLessThanOrEqual(ofOneTenant)
})

test('who signs what is told of it', async () => {
  const read = await issuersReadBy(async (db) => {
    const signers = (await listIssuersOfTenant(db, acme.tenantId)).map(({ signer }) => signer.tenant)
    expect(signers.toSorted()).toEqual([acme.tenantId, vendorTenantId].toSorted())
  })
  expect(read).toBeGreaterThan(0)
  expect(read).toBeLessThanOrEqual(ofOneTenant)
})

test('the snapshot of a stream at its own issuer', async () => {
  const resource = { tenantId: acme.tenantId, resourceId: acme.resourceId, identifier: acme.resource }
  const of = { resource, issuer: { tenantId: acme.tenantId, id: acme.issuerId } }
  const asked = [{ id: crypto.randomUUID(), instance: 'one' }]
  const read = await issuersReadBy((db) => openStreamsAcrossTenants(db, of, { asked, now }))
  expect(read).toBeGreaterThan(0)
  expect(read).toBeLessThanOrEqual(ofOneTenant)
})
