/** An event stream at the front before the vendor's admin: held, let go and ended, with a word in the receipts of every tenant whose news it carries. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { type DeprovisioningEventId, type IssuerId, type ResourceId, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { systemClock } from '@drawbridge/runtime/clock'
import { insertNotices } from '@drawbridge/store/notices'
import { acrossTenants, inTenant, toTimestamp } from '@drawbridge/store/transaction'
import { aFrontUrl, aFrontWorld, aSharedResource, basic, type FrontWorld, rowsOf } from '@drawbridge/testkit/a-front'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let world: FrontWorld
let now: () => Instant
let front: { readonly id: IssuerId; readonly resource: ResourceId }
let stream = ''

beforeAll(async () => {
  now = systemClock().now
  world = await aFrontWorld(now)
  const [row] = await rowsOf<typeof front>(
    world,
    `SELECT issuers.id, resources.id AS resource FROM issuers, resources WHERE issuers.kind = 'front' AND resources.identifier = $1`,
    [aSharedResource],
  )
  if (row === undefined) throw new Error('there is no front issuer')
  front = row
})
afterAll(() => world?.close())
beforeEach(async () => {
  await rowsOf(world, 'DELETE FROM event_streams')
  await rowsOf(world, 'DELETE FROM notices')
  stream = (await asReceiver('POST', 'streams', { description: 'documents' })).body.stream_id
})

async function asReceiver(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: any }> {
  const headers = { ...basic(world.credential.id, world.credential.secret), 'content-type': 'application/json' }
  const said = body === undefined ? {} : { body: JSON.stringify(body) }
  const answer = await fetch(`${world.broker.url}/ssf/${path}`, { method, headers, ...said })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
}
const streams = () => `/shared-resources/${front.resource}/streams`

/** Somebody of this tenant ends. */
async function tellOf(tenant: TenantId): Promise<string> {
  const [eventId, at] = [crypto.randomUUID() as DeprovisioningEventId, now()]
  await rowsOf(
    world,
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at, swept_at)
     VALUES ($1, $2, 'admin', 'subject', 'ada', 'test', $3, $3, $3)`,
    [tenant, eventId, toTimestamp(at)],
  )
  const to = { tenantId: vendorTenantId, resourceId: front.resource, issuer: { tenant: vendorTenantId, id: front.id }, eventTenant: tenant }
  await acrossTenants(world.fixture.database, (db) =>
    insertNotices(db, { ...to, createdAt: at, expiresAt: addSeconds(at, 3600) }, [{ eventId, jti: crypto.randomUUID(), token: 'a.b.c' }]),
  )
  return eventId
}
const tellOfBoth = () => Promise.all([tellOf(world.acme.tenantId), tellOf(world.globex.tenantId)])
const receiptsOf = async (events: readonly string[]) =>
  Promise.all(
    ['acme', 'globex'].map(async (slug) => {
      const { revocations } = (await world.call('GET', `/tenants/${slug}/revocations?receivers=true`)).body
      return revocations.find(({ eventId }: any) => events.includes(eventId))
    }),
  )

it('the vendor sees it among the streams of the resource, with the front’s address and what waits', async () => {
  await tellOfBoth()
  const { body } = await world.call('GET', streams())
  expect(body.streams).toEqual([expect.objectContaining({ id: stream, issuer: aFrontUrl, status: 'enabled', waiting: 2 })])
})

it('what an operator holds is paused in the receipts of every tenant until he lets go, and its receiver is told by the front’s key', async () => {
  const events = await tellOfBoth()
  expect((await world.call('POST', `${streams()}/${stream}/pause`, { reason: 'they move' })).status).toBe(204)
  expect(await receiptsOf(events)).toMatchObject([
    { due: 1, paused: 1 },
    { due: 1, paused: 1 },
  ])
  const [told] = Object.values<string>((await asReceiver('POST', `streams/${stream}/poll`, { returnImmediately: true })).body.sets)
  const keys = createRemoteJWKSet(new URL(`${world.broker.url}/ssf/jwks`))
  const { payload } = await jwtVerify(String(told), keys, { issuer: aFrontUrl, audience: aSharedResource, typ: 'secevent+jwt' })
  expect(Object.values(payload['events'] as object)).toEqual([{ status: 'paused', reason: 'they move' }])
  expect((await asReceiver('POST', 'status', { stream_id: stream, status: 'enabled' })).status).toBe(403)
  expect((await asReceiver('POST', 'streams', {})).status).toBe(403)
  expect((await world.call('POST', `${streams()}/${stream}/resume`)).status).toBe(204)
  expect(await receiptsOf(events)).toMatchObject([{ paused: 0 }, { paused: 0 }])
})

it('one that an admin deletes is gone, and the receipts of every tenant say what it had not heard', async () => {
  const events = await tellOfBoth()
  expect((await world.call('DELETE', `${streams()}/${stream}`)).status).toBe(204)
  const deleted = { receivers: [expect.objectContaining({ refusal: 'stream_deleted' })], deadAt: null }
  expect(await receiptsOf(events)).toMatchObject([deleted, deleted])
  expect((await asReceiver('GET', `status?stream_id=${stream}`)).status).toBe(404)
})

it('no tenant reaches it, by the admin API or by the function that tells the receipts', async () => {
  const events = await tellOfBoth()
  const path = `/tenants/acme/resources/${front.resource}/streams/${stream}`
  for (const [method, act] of [
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['DELETE', ''],
  ] as const)
    expect((await world.call(method, `${path}${act}`, act === '/pause' ? {} : undefined)).status).toBe(404)
  for (const tenant of [world.acme.tenantId, world.globex.tenantId]) {
    const said = inTenant(world.fixture.database, tenant, (db) =>
      db.query('SELECT tell_receipts_of_own_stream($1, $2, $3)', [stream, 'deleted', toTimestamp(now())]),
    )
    await expect(said).rejects.toThrow('of its own streams alone')
  }
  const untouched = { receivers: [expect.objectContaining({ refusal: null, pausedAt: null })] }
  expect(await receiptsOf(events)).toMatchObject([untouched, untouched])
})
