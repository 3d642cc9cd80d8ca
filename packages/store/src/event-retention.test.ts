/** Evidence shrinks to counts and goes, each kind at its own time, and what is kept costs the sweep nothing. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { explaining, rowsRead } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  deleteBriefEventsAcrossTenants,
  deleteFoldedEventsAcrossTenants,
  type EndBatch,
  foldReceiptsAcrossTenants,
} from './event-retention.js'
import { listRevocationReceipts, markSweptDeadAcrossTenants } from './notice-receipts.js'
import { type AcrossDb, acrossTenants, inTenant } from './transaction.js'

const now = instant(Date.UTC(2026, 10, 30))
const before = addSeconds(now, -1)
let fixture: TestDatabase
let acme: ATenant
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
})
afterAll(() => fixture?.close())

const owner = <Row = { n: number }>(sql: string, ...parameters: readonly unknown[]) => asOwner<Row>(fixture.ownerUrl, sql, parameters)
beforeEach(() => owner('TRUNCATE deprovisioning_events CASCADE'))

const across = <T>(run: (db: AcrossDb) => Promise<T>): Promise<T> => acrossTenants(fixture.database, run)
const many = { events: 100 }
const fold = (limit: EndBatch = many) => across((db) => foldReceiptsAcrossTenants(db, now, now, limit))
const deleteBrief = (limit: EndBatch = many) => across((db) => deleteBriefEventsAcrossTenants(db, now, limit))
const deleteFolded = () => across((db) => deleteFoldedEventsAcrossTenants(db, now, many))
const list = () =>
  inTenant(fixture.database, acme.tenantId, (db) =>
    listRevocationReceipts(
      db,
      acme.tenantId,
      { since: undefined, until: undefined, matched: undefined, withReceivers: true },
      { limit: 100 },
    ),
  )
const left = async () => (await list()).map(({ reason }) => reason).toSorted()

type Shape = {
  readonly at?: Instant
  readonly source?: string
  readonly matched?: boolean
  readonly isSwept?: boolean
  readonly sweptAt?: Instant
  readonly deadAt?: Instant
}
async function anEvent(
  reason: string,
  { at = before, source = 'scim', matched = true, isSwept = matched, sweptAt = at, deadAt }: Shape = {},
): Promise<string> {
  const id = randomUUID()
  await owner(
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, received_at, barrier_at, swept_at, dead_at)
     VALUES ($1, $2, $3, 'subject', 'ada', $4, $5, $6, $6, $7, $8)`,
    ...[
      acme.tenantId,
      id,
      source,
      reason,
      matched,
      new Date(at),
      isSwept ? new Date(sweptAt) : null,
      deadAt === undefined ? null : new Date(deadAt),
    ],
  )
  return id
}

/** What became of it at one receiver: the columns that are set. */
const aReceipt = (event: string, ...happened: readonly string[]) =>
  owner(
    `INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at, ${['notified_at', ...happened].join(', ')})
     VALUES ($1, $2, gen_random_uuid(), 'https://mcp.example', 'pod', $3, ${['notified_at', ...happened].map(() => '$3').join(', ')})`,
    ...[acme.tenantId, event, new Date(before)],
  )

test('what each receiver did is folded into the counts of its event, and since when all was dead stays', async () => {
  const event = await anEvent('gone', { deadAt: before })
  await aReceipt(event, 'acknowledged_at')
  await aReceipt(event, 'lapsed_at')
  await aReceipt(event, 'refused_at', 'paused_at')
  await aReceipt(event, 'paused_at')
  const counts = { due: 4, notified: 4, acknowledged: 1, refused: 1, lapsed: 1, paused: 1, deadAt: before, secondsToDead: 0 }
  const [as] = await list()
  expect(as).toMatchObject({ ...counts, receiversFoldedAt: null, receivers: expect.objectContaining({ length: 4 }) })
  expect([await fold(), await fold()]).toEqual([1, 0])
  expect(await list()).toEqual([{ ...as, receiversFoldedAt: now, receivers: null }])
  expect(await owner('SELECT count(*)::int AS n FROM notice_receipts')).toEqual([{ n: 0 }])
})

test('an event that is younger, that was not swept, or that nobody had to hear of, is folded when it should be', async () => {
  await aReceipt(await anEvent('younger', { at: now }), 'acknowledged_at')
  await aReceipt(await anEvent('work is left', { isSwept: false }))
  await anEvent('nobody listened')
  expect(await fold()).toBe(1)
  const folded = Object.fromEntries((await list()).map(({ reason, due, receiversFoldedAt }) => [reason, [due, receiversFoldedAt]]))
  expect(folded).toEqual({ younger: [1, null], 'work is left': [1, null], 'nobody listened': [0, now] })
})

test('what was folded before it was dead everywhere is never called dead afterwards', async () => {
  await aReceipt(await anEvent('one never answered'))
  await fold()
  const look = { since: addSeconds(before, -1), before: undefined, limit: 10 }
  expect(await across((db) => markSweptDeadAcrossTenants(db, look))).toEqual({ seconds: [], next: undefined })
  expect(await list()).toMatchObject([{ due: 1, acknowledged: 0, deadAt: null }])
})

test('a worker of an earlier version, which knows nothing of folding, cannot call it dead either, and tells nobody', async () => {
  await aReceipt(await anEvent('one never answered'))
  await fold()
  await aReceipt(await anEvent('all answered'), 'acknowledged_at')
  const asBefore = `UPDATE deprovisioning_events e SET dead_at = swept_at WHERE dead_at IS NULL AND swept_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM notice_receipts r WHERE r.tenant_id = e.tenant_id AND r.event_id = e.id AND acknowledged_at IS NULL) RETURNING reason`
  expect(await owner(asBefore)).toEqual([{ reason: 'all answered' }])
  expect(Object.fromEntries((await list()).map(({ reason, deadAt }) => [reason, deadAt]))).toEqual({
    'one never answered': null,
    'all answered': before,
  })
})

