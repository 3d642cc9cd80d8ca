/** The parts of the sweep stand by themselves: one that fails keeps no other from running, and the run has failed all the same. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { briefEventKeepSeconds, mostReceiptsEnded } from '@drawbridge/store/event-retention'
import { lookedForDeathSeconds } from '@drawbridge/store/notice-receipts'
import { streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { countOf, jobDeps } from '../../test/a-company.js'
import { keepDoneSeconds, sweepExpired } from './sweep-expired.job.js'

const now = instant(1_800_000_000_000)
const later = addSeconds(now, briefEventKeepSeconds + 1)
let fixture: TestDatabase
let acme: ATenant
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
})
afterAll(() => fixture.close())
beforeEach(() => write('TRUNCATE deprovisioning_events, notices, notice_streams, outbox CASCADE'))

const write = (sql: string, ...parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
const sweepAt = (at: Instant) => sweepExpired({ ...jobDeps(fixture), clock: { now: () => at } })

/** Takes the right from the worker while it runs. */
async function without(right: string, run: () => Promise<unknown>): Promise<void> {
  await write(`REVOKE ${right} FROM drawbridge_across`)
  try {
    await run()
  } finally {
    await write(`GRANT ${right} TO drawbridge_across`)
  }
}

async function anEvent(sweptAt: Instant): Promise<string> {
  const id = randomUUID()
  await write(
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at, swept_at)
     VALUES ($1, $2, 'revocation_endpoint', 'subject', 'ada', 'x', $3, $3, $3)`,
    ...[acme.tenantId, id, new Date(sweptAt)],
  )
  return id
}

/** One of each of what the parts remove. */
async function leaveSome(): Promise<void> {
  const event = await anEvent(now)
  await write(
    `INSERT INTO outbox (tenant_id, kind, payload, created_at, done_at) VALUES ($1, 'revoke', '{}', $2, $2)`,
    acme.tenantId,
    new Date(now),
  )
  await write(
    `INSERT INTO notices (tenant_id, resource_id, position, jti, event_id, token, created_at, expires_at, issuer_tenant_id, issuer_id)
     VALUES ($1, $2, 1, gen_random_uuid(), $3, '', $4, $4, $1, $5)`,
    ...[acme.tenantId, acme.resourceId, event, new Date(now), acme.issuerId],
  )
  await write(
    'INSERT INTO user_code_guesses (tenant_id, guesser, wrong, expires_at) VALUES ($1, $2, 1, $3)',
    ...[acme.tenantId, randomUUID(), new Date(now)],
  )
}
const left = async () => {
  const counts: Record<string, number> = {}
  for (const table of ['outbox', 'notices', 'user_code_guesses', 'deprovisioning_events']) counts[table] = await countOf(fixture, table)
  return counts
}
const nothing = { outbox: 0, notices: 0, user_code_guesses: 0, deprovisioning_events: 0 }

test('what cannot be swept keeps nothing else from going, and goes when it can', async () => {
  expect(briefEventKeepSeconds).toBeGreaterThan(keepDoneSeconds)
  await leaveSome()
  await without('DELETE ON outbox, replays', () => expect(sweepAt(later)).rejects.toThrow('2 parts of the sweep failed'))
  expect(await left()).toEqual({ ...nothing, outbox: 1 })
  await sweepAt(later)
  expect(await left()).toEqual(nothing)
})

test('notices stay while the streams that would miss them cannot be told so', async () => {
  await leaveSome()
  await without('UPDATE ON event_streams', () => expect(sweepAt(later)).rejects.toThrow('1 parts of the sweep failed'))
  expect(await left()).toEqual({ ...nothing, notices: 1 })
})

test('what was swept longer ago than anybody looks is dead everywhere with the last stream that closes', async () => {
  const sweptAt = addSeconds(now, -(lookedForDeathSeconds + streamLapseSeconds + 1))
  const [event, stream] = [await anEvent(sweptAt), randomUUID()]
  const nobodyCalled = await anEvent(sweptAt)
  await write(
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, issuer_tenant_id, issuer_id) VALUES ($1, $2, $3, 'pod', $4, $5, $1, $6)`,
    ...[acme.tenantId, stream, acme.resourceId, new Date(sweptAt), new Date(addSeconds(now, -streamLapseSeconds)), acme.issuerId],
  )
  await write(
    `INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at) VALUES ($1, $2, $3, 'https://mcp.example', 'pod', $4)`,
    ...[acme.tenantId, event, stream, new Date(sweptAt)],
  )
  const dead = (id: string) => countOf(fixture, 'deprovisioning_events WHERE id = $1 AND dead_at IS NOT NULL', [id])
  await sweepAt(now)
  expect(await dead(event)).toBe(0)
  await sweepAt(addSeconds(now, 1))
  expect([await dead(event), await dead(nobodyCalled)]).toEqual([1, 0])
})

test('events with so many receipts that one statement ends few of them go in one run all the same', async () => {
  for (const seconds of [-1, -2, -3]) {
    const event = await anEvent(addSeconds(now, seconds))
    await write(
      `INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at)
       SELECT $1, $2, gen_random_uuid(), 'https://mcp.example', 'pod', $3 FROM generate_series(1, $4::int)`,
      ...[acme.tenantId, event, new Date(now), mostReceiptsEnded / 2 + 1],
    )
  }
  await sweepAt(later)
  expect([await countOf(fixture, 'deprovisioning_events'), await countOf(fixture, 'notice_receipts')]).toEqual([0, 0])
})
