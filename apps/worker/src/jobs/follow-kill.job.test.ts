/** The kill of a client, a connection or a tenant: told at once, whatever it ended; clients and lists follow, piece by piece. */
import { instant } from '@drawbridge/core/instant'
import { followKillEntry, type KillOfMany, killsOfMany } from '@drawbridge/core/revocation/follow-kill'
import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { markPage } from '@drawbridge/store/mark-killed'
import { inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countOf, jobDeps, random } from '../../test/a-company.js'
import { aToldCompany } from '../../test/a-told-client.js'
import type { JobDeps } from '../deps.js'
import { findJob } from '../jobs.js'
import { type FollowKillJob, followedAtOnce, followKill } from './follow-kill.job.js'

type Company = Awaited<ReturnType<typeof aToldCompany>>
let fixture: TestDatabase
let deps: JobDeps
beforeAll(async () => {
  fixture = await testDatabase()
  deps = jobDeps(fixture)
})
afterAll(() => fixture?.close())

const owner = <Row extends object>(sql: string, ...parameters: readonly unknown[]) => asOwner<Row>(fixture.ownerUrl, sql, parameters)

async function kill(company: Company, target: KillOfMany) {
  const targetId = { client: 'agent', connection: company.connection, tenant: company.tenant }[target]
  const event = { tenant: company.tenant, eventId: random.uuid() as DeprovisioningEventId, source: 'admin', target, targetId } as const
  const { epoch } = await inTenant(fixture.database, company.tenant, (db) =>
    deprovision(db, { ...event, reason: 'a test', now: instant(Date.now()), requestId: undefined, toldAt: undefined }),
  )
  return { ...event, epoch }
}

type Entry = { readonly id: number; readonly kind: string; readonly payload: FollowKillJob }
const undone = ({ tenant }: Company, kind: string) =>
  owner<Entry>('SELECT id::int, kind, payload FROM outbox WHERE tenant_id = $1 AND kind = $2 AND done_at IS NULL ORDER BY id', tenant, kind)
async function runFirst(company: Company, kind: string): Promise<Entry | undefined> {
  const [entry] = await undone(company, kind)
  if (entry) await findJob(kind)?.run(deps, { tenant: company.tenant, entry: entry.id, payload: entry.payload })
  return entry
}
const followOnce = async (company: Company): Promise<void> => {
  const [entry] = await undone(company, followKillEntry)
  // No time passes for it: one transaction is a piece.
  let ticks = 0
  if (entry) await followKill(deps, { ...entry.payload, tenant: company.tenant, entry: entry.id }, () => (ticks++ === 0 ? 0 : 10_000))
}
const notices = ({ tenant }: Company) => countOf(fixture, 'notices WHERE tenant_id = $1', [tenant])
const marked = ({ tenant }: Company) => countOf(fixture, 'grants WHERE tenant_id = $1 AND revoked_at IS NOT NULL', [tenant])
const deliveries = ({ tenant }: Company) =>
  owner<{ sub: string; event_id: string; sequence: number }>(
    "SELECT payload ->> 'sub' AS sub, event_id, sequence::int FROM deliveries WHERE tenant_id = $1 ORDER BY 1",
    tenant,
  )

let companies = 0
async function aCompanyOf(people: number) {
  companies += 1
  const company = await aToldCompany(fixture, `killed-${companies}`)
  await company.aClient('agent', 'https://agent.example/logout')
  await company.aClient('other', null)
  const ids: string[] = []
  for (let n = 0; n < people; n += 1) ids.push(await company.aPerson(`person ${n}`))
  return { ...company, people: ids.toSorted() }
}

describe.each(killsOfMany)('the kill of a %s', (target) => {
  it('is told to resource servers while somebody holds one of the grants that it ended, and what follows waits for nobody; that one is marked at a last look', async () => {
    const company = await aCompanyOf(2)
    const [held, free] = await Promise.all(company.people.map((person) => company.aGrant('agent', person)))
    await kill(company, target)
    await inTenant(fixture.database, company.tenant, async (db) => {
      await db.query('SELECT id FROM grants WHERE tenant_id = $1 AND id = $2 FOR UPDATE', [company.tenant, held])
      await runFirst(company, 'revoke')
      expect(await notices(company)).toBeGreaterThan(0)
      expect(await undone(company, 'revoke')).toEqual([])
      expect(await marked(company)).toBe(0)
      await runFirst(company, followKillEntry)
      expect(await owner('SELECT id FROM grants WHERE tenant_id = $1 AND revoked_at IS NOT NULL', company.tenant)).toEqual([{ id: free }])
    })
    expect(await deliveries(company)).toHaveLength(2)
    const [lastLook] = await undone(company, followKillEntry)
    expect(lastLook?.payload).toMatchObject({ isTold: true, isLastLook: true })
    expect(await owner("SELECT 1 FROM outbox WHERE id = $1 AND due_at > now() + interval '20 seconds'", lastLook?.id)).toHaveLength(1)
    expect(await marked(company)).toBe(1)
    await runFirst(company, followKillEntry)
    expect([await marked(company), await undone(company, followKillEntry)]).toEqual([2, []])
  })
})

