/** Calls that must arrive, through the admin API: listed, replayed, and nobody else's business. */
import { randomUUID } from 'node:crypto'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
const destination = randomUUID()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO delivery_destinations (tenant_id, id, kind, issuer_id, client_id, origin, failures, paused_until)
     VALUES ($1, $2, 'backchannel_logout', $3, $4, 'https://agent.example', 3, '2099-01-01')`,
    [acme.tenantId, destination, acme.issuerId, acme.clientId],
  )
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

type Written = {
  readonly part?: string
  readonly orderKey?: string
  readonly sequence?: number
  readonly age?: string
  readonly arrived?: boolean
}
async function aDelivery(isDead: boolean, written: Written = {}): Promise<string> {
  const id = randomUUID()
  const { part = '', orderKey = 'x', sequence = 1, age = '0', arrived = false } = written
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, attempts, due_at, created_at, begun_at, dead_at, delivered_at,
       reason, expires_at)
     VALUES ($1, $2, $3, $5, $6, $2, $7, '{}', 9, now(), now() - $8::interval, now(), CASE WHEN $4 THEN now() END, CASE WHEN $9 THEN now() END, 'answered 400',
       CASE WHEN $4 OR $9 THEN '2099-01-01'::timestamptz END)`,
    [acme.tenantId, id, destination, isDead, orderKey, sequence, part, age, arrived],
  )
  return id
}
const idsOf = async (query = '') =>
  (await call('GET', `/tenants/acme/deliveries${query}`)).body.deliveries.map(({ id }: { id: string }) => id)

it('what was given up is listed with its reason and replayed when an admin says so; nothing else is: delivery_not_given_up', async () => {
  const [dead, waiting] = [await aDelivery(true), await aDelivery(false)]
  expect((await call('GET', '/tenants/acme/deliveries?state=dead')).body.deliveries).toMatchObject([
    {
      id: dead,
      kind: 'backchannel_logout',
      clientId: acme.clientId,
      state: 'dead',
      attempts: 9,
      reason: 'answered 400',
      pausedUntil: '2099-01-01T00:00:00.000Z',
    },
  ])
  const replay = (id: string, tenant = 'acme') => call('POST', `/tenants/${tenant}/deliveries/${id}/replay`)
  expect(await replay(waiting)).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:delivery_not_given_up' } })
  expect(await replay(dead, 'globex')).toMatchObject({ status: 404 })
  expect(await replay('x')).toMatchObject({ status: 404 })
  expect(await replay(dead)).toMatchObject({ status: 200, body: { replayed: 1 } })
  expect(await replay(dead)).toMatchObject({ status: 409 })
  expect((await call('GET', '/tenants/acme/deliveries?state=waiting')).body.deliveries).toMatchObject([
    { pausedUntil: null },
    { pausedUntil: null },
  ])
})

it('all that was given up is replayed, or that of one destination; another tenant sees and touches nothing', async () => {
  const [one, two] = [await aDelivery(true), await aDelivery(true)]
  const replayAll = (tenant: string, body: unknown) => call('POST', `/tenants/${tenant}/deliveries/replay-dead`, body)
  expect((await replayAll('globex', {})).body).toEqual({ replayed: 0 })
  expect((await replayAll('acme', { destinationId: randomUUID() })).body).toEqual({ replayed: 0 })
  expect((await idsOf('?state=dead')).sort()).toEqual([one, two].sort())
  expect((await replayAll('acme', { destinationId: destination })).body).toEqual({ replayed: 2 })
  expect(await idsOf('?state=dead')).toEqual([])
  expect(await idsOf(`?destinationId=${randomUUID()}`)).toEqual([])
  expect((await call('GET', '/tenants/globex/deliveries')).body.deliveries).toEqual([])
})

it('that somebody is back is not replayed behind the news that she is gone again, nor when nobody knows that any more', async () => {
  const back = { part: 'subject.reinstated', sequence: 5 }
  const gone = { part: 'subject.deactivated', arrived: true }
  const stale = [
    await aDelivery(true, { ...back, orderKey: 'gone since' }),
    await aDelivery(true, { ...back, orderKey: 'old', age: '8 days' }),
  ]
  await aDelivery(false, { ...gone, orderKey: 'gone since', sequence: 6 })
  const owed = [
    await aDelivery(true, { ...back, orderKey: 'gone before' }),
    await aDelivery(true, { part: 'access.ended', orderKey: 'gone since', sequence: 5 }),
  ]
  await aDelivery(false, { ...gone, orderKey: 'gone before', sequence: 4 })
  for (const id of stale)
    expect(await call('POST', `/tenants/acme/deliveries/${id}/replay`)).toMatchObject({
      status: 409,
      body: { type: 'urn:drawbridge:error:delivery_not_given_up', detail: expect.stringContaining('somebody is back') },
    })
  expect((await call('POST', '/tenants/acme/deliveries/replay-dead', {})).body).toEqual({ replayed: owed.length })
  expect((await idsOf('?state=dead')).sort()).toEqual([...stale].sort())
})

it('a client that an admin registers hears of logouts at an https address, and of none when she says so', async () => {
  const client = { clientId: 'portal', name: 'Portal', redirectUris: ['https://portal.example/cb'] }
  const told = { backchannelLogoutUri: 'https://portal.example/logout', backchannelLogoutSessionRequired: true }
  expect((await call('POST', '/tenants/acme/clients', { ...client, backchannelLogoutUri: 'http://portal.example/logout' })).status).toBe(
    400,
  )
  expect(await call('POST', '/tenants/acme/clients', { ...client, ...told })).toMatchObject({ status: 201, body: told })
  const change = (body: unknown) => call('PATCH', '/tenants/acme/clients/portal/registration', body)
  expect(await change({ name: 'The portal' })).toMatchObject({ status: 200, body: told })
  expect(await change({ backchannelLogoutUri: null })).toMatchObject({
    body: { backchannelLogoutUri: null, backchannelLogoutSessionRequired: true },
  })
  const postLogoutRedirectUris = ['https://portal.example/bye', 'com.portal.app:/bye']
  expect(await change({ postLogoutRedirectUris })).toMatchObject({ body: { postLogoutRedirectUris, name: 'The portal' } })
  expect((await change({ postLogoutRedirectUris: ['http://portal.example/bye'] })).status).toBe(400)
})

it('the issuer says that it tells of logouts', async () => {
  const metadata = await fetch(`${broker.url}/t/acme/.well-known/openid-configuration`)
  expect(await metadata.json()).toMatchObject({ backchannel_logout_supported: true, backchannel_logout_session_supported: true })
})
