/** More people named whom nobody knows than are kept: what may give way does, and what finds no room is not said to be kept. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { type ManyUnmatched, manyUnmatchedSignals } from '@drawbridge/testkit/many-unmatched-signals'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { hearSecurityEvent } from './hear-security-event.js'
import { inTenant } from './transaction.js'
import { liftUnmatchedSignal, unmatchedSignalLimits } from './unmatched-signals.js'

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
const issuer = 'https://idp.example'
const hear = (sub: string, { reason = 'account-disabled', id = randomUUID() as string } = {}) =>
  hearSecurityEvent(fixture.database, {
    ...{ tenant: acme.tenantId, connectionId: acme.connectionId, way: 'push', now, requestId: 'test', newId: randomUUID },
    words: { issuers: [issuer], loginIssuer: undefined, link: undefined, events: ['account-disabled', 'account-purged'] },
    event: {
      ...{ id, type: `https://schemas.openid.net/secevent/risc/event-type/${reason}`, event: {}, toldAt: undefined, issuedAt: now },
      ...{ subject: { format: 'iss_sub', iss: issuer, sub }, replayableUntil: addSeconds(now, 60) },
    },
  })
const { ofTenant, givingWay } = unmatchedSignalLimits

it('what only asks for a newer sign-in gives way first, the oldest of it; nobody who is kept out does', async () => {
  await keep({ name: 'out ', count: ofTenant - 200, deactivates: true, at: longAgo })
  await keep({ name: 'older ', count: 100, deactivates: false, at: addSeconds(now, -60) })
  await keep({ name: 'newer ', count: 100, deactivates: false })
  expect((await hear('grace')).outcome).toBe('unmatched')
  expect([await kept('grace'), await kept('out '), await kept('older '), await kept('newer ')]).toEqual([
    1,
    ofTenant - 200,
    100 - givingWay,
    100,
  ])
})

it('then whoever has been kept out for longest, and for long enough', async () => {
  await keep({ name: 'long ', count: givingWay * 2, deactivates: true, at: longAgo })
  await keep({ name: 'out ', count: ofTenant - givingWay * 2, deactivates: true })
  expect((await hear('grace')).outcome).toBe('unmatched')
  expect([await kept('grace'), await kept('long '), await kept('out ')]).toEqual([1, givingWay, ofTenant - givingWay * 2])
})

it('where nothing may give way nothing is kept or remembered: it is heard when it comes again and there is room, or she is here', async () => {
  await keep({ name: 'out ', count: ofTenant, deactivates: true })
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
  expect([await kept('grace'), await kept('out ')]).toEqual([1, ofTenant - 1])
  // It is the concern of one tenant alone.
  await keep({ name: 'out again ', count: 1, deactivates: true })
  acme = await aTenant(fixture, { slug: `acme-${(tenants += 1)}` })
  expect((await hear('grace')).outcome).toBe('unmatched')
})
