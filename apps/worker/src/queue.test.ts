/**
 * What the outbox hands over comes to its end on either engine: the same tests with the queue on PostgreSQL and on a real Redis. How failing and
 * many entries are carried is `rounds.test.ts`, on both too.
 */
import { addSeconds, instant } from '@drawbridge/core/instant'
import { verifyJwt } from '@drawbridge/crypto/jwt'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import type { Queue } from 'bullmq'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aCompany, countOf, eventually, installationId, jobDeps, sealer } from '../test/a-company.js'
import { bothQueues, type TestQueue } from '../test/both-queues.js'
import type { WorkerDeps } from './deps.js'
import { askAgainSeconds, relayOnce } from './relay-outbox.js'
import { schedule } from './schedule.js'
import { createWorker, type RunningWorker } from './worker.js'

describe.each(bothQueues())('with the queue on $engine', ({ open, engine }) => {
  let fixture: TestDatabase
  let engineOf: TestQueue
  let queue: Queue
  const running: RunningWorker[] = []
  beforeAll(async () => {
    fixture = await testDatabase()
    engineOf = await open(fixture)
    queue = engineOf.queue('drawbridge')
  })
  afterAll(async () => {
    await queue?.close()
    engineOf?.stop()
    await fixture?.close()
  })
  /** Each test has the queue for itself: what an earlier one left in it is gone, and so is what it was told. */
  beforeEach(async () => {
    await engineOf.forgetEverything()
    return () => Promise.all(running.splice(0).map((worker) => worker.close()))
  })

  async function start(over: Partial<WorkerDeps> = {}): Promise<RunningWorker> {
    const worker = await createWorker({
      ...{ ...jobDeps(fixture), sealer, installationId, queue: engineOf.settings, host: '127.0.0.1', port: 0 },
      metricsAccess: { metricsToken: undefined, trustedProxyHops: 0 },
      ...over,
    })
    running.push(worker)
    return worker
  }
  const of = (table: string, { tenant }: { readonly tenant: string }) => countOf(fixture, `${table} WHERE tenant_id = $1`, [tenant])
  const isAllDone = async () => (await countOf(fixture, 'outbox WHERE done_at IS NULL')) === 0
  const done = (metrics: ReturnType<typeof createMetrics>, job: string, outcome = 'done') =>
    metrics.print().then((text) => Number(text.match(`drawbridge_jobs_total\\{job="${job}",outcome="${outcome}"\\} (\\d+)`)?.[1] ?? 0))

  it('a deprovisioning becomes one signed notice per resource, in a swept event', async () => {
    const company = await aCompany(fixture, 'acme')
    const worker = await start()
    const { epoch } = await company.kill()
    await eventually(isAllDone)
    const rows = await asOwner<{ token: string; identifier: string }>(
      fixture.ownerUrl,
      'SELECT n.token, r.identifier FROM notices n JOIN resources r ON r.id = n.resource_id WHERE n.tenant_id = $1',
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
  })

  it('a relay that dies between the queue and the mark loses nothing and doubles nothing', async () => {
    const company = await aCompany(fixture, 'globex')
    for (let kills = 0; kills < 5; kills++) await company.kill()
    const dying = {
      getJobState: (id: string) => queue.getJobState(id),
      addBulk: async (...added: Parameters<typeof queue.addBulk>) => {
        await queue.addBulk(...added)
        throw new Error('the process died here')
      },
    }
    await expect(relayOnce({ ...jobDeps(fixture), queue: dying })).rejects.toThrow('the process died here')
    expect(await countOf(fixture, 'outbox WHERE relayed_at IS NULL AND tenant_id = $1', [company.tenant])).toBe(5)
    expect(await queue.getJobCountByTypes('waiting')).toBe(5)
    // Carried again, and the queue knows each by its id.
    expect(await relayOnce({ ...jobDeps(fixture), queue })).toMatchObject({ carried: 5 })
    expect(await queue.getJobCountByTypes('waiting')).toBe(5)

    await start()
    await eventually(isAllDone)
    expect([await of('notices', company), await of('revocations', company)]).toEqual([10, 5])
  })

  it('two workers share the work, and positions stay gapless', async () => {
    const company = await aCompany(fixture, 'initech')
    await Promise.all([start(), start()])
    await Promise.all(Array.from({ length: 20 }, () => company.kill()))
    await eventually(isAllDone, 20_000)
    const rows = await asOwner<{ position: string }>(
      fixture.ownerUrl,
      'SELECT position FROM notices WHERE tenant_id = $1 AND resource_id = $2 ORDER BY position',
      [company.tenant, company.resources[0]?.id],
    )
    expect(rows.map((row) => Number(row.position))).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(await of('revocations', company)).toBe(20)
    // Nobody has any of it twice, nor later: what is left is the next turn of what recurs.
    const left = ['waiting', 'prioritized', 'active', 'delayed', 'failed'] as const
    await eventually(async () => (await queue.getJobCountByTypes(...left)) === schedule.length)
  })

  it('what cannot be done for a moment is tried again, in the same round', async () => {
    const company = await aCompany(fixture, 'momentary')
    const metrics = createMetrics({ withProcess: false })
    await start({ metrics })
    await asOwner(fixture.ownerUrl, 'ALTER TABLE notices ADD CONSTRAINT nobody_may CHECK (false) NOT VALID')
    try {
      await company.kill()
      await eventually(async () => (await done(metrics, 'revoke', 'failed')) > 0)
    } finally {
      await asOwner(fixture.ownerUrl, 'ALTER TABLE notices DROP CONSTRAINT nobody_may')
    }
    await eventually(isAllDone)
    const rounds = await asOwner(fixture.ownerUrl, 'SELECT attempts, dead_at FROM outbox WHERE tenant_id = $1', [company.tenant])
    expect({ rounds, notices: await of('notices', company) }).toEqual({ rounds: [{ attempts: 1, dead_at: null }], notices: 2 })
  })

  it('what it still has is left to it, and what it has forgotten is relayed again after the named time, and done once', async () => {
    const company = await aCompany(fixture, 'hooli')
    for (let kills = 0; kills < 3; kills++) await company.kill()
    const at = Date.now()
    const relayAfter = async (seconds: number) =>
      (await relayOnce({ ...jobDeps(fixture), queue, clock: { now: () => instant(at + seconds * 1000) } })).carried
    expect(await relayAfter(0)).toBe(3)
    expect(await relayAfter(askAgainSeconds + 1)).toBe(0)
    expect(await queue.getJobCountByTypes('waiting')).toBe(3)
    await engineOf.forgetEverything()
    expect(await relayAfter(askAgainSeconds + 2)).toBe(0)
    expect(await queue.getJobCountByTypes('waiting')).toBe(0)
    expect(await relayAfter(2 * askAgainSeconds + 2)).toBe(3)
    const waiting = (await queue.getJobs(['waiting'])).map((job) => String(job.id))
    expect(waiting.map((id) => id.replace(/-\d+-2$/, ''))).toEqual(waiting.map(() => `ob-${company.tenant}`))
    expect(waiting.some((id) => id.includes(':'))).toBe(false)
    await start()
    await eventually(isAllDone)
    expect([await of('notices', company), await of('revocations', company)]).toEqual([6, 3])
  })

  it.each([
    { forgotten: 'everything', forget: () => engineOf.forgetEverything() },
    { forgotten: 'its next turns', forget: () => engineOf.forgetTurns() },
  ])('what recurs has a turn again when it has forgotten $forgotten', async ({ forget }) => {
    const metrics = createMetrics({ withProcess: false })
    await start({ metrics, queue: { ...engineOf.settings, scheduleCheckMs: 50 } })
    await eventually(async () => (await Promise.all(schedule.map(({ job }) => done(metrics, job)))).every((times) => times > 0))
    const planned = async () => (await queue.getJobs(['delayed'])).map(({ name }) => name).sort()
    const all = schedule.map(({ job }) => job).sort()
    expect(await planned()).toEqual(all)
    await forget()
    await eventually(async () => JSON.stringify(await planned()) === JSON.stringify(all))
    expect((await queue.getJobSchedulers()).map(({ name }) => name).sort()).toEqual(all)
  })

  it('of what waits in it, what yields comes last, however early it was relayed', async () => {
    const company = await aCompany(fixture, 'many-pieces')
    const entry = `INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'settle-grants', '{"version": 1}', $2)`
    for (let pieces = 0; pieces < 3; pieces += 1) await asOwner(fixture.ownerUrl, entry, [company.tenant, new Date()])
    await company.kill()
    await company.kill()
    expect(await relayOnce({ ...jobDeps(fixture), queue })).toMatchObject({ carried: 5 })
    const order: string[] = []
    const worker = engineOf.worker('drawbridge', async (job) => void order.push(job.name))
    try {
      await eventually(async () => order.length === 5)
    } finally {
      await worker.close()
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
    await start({ clock, metrics })
    // The schedule's first turn is over, and its next is a minute away.
    await eventually(async () => (await done(metrics, 'end-subjects')) > 0)
    isTonight = true
    await eventually(async () => (await of('notices', company)) === company.resources.length)
  })

  it(`nothing of it rests in PostgreSQL but where it belongs there (${engine})`, async () => {
    const [there] = await asOwner<{ schema: string | null }>(fixture.ownerUrl, "SELECT to_regnamespace('bullmq')::text AS schema")
    expect(there?.schema).toBe(engine === 'PostgreSQL' ? 'bullmq' : null)
  })
})
