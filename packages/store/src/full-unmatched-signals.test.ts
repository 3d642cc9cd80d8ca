/** More people named whom nobody knows than are kept: what may give way does, and what finds no room is not said to be kept. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { type ManyUnmatched, manyUnmatchedSignals } from '@drawbridge/testkit/many-unmatched-signals'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { hearSecurityEvent } from './hear-security-event.js'
import { deleteExpiredAcrossTenants } from './sweeps.js'
import { acrossTenants, inTenant } from './transaction.js'
import { liftUnmatchedOfConnection, liftUnmatchedSignal, unmatchedSignalLimits } from './unmatched-signals.js'

const now = instant(1_800_000_000_000)
const longAgo = addSeconds(now, -unmatchedSignalLimits.keepSeconds - 1)
let fixture: TestDatabase
let acme: ATenant
let tenants = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture?.close())
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `acme-${(tenants += 1)}` })
})
const sql = <Row = Record<string, unknown>>(text: string, ...more: readonly unknown[]): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, text, [acme.tenantId, ...more])

type Many = Pick<ManyUnmatched, 'name' | 'count' | 'deactivates'> & { readonly at?: Instant }
const keep = ({ at = now, ...many }: Many) => manyUnmatchedSignals(fixture.ownerUrl, { ...many, ...acme, at })
const kept = async (name: string): Promise<number> => {
  const text = 'SELECT count(*)::int AS count FROM unmatched_signals WHERE tenant_id = $1 AND stable_id LIKE $2'
  return (await sql<{ count: number }>(text, `${name}%`))[0]?.count ?? 0
}
async function anotherConnection(): Promise<ATenant> {
  const connectionId = randomUUID() as ConnectionId
  const connection = `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', 'Other', '{}', now())`
  await sql(connection, connectionId)
  return { ...acme, connectionId }
}
const issuer = 'https://idp.example'
const link = { scim: 'externalId', claims: ['oid'], isStableId: false } as const
const hear = (sub: string, { reason = 'account-disabled', id = randomUUID() as string } = {}) =>
  hearSecurityEvent(fixture.database, {
    ...{ tenant: acme.tenantId, connectionId: acme.connectionId, way: 'push', now, requestId: 'test', newId: randomUUID },
    words: { issuers: [issuer], loginIssuer: undefined, link, events: ['account-disabled', 'account-purged'] },
    event: {
      ...{ id, type: `https://schemas.openid.net/secevent/risc/event-type/${reason}`, event: {}, toldAt: undefined, issuedAt: now },
      ...{ subject: { format: 'iss_sub', iss: issuer, sub }, replayableUntil: addSeconds(now, 60) },
    },
  })
const { ofConnection, givingWay, liftedAtOnce } = unmatchedSignalLimits

it('what only asks for a newer sign-in gives way first, the oldest of it; nobody who is kept out does', async () => {
  await keep({ name: 'out ', count: ofConnection - 200, deactivates: true, at: longAgo })
  await keep({ name: 'older ', count: 100, deactivates: false, at: addSeconds(now, -60) })
  await keep({ name: 'newer ', count: 100, deactivates: false })
  expect((await hear('grace')).outcome).toBe('unmatched')
  expect([await kept('grace'), await kept('out '), await kept('older '), await kept('newer ')]).toEqual([
    1,
    ofConnection - 200,
    100 - givingWay,
    100,
  ])
})

it('then whoever has been kept out for longest, and for long enough', async () => {
  await keep({ name: 'long ', count: givingWay * 2, deactivates: true, at: longAgo })
  await keep({ name: 'out ', count: ofConnection - givingWay * 2, deactivates: true })
  expect((await hear('grace')).outcome).toBe('unmatched')
  expect([await kept('grace'), await kept('long '), await kept('out ')]).toEqual([1, givingWay, ofConnection - givingWay * 2])
})

it('where nothing may give way nothing is kept or remembered: it is heard when it comes again and there is room, or she is here', async () => {
  await keep({ name: 'out ', count: ofConnection, deactivates: true })
  const [first, second] = [randomUUID(), randomUUID()]
  for (const reason of ['account-disabled', 'account-purged']) expect((await hear('grace', { reason, id: first })).outcome).toBe('full')
  expect((await hear('ida', { id: second })).outcome).toBe('full')
  const traces = `SELECT kind FROM audit_events WHERE tenant_id = $1 AND kind IN ('signal.received', 'deprovisioning.unmatched')
    UNION ALL SELECT reason FROM deprovisioning_events WHERE tenant_id = $1`
  expect([await kept('grace'), await sql(traces)]).toEqual([0, []])
  // Who is named already is named again, room or not.
  expect((await hear('out 1')).outcome).toBe('unmatched')
  await sql(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
     VALUES ($1, gen_random_uuid(), $2, 'ida', '{}', now(), now(), now())`,
    acme.connectionId,
  )
  expect((await hear('ida', { id: second })).outcome).toBe('done')
  const [one] = await sql<{ id: string }>(`SELECT id FROM unmatched_signals WHERE tenant_id = $1 AND stable_id = 'out 2'`)
  await inTenant(fixture.database, acme.tenantId, (db) => liftUnmatchedSignal(db, acme.tenantId, one?.id ?? '', now))
  expect((await hear('grace', { id: first })).outcome).toBe('unmatched')
  expect([await kept('grace'), await kept('out ')]).toEqual([1, ofConnection - 1])
  // It is the concern of one connection alone.
  await keep({ name: 'out again ', count: 1, deactivates: true })
  expect((await hear('hedy')).outcome).toBe('full')
  acme = await anotherConnection()
  expect((await hear('hedy')).outcome).toBe('unmatched')
})

it('where nothing may give way, those of whom each may be meant are ended all the same, and the contacts are told', async () => {
  await keep({ name: 'out ', count: ofConnection, deactivates: true })
  await sql("INSERT INTO contacts (tenant_id, id, name, email, created_at) VALUES ($1, gen_random_uuid(), 'IT', 'it@acme.example', now())")
  await sql(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
     SELECT $1, gen_random_uuid(), $2, person, '{"claims": [["oid", "e-17"]]}', now(), now(), now() FROM unnest(ARRAY['one', 'two']) AS person`,
    acme.connectionId,
  )
  expect((await hear('e-17')).outcome).toBe('full')
  expect(await sql("SELECT DISTINCT epoch FROM subjects WHERE tenant_id = $1 AND stable_id IN ('one', 'two')")).toEqual([{ epoch: 2 }])
  expect(await sql('SELECT act_count FROM announcements WHERE tenant_id = $1')).toEqual([{ act_count: 1 }])
})

const counted = async () =>
  (
    await sql<{ kept: number }>('SELECT kept FROM unmatched_signal_counts WHERE tenant_id = $1 AND connection_id = $2', acme.connectionId)
  )[0]?.kept

it('how many are kept is counted whoever writes them: signals, their repetition, what gives way, sweeps, and the removal of a connection', async () => {
  for (const name of ['grace', 'grace', 'ida']) await hear(name)
  expect(await counted()).toBe(2)
  await keep({ name: 'older ', count: ofConnection - 2, deactivates: false, at: longAgo })
  await hear('hedy')
  expect([await counted(), await kept('')]).toEqual([ofConnection - givingWay + 1, ofConnection - givingWay + 1])
  const swept = await acrossTenants(fixture.database, (db) => deleteExpiredAcrossTenants(db, 'unmatched_signals', now, ofConnection))
  expect([swept, await counted()]).toEqual([ofConnection - givingWay - 2, 3])
  acme = await anotherConnection()
  await keep({ name: 'out ', count: 2, deactivates: true })
  expect(await counted()).toBe(2)
  await sql('DELETE FROM connections WHERE tenant_id = $1 AND id = $2', acme.connectionId)
  expect(await counted()).toBeUndefined()
})

it('no tenant may write the count', async () => {
  await hear('grace')
  const forged = inTenant(fixture.database, acme.tenantId, (db) => db.query('UPDATE unmatched_signal_counts SET kept = 0'))
  await expect(forged).rejects.toMatchObject({ code: '42501' })
})

it('lifting all of a connection makes room, the oldest first, and spares others and what was said later', async () => {
  await keep({ name: 'out ', count: ofConnection, deactivates: true, at: addSeconds(now, -3600) })
  expect((await hear('grace')).outcome).toBe('full')
  const lift = (before: Instant | undefined) =>
    inTenant(fixture.database, acme.tenantId, (db) =>
      liftUnmatchedOfConnection(db, acme.tenantId, { connectionId: acme.connectionId, before, now }),
    )
  expect(await lift(addSeconds(now, -3600))).toEqual({ lifted: 0, isMore: false })
  expect(await lift(addSeconds(now, -3599))).toEqual({ lifted: 999, isMore: false })
  expect(await lift(now)).toEqual({ lifted: liftedAtOnce, isMore: true })
  const out = 'SELECT count(*)::int AS count FROM unmatched_signals WHERE tenant_id = $1 AND deactivates'
  expect(await sql(out)).toEqual([{ count: ofConnection - liftedAtOnce - 999 }])
  expect((await hear('grace')).outcome).toBe('unmatched')
  expect([await kept('grace'), await counted()]).toEqual([1, ofConnection - givingWay + 1])
})
