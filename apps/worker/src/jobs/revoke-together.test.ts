/** Many people of a tenant leave at once: what waits is swept together, once each and in its order, and what fails takes nobody with it. */
import { randomUUID } from 'node:crypto'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aCompany, countOf, eventually, jobDeps } from '../../test/a-company.js'
import { type RevokeJob, revokeGrants, sweptTogether } from './revoke-grants.job.js'

type Company = Awaited<ReturnType<typeof aCompany>>

let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture?.close())

let turn = 0
/** Somebody whose access ended so many times, each of them waiting to be swept. */
async function whoLost(times: number): Promise<{ readonly company: Company; readonly jobs: readonly RevokeJob[] }> {
  turn += 1
  const company = await aCompany(fixture, `company-${turn}`)
  for (let n = 0; n < times; n += 1) await company.kill()
  const rows = await asOwner<{ id: string; payload: Omit<RevokeJob, 'tenant' | 'entry'> }>(
    fixture.ownerUrl,
    'SELECT id, payload FROM outbox WHERE tenant_id = $1 ORDER BY id',
    [company.tenant],
  )
  return { company, jobs: rows.map(({ id, payload }) => ({ tenant: company.tenant, entry: Number(id), ...payload })) }
}
const change = (entry: number | undefined, set: string) => asOwner(fixture.ownerUrl, `UPDATE outbox SET ${set} WHERE id = $1`, [entry])
const run = (job: RevokeJob | undefined, over = {}) => revokeGrants({ ...jobDeps(fixture), ...over }, job as RevokeJob)
const undone = async ({ tenant }: Company) =>
  (
    await asOwner<{ id: string }>(fixture.ownerUrl, 'SELECT id FROM outbox WHERE tenant_id = $1 AND done_at IS NULL ORDER BY id', [tenant])
  ).map(({ id }) => Number(id))
/** Of its first resource server, by position: which epochs it was told. */
async function told({ tenant, resources }: Company): Promise<readonly { readonly position: number; readonly epoch: number }[]> {
  const rows = await asOwner<{ position: string; token: string }>(
    fixture.ownerUrl,
    'SELECT position, token FROM notices WHERE tenant_id = $1 AND resource_id = $2 ORDER BY position',
    [tenant, resources[0]?.id],
  )
  return rows.map(({ position, token }) => ({
    position: Number(position),
    epoch: JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).drawbridge.epoch,
  }))
}

