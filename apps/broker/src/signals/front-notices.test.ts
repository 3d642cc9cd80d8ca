/** A guard that listens at the front: what happens in any tenant that is a member there is told to it, awaited of it, and late if it waits. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { lastLookSeconds } from '@drawbridge/core/revocation/settled-grants'
import { type DeprovisioningEventId, type IssuerId, type ResourceId, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { systemClock } from '@drawbridge/runtime/clock'
import { mostLateNamed } from '@drawbridge/store/notice-polls'
import { listRevocationReceipts } from '@drawbridge/store/notice-receipts'
import { insertNotices } from '@drawbridge/store/notices'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { aFrontWorld, aSharedResource, basic, type FrontWorld, rowsOf } from '@drawbridge/testkit/a-front'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { lateAfterSeconds } from './poll-rounds.js'

let world: FrontWorld
let now: () => Instant
let front: { readonly id: IssuerId; readonly resource: ResourceId }
beforeAll(async () => {
  now = systemClock().now
  world = await aFrontWorld(now)
  const [row] = await rowsOf<{ id: IssuerId; resource: ResourceId }>(
    world,
    `SELECT issuers.id, resources.id AS resource FROM issuers, resources WHERE issuers.kind = 'front' AND resources.identifier = $1`,
    [aSharedResource],
  )
  if (row === undefined) throw new Error('there is no front issuer')
  front = row
})
afterAll(() => world?.close())
beforeEach(() => rowsOf(world, 'UPDATE notice_streams SET closed_at = now()'))

type Polled = { readonly sets: Readonly<Record<string, string>>; readonly moreAvailable: boolean }
async function post<Body>(path: string, body: object): Promise<Body> {
  const { id, secret } = world.credential
  const headers = { ...basic(id, secret), 'content-type': 'application/json' }
  const answer = await fetch(`${world.broker.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  return (await answer.json()) as Body
}
const openAt = async (base: string) => (await post<{ streamId: string }>(`${base}/ssf/streams`, { instance: crypto.randomUUID() })).streamId
const openedAt = (base: string) => post<Readonly<Record<string, unknown>>>(`${base}/ssf/streams`, { instance: crypto.randomUUID() })
const pollAt = (base: string, streamId: string, said: object = {}) =>
  post<Polled>(`${base}/ssf/poll`, { streamId, returnImmediately: true, ...said })

/** What the worker writes of somebody’s end. */
async function tellOf(tenant: TenantId, subject: string): Promise<string> {
  const [eventId, jti, at] = [crypto.randomUUID() as DeprovisioningEventId, crypto.randomUUID(), now()]
  await rowsOf(
    world,
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at, swept_at)
     VALUES ($1, $2, 'admin', 'subject', $3, 'test', $4, $4, $4)`,
    [tenant, eventId, subject, new Date(at)],
  )
  const to = { tenantId: vendorTenantId, resourceId: front.resource, issuer: { tenant: vendorTenantId, id: front.id } }
  await acrossTenants(world.fixture.database, (db) =>
    insertNotices(db, { ...to, eventTenant: tenant, createdAt: at, expiresAt: addSeconds(at, 3600) }, [{ eventId, jti, token: 'a.b.c' }]),
  )
  return jti
}

async function receiptOf(tenant: TenantId, subject: string) {
  const everything = { since: undefined, until: undefined, matched: undefined, withReceivers: true }
  const all = await inTenant(world.fixture.database, tenant, (db) => listRevocationReceipts(db, tenant, everything, { limit: 200 }))
  return all.find(({ targetId }) => targetId === subject)
}

const lateAt = () => new Date(addSeconds(now(), -lateAfterSeconds - 1))
const aLatePolicy = 'INSERT INTO policy_sweeps (tenant_id, version, demanded_at, progressed_at) VALUES ($1, 1, $2, $2)'
const insertLate = `INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'tell-condemned-key', '{}', $2)`

it('what it acknowledges counts for the tenant whose event it was, of several at once, and the last of them makes each dead everywhere', async () => {
  const [acme, globex] = [world.acme.tenantId, world.globex.tenantId]
  const [one, other] = [await openAt(''), await openAt('')]
  const jtis = [await tellOf(acme, 'ada'), await tellOf(globex, 'bob')]
  expect(Object.keys((await pollAt('', one)).sets)).toEqual(jtis)
  expect(await receiptOf(acme, 'ada')).toMatchObject({ due: 2, notified: 1, acknowledged: 0, deadAt: null })
  await pollAt('', one, { ack: jtis })
  await pollAt('', other)
  expect(await receiptOf(globex, 'bob')).toMatchObject({ due: 2, notified: 2, acknowledged: 1, deadAt: null })
  await pollAt('', other, { ack: jtis })
  const dead = { due: 2, acknowledged: 2, deadAt: expect.any(Number), secondsToDead: expect.any(Number) }
  expect([await receiptOf(acme, 'ada'), await receiptOf(globex, 'bob')]).toMatchObject([dead, dead])
})

it('what it refuses is a refusal in the receipt of that tenant, and dead nowhere', async () => {
  const stream = await openAt('')
  const jti = await tellOf(world.globex.tenantId, 'carl')
  await pollAt('', stream)
  await pollAt('', stream, { setErrs: { [jti]: { err: 'invalid_key' } } })
  expect(await receiptOf(world.globex.tenantId, 'carl')).toMatchObject({ due: 1, notified: 1, refused: 1, acknowledged: 0, deadAt: null })
})

it('one that ends is waited for no longer', async () => {
  const [ending, staying] = [await openAt(''), await openAt('')]
  const jti = await tellOf(world.acme.tenantId, 'dora')
  await pollAt('', staying)
  await pollAt('', staying, { ack: [jti] })
  expect(await receiptOf(world.acme.tenantId, 'dora')).toMatchObject({ due: 2, acknowledged: 1, deadAt: null })
  await pollAt('', ending, { close: true })
  expect(await receiptOf(world.acme.tenantId, 'dora')).toMatchObject({ acknowledged: 1, lapsed: 1, deadAt: expect.any(Number) })
})

it.each([
  ['an end of access', 'revoke', '{}'],
  ['a smaller grant', 'tell-settled-grants', '{"grants":[]}'],
  ['a change of the directory', 'settle-directory', '{}'],
])('it does not take it for peace when %s in one of the tenants waits for the worker', async (_what, kind, payload) => {
  const [atFront, atGlobex] = [await openAt(''), await openAt('/t/globex')]
  expect(await pollAt('', atFront)).toEqual({ sets: {}, moreAvailable: false })
  await rowsOf(world, 'INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, $2, $3, $4)', [
    ...[world.acme.tenantId, kind, payload, lateAt()],
  ])
  expect(await pollAt('', atFront)).toEqual({ sets: {}, moreAvailable: true, lateTenants: ['acme'] })
  expect(await pollAt('/t/globex', atGlobex)).toEqual({ sets: {}, moreAvailable: false })
  await rowsOf(world, 'UPDATE outbox SET done_at = now() WHERE done_at IS NULL')
  expect(await pollAt('', atFront)).toEqual({ sets: {}, moreAvailable: false })
})

it.each([
  ['a change of the directory', "INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'settle-directory', '{}', $2)"],
  ['a policy that takes effect at once', aLatePolicy],
])('the opening of its stream says so, too, when %s waits, which no snapshot can hold', async (_what, insert) => {
  await rowsOf(world, insert, [world.acme.tenantId, lateAt()])
  expect(await openedAt('')).toMatchObject({ moreAvailable: true, lateTenants: ['acme'], snapshot: expect.any(Object) })
  const own = await openedAt('/t/acme')
  expect([own['moreAvailable'], own['lateTenants']]).toEqual([true, undefined])
  expect(await openedAt('/t/globex')).toMatchObject({ moreAvailable: false })
  await rowsOf(world, 'UPDATE outbox SET done_at = now() WHERE done_at IS NULL')
  await rowsOf(world, 'UPDATE policy_sweeps SET settled_at = now() WHERE settled_at IS NULL')
  const heard = await openedAt('')
  expect([heard['moreAvailable'], heard['lateTenants']]).toEqual([false, undefined])
})

it.each(['settle-directory', 'settle-grants'])(
  'a last look of %s waits by intent, and is late where it is not done when it should be',
  async (kind) => {
    const insert = 'INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, $2, $3, $4)'
    const lookAt = (at: Date) => rowsOf(world, insert, [world.acme.tenantId, kind, '{"isLastLook":true}', at])
    await lookAt(lateAt())
    expect(await openedAt('')).toMatchObject({ moreAvailable: false })
    await lookAt(new Date(lateAt().getTime() - lastLookSeconds * 1000))
    expect(await openedAt('')).toMatchObject({ moreAvailable: true, lateTenants: ['acme'] })
    await rowsOf(world, 'UPDATE outbox SET done_at = now() WHERE done_at IS NULL')
  },
)

it('what has waited for a moment only is not late at the opening, as at a poll', async () => {
  await rowsOf(world, "INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'settle-directory', '{}', $2)", [
    ...[world.acme.tenantId, new Date(now())],
  ])
  expect(await openedAt('')).toMatchObject({ moreAvailable: false })
  await rowsOf(world, 'UPDATE outbox SET done_at = now() WHERE done_at IS NULL')
})

it.each([
  ['the vendor’s own, a condemned key', () => rowsOf(world, insertLate, [vendorTenantId, lateAt()])],
  [
    'of more tenants than can be named',
    async () => {
      const many = `INSERT INTO tenants (id, slug, name, created_at) SELECT gen_random_uuid(), 'many-' || n, 'M', now() FROM generate_series(0, $1) n RETURNING id`
      const ids = await rowsOf<{ id: string }>(world, many, [mostLateNamed])
      const [one] = await rowsOf<{ url: string }>(world, "SELECT url FROM issuers WHERE kind = 'front'")
      for (const { id } of ids) {
        await rowsOf(
          world,
          "INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, gen_random_uuid(), $2, 'front_member', now())",
          [id, one?.url],
        )
        await rowsOf(world, insertLate, [id, lateAt()])
      }
    },
  ],
])('it is told of nobody in particular where what waits is %s', async (_what, wait) => {
  const stream = await openAt('')
  await wait()
  expect(await pollAt('', stream)).toEqual({ sets: {}, moreAvailable: true })
  await rowsOf(world, 'UPDATE outbox SET done_at = now() WHERE done_at IS NULL')
})
