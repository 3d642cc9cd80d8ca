/** What fails for its own reason holds up nobody, is tried in rounds, and becomes a dead letter; one tenant's many leave room to another's one. */
import { instant } from '@drawbridge/core/instant'
import { firstPauseSeconds, mostRounds } from '@drawbridge/core/outbox/round'
import { decidingLane, followingLane, tellingLane } from '@drawbridge/core/outbox/share-out'
import { followKillEntry } from '@drawbridge/core/revocation/follow-kill'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { listDeadLettersAcrossTenants, type Replay, replayDeadLettersAcrossTenants } from '@drawbridge/store/dead-letters'
import { endRound } from '@drawbridge/store/outbox-relay'
import { acrossTenants } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aCompany, countOf, eventually, installationId, jobDeps, sealer } from '../test/a-company.js'
import { bothQueues, type TestQueue } from '../test/both-queues.js'
import { leftToOthersSeconds, measureOutbox, relayOnce, tenantsPerPass } from './relay-outbox.js'
import { createWorker, type RunningWorker } from './worker.js'

let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(() => owner('UPDATE outbox SET done_at = now() WHERE done_at IS NULL'))

const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, sql, parameters)
type Company = Awaited<ReturnType<typeof aCompany>>
const entries = (company: Company, count: number, kind = 'revoke') =>
  owner(
    `WITH events AS (
       INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
       SELECT $1, gen_random_uuid(), 'admin', 'subject', $3, 'a test', now(), now() FROM generate_series(1, $4) RETURNING id)
     INSERT INTO outbox (tenant_id, kind, payload, created_at)
     SELECT $1, $2, jsonb_build_object('eventId', id, 'target', 'subject', 'targetId', $3::text, 'epoch', 2), now() FROM events`,
    [company.tenant, kind, company.subject, count],
  )
/** Nobody will ever be able to carry it out. */
const aPoison = async (company: Company, attempts: number) =>
  Number(
    (
      await owner<{ id: string }>(
        "INSERT INTO outbox (tenant_id, kind, payload, created_at, attempts) VALUES ($1, 'tell-reinstated', '{}', now(), $2) RETURNING id",
        [company.tenant, attempts],
      )
    )[0]?.id,
  )
const anUnknown = async (company: Company, createdAt: Date) =>
  Number(
    (
      await owner<{ id: string }>(
        "INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'unheard-of', '{}', $2) RETURNING id",
        [company.tenant, createdAt],
      )
    )[0]?.id,
  )
const entry = async (id: number) =>
  (
    await owner<{ attempts: number; relayed_at: Date | null; dead_at: Date | null; dead_reason: string | null; pause: number }>(
      `SELECT attempts, relayed_at, dead_at, dead_reason, CASE WHEN dead_at IS NULL THEN extract(epoch FROM due_at - now())::float8 END AS pause FROM outbox WHERE id = $1`,
      [id],
    )
  )[0]
const replay = (which: Replay['which']) =>
  acrossTenants(fixture.database, (db) =>
    replayDeadLettersAcrossTenants(
      db,
      { which, now: instant(Date.now()) },
      {
        ...{ kind: 'dead_letters.replayed', detail: { by: 'the test' }, reason: 'repaired', requestId: undefined, address: undefined },
      },
    ),
  )
const deadLetters = () =>
  acrossTenants(fixture.database, (db) => listDeadLettersAcrossTenants(db, { kind: undefined, tenant: undefined }, { limit: 10 }))

