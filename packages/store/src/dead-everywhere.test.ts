/** Who looks for what may be dead everywhere looks at what was swept lately, page by page; what ends a wait hands over the events that were waited for. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { explaining, rowsRead } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type LookForDeath, markEventsDead, markSweptDeadAcrossTenants, type SweptPosition } from './notice-receipts.js'
import { closeLapsedStreamsAcrossTenants } from './notice-streams.js'
import { type AcrossDb, acrossTenants } from './transaction.js'

const now = instant(Date.UTC(2026, 10, 30))
const since = addSeconds(now, -100)
let fixture: TestDatabase
let acme: ATenant
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
})
afterAll(() => fixture?.close())

const owner = <Row = { n: number }>(sql: string, ...parameters: readonly unknown[]) => asOwner<Row>(fixture.ownerUrl, sql, parameters)
beforeEach(() => owner('TRUNCATE deprovisioning_events, notice_streams CASCADE'))

const across = <T>(run: (db: AcrossDb) => Promise<T>): Promise<T> => acrossTenants(fixture.database, run)
const look = (over: Partial<LookForDeath> = {}) =>
  across((db) => markSweptDeadAcrossTenants(db, { since, before: undefined, limit: 100, ...over }))

async function anEvent(reason: string, sweptAt: Instant): Promise<string> {
  const id = randomUUID()
  await owner(
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at, swept_at)
     VALUES ($1, $2, 'scim', 'subject', 'ada', $3, $4, $4, $4)`,
    ...[acme.tenantId, id, reason, new Date(sweptAt)],
  )
  return id
}
const aReceipt = (event: string, stream: string, acknowledgedAt: Instant | null = null) =>
  owner(
    `INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at, acknowledged_at) VALUES ($1, $2, $3, 'https://mcp.example', 'pod', $4, $5)`,
    ...[acme.tenantId, event, stream, new Date(now), acknowledgedAt && new Date(acknowledgedAt)],
  )
const deadOnes = async () =>
  (await owner<{ reason: string }>('SELECT reason FROM deprovisioning_events WHERE dead_at IS NOT NULL ORDER BY reason')).map(
    ({ reason }) => reason,
  )

test('it looks through what was swept lately, the newest first, and comes to each once, also where many were swept at the same moment', async () => {
  const [last, same] = [addSeconds(now, -1), addSeconds(now, -2)]
  await anEvent('nobody had to hear', last)
  for (const n of [1, 2, 3]) await aReceipt(await anEvent(`answered ${n}`, same), randomUUID(), now)
  await aReceipt(await anEvent('not answered', same), randomUUID())
  await anEvent('swept before that', since)
  const pages: number[] = []
  let before: SweptPosition | undefined
  do {
    const { seconds, next } = await look({ before, limit: 2 })
    pages.push(seconds.length)
    before = next
  } while (before !== undefined)
  // Five are looked at, two of a page; the fifth page is short.
  expect(pages).toHaveLength(3)
  // What nobody had to hear says nothing of how fast anybody is.
  expect(pages.reduce((sum, each) => sum + each, 0)).toBe(3)
  expect(await deadOnes()).toEqual(['answered 1', 'answered 2', 'answered 3', 'nobody had to hear'])
  expect(await look({ since: addSeconds(since, -1) })).toMatchObject({ seconds: [], next: undefined })
  expect(await deadOnes()).toContain('swept before that')
})

test('a page costs what it holds, however many are never answered, of before and since', async () => {
  await owner(
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at, swept_at, dead_at)
     SELECT $1, gen_random_uuid(), 'scim', 'subject', 'ada', 'kept', at, at, at, CASE WHEN dead THEN at END
       FROM (VALUES ($2::timestamptz, true), ($2, false), ($3::timestamptz, true), ($3, false)) AS kept (at, dead), generate_series(1, 2000)`,
    ...[acme.tenantId, new Date(addSeconds(since, -1)), new Date(now)],
  )
  await owner(
    `INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at)
     SELECT tenant_id, id, gen_random_uuid(), 'https://mcp.example', 'pod', swept_at FROM deprovisioning_events WHERE dead_at IS NULL`,
  )
  for (const seconds of [-1, -2]) await aReceipt(await anEvent('answered', addSeconds(now, seconds)), randomUUID(), now)
  const first = { sweptAt: now, id: '00000000-0000-0000-0000-000000000000' }
  for (const [before, prepare] of [
    [undefined, 'SELECT 1'],
    [first, 'SELECT 1'],
    [first, 'ANALYZE'],
  ] as const) {
    await owner(prepare)
    const most = await across(async (within) => {
      const { db, statements } = explaining(within)
      await markSweptDeadAcrossTenants(db, { since, before, limit: 5 })
      return Math.max(...statements.map((nodes) => rowsRead(nodes, /^(deprovisioning_events|notice_receipts)$/)))
    })
    expect(most).toBeLessThan(60)
  }
  expect(await deadOnes()).toHaveLength(4002)
})

test('streams that stopped listening hand over what they were waited for; whatever that is, it can be dead by it', async () => {
  const streams = [randomUUID(), randomUUID(), randomUUID()]
  const [silent, other, living] = streams as [string, string, string]
  for (const stream of streams)
    await owner(
      `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, issuer_tenant_id, issuer_id) VALUES ($1, $2, $3, 'pod', $4, $4, $1, $5)`,
      ...[acme.tenantId, stream, acme.resourceId, new Date(addSeconds(now, stream === living ? 0 : -200)), acme.issuerId],
    )
  const [both, answered, waits] = [
    await anEvent('of both', addSeconds(now, -90 * 86_400)),
    await anEvent('answered', now),
    await anEvent('waits for another', now),
  ]
  for (const stream of [silent, other]) await aReceipt(both, stream)
  await aReceipt(answered, silent, now)
  for (const stream of [silent, living]) await aReceipt(waits, stream)
  const { closed, events } = await across((db) => closeLapsedStreamsAcrossTenants(db, now, addSeconds(now, -100)))
  expect(closed).toBe(2)
  const of = (id: string) => ({ tenant: acme.tenantId, id })
  expect(events).toHaveLength(2)
  expect(events).toEqual(expect.arrayContaining([of(both), of(waits)]))
  expect(await markEventsDead(fixture.database, events)).toEqual([90 * 86_400])
  expect(await deadOnes()).toEqual(['of both'])
  expect(await across((db) => closeLapsedStreamsAcrossTenants(db, now, addSeconds(now, -100)))).toEqual({ closed: 0, events: [] })
})
