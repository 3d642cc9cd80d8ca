import { type AuditEventKind, auditEvents } from '@drawbridge/core/audit/audit-event'
import { auditChoiceWaitsSeconds, everydayAuditKinds, keptAuditKinds } from '@drawbridge/core/audit/audit-retention'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { silentLog } from '@drawbridge/runtime/log'
import { endAuditEventsAcrossTenants, listAuditEndsAcrossTenants, markAuditRetention } from '@drawbridge/store/audit-retention'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { type Explained, nodesOf } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, beforeEach, expect, it, test } from 'vitest'
import type { JobDeps } from '../deps.js'
import { endAuditEvents } from './end-audit-events.job.js'

const day = 86_400
/** The trigger asks the clock of the database. */
const now: Instant = instant(Date.now())
const ago = (days: number): Instant => addSeconds(now, -days * day)
let fixture: TestDatabase
let acme: TenantId
let globex: TenantId
beforeAll(async () => {
  fixture = await testDatabase()
  ;[acme, globex] = [(await aTenant(fixture, { slug: 'acme' })).tenantId, (await aTenant(fixture, { slug: 'globex' })).tenantId]
})
afterAll(() => fixture?.close())
beforeEach(async () => {
  await owner('ALTER TABLE audit_events DISABLE TRIGGER append_only')
  await owner('DELETE FROM audit_events')
  await owner('ALTER TABLE audit_events ENABLE TRIGGER append_only')
  await owner('DELETE FROM audit_retention')
})

const owner = <Row>(text: string, parameters: readonly unknown[] = []) => asOwner<Row>(fixture.ownerUrl, text, parameters)
const write = (tenant: TenantId, kind: string, at: Instant, count = 1) =>
  owner(`INSERT INTO audit_events (tenant_id, at, kind, scopes, detail) SELECT $1, $2, $3, '{}', '{}' FROM generate_series(1, $4)`, [
    ...[tenant, new Date(at), kind, count],
  ])
const choose = (tenant: TenantId, everydayDays: number | null, otherDays: number | null, at = ago(30)) =>
  inTenant(fixture.database, tenant, (db) => markAuditRetention(db, tenant, { everydayDays, otherDays }, at))
const run = (clock = now) =>
  endAuditEvents({ database: fixture.database, clock: { now: () => clock }, log: silentLog() } as unknown as JobDeps)
const left = async (tenant: TenantId) =>
  (
    await owner<{ kind: string; n: number }>(
      'SELECT kind, count(*)::int AS n FROM audit_events WHERE tenant_id = $1 GROUP BY kind ORDER BY kind',
      [tenant],
    )
  ).map(({ kind, n }) => `${kind} ${n}`)

it('ends nothing where nobody chose so, however old it is', async () => {
  await write(acme, 'token_refreshed', ago(5000))
  await run()
  expect(await left(acme)).toEqual(['token_refreshed 1'])
})

it('leaves for later what is over by the worker’s clock and not yet by that of the database, and ends what is over by both', async () => {
  await write(acme, 'token_refreshed', ago(91))
  await write(acme, 'code_redeemed', addSeconds(ago(90), 60))
  await choose(acme, 90, null)
  await run(addSeconds(now, 120))
  expect(await left(acme)).toEqual(['audit_events.ended 1', 'code_redeemed 1'])
})

it('ends what everyday use wrote sooner than everything else, of that tenant alone, and says what it ended', async () => {
  for (const tenant of [acme, globex])
    for (const [kind, days] of [
      ...[
        ['token_refreshed', 100],
        ['code_redeemed', 91],
        ['token_refreshed', 89],
        ['login_completed', 399],
      ],
      ...[
        ['admin.killed', 401],
        ['client.created', 5000],
      ],
    ] as const)
      await write(tenant, kind, ago(days))
  await choose(acme, 90, 400)
  await run()
  expect(await left(acme)).toEqual(['audit_events.ended 2', 'login_completed 1', 'token_refreshed 1'])
  expect(await left(globex)).toHaveLength(5)
  const told = await owner<{ detail: Record<string, unknown> }>(
    `SELECT detail FROM audit_events WHERE kind = 'audit_events.ended' ORDER BY id`,
  )
  expect(told.map(({ detail }) => detail)).toEqual([
    {
      ...{ kept: 'everyday', days: 90, count: 2, kinds: { token_refreshed: 1, code_redeemed: 1 } },
      ...{
        from: new Date(ago(100)).toISOString(),
        to: new Date(ago(91)).toISOString(),
        firstId: expect.any(Number),
        lastId: expect.any(Number),
      },
    },
    {
      ...{ kept: 'others', days: 400, count: 2, kinds: { 'admin.killed': 1, 'client.created': 1 } },
      ...{
        from: new Date(ago(5000)).toISOString(),
        to: new Date(ago(401)).toISOString(),
        firstId: expect.any(Number),
        lastId: expect.any(Number),
      },
    },
  ])
  await run()
  expect(await left(acme)).toEqual(['audit_events.ended 2', 'login_completed 1', 'token_refreshed 1'])
})

