/** What a job does, and the start of a worker, on a real PostgreSQL. From the outbox to signed notices on either engine: `queue.test.ts`. */
import { instant } from '@drawbridge/core/instant'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { asDatabaseOwner } from '@drawbridge/store/owner-connection'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, countOf, eventually, installationId, jobDeps, random, sealer } from '../test/a-company.js'
import type { WorkerDeps } from './deps.js'
import { revokeGrants } from './jobs/revoke-grants.job.js'
import { sweepExpired } from './jobs/sweep-expired.job.js'
import { measureOutbox } from './relay-outbox.js'
import { createWorker, migrateQueue } from './worker.js'

let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
  await migrateQueue(fixture.ownerUrl, fixture.url)
})
afterAll(() => fixture.close())

const workerDeps = (over: Partial<WorkerDeps> = {}): WorkerDeps => ({
  ...jobDeps(fixture),
  sealer,
  installationId,
  queue: { databaseUrl: fixture.url },
  metricsAccess: { metricsToken: undefined, trustedProxyHops: 0 },
  host: '127.0.0.1',
  port: 0,
  ...over,
})

it('the same job twice, even at the same time, is once', async () => {
  const company = await aCompany(fixture, 'umbrella')
  await company.kill()
  const [entry] = await asOwner<{ id: string; payload: { eventId: string; target: 'subject'; targetId: string; epoch: number } }>(
    fixture.ownerUrl,
    'SELECT id, payload FROM outbox WHERE tenant_id = $1',
    [company.tenant],
  )
  if (entry === undefined) throw new Error('there is an outbox entry')
  const job = { tenant: company.tenant, entry: Number(entry.id), ...entry.payload }
  await Promise.all([revokeGrants(jobDeps(fixture), job), revokeGrants(jobDeps(fixture), job)])
  await revokeGrants(jobDeps(fixture), job)
  expect(await countOf(fixture, 'notices WHERE tenant_id = $1', [company.tenant])).toBe(2)
  expect(await countOf(fixture, 'revocations WHERE tenant_id = $1', [company.tenant])).toBe(1)
})

it.each([
  ['scim', 'admin'],
  ['admin', 'admin'],
  ['token_theft', 'system'],
  ['logout', 'user'],
] as const)('a notice of %s names %s as the initiating entity', async (source, entity) => {
  const company = await aCompany(fixture, `told-by-${source.replace('_', '-')}`)
  await company.kill(source)
  const [entry] = await asOwner<{ id: string; payload: { eventId: string; target: 'subject'; targetId: string; epoch: number } }>(
    fixture.ownerUrl,
    'SELECT id, payload FROM outbox WHERE tenant_id = $1',
    [company.tenant],
  )
  if (entry === undefined) throw new Error('there is an outbox entry')
  // Swept an hour late: what is told is when it held, so that nothing issued after a reinstatement meanwhile looks older.
  const clock = { now: () => instant(Date.now() + 3_600_000) }
  await revokeGrants({ ...jobDeps(fixture), clock }, { tenant: company.tenant, entry: Number(entry.id), ...entry.payload })
  const [notice] = await asOwner<{ token: string }>(fixture.ownerUrl, 'SELECT token FROM notices WHERE tenant_id = $1', [company.tenant])
  const claims = JSON.parse(Buffer.from(notice?.token.split('.')[1] ?? '', 'base64url').toString())
  expect(claims.events[sessionRevoked].initiating_entity).toBe(entity)
  expect(claims.events[sessionRevoked].event_timestamp).toBeLessThanOrEqual(Math.floor(Date.now() / 1000))
})

it('the relay says how many entries wait', async () => {
  const company = await aCompany(fixture, 'closed-lately')
  const deps = jobDeps(fixture)
  const said: number[] = []
  const metrics = { ...deps.metrics, set: (name: string, value: number) => void (name === 'drawbridge_outbox_waiting' && said.push(value)) }
  const measure = () => measureOutbox({ ...deps, metrics })
  await measure()
  await company.kill()
  await company.kill()
  await measure()
  await asOwner(fixture.ownerUrl, 'UPDATE outbox SET done_at = $1 WHERE done_at IS NULL', [new Date()])
  await measure()
  expect(said).toEqual([0, 2, 0])
})

