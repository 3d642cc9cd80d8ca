/** The time of a barrier never goes back: replicas whose clocks differ end what they end one after the other, on a real PostgreSQL. */
import { randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { DeprovisioningTarget } from '@drawbridge/core/revocation/deprovisioning-event'
import { settleDirectoryEntry } from '@drawbridge/core/revocation/settled-grants'
import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTrip } from '@drawbridge/testkit/a-trip'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { deprovision } from './deprovisioning.js'
import { raiseClaims } from './directory.js'
import { inTenant } from './transaction.js'

const now = instant(1_800_000_000_000)
const behind = addSeconds(now, -20)
let fixture: TestDatabase
let acme: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `barrier-${(slugs += 1)}` })
})

const sql = <Row>(text: string): Promise<Row[]> => asOwner<Row>(fixture.ownerUrl, text, [acme.tenantId])
const endAt = (at: typeof now, target: DeprovisioningTarget, targetId: string) =>
  inTenant(fixture.database, acme.tenantId, (db) =>
    deprovision(db, {
      ...{ tenant: acme.tenantId, eventId: randomUUID() as DeprovisioningEventId, source: 'signal', target, targetId },
      ...{ reason: 'test', toldAt: undefined, now: at, requestId: undefined },
    }),
  )

describe.each([
  { target: 'subject', table: 'subjects', key: 'id', idOf: () => acme.subjectId },
  { target: 'client', table: 'clients', key: 'client_id', idOf: () => acme.clientId },
  { target: 'connection', table: 'connections', key: 'id', idOf: () => acme.connectionId },
  { target: 'tenant', table: 'tenants', key: 'id', idOf: () => acme.tenantId },
] as const)('the barrier of a $target', ({ target, table, key, idOf }) => {
  it('stays where it was when a replica that is 20 s behind raises it again, and every tell says so', async () => {
    const first = await endAt(now, target, idOf())
    const second = await endAt(behind, target, idOf())
    expect([first.barrierAt, second.barrierAt, second.epoch]).toEqual([now, now, first.epoch + 1])
    const tenant = target === 'tenant' ? 'id' : 'tenant_id'
    expect(await sql(`SELECT barrier_at FROM ${table} WHERE ${tenant} = $1 AND ${key}::text = '${idOf()}'`)).toEqual([
      { barrier_at: new Date(now) },
    ])
    const told = await sql('SELECT barrier_at, received_at FROM deprovisioning_events WHERE tenant_id = $1 ORDER BY received_at')
    expect(told).toEqual([
      { barrier_at: new Date(now), received_at: new Date(behind) },
      { barrier_at: new Date(now), received_at: new Date(now) },
    ])
  })
})

it('an assertion from before the first barrier is refused after a second one by a clock that is behind', async () => {
  const { comeHome } = await aTrip({ fixture, tenant: acme, now: addSeconds(now, -10) }, { issuedAt: addSeconds(now, -5) })
  await endAt(now, 'subject', acme.subjectId)
  await endAt(behind, 'subject', acme.subjectId)
  expect(await comeHome()).toBe('evidence_below_barrier')
})

describe('the barrier of what is said of people', () => {
  const raisedOf = (table: string, barrier: string) =>
    sql(`SELECT ${barrier} AS barrier, ${barrier}_at AS at FROM ${table} WHERE tenant_id = $1`)
  const toSettle = () => sql(`SELECT 1 FROM outbox WHERE tenant_id = $1 AND kind = '${settleDirectoryEntry}'`)

  it.each([
    { whom: 'one of them', table: 'subjects', barrier: 'claims_barrier', versions: [2, 3] },
    { whom: 'a whole connection', table: 'connections', barrier: 'directory_barrier', versions: [1, 2] },
  ])('of $whom stays where it was when a replica that is 20 s behind raises it again', async ({ whom, table, barrier, versions }) => {
    const user = await aScimUser(fixture, acme, 'ada')
    await sql(`UPDATE subjects SET scim_user_id = '${user}' WHERE tenant_id = $1`)
    const raiseAt = (at: typeof now) =>
      inTenant(fixture.database, acme.tenantId, (db) =>
        raiseClaims(db, { tenant: acme.tenantId, connectionId: acme.connectionId, now: at }, whom === 'one of them' ? [user] : 'everybody'),
      )
    for (const [turn, at] of [now, behind].entries()) {
      await raiseAt(at)
      expect(await raisedOf(table, barrier)).toEqual([{ barrier: versions[turn], at: new Date(now) }])
      expect(await toSettle()).toHaveLength(turn + 1)
    }
  })

  it('stays there, too, when a login by such a clock says something else, and her grants are settled for it all the same', async () => {
    const saysAt = async (at: typeof now, groups: readonly string[]) =>
      (await aTrip({ fixture, tenant: acme, now: at }, { claims: { groups } })).comeHome()
    expect(await saysAt(now, ['writers'])).toBe('believed')
    expect(await toSettle()).toHaveLength(1)
    const [first] = await raisedOf('subjects', 'claims_barrier')
    expect(await saysAt(behind, ['readers'])).toBe('believed')
    expect(await raisedOf('subjects', 'claims_barrier')).toEqual([{ ...(first as object), barrier: 3 }])
    expect(await toSettle()).toHaveLength(2)
    expect(await saysAt(behind, ['readers'])).toBe('believed')
    expect(await toSettle()).toHaveLength(2)
  })
})
