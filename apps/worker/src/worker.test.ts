/** From the outbox to signed notices, on a real PostgreSQL and a real queue: nothing is lost, and twice is once. */
import { addSeconds, instant } from '@drawbridge/core/instant'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { verifyJwt } from '@drawbridge/crypto/jwt'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { asDatabaseOwner } from '@drawbridge/store/owner-connection'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { createPostgresBackend, Queue, Worker } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, countOf, eventually, installationId, jobDeps, random, sealer } from '../test/a-company.js'
import type { WorkerDeps } from './deps.js'
import { revokeGrants } from './jobs/revoke-grants.job.js'
import { sweepExpired } from './jobs/sweep-expired.job.js'
import { measureOutbox, relayOnce } from './relay-outbox.js'
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
const undone = () => countOf(fixture, 'outbox WHERE done_at IS NULL')

it('a deprovisioning becomes one signed notice per resource, in a swept event', async () => {
  const company = await aCompany(fixture, 'acme')
  const worker = await createWorker(workerDeps())
  try {
    const { epoch } = await company.kill()
    await eventually(async () => (await undone()) === 0)
    const rows = await asOwner<{ token: string; position: string; identifier: string }>(
      fixture.ownerUrl,
      'SELECT n.token, n.position, r.identifier FROM notices n JOIN resources r ON r.id = n.resource_id WHERE n.tenant_id = $1',
      [company.tenant],
    )
    expect(rows.map((row) => row.identifier).sort()).toEqual(company.resources.map((resource) => resource.identifier).sort())
    for (const row of rows) {
      const expected = { typ: 'secevent+jwt', issuer: company.issuer, audience: row.identifier, now: instant(Date.now()), skewSeconds: 0 }
      expect(verifyJwt(row.token, [company.noticeKey], expected)).toMatchObject({
        ok: true,
        value: {
          sub_id: { format: 'iss_sub', iss: company.issuer, sub: company.subject },
          drawbridge: { target: 'subject', targetId: company.subject, epoch, tenant: 'acme' },
        },
      })
    }
    expect(await countOf(fixture, 'deprovisioning_events WHERE swept_at IS NULL')).toBe(0)
    const ready = await fetch(`http://127.0.0.1:${worker.port}/readyz`)
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', needs: { postgresql: true, queue: true, listening: true, schedule: true } },
    ])
    expect(await (await fetch(`http://127.0.0.1:${worker.port}/metrics`)).text()).toContain(
      'drawbridge_jobs_total{job="revoke",outcome="done"} 1',
    )
  } finally {
    await worker.close()
  }
})

it('a relay that dies between the queue and the mark loses nothing and doubles nothing', async () => {
  const company = await aCompany(fixture, 'globex')
  for (let kills = 0; kills < 5; kills++) await company.kill()
  const queue = new Queue('drawbridge', { connection: { connectionString: fixture.url, max: 1 } }, createPostgresBackend)
  const dying = {
    getJobState: (id: string) => queue.getJobState(id),
    addBulk: async (...added: Parameters<typeof queue.addBulk>) => {
      await queue.addBulk(...added)
      throw new Error('the process died here')
    },
  }
  await expect(relayOnce({ ...jobDeps(fixture), queue: dying as never })).rejects.toThrow('the process died here')
  expect(await countOf(fixture, 'outbox WHERE relayed_at IS NULL AND tenant_id = $1', [company.tenant])).toBe(5)
  expect(await queue.getJobCountByTypes('waiting')).toBe(5)
  await queue.close()

  const worker = await createWorker(workerDeps())
  try {
    await eventually(async () => (await undone()) === 0)
  } finally {
    await worker.close()
  }
  expect(await countOf(fixture, 'notices WHERE tenant_id = $1', [company.tenant])).toBe(10)
  expect(await countOf(fixture, 'revocations WHERE tenant_id = $1', [company.tenant])).toBe(5)
})