test('what was swept late is kept as long after that: its receivers were told late, too', async () => {
  const late = { sweptAt: now, at: addSeconds(now, -1000 * 86_400) }
  for (const source of ['scim', 'revocation_endpoint']) await aReceipt(await anEvent(source, { ...late, source }), 'acknowledged_at')
  expect([await deleteBrief(), await fold()]).toEqual([0, 0])
  await owner('UPDATE deprovisioning_events SET receivers_folded_at = swept_at')
  expect(await deleteFolded()).toBe(0)
  await owner('UPDATE deprovisioning_events SET swept_at = $1', new Date(before))
  expect(await deleteFolded()).toBe(2)
})

test('one statement ends no more receipts than it may, the oldest first; those of one event go together, however many', async () => {
  for (const seconds of [-2, -4, -3]) {
    const shape = { at: addSeconds(now, seconds), source: 'revocation_endpoint' }
    const event = await anEvent(`${seconds}`, shape)
    for (const _receiver of [1, 2, 3]) await aReceipt(event, 'acknowledged_at')
  }
  const receiptsLeft = async () => (await owner('SELECT count(*)::int AS n FROM notice_receipts'))[0]?.n
  expect([await fold({ ...many, receipts: 4 }), await receiptsLeft()]).toEqual([2, 3])
  expect((await list()).map(({ reason, due, receivers }) => [reason, due, receivers?.length])).toEqual([
    ['-2', 3, 3],
    ['-3', 3, undefined],
    ['-4', 3, undefined],
  ])
  expect([await fold({ ...many, receipts: 1 }), await receiptsLeft()]).toEqual([1, 0])
  await owner('TRUNCATE deprovisioning_events CASCADE')
  for (const seconds of [-2, -4]) {
    const event = await anEvent(`${seconds}`, { at: addSeconds(now, seconds), source: 'revocation_endpoint' })
    for (const _receiver of [1, 2, 3]) await aReceipt(event, 'acknowledged_at')
  }
  expect([await deleteBrief({ ...many, receipts: 3 }), await left()]).toEqual([1, ['-2']])
  expect([await deleteBrief({ ...many, receipts: 3 }), await left()]).toEqual([1, []])
})

test('an alarm, and a token that was given back, goes sooner; what took something away is kept until it is folded', async () => {
  await aReceipt(await anEvent('given back', { source: 'revocation_endpoint' }), 'acknowledged_at')
  await anEvent('given back, work is left', { source: 'revocation_endpoint', isSwept: false })
  await anEvent('named nobody', { matched: false })
  await anEvent('named nobody just now', { matched: false, at: now })
  await anEvent('dismissed')
  expect(await deleteBrief()).toBe(2)
  expect(await left()).toEqual(['dismissed', 'given back, work is left', 'named nobody just now'])
  expect(await deleteFolded()).toBe(0)
  await fold()
  expect(await deleteFolded()).toBe(1)
  expect(await left()).toEqual(['given back, work is left', 'named nobody just now'])
})

test('a revocation that still refers to it holds neither the event nor the sweep up', async () => {
  const event = await anEvent('referred to', { source: 'revocation_endpoint' })
  await anEvent('next', { source: 'revocation_endpoint' })
  await owner(
    `INSERT INTO revocations (tenant_id, event_id, issuer_id, target, target_id, epoch, at, expires_at) VALUES ($1, $2, $3, 'subject', 'ada', 2, $4, $4)`,
    ...[acme.tenantId, event, acme.issuerId, new Date(now)],
  )
  expect(await deleteBrief()).toBe(1)
  expect(await left()).toEqual(['referred to'])
})

test('a batch is the oldest, and of what is kept nothing is read', async () => {
  await owner(
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, received_at, barrier_at, swept_at, dead_at, receivers_folded_at)
     SELECT $1, gen_random_uuid(), source, 'subject', 'ada', 'kept', matched, $2, $2, $2, $2, folded_at FROM generate_series(1, 3000),
       (VALUES ('scim', true, $2::timestamptz), ('scim', true, NULL), ('scim', false, NULL), ('revocation_endpoint', true, NULL)) AS kept (source, matched, folded_at)`,
    ...[acme.tenantId, new Date(addSeconds(now, 60))],
  )
  for (const seconds of [-3, -1, -2]) {
    await aReceipt(await anEvent(`old ${seconds}`, { at: addSeconds(now, seconds) }), 'acknowledged_at')
    await anEvent(`named nobody ${seconds}`, { at: addSeconds(now, seconds), matched: false })
  }
  const readBy = (run: (db: AcrossDb) => Promise<number>) =>
    across(async (within) => {
      const { db, statements } = explaining(within)
      const count = await run(db)
      const most = Math.max(...statements.map((nodes) => rowsRead(nodes, /^(deprovisioning_events|notice_receipts|revocations)$/)))
      return { count, isFew: most < 40 }
    })
  const few = { count: 2, isFew: true }
  expect(await readBy((db) => deleteBriefEventsAcrossTenants(db, now, { events: 2 }))).toEqual(few)
  expect(await readBy((db) => foldReceiptsAcrossTenants(db, now, now, { events: 2 }))).toEqual(few)
  expect(await readBy((db) => deleteFoldedEventsAcrossTenants(db, now, { events: 2 }))).toEqual(few)
  const old = await owner<{ reason: string }>("SELECT reason FROM deprovisioning_events WHERE reason <> 'kept' ORDER BY reason")
  expect(old.map(({ reason }) => reason)).toEqual(['named nobody -1', 'old -1'])
})