describe.each(bothQueues())('with the queue on $engine', ({ open, engine }) => {
  let queue: TestQueue
  let worker: RunningWorker
  const slug = (name: string) => `${name}-${engine.toLowerCase()}`
  beforeAll(async () => {
    queue = await open(fixture)
    worker = await createWorker({
      ...{ ...jobDeps(fixture), sealer, installationId, host: '127.0.0.1', port: 0 },
      queue: queue.settings,
      metricsAccess: { metricsToken: undefined, trustedProxyHops: 0 },
    })
  })
  afterAll(async () => {
    await worker?.close()
    queue?.stop()
  })

  it('what fails pauses, holds up nobody of its tenant, and is dead after its last round, until it is replayed', async () => {
    const company = await aCompany(fixture, slug('poisoned'))
    const [first, last] = [await aPoison(company, 0), await aPoison(company, mostRounds - 1)]
    await company.kill()
    await eventually(async () => (await entry(last))?.dead_at !== null && (await entry(first))?.relayed_at === null)
    expect(await entry(last)).toMatchObject({ attempts: mostRounds, dead_reason: expect.stringContaining('eventId') })
    const paused = await entry(first)
    expect(paused).toMatchObject({ attempts: 1, dead_at: null })
    expect(Math.abs(Number(paused?.pause) - firstPauseSeconds)).toBeLessThan(firstPauseSeconds)
    await eventually(async () => (await countOf(fixture, 'notices WHERE tenant_id = $1', [company.tenant])) === 2)

    expect(await deadLetters()).toEqual([
      expect.objectContaining({ id: last, tenant: slug('poisoned'), kind: 'tell-reinstated', attempts: mostRounds, eventId: null }),
    ])
    expect(await replay({ id: first })).toBe(0)
    expect(await replay({ id: last })).toBe(1)
    await eventually(async () => (await entry(last))?.attempts === mostRounds + 1 && (await entry(last))?.relayed_at === null)
    expect(await entry(last)).toMatchObject({ dead_at: null, dead_reason: null })
    expect(await deadLetters()).toEqual([])
    const trail = await owner("SELECT reason, detail FROM audit_events WHERE tenant_id = $1 AND kind = 'dead_letters.replayed'", [
      company.tenant,
    ])
    expect(trail).toEqual([{ reason: 'repaired', detail: { by: 'the test', entryKind: 'tell-reinstated', count: 1, firstEntry: last } }])
  })

  it('what a later version handed over goes back until a worker of that version draws it, and spends no round', async () => {
    const company = await aCompany(fixture, slug('later'))
    const entryId = await anUnknown(company, new Date())
    const producer = queue.queue('drawbridge')
    const jobId = `ob-${company.tenant}-${entryId}-1`
    try {
      await producer.add('unheard-of', { tenant: company.tenant, entry: entryId, attempt: 1, payload: {} }, { jobId })
      await eventually(async () => ((await producer.getJob(jobId))?.attemptsStarted ?? 0) >= 3)
      expect(await entry(entryId)).toMatchObject({ dead_at: null, relayed_at: null, attempts: 0 })
      expect((await producer.getJob(jobId))?.attemptsMade).toBe(0)
    } finally {
      await producer.close()
    }
    let drawn = 0
    const later = queue.worker('drawbridge', async ({ name }) => {
      if (name === 'unheard-of') drawn += 1
    })
    try {
      await eventually(async () => drawn > 0, 30_000)
    } finally {
      await later.close()
    }
  }, 40_000)

  it('one revocation does not wait for the thousand of another tenant', async () => {
    const [large, small] = [await aCompany(fixture, slug('large')), await aCompany(fixture, slug('small'))]
    await entries(large, 1000)
    await eventually(async () => (await countOf(fixture, 'revocations WHERE tenant_id = $1', [large.tenant])) > 0)
    await small.kill()
    await eventually(async () => (await countOf(fixture, 'revocations WHERE tenant_id = $1', [small.tenant])) === 1)
    expect(await countOf(fixture, 'outbox WHERE tenant_id = $1 AND done_at IS NULL', [large.tenant])).toBeGreaterThan(40)
    await eventually(async () => (await countOf(fixture, 'outbox WHERE done_at IS NULL')) === 0, 30_000)
    expect(await countOf(fixture, 'revocations WHERE tenant_id = $1', [large.tenant])).toBe(1000)
  }, 40_000)
})

