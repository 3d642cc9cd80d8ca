/** What a guard is told when it opens its stream: every living barrier, once, whatever is in it; and what it costs when a whole fleet opens at once. */
import { instant } from '@drawbridge/core/instant'
import type { IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { type Barrier, createBarriers } from '@drawbridge/guard/barriers'
import { readSnapshot } from '@drawbridge/guard/snapshot'
import { trustIssuer } from '@drawbridge/guard/trusted-issuer'
import { floorMarginSeconds, listBarriers, mostGuardStreams } from '@drawbridge/store/notice-streams'
import { acrossTenants } from '@drawbridge/store/transaction'
import { asOwner } from '@drawbridge/testkit/database'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { aGuardOf, aNoticingBroker, ids, idsIn, type NoticingBroker, random, secret } from '../../test/a-noticing-broker.js'

let broker: NoticingBroker
let guard: ReturnType<typeof aGuardOf>
const eventId = random.uuid()
beforeAll(async () => {
  broker = await aNoticingBroker()
  guard = aGuardOf(broker)
  await ask(
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at) VALUES ($1, $2, 'admin', 'subject', 'x', 'test', now(), now())`,
    [ids.tenant, eventId],
  )
})
afterAll(() => broker.close())
beforeEach(() => ask('DELETE FROM revocations; DELETE FROM outbox; UPDATE notice_streams SET closed_at = now() WHERE closed_at IS NULL'))

const ask = <Row>(sql: string, parameters: readonly unknown[] = []) => asOwner<Row>(broker.fixture.ownerUrl, sql, parameters)
type Told = Pick<Barrier, 'target' | 'targetId' | 'epoch'>
const insertSwept = (barriers: readonly Told[]) =>
  ask(
    `INSERT INTO revocations (tenant_id, event_id, issuer_id, target, target_id, epoch, at, expires_at)
     SELECT $1, $2, $3, b.target, b."targetId", b.epoch, now(), now() + interval '1 hour'
       FROM jsonb_to_recordset($4::jsonb) AS b (target text, "targetId" text, epoch int) ON CONFLICT DO NOTHING`,
    [ids.tenant, eventId, ids.issuer, JSON.stringify(barriers)],
  )
const insertUnswept = (barriers: readonly Told[]) =>
  ask(`INSERT INTO outbox (tenant_id, kind, payload, created_at) SELECT $1, 'revoke', b, now() FROM jsonb_array_elements($2::jsonb) AS b`, [
    ids.tenant,
    JSON.stringify(barriers),
  ])
const trusted = () => trustIssuer({ issuer: broker.issuer, credential: { id: ids.credential, secret } }, fetch)

/** What must be told of a list in which each target may stand often: the highest of each. */
function highest(barriers: readonly Told[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const { target, targetId, epoch } of barriers) {
    const key = JSON.stringify([target, target === 'tenant' ? 'acme' : targetId])
    found.set(key, Math.max(epoch, found.get(key) ?? 0))
  }
  return found
}

const anId = fc.oneof(
  fc.uuid(),
  fc.constantFrom('__proto__', 'constructor', '7', '"', '\\', 'https://agent.example/client', 'é', ' '),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !text.includes('\u0000') && !/\p{Cs}/u.test(text)),
)
const aBarrier = fc.record({
  target: fc.constantFrom('tenant', 'client', 'connection', 'subject', 'grant'),
  targetId: anId,
  epoch: fc.integer({ min: 1, max: 2_147_483_647 }),
}) as fc.Arbitrary<Told>

it('whatever was revoked, swept or not, a guard reads each target once and with its highest epoch', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aBarrier, { maxLength: 30 }), fc.array(aBarrier, { maxLength: 30 }), async (swept, unswept) => {
      await ask('DELETE FROM revocations; DELETE FROM outbox; UPDATE notice_streams SET closed_at = now() WHERE closed_at IS NULL')
      const kept = [...new Map(swept.map((one) => [JSON.stringify([one.target, one.targetId]), one])).values()]
      await insertSwept(kept)
      await insertUnswept(unswept)
      const { snapshot, condemnedKeys } = await guard.open()
      const read = readSnapshot(trusted(), snapshot, condemnedKeys)
      const barriers = (read ?? []).flatMap((told) => ('barrier' in told ? [told.barrier] : []))
      expect(read).toBeDefined()
      expect(highest(barriers)).toEqual(highest([...kept, ...unswept]))
      expect(new Set(barriers.map(({ issuer, tenant }) => `${issuer} ${tenant}`)).size).toBeLessThanOrEqual(1)
      expect(barriers.filter(({ target }) => target !== 'tenant')).toHaveLength(
        [...highest([...kept, ...unswept]).keys()].filter((key) => !key.startsWith('["tenant"')).length,
      )
    }),
    { numRuns: 60 },
  )
}, 60_000)

it('a fleet that opens at once reads the snapshot once for many, each has all of it, and it is a third of what it was', async () => {
  const [fleet, people] = [200, 20_000]
  const subjects = Array.from({ length: people }, () => random.uuid())
  await insertSwept(subjects.map((targetId) => ({ target: 'subject' as const, targetId, epoch: 2 })))
  const streams = await Promise.all(Array.from({ length: fleet }, () => guard.open()))
  // Whoever comes while one is read is in the next.
  const [{ transactions } = { transactions: fleet }] = await ask<{ transactions: number }>(
    'SELECT count(DISTINCT xmin::text)::int AS transactions FROM notice_streams WHERE closed_at IS NULL',
  )
  expect(transactions).toBeLessThanOrEqual(fleet / 4)
  expect(new Set(streams.map(({ streamId }) => streamId)).size).toBe(fleet)
  const expected = [...subjects].sort()
  for (const { snapshot } of streams) expect(idsIn(snapshot)).toEqual(expected)
  const perEntry = Buffer.byteLength(JSON.stringify(streams[0]?.snapshot)) / people
  expect(perEntry).toBeLessThan(45)
  const jti = await broker.revoke('after all', 2)
  const heard = await Promise.all(streams.map(({ streamId }) => guard.poll(streamId)))
  expect(new Set(heard.map(({ body }) => JSON.stringify(Object.keys(body.sets))))).toEqual(new Set([JSON.stringify([jti])]))
}, 60_000)

it('of more barriers than are told the newest are, and the oldest are a time until which everything is refused: what is dead is never believed', async () => {
  const most = 3
  const at = Math.floor(Date.now() / 1000)
  const told = ['first', 'second', 'third', 'fourth', 'fifth']
  for (const [age, targetId] of told.entries()) {
    await insertSwept([{ target: 'subject', targetId, epoch: 2 }])
    await ask('UPDATE revocations SET at = to_timestamp($2) WHERE target_id = $1', [targetId, at - 1000 + age * 100])
  }
  await insertUnswept([{ target: 'grant', targetId: 'newest', epoch: 5 }])
  const of = { tenantId: ids.tenant as TenantId, id: ids.issuer as IssuerId }
  const now = instant(Date.now())
  const listed = JSON.parse(await acrossTenants(broker.fixture.database, (db) => listBarriers(db, of, now, most)))
  const floorSeconds = at - 1000 + 200 + floorMarginSeconds
  expect(listed).toEqual({ acme: { grant: { 5: ['newest'] }, subject: { 2: ['fifth', 'fourth'] }, floor: { [floorSeconds]: ['*'] } } })
  const barriers = createBarriers({ maxEntries: 10, keepSeconds: 3600 })
  for (const each of readSnapshot(trusted(), listed, []) ?? []) {
    if ('floor' in each) barriers.raiseFloor(each.floor)
    else if ('barrier' in each) barriers.raise(each.barrier, at)
  }
  const isDead = (subject: string, issuedAtSeconds: number) =>
    barriers.isBelow(
      {
        ...{ issuer: broker.issuer, tenant: 'acme', issuedAtSeconds, ids: { tenant: 'acme', client: 'agent', subject } },
        epochs: { tenant: 1, client: 1, connection: 1, subject: 1, grant: 1 },
      },
      at,
    )
  for (const [age, subject] of told.entries()) expect([subject, isDead(subject, at - 1000 + age * 100)]).toEqual([subject, true])
  // Whoever was told by name is dead by it at any time; of others what is older goes, too, and what is newer lives.
  expect([isDead('fifth', at), isDead('nobody', floorSeconds), isDead('nobody', floorSeconds + 1)]).toEqual([true, true, false])
  const all = JSON.parse(await acrossTenants(broker.fixture.database, (db) => listBarriers(db, of, now, told.length + 1)))
  expect([...idsIn(all)].toSorted()).toEqual(['newest', ...told].toSorted())
  expect(Object.keys(all.acme)).not.toContain('floor')
})

it('of those that open together as many are opened as there may be', async () => {
  await ask(
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, issuer_tenant_id, issuer_id)
     SELECT $1, gen_random_uuid(), $2, 'pod-' || n, now(), now(), $1, $3 FROM generate_series(1, $4::int) AS n`,
    [ids.tenant, ids.resource, ids.issuer, mostGuardStreams - 3],
  )
  const answers = await Promise.all(Array.from({ length: 8 }, () => guard.post('/ssf/streams', { instance: random.uuid() })))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 403, 403, 403, 403, 403])
})

it('where every place to read a snapshot is taken, a guard waits for one, and nothing is opened for it before', async () => {
  const { acrossPool, turns } = broker.fixture.database
  const places = Math.max(1, Math.floor((acrossPool.options.max ?? 1) / 2))
  const leave = await Promise.all(Array.from({ length: places }, () => turns.snapshots.take('others')))
  const waiting = guard.post('/ssf/streams', { instance: 'waits' })
  const opened = () => ask('SELECT 1 FROM notice_streams WHERE instance = $1', ['waits'])
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(await opened()).toEqual([])
  for (const one of leave) one()
  expect((await waiting).status).toBe(201)
  expect(await opened()).toHaveLength(1)
})