it('the end of a person is told while somebody holds one of her grants, and marks what nobody holds', async () => {
  const company = await aCompanyOf(1)
  const [person = ''] = company.people
  const [held, free] = [await company.aGrant('agent', person), await company.aGrant('agent', person)]
  const event = {
    tenant: company.tenant,
    eventId: random.uuid() as DeprovisioningEventId,
    source: 'admin',
    target: 'subject',
    targetId: person,
  } as const
  await inTenant(fixture.database, company.tenant, (db) =>
    deprovision(db, { ...event, reason: 'a test', now: instant(Date.now()), requestId: undefined, toldAt: undefined }),
  )
  await inTenant(fixture.database, company.tenant, async (db) => {
    await db.query('SELECT id FROM grants WHERE tenant_id = $1 AND id = $2 FOR UPDATE', [company.tenant, held])
    await runFirst(company, 'revoke')
    expect(await undone(company, 'revoke')).toEqual([])
    expect(await notices(company)).toBeGreaterThan(0)
    expect(await owner('SELECT id FROM grants WHERE tenant_id = $1 AND revoked_at IS NOT NULL', company.tenant)).toEqual([{ id: free }])
  })
})

it('the last look waits for whoever holds a grant, so nothing that is dead stays among what lists show as living', async () => {
  const company = await aCompanyOf(1)
  const grant = await company.aGrant('agent', company.people[0] ?? '')
  const { eventId, target, targetId, epoch } = await kill(company, 'connection')
  await owner(
    `INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, $2, $3, now())`,
    ...[company.tenant, followKillEntry, JSON.stringify({ eventId, target, targetId, epoch, sequence: 1, isTold: true, isLastLook: true })],
  )
  let looking: Promise<unknown> | undefined
  await inTenant(fixture.database, company.tenant, async (db) => {
    await db.query('SELECT id FROM grants WHERE tenant_id = $1 AND id = $2 FOR UPDATE', [company.tenant, grant])
    looking = runFirst(company, followKillEntry)
    const waiting = () =>
      owner(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%revoked_reason%'",
      )
    await expect.poll(waiting, { interval: 5 }).toHaveLength(1)
  })
  await looking
  expect([await marked(company), await undone(company, followKillEntry)]).toEqual([1, []])
})

it('goes on piece by piece: each is an entry of its own, at the end of the queue, under the number of the kill', async () => {
  const company = await aCompanyOf(3)
  for (const person of company.people) await company.aGrant('agent', person)
  const { eventId } = await kill(company, 'tenant')
  const sweep = await runFirst(company, 'revoke')
  const [first] = await undone(company, followKillEntry)
  await followOnce(company)
  expect(await deliveries(company)).toEqual(
    company.people.map((sub) => expect.objectContaining({ sub, event_id: eventId, sequence: sweep?.id })),
  )
  const [second] = await undone(company, followKillEntry)
  expect(second?.id).toBeGreaterThan(first?.id ?? 0)
  // People of the company that nobody signed in as are among them, too.
  expect(second?.payload).toMatchObject({ after: [...company.people, company.subject].toSorted().at(-1), sequence: sweep?.id })
  // It dies before it ends its piece, and somebody runs the first one again.
  await followKill(deps, { ...(first as Entry).payload, tenant: company.tenant, entry: (first as Entry).id })
  expect(await deliveries(company)).toHaveLength(3)
  expect((await undone(company, followKillEntry)).map(({ id }) => id)).toEqual([second?.id])
  await followOnce(company)
  await followOnce(company)
  expect([await marked(company), await undone(company, followKillEntry)]).toEqual([3, []])
})