it('ends each class for itself: what is kept for ever stays beside what is not', async () => {
  await write(acme, 'token_refreshed', ago(5000))
  await write(acme, 'admin.killed', ago(5000))
  await choose(acme, null, 400)
  await run()
  expect(await left(acme)).toEqual(['audit_events.ended 1', 'token_refreshed 1'])
  await choose(acme, 30, null)
  await write(acme, 'admin.killed', ago(5000))
  await run()
  expect(await left(acme)).toEqual(['admin.killed 1', 'audit_events.ended 2'])
})

it('waits a week after each choice', async () => {
  await write(acme, 'token_refreshed', ago(5000))
  await choose(acme, 30, 400, addSeconds(now, 60 - auditChoiceWaitsSeconds))
  await run()
  expect(await left(acme)).toEqual(['token_refreshed 1'])
  await choose(acme, 30, 400, addSeconds(now, -60 - auditChoiceWaitsSeconds))
  await run()
  expect(await left(acme)).toEqual(['audit_events.ended 1'])
})

it('ends more lines than one batch looks at, also of one moment, past those that stay', async () => {
  await write(acme, 'admin.killed', ago(200), 6000)
  await write(acme, 'token_refreshed', ago(200), 6000)
  await write(acme, 'token_refreshed', ago(100), 3)
  await choose(acme, 90, 400)
  await run()
  expect(await left(acme)).toEqual(['admin.killed 6000', expect.stringMatching(/^audit_events\.ended [23]$/)])
  const [counted] = await owner<{ n: number }>(
    `SELECT sum((detail ->> 'count')::int)::int AS n FROM audit_events WHERE kind = 'audit_events.ended'`,
  )
  expect(counted?.n).toBe(6003)
})

it('two workers at once end each line once, and count it once', async () => {
  await write(acme, 'token_refreshed', ago(200), 300)
  await choose(acme, 90, null)
  await Promise.all([run(), run(), run()])
  const [counted] = await owner<{ n: number }>(
    `SELECT sum((detail ->> 'count')::int)::int AS n FROM audit_events WHERE kind = 'audit_events.ended'`,
  )
  expect(counted?.n).toBe(300)
})

test('whoever chose anew since the list was read has nothing ended', async () => {
  await write(acme, 'token_refreshed', ago(200))
  await choose(acme, 90, null)
  const [end] = await acrossTenants(fixture.database, (db) => listAuditEndsAcrossTenants(db, now))
  await choose(acme, 300, null)
  if (end === undefined) throw new Error('nothing is to be ended')
  expect(await acrossTenants(fixture.database, (db) => endAuditEventsAcrossTenants(db, end, { now, limit: 10 }))).toEqual({
    looked: 0,
    ended: 0,
  })
})

test('nobody changes a line, or empties the trail, whatever is chosen', async () => {
  await choose(acme, 30, 400)
  await write(acme, 'token_refreshed', ago(5000))
  await expect(owner("UPDATE audit_events SET kind = 'y'")).rejects.toMatchObject({ code: '23000' })
  await expect(owner('TRUNCATE audit_events')).rejects.toMatchObject({ code: '23000' })
})

test.each(Object.keys(auditEvents) as AuditEventKind[])('%s is of the class that the database has it in', async (kind) => {
  await choose(acme, 30, 400)
  const isDeletable = async (days: number): Promise<boolean> => {
    await write(acme, kind, ago(days))
    const asked = acrossTenants(fixture.database, (db) =>
      db.query('DELETE FROM audit_events WHERE kind = $1 AND at = $2', [kind, new Date(ago(days))]),
    )
    return asked.then(
      () => true,
      () => false,
    )
  }
  const kept = (keptAuditKinds as readonly string[]).includes(kind)
  const everyday = (everydayAuditKinds as readonly string[]).includes(kind)
  expect([await isDeletable(29), await isDeletable(31), await isDeletable(399), await isDeletable(401)]).toEqual([
    false,
    everyday,
    everyday,
    !kept,
  ])
})

test('the oldest lines are found by the index of the trail, whatever is kept beside them', async () => {
  await owner('ANALYZE audit_events')
  const plan = await owner<Explained[number]>(
    `EXPLAIN (FORMAT JSON) WITH held AS MATERIALIZED (SELECT everyday_at AS at, everyday_id AS id FROM audit_retention WHERE tenant_id = '${acme}')
     SELECT e.id FROM held JOIN audit_events e ON e.tenant_id = '${acme}' AND e.at >= held.at AND (e.at, e.id) > (held.at, held.id)
      WHERE e.at < now() ORDER BY e.at, e.id LIMIT 5000`,
  )
  expect(nodesOf(plan).some((node) => node['Relation Name'] === 'audit_events' && node['Node Type'] === 'Seq Scan')).toBe(false)
})