describe('before the queue', () => {
  const carried = new Map<string, number>()
  const taking = (state = 'unknown') => ({
    ...jobDeps(fixture),
    queue: {
      addBulk: async (bulk: { data: { tenant: string } }[]) => {
        for (const { data } of bulk) carried.set(data.tenant, (carried.get(data.tenant) ?? 0) + 1)
        return []
      },
      getJobState: async () => state,
    } as never,
  })
  beforeEach(() => carried.clear())

  it('nobody has more than a share in it, whoever came first', async () => {
    const [large, small] = [await aCompany(fixture, 'ten-thousand'), await aCompany(fixture, 'one')]
    await entries(large, 10_000)
    await small.kill()
    expect(await relayOnce(taking())).toMatchObject({ carried: tellingLane.share + 1, isMore: true })
    expect(carried.get(small.tenant)).toBe(1)
    expect(await relayOnce(taking())).toMatchObject({ carried: 0, isMore: true })
    await owner('UPDATE outbox SET done_at = now() WHERE tenant_id = $1 AND relayed_at IS NOT NULL', [large.tenant])
    expect(await relayOnce(taking())).toMatchObject({ carried: tellingLane.share, isMore: true })
  })

  it('what this version does not know is left to a later one, and after an hour becomes work that fails and is seen', async () => {
    const company = await aCompany(fixture, 'from-the-future')
    await anUnknown(company, new Date())
    await company.kill()
    expect(await relayOnce(taking())).toMatchObject({ carried: 1 })
    await anUnknown(company, new Date(Date.now() - leftToOthersSeconds * 1000 - 1000))
    expect(await relayOnce(taking())).toMatchObject({ carried: 1 })
  })

  it('what decides does not keep what tells out of it', async () => {
    const company = await aCompany(fixture, 'many-groups')
    await entries(company, 100, 'settle-directory')
    await company.kill()
    expect(await relayOnce(taking())).toMatchObject({ carried: decidingLane.share + 1 })
  })

  it('what follows the kill of what many tenants share keeps neither what tells nor what decides out of it, not of the same tenant either', async () => {
    const companies = []
    for (let n = 0; n < 3; n += 1) companies.push(await aCompany(fixture, `follows-${n}`))
    const [first] = companies
    if (!first) throw new Error('there is none')
    for (const company of companies) await entries(company, tellingLane.share, followKillEntry)
    expect(await relayOnce(taking())).toMatchObject({ carried: 3 * followingLane.share })
    // A revocation that was tried before stands behind what nobody has tried yet.
    await first.kill()
    await owner("UPDATE outbox SET due_at = now() - interval '1 minute', attempts = 1 WHERE tenant_id = $1 AND kind = 'revoke'", [
      first.tenant,
    ])
    await entries(first, 1, 'settle-directory')
    carried.clear()
    expect(await relayOnce(taking())).toMatchObject({ carried: 2 })
    expect(
      await countOf(fixture, 'outbox WHERE tenant_id = $1 AND kind <> $2 AND relayed_at IS NOT NULL', [first.tenant, followKillEntry]),
    ).toBe(2)
    expect([...carried.keys()]).toEqual([first.tenant])
  })

  it('the turn goes round: where there are more tenants than a pass has turns for, each has hers', async () => {
    const count = tenantsPerPass + 10
    await owner(
      `WITH made AS (INSERT INTO tenants (id, slug, name, created_at) SELECT gen_random_uuid(), 'turn-' || n, 'T', now() FROM generate_series(1, ${count}) n RETURNING id)
       INSERT INTO outbox (tenant_id, kind, payload, created_at) SELECT id, 'revoke', '{}', now() FROM made, generate_series(1, 3)`,
    )
    let from = vendorTenantId
    for (let pass = 0; pass < 4; pass += 1) {
      from = (await relayOnce(taking(), from)).next
      await owner('UPDATE outbox SET done_at = now() WHERE relayed_at IS NOT NULL AND done_at IS NULL')
      if (pass === 1) expect(carried.size).toBe(count)
    }
    expect([...carried.values()].every((times) => times === 3)).toBe(true)
  })

  it('a hand-over that hangs is let go', async () => {
    const company = await aCompany(fixture, 'hung')
    await company.kill()
    const hanging = { ...taking(), queue: { addBulk: () => new Promise(() => undefined) } as never, handOverLimitSeconds: 0.05 }
    await expect(relayOnce(hanging)).rejects.toThrow('it was not done within 0.05 s')
    expect(await countOf(fixture, 'outbox WHERE tenant_id = $1 AND relayed_at IS NULL', [company.tenant])).toBe(1)
  })

  it('what the queue loses again and again is dead too, and says so as an alarm', async () => {
    const company = await aCompany(fixture, 'killer')
    await company.kill()
    await owner("UPDATE outbox SET attempts = $2, relayed_at = now() - interval '1 minute', due_at = now() WHERE tenant_id = $1", [
      company.tenant,
      mostRounds,
    ])
    const said: unknown[] = []
    const log = { ...jobDeps(fixture).log, error: (...words: unknown[]) => void said.push(words) }
    expect(await relayOnce({ ...taking(), log: log as never })).toMatchObject({ carried: 0 })
    const [letter] = await deadLetters()
    expect(letter).toMatchObject({
      kind: 'revoke',
      reason: expect.stringContaining('the queue lost it'),
      target: 'subject',
      targetId: company.subject,
    })
    expect(JSON.stringify(said)).toContain('ALARM: a revocation is a dead letter')
    const deps = jobDeps(fixture)
    await measureOutbox(deps)
    expect(await deps.metrics.print()).toContain('drawbridge_dead_letters{kind="revoke"} 1')
    expect(await replay({ kind: 'other' })).toBe(0)
    expect(await replay({ kind: 'revoke' })).toBe(1)
  })

  it('an older round has nothing to say of a newer one, nor of what is done', async () => {
    const company = await aCompany(fixture, 'late-word')
    await company.kill()
    await relayOnce(taking())
    const [row] = await owner<{ id: string }>('SELECT id FROM outbox WHERE tenant_id = $1', [company.tenant])
    const say = (attempt: number) =>
      acrossTenants(fixture.database, (db) =>
        endRound(db, { tenant: company.tenant, id: Number(row?.id), attempt, next: { deadAt: instant(Date.now()), reason: 'x' } }),
      )
    expect(await say(0)).toBe(false)
    await owner('UPDATE outbox SET done_at = now() WHERE id = $1', [row?.id])
    expect(await say(1)).toBe(false)
    await owner('UPDATE outbox SET done_at = NULL WHERE id = $1', [row?.id])
    expect([await say(1), await say(1)]).toEqual([true, false])
    await replay({ kind: 'revoke' })
  })

  it('what a version without rounds has just handed over is left to it', async () => {
    const company = await aCompany(fixture, 'older-version')
    await company.kill()
    await owner('UPDATE outbox SET relayed_at = now() WHERE tenant_id = $1', [company.tenant])
    expect(await relayOnce(taking())).toMatchObject({ carried: 0 })
    await owner("UPDATE outbox SET relayed_at = now() - interval '31 seconds' WHERE tenant_id = $1", [company.tenant])
    expect(await relayOnce(taking())).toMatchObject({ carried: 1 })
  })
})
