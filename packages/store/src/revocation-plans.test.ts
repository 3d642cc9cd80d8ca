/** With tens of thousands of people, grants and clients at a tenant: whoever takes one of them away reads that one, in the barrier and in the sweep. */
import { randomUUID } from 'node:crypto'
import { instant } from '@drawbridge/core/instant'
import type { ExchangePermission } from '@drawbridge/core/oauth/exchange-permission'
import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { explaining, rowsRead } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deprovision } from './deprovisioning.js'
import { endExchangedGrants } from './exchanged-grants.js'
import { markGrantsRevoked, markPage } from './mark-killed.js'
import { endGrantsOfMinter } from './minters.js'
import { planLogoutsOfSome } from './plan-logouts.js'
import { findToldEnd } from './plan-webhooks.js'
import { lockResources, lockResourcesOfIssuers } from './revocations.js'
import { type AcrossDb, acrossTenants, type Db, inTenant } from './transaction.js'

const people = 20_000
/** Each row that is read is read by a handful of statements and looked at again by their triggers. */
const ofOne = 40
const now = instant(Date.UTC(2026, 10, 30))
let fixture: TestDatabase
let acme: ATenant
let globex: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
  for (const { tenantId, issuerId, resourceId, connectionId } of [acme, globex]) {
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
       SELECT $1, gen_random_uuid(), $2, 'person-' || n, '{}', '2026-01-01', '2026-01-01', '2026-01-01' FROM generate_series(1, ${people}) n`,
      [tenantId, connectionId],
    )
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
       SELECT $1, $2, 'agent-' || n, 'preregistered', 'Agent', '{}', '{}', 'none', '{}', '2026-01-01' FROM generate_series(1, 200) n`,
      [tenantId, issuerId],
    )
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, subject_id, connection_id, scopes, tenant_epoch, client_epoch,
         connection_epoch, subject_epoch, policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at)
       SELECT $1, gen_random_uuid(), $2, 'agent-' || (row_number() OVER () % 200 + 1), $1, $3, 'https://mcp.example', id, $4, '{}', 1, 1, 1, 1, 1, '{}', 600, '2027-01-01', '{}', '2026-01-01'
         FROM subjects WHERE tenant_id = $1`,
      [tenantId, issuerId, resourceId, connectionId],
    )
  }
  await asOwner(fixture.ownerUrl, 'DELETE FROM resource_issuers WHERE tenant_id = $1', [globex.tenantId])
}, 120_000)
afterAll(() => fixture?.close())

const growing = /^(grants|subjects|clients|consents)$/
/** How many rows of what grows the statements of `run` read, the most of any. */
const readBy = (run: (db: Db) => Promise<unknown>): Promise<number> =>
  inTenant(fixture.database, acme.tenantId, async (within) => {
    const { db, statements } = explaining(within)
    await run(db)
    return Math.max(...statements.map((nodes) => rowsRead(nodes, growing)))
  })
const readAcrossBy = (run: (db: AcrossDb) => Promise<unknown>): Promise<number> =>
  acrossTenants(fixture.database, async (within) => {
    const { db, statements } = explaining(within)
    await run(db)
    return Math.max(...statements.map((nodes) => rowsRead(nodes, growing)))
  })

let turn = 0
/** Another one each time. */
async function anyOf(table: 'subjects' | 'grants', { tenantId }: ATenant): Promise<string> {
  turn += 1
  const text = `SELECT id FROM ${table} WHERE tenant_id = $1 ORDER BY id LIMIT 1 OFFSET ${turn * 50}`
  return (await asOwner<{ id: string }>(fixture.ownerUrl, text, [tenantId]))[0]?.id ?? ''
}

describe.each(['before anything is known of the tables', 'after ANALYZE'])('%s', (when) => {
  beforeAll(async () => {
    if (when === 'after ANALYZE') await asOwner(fixture.ownerUrl, 'ANALYZE')
  })

  test.each<['subject' | 'grant', 'subjects' | 'grants']>([
    ['subject', 'subjects'],
    ['grant', 'grants'],
  ])('the barrier of a %s, the marking of what it killed and what is told of it read what is its own', async (target, table) => {
    const [targetId, eventId] = [await anyOf(table, acme), randomUUID() as DeprovisioningEventId]
    const event = { tenant: acme.tenantId, eventId, source: 'admin', target, targetId, reason: 'r', now, toldAt: undefined } as const
    const read = await readBy(async (db) => {
      const { matched, epoch } = await deprovision(db, { ...event, requestId: undefined })
      expect(matched).toBe(true)
      expect(await markGrantsRevoked(db, acme.tenantId, [{ target, targetId, epoch }], now)).toBe(target === 'grant' ? 0 : 1)
    })
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThanOrEqual(ofOne)
    const told = await readAcrossBy((db) => findToldEnd(db, acme.tenantId, { id: eventId, sequence: 1, isDeactivated: false }))
    expect(told).toBeLessThanOrEqual(ofOne)
  })

  test('what follows the kill of a client that hears of no logouts reads nobody', async () => {
    const planned = { tenant: acme.tenantId, eventId: randomUUID() as DeprovisioningEventId, sequence: 1, now }
    const read = await readAcrossBy(async (db) => {
      const ended = { ...planned, target: 'client', targetId: 'agent-7', epoch: 2 } as const
      expect(await planLogoutsOfSome(db, ended, { after: undefined, limit: 500 })).toBeUndefined()
    })
    expect(read).toBeLessThanOrEqual(ofOne)
  })

  test('a resource server of which all grants have ended, and its issuer may mint for it no more, is told of nothing and read of nothing', async () => {
    const later = instant(Date.UTC(2027, 1, 1))
    const read = await readAcrossBy(async (db) => {
      expect(await lockResourcesOfIssuers(db, globex.tenantId, [globex.issuerId], later)).toEqual([])
    })
    expect(read).toBeLessThanOrEqual(ofOne)
  })

  test.each([
    ['that its issuer may mint for', () => acme, () => acme],
    ['that its issuer may not mint for any more, though grants live', () => globex, () => globex],
    ['of which another tenant has all the grants', () => acme, () => globex],
  ])('a resource server %s is found without reading grants', async (_, whose, of) => {
    const [tenant, { resourceId }] = [whose(), of()]
    const told: string[] = []
    const read = await readAcrossBy(async (db) => {
      const resources = await lockResourcesOfIssuers(db, tenant.tenantId, [tenant.issuerId], now)
      const named = await lockResources(db, tenant.tenantId, { these: [], named: [acme.resource, globex.resource], now })
      expect(named.map(({ id }) => id)).toEqual(resources.map(({ id }) => id))
      told.push(...resources.map(({ id }) => id))
    })
    expect(told.includes(resourceId)).toBe(tenant === of())
    expect(read).toBeLessThanOrEqual(ofOne)
  })
})

// Of a table of which nothing is known all is sorted; one of this size is known within a minute.
test.each(['client', 'connection'] as const)(
  'each page of what follows the kill of a %s reads no more than a page, also where nothing is left to mark',
  async (target) => {
    const targetId = target === 'client' ? 'agent-8' : acme.connectionId
    const limit = 100
    // All of it is over, as it is where everything is marked already.
    const at = instant(Date.UTC(2028, 0, 1))
    const pages = await readBy(async (db) => {
      const kill = { target, targetId, epoch: 2 }
      let last: string | undefined
      for (let page = 0; page < 3; page += 1)
        last = (await markPage(db, acme.tenantId, kill, { at, after: last, limit, waits: false })).last
    })
    expect(pages).toBeLessThanOrEqual(2 * limit + ofOne)
  },
)

test('what was exchanged is looked up in the page that was killed, and not compared with each of it', async () => {
  const [limit, exchanged] = [100, 1000]
  // Of the grants of another client, from what nobody kills.
  await asOwner(
    fixture.ownerUrl,
    `UPDATE grants SET ancestors = ARRAY[gen_random_uuid()], ancestor_epochs = '{1}'
      WHERE id IN (SELECT id FROM grants WHERE tenant_id = $1 AND client_id <> 'agent-8' ORDER BY id LIMIT ${exchanged})`,
    [acme.tenantId],
  )
  const kill = { target: 'client', targetId: 'agent-8', epoch: 2 } as const
  const nodes = await inTenant(fixture.database, acme.tenantId, async (within) => {
    const { db, statements } = explaining(within)
    await markPage(db, acme.tenantId, kill, { at: now, after: undefined, limit, waits: false })
    return statements.flat()
  })
  expect(rowsRead(nodes, growing)).toBeGreaterThan(exchanged)
  expect(nodes.filter(({ Filter }) => String(Filter).includes('&&'))).toEqual([])
  const ofPage = nodes.filter((node) => node['CTE Name'] === 'page')
  expect(ofPage.length).toBeGreaterThan(0)
  const rows = ofPage.reduce((sum, node) => sum + Number(node['Actual Rows']) * Number(node['Actual Loops']), 0)
  expect(rows).toBeLessThanOrEqual(10 * limit)
})

test('whoever opens a grant waits for no sweep', async () => {
  const [opened] = await acrossTenants(fixture.database, async (db) => {
    await lockResourcesOfIssuers(db, acme.tenantId, [acme.issuerId], now)
    // As the foreign key of a grant locks its resource.
    return asOwner(fixture.ownerUrl, 'SELECT id FROM resources WHERE id = $1 FOR KEY SHARE NOWAIT', [acme.resourceId])
  })
  expect(opened).toEqual({ id: acme.resourceId })
})

// Grants of machines, and of exchanges, live for minutes and are kept for weeks.
test.each<[string, (db: Db) => Promise<number>]>([
  [
    'a resource is withdrawn from an issuer',
    (db) => {
      const { tenantId: resourceTenantId, resourceId, issuerId } = globex
      return endGrantsOfMinter(db, globex.tenantId, { resourceTenantId, resourceId, issuerId, now, requestId: 'r' })
    },
  ],
  [
    'a permission to exchange is withdrawn',
    (db) => {
      const lost = [
        { client: 'agent-9', from: 'https://mcp.example', to: 'https://mcp.example', at: 'tenant' } as unknown as ExchangePermission,
      ]
      return endExchangedGrants(db, globex.tenantId, { lost, now, requestId: 'r' })
    },
  ],
])('where %s, what ended long ago is not read', async (_, end) => {
  const sql = (text: string) => asOwner(fixture.ownerUrl, text, [globex.tenantId])
  const numbered = 'SELECT id, row_number() OVER (ORDER BY id) AS n FROM grants WHERE tenant_id = $1'
  await sql(`UPDATE grants g SET revoked_at = NULL, client_id = 'agent-9', ancestors = ARRAY[g.id], ancestor_epochs = '{1}',
      expires_at = CASE WHEN n <= 20 THEN timestamptz '2027-01-01' ELSE '2026-02-01' END
    FROM (${numbered}) numbered WHERE g.tenant_id = $1 AND g.id = numbered.id`)
  await asOwner(fixture.ownerUrl, 'VACUUM ANALYZE grants')
  const read = await inTenant(fixture.database, globex.tenantId, async (within) => {
    const { db, statements } = explaining(within)
    expect(await end(db)).toBe(20)
    return Math.max(...statements.map((nodes) => rowsRead(nodes, growing)))
  })
  expect(read).toBeLessThanOrEqual(400)
})