it('an instance that fell silent is given up by the sweep: its receipt says so, and the event waits for nobody else', async () => {
  const company = await aCompany(fixture, 'oscorp')
  const [documents] = company.resources
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, issuer_tenant_id, issuer_id)
     VALUES ($1, $2, $3, 'replica-1', $4, $4, $1, $5)`,
    [company.tenant, random.uuid(), documents?.id, new Date(), company.issuerId],
  )
  await company.kill()
  const [event] = await asOwner<{ id: string }>(fixture.ownerUrl, 'SELECT id FROM deprovisioning_events WHERE tenant_id = $1', [
    company.tenant,
  ])
  const [entry] = await asOwner<{ id: string }>(fixture.ownerUrl, 'SELECT id FROM outbox WHERE tenant_id = $1', [company.tenant])
  const told = { eventId: String(event?.id), target: 'subject', targetId: company.subject, epoch: 2 } as const
  await revokeGrants(jobDeps(fixture), { tenant: company.tenant, entry: Number(entry?.id), ...told })
  const silent = `notice_receipts WHERE tenant_id = $1 AND instance = 'replica-1'`
  const dead = 'deprovisioning_events WHERE tenant_id = $1 AND dead_at IS NOT NULL'
  await sweepExpired(jobDeps(fixture))
  expect([await countOf(fixture, silent, [company.tenant]), await countOf(fixture, dead, [company.tenant])]).toEqual([1, 0])
  await sweepExpired({ ...jobDeps(fixture), clock: { now: () => instant(Date.now() + (streamLapseSeconds + 1) * 1000) } })
  expect(await countOf(fixture, `${silent} AND lapsed_at IS NOT NULL AND acknowledged_at IS NULL`, [company.tenant])).toBe(1)
  expect(await countOf(fixture, dead, [company.tenant])).toBe(1)
})

it('a receipt that was written for a stream in the moment in which it closed is not waited for either', async () => {
  const company = await aCompany(fixture, 'closed-in-that-moment')
  const [closed, event, at] = [random.uuid(), random.uuid(), new Date()]
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, closed_at, issuer_tenant_id, issuer_id)
     VALUES ($1, $2, $3, 'replica-1', $4, $4, $4, $1, $5)`,
    [company.tenant, closed, company.resources[0]?.id, at, company.issuerId],
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at, swept_at)
     VALUES ($1, $2, 'admin', 'subject', $3, 'test', $4, $4, $4)`,
    [company.tenant, event, company.subject, at],
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at) VALUES ($1, $2, $3, 'documents', 'replica-1', $4)`,
    [company.tenant, event, closed, at],
  )
  await sweepExpired(jobDeps(fixture))
  expect(await countOf(fixture, 'notice_receipts WHERE event_id = $1 AND lapsed_at IS NOT NULL', [event])).toBe(1)
  expect(await countOf(fixture, 'deprovisioning_events WHERE id = $1 AND dead_at IS NOT NULL', [event])).toBe(1)
})

it('the sweep removes what has expired and only what is done', async () => {
  const company = await aCompany(fixture, 'stark')
  await company.kill()
  const later = { now: () => instant(Date.now() + 2 * 86_400_000) }
  await sweepExpired({ ...jobDeps(fixture), clock: later })
  expect(await countOf(fixture, 'notices')).toBe(0)
  expect(await countOf(fixture, 'revocations')).toBe(0)
  expect(await countOf(fixture, 'outbox')).toBe(1)
})

it('is not called ready before its start is over', async () => {
  const port = await freePort()
  const readiness = () =>
    fetch(`http://127.0.0.1:${port}/readyz`)
      .then((answer) => answer.json())
      .catch(() => undefined)
  const { starting } = await asDatabaseOwner(fixture.ownerUrl, async (session) => {
    await session.query('BEGIN; LOCK TABLE bullmq.scheduler')
    const starting = createWorker(workerDeps({ port }))
    const allButTheLast = { status: 'unready', needs: { postgresql: true, queue: true, listening: true, schedule: false } }
    await eventually(async () => JSON.stringify(await readiness()) === JSON.stringify(allButTheLast))
    return { starting }
  })
  const worker = await starting
  expect(await readiness()).toMatchObject({ status: 'ready' })
  await worker.close()
})