describe('what waits at a tenant', () => {
  it('is swept with whichever of it comes first, in the order in which it was committed', async () => {
    const { company, jobs } = await whoLost(10)
    await run(jobs[4])
    expect(await undone(company)).toEqual([])
    expect(await told(company)).toEqual(jobs.map(({ epoch }, at) => ({ position: at + 1, epoch })))
    expect(await countOf(fixture, 'notices WHERE tenant_id = $1', [company.tenant])).toBe(20)
    expect(await countOf(fixture, 'revocations WHERE tenant_id = $1', [company.tenant])).toBe(10)
    expect(await countOf(fixture, 'deprovisioning_events WHERE tenant_id = $1 AND swept_at IS NULL', [company.tenant])).toBe(0)
  })

  it('is swept once, though all of its own jobs come at the same time', async () => {
    const { company, jobs } = await whoLost(6)
    await Promise.all(jobs.map((job) => run(job)))
    expect(await undone(company)).toEqual([])
    expect((await told(company)).map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6])
    expect(await countOf(fixture, 'revocations WHERE tenant_id = $1', [company.tenant])).toBe(6)
  })

  it('is swept in pieces of a named size', async () => {
    const { company, jobs } = await whoLost(sweptTogether.entries + 8)
    await run(jobs.at(-1))
    expect(await undone(company)).toHaveLength(8)
  })

  it('is swept in smaller pieces where many guards listen: each has a receipt of each event', async () => {
    const { company, jobs } = await whoLost(6)
    const streams = sweptTogether.receipts / 4
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, issuer_tenant_id, issuer_id)
       SELECT $1, gen_random_uuid(), $2, 'pod-' || n, now(), now(), $1, $3 FROM generate_series(1, $4::int) AS n`,
      [company.tenant, company.resources[0]?.id, company.issuerId, streams],
    )
    await run(jobs[0])
    expect(await undone(company)).toHaveLength(2)
  })

  it('is left alone where somebody failed at it, or where it is dead, of another kind, or of more than a person or a grant', async () => {
    const { company, jobs } = await whoLost(7)
    const sets = [
      'attempts = 1',
      "attempts = 1, due_at = now() + interval '1 minute'",
      "due_at = 'infinity', dead_at = now(), dead_reason = 'r'",
      "kind = 'tell-reinstated'",
      `payload = payload || jsonb_build_object('target', 'connection', 'targetId', '${company.connection}')`,
    ]
    for (const [at, set] of sets.entries()) await change(jobs[at]?.entry, set)
    await run(jobs[5])
    expect(await undone(company)).toEqual(jobs.slice(0, 5).map(({ entry }) => entry))
    expect(await told(company)).toHaveLength(2)
  })

  it('is swept before what came later, though the queue has it and not that', async () => {
    const { company, jobs } = await whoLost(4)
    for (const { entry } of jobs.slice(0, 2))
      await change(entry, "relayed_at = now(), attempts = 1, due_at = now() + interval '10 seconds'")
    await run(jobs[1])
    expect(await undone(company)).toEqual([])
    expect(await told(company)).toEqual(jobs.map(({ epoch }, at) => ({ position: at + 1, epoch })))
  })

  it('is told where it can be believed, also by what became a resource server while the sweep waited for others', async () => {
    const { company, jobs } = await whoLost(1)
    const [id, identifier] = [randomUUID(), 'https://late.example/mcp']
    const open = asOwner(
      fixture.ownerUrl,
      `WITH held AS (SELECT id FROM resources WHERE tenant_id = $1 FOR UPDATE), waited AS (SELECT pg_sleep(0.3) FROM held LIMIT 1),
         made AS (INSERT INTO resources (tenant_id, id, identifier, name, created_at) SELECT $1, $2, $3, 'late', now() FROM waited RETURNING id)
       INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) SELECT $1, id, $1, $4 FROM made`,
      [company.tenant, id, identifier, company.issuerId],
    )
    await eventually(async () => (await countOf(fixture, "pg_stat_activity WHERE query LIKE '%pg_sleep(0.3)%' AND state = 'active'")) > 1)
    const swept = run(jobs[0])
    await open
    await company.kill()
    await swept
    const [later] = await undone(company)
    expect(later).toBeDefined()
    await run({ ...(jobs[0] as RevokeJob), entry: later as number })
    expect(await countOf(fixture, 'notices WHERE resource_id = $1', [id])).toBe(1)
  })
})

describe('an entry that cannot be swept', () => {
  it('is left to itself where nobody can read it, and all others are swept', async () => {
    const { company, jobs } = await whoLost(4)
    await change(jobs[1]?.entry, `payload = '{"target": "subject"}'`)
    await run(jobs[0])
    expect(await undone(company)).toEqual([jobs[1]?.entry])
  })

  it('takes no other with it, and is seen: what was to be swept beside it is swept without it', async () => {
    const { company, jobs } = await whoLost(4)
    await change(jobs[1]?.entry, `payload = payload || '{"targetId": "nobody"}'`)
    const said: string[] = []
    const log = { ...jobDeps(fixture).log, warn: (_: unknown, what: string) => void said.push(what) }
    await run(jobs[0], { log })
    expect(said).toEqual(['revocations could not be swept together: this one is tried alone'])
    expect(await undone(company)).toEqual(jobs.slice(1).map(({ entry }) => entry))
    expect(await told(company)).toHaveLength(1)
    // Once it was tried itself, it is out of everybody's way.
    await expect(run({ ...(jobs[1] as RevokeJob), targetId: 'nobody' })).rejects.toThrow('uuid')
    await change(jobs[1]?.entry, 'attempts = 1')
    await run(jobs[2])
    expect(await undone(company)).toEqual([jobs[1]?.entry])
  })
})