/** More people than are taken at once, by id. */
async function aCompanyOfMany() {
  const company = await aCompanyOf(0)
  await owner(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
     SELECT $1, gen_random_uuid(), $2, 'one of many ' || n, '{}', now(), now(), now() FROM generate_series(1, $3::int) n`,
    ...[company.tenant, company.connection, followedAtOnce.people + 10],
  )
  const people = (await owner<{ id: string }>('SELECT id FROM subjects WHERE tenant_id = $1 ORDER BY id', company.tenant)).map(
    ({ id }) => id,
  )
  const losers = [people[0], people[followedAtOnce.people - 1], people[followedAtOnce.people], people.at(-1)].map((id) => id ?? '')
  for (const person of losers) await company.aGrant('agent', person)
  return { ...company, people, losers }
}

it('people are taken in the order of their ids, none twice and none left out, and whoever has lost nothing is not logged out', async () => {
  const company = await aCompanyOfMany()
  const { epoch } = await kill(company, 'connection')
  const later = await company.aGrant('agent', company.people[1] ?? '')
  await owner('UPDATE grants SET connection_epoch = $2 WHERE id = $1', later, epoch)
  await runFirst(company, 'revoke')
  await followOnce(company)
  expect((await deliveries(company)).map(({ sub }) => sub)).toEqual(company.losers.slice(0, 2))
  await runFirst(company, followKillEntry)
  expect((await deliveries(company)).map(({ sub }) => sub)).toEqual(company.losers)
  expect(await marked(company)).toBe(4)
})

it('of a client only the people who had something by it are looked at', async () => {
  const company = await aCompanyOfMany()
  await company.aGrant('other', company.people[1] ?? '')
  await kill(company, 'client')
  await runFirst(company, 'revoke')
  await followOnce(company)
  expect((await deliveries(company)).map(({ sub }) => sub)).toEqual(company.losers)
  expect((await undone(company, followKillEntry)).map(({ payload }) => payload.after)).toEqual([company.losers.at(-1)])
  await runFirst(company, followKillEntry)
  expect(await marked(company)).toBe(4)
})

describe('the marks', () => {
  it.each([
    { way: 'by the index of the client', most: 100 },
    { way: 'walking through everything of the tenant', most: 1 },
  ])('are of at most so many at once, of what lives and was killed, and of what an exchange made of it, $way', async ({ most }) => {
    const company = await aCompanyOf(1)
    const [person = ''] = company.people
    const mine = await company.aGrant('agent', person)
    const also = await company.aGrant('agent', person)
    const expired = await company.aGrant('agent', person, null, '2020-01-01')
    const others = await company.aGrant('other', person)
    const [derived, derivedOfExpired] = [await company.aGrant('other', person), await company.aGrant('other', person)]
    const { target, targetId, epoch } = await kill(company, 'client')
    const later = await company.aGrant('agent', person)
    await owner('UPDATE grants SET client_epoch = $2 WHERE id = $1', later, epoch)
    for (const [id, of] of [
      [derived, mine],
      [derivedOfExpired, expired],
    ])
      await owner('UPDATE grants SET ancestors = ARRAY[$2::uuid], ancestor_epochs = ARRAY[1] WHERE id = $1', id, of)
    const seen: string[] = []
    let pages = 0
    for (let after: string | undefined; ; pages += 1) {
      const which = { at: instant(Date.now()), after, limit: 2, waits: false, mostByIndex: most }
      const page = await inTenant(fixture.database, company.tenant, (db) =>
        markPage(db, company.tenant, { target, targetId, epoch }, which),
      )
      expect(page.leftOut).toBe(0)
      if (page.last === undefined) break
      seen.push(page.last)
      after = page.last
    }
    expect(seen).toEqual(seen.toSorted())
    expect(pages).toBe(most === 1 ? 3 : 1)
    const rows = await owner<{ id: string; why: string }>(
      'SELECT id, revoked_reason AS why FROM grants WHERE tenant_id = $1 AND revoked_at IS NOT NULL',
      company.tenant,
    )
    const [own, byExchange] = ['revoked with its client', 'revoked with the grant that it was exchanged from']
    const expected = [mine, also].map((id) => ({ id, why: own })).concat([derived, derivedOfExpired].map((id) => ({ id, why: byExchange })))
    expect(new Map(rows.map(({ id, why }) => [id, why]))).toEqual(new Map(expected.map(({ id, why }) => [id, why])))
    expect([expired, others, later].some((id) => rows.some((row) => row.id === id))).toBe(false)
  })
})