it('two workers share the work, and positions stay gapless', async () => {
  const company = await aCompany(fixture, 'initech')
  const workers = await Promise.all([createWorker(workerDeps()), createWorker(workerDeps())])
  try {
    await Promise.all(Array.from({ length: 20 }, () => company.kill()))
    await eventually(async () => (await undone()) === 0, 20_000)
  } finally {
    await Promise.all(workers.map((worker) => worker.close()))
  }
  const rows = await asOwner<{ position: string }>(
    fixture.ownerUrl,
    'SELECT position FROM notices WHERE tenant_id = $1 AND resource_id = $2 ORDER BY position',
    [company.tenant, company.resources[0]?.id],
  )
  expect(rows.map((row) => Number(row.position))).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
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

it('what the queue has lost is relayed again after the named time, and only then; what it still has is left to it', async () => {
  const company = await aCompany(fixture, 'hooli')
  await company.kill()
  const ids: string[] = []
  let state = 'waiting'
  const losing = {
    addBulk: async (bulk: { opts: { jobId: string } }[]) => void ids.push(...bulk.map((job) => job.opts.jobId)),
    getJobState: async () => state,
  }
  const at = Date.now()
  const relayAt = async (ms: number) =>
    (await relayOnce({ ...jobDeps(fixture), queue: losing as never, clock: { now: () => instant(at + ms) } })).carried
  expect(await relayAt(0)).toBe(1)
  expect(await relayAt(9_000)).toBe(0)
  expect(await relayAt(11_000)).toBe(0)
  state = 'unknown'
  expect(await relayAt(20_000)).toBe(0)
  expect(await relayAt(22_000)).toBe(1)
  expect(new Set(ids).size).toBe(2)
  expect(ids.every((id) => id.startsWith(`ob-${company.tenant}-`) && !id.includes(':'))).toBe(true)
  await asOwner(fixture.ownerUrl, 'UPDATE outbox SET done_at = $1 WHERE done_at IS NULL', [new Date()])
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

it('of what waits in the queue, what yields comes last, however early it was relayed', async () => {
  await asOwner(fixture.ownerUrl, 'UPDATE outbox SET done_at = $1 WHERE done_at IS NULL', [new Date()])
  const company = await aCompany(fixture, 'many-pieces')
  const entry = `INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'settle-grants', '{"version": 1}', $2)`
  for (let pieces = 0; pieces < 3; pieces += 1) await asOwner(fixture.ownerUrl, entry, [company.tenant, new Date()])
  await company.kill()
  await company.kill()
  const queue = new Queue('yielding', { connection: { connectionString: fixture.url, max: 1 } }, createPostgresBackend)
  expect(await relayOnce({ ...jobDeps(fixture), queue })).toMatchObject({ carried: 5 })
  const order: string[] = []
  const options = { connection: { connectionString: fixture.url, max: 2 }, concurrency: 1 }
  const worker = new Worker('yielding', async (job) => void order.push(job.name), options, createPostgresBackend)
  try {
    await eventually(async () => order.length === 5)
  } finally {
    await worker.close()
    await queue.close()
  }
  expect(order).toEqual(['revoke', 'revoke', 'settle-grants', 'settle-grants', 'settle-grants'])
  await asOwner(fixture.ownerUrl, 'UPDATE outbox SET done_at = $1 WHERE done_at IS NULL', [new Date()])
})

it('an end that a directory named is told when it comes, and not when the schedule has its turn', async () => {
  const company = await aCompany(fixture, 'ends-tonight')
  const [endsAt, metrics] = [addSeconds(instant(Date.now()), 3600), createMetrics({ withProcess: false })]
  await asOwner(fixture.ownerUrl, 'UPDATE subjects SET deactivates_at = $2 WHERE id = $1', [company.subject, new Date(endsAt)])
  let isTonight = false
  const clock = { now: () => (isTonight ? addSeconds(endsAt, 1) : instant(Date.now())) }
  const worker = await createWorker(workerDeps({ clock, metrics, queue: { databaseUrl: fixture.url, name: 'tonight' } }))
  try {
    // The schedule's first turn is over, and its next is a minute away.
    await eventually(async () => (await metrics.print()).includes('drawbridge_jobs_total{job="end-subjects",outcome="done"}'))
    isTonight = true
    await eventually(() =>
      countOf(fixture, 'notices WHERE tenant_id = $1', [company.tenant]).then((told) => told === company.resources.length),
    )
  } finally {
    await worker.close()
  }
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
