/** Event streams before an admin of their resource: what waits and why; held, let go, ended; and nobody else's. */
import { randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { DeprovisioningEventId, ResourceId } from '@drawbridge/core/tenant/ids'
import { mostReceiversListed } from '@drawbridge/store/notice-receipts'
import { insertNotices } from '@drawbridge/store/notices'
import { acrossTenants } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
let stream = ''

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database)
  await aTokenKey(fixture, broker, acme, 'notices')
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  await asOwner(fixture.ownerUrl, 'DELETE FROM event_streams')
  await asOwner(fixture.ownerUrl, 'DELETE FROM notices')
  stream = (await asReceiver('POST', 'streams', { description: 'documents' })).body.stream_id
})

/** As the resource itself. */
async function asReceiver(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> {
  const response = await fetch(`${broker.url}/t/acme/ssf/${path}`, {
    method,
    headers: { authorization: `Bearer ${acme.credentialId}.${acme.credentialSecret}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}
const streams = (tenant = 'acme') => `/tenants/${tenant}/resources/${acme.resourceId}/streams`
const poll = () => asReceiver('POST', `streams/${stream}/poll`, { returnImmediately: true })
const statusOf = async () => (await asReceiver('GET', `status?stream_id=${stream}`)).body

async function aNotice(): Promise<{ readonly eventId: string; readonly jti: string }> {
  const [eventId, jti, now] = [broker.deps.random.uuid() as DeprovisioningEventId, broker.deps.random.uuid(), instant(Date.now())]
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at, swept_at)
     VALUES ($1, $2, 'admin', 'subject', 'ada', 'test', $3, $3, $3)`,
    [acme.tenantId, eventId, new Date(now)],
  )
  const to = { tenantId: acme.tenantId, resourceId: acme.resourceId as ResourceId, issuer: { tenant: acme.tenantId, id: acme.issuerId } }
  await acrossTenants(fixture.database, (db) =>
    insertNotices(db, { ...to, createdAt: now, expiresAt: addSeconds(now, 3600) }, [{ eventId, jti, token: 'a.b.c' }]),
  )
  return { eventId, jti }
}
const receiptOf = async (event: string) =>
  (await call('GET', '/tenants/acme/revocations?receivers=true')).body.revocations.find(({ eventId }: any) => eventId === event)

it('an admin sees how far behind each stream is, and none of its secrets', async () => {
  await aNotice()
  await aNotice()
  const { body } = await call('GET', streams())
  expect(body.streams).toEqual([
    expect.objectContaining({ id: stream, description: 'documents', method: 'poll', status: 'enabled', waiting: 2, trouble: null }),
  ])
  expect(body.streams[0].oldestWaitingAt).toEqual(expect.any(String))
  const { body: polled } = await poll()
  await asReceiver('POST', `streams/${stream}/poll`, { ack: Object.keys(polled.sets), maxEvents: 0 })
  expect((await call('GET', streams())).body.streams[0]).toMatchObject({ waiting: 0, oldestWaitingAt: null })
})

it('of an event that very many had to hear, a receipt lists those of the resource that is asked for, first who has acknowledged, and counts all', async () => {
  const eventId = randomUUID()
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at) VALUES ($1, $2, 'admin', 'subject', 'grace', 'test', $3, $3)`,
    [acme.tenantId, eventId, new Date()],
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at, acknowledged_at)
     SELECT $1, $2, gen_random_uuid(), resource, lpad(n::text, 4, '0'), $3::timestamptz, CASE WHEN n = $4 THEN $3::timestamptz END
       FROM unnest(ARRAY['https://a.example', 'https://b.example']) AS resource, generate_series(1, $4::int) AS n`,
    [acme.tenantId, eventId, new Date(), mostReceiversListed + 1],
  )
  const listed = async (query: string) => {
    const { revocations } = (await call('GET', `/tenants/acme/revocations?receivers=true${query}`)).body
    const { due, acknowledged, receivers } = revocations.find((one: any) => one.eventId === eventId)
    const resources = [...new Set(receivers.map(({ resource }: any) => resource))]
    return { due, acknowledged, listed: receivers.length, resources, isHeard: receivers.some((one: any) => one.acknowledgedAt !== null) }
  }
  const counts = { due: 2 * (mostReceiversListed + 1), acknowledged: 2, listed: mostReceiversListed }
  expect(await listed('')).toEqual({ ...counts, resources: ['https://a.example'], isHeard: false })
  expect(await listed('&resource=https://b.example')).toEqual({ ...counts, resources: ['https://b.example'], isHeard: true })
  expect(await listed('&resource=https://c.example')).toEqual({ ...counts, listed: 0, resources: [], isHeard: false })
})

it('what an operator holds its receiver is told of and cannot let go; nothing is lost meanwhile', async () => {
  expect((await call('POST', `${streams()}/${stream}/pause`, { reason: 'they move' })).status).toBe(204)
  expect(await statusOf()).toEqual({ stream_id: stream, status: 'paused', reason: 'they move' })
  const { eventId, jti } = await aNotice()
  expect((await asReceiver('POST', 'status', { stream_id: stream, status: 'enabled' })).status).toBe(403)
  const [told] = Object.values((await poll()).body.sets) as string[]
  const claims = JSON.parse(Buffer.from(told?.split('.')[1] ?? '', 'base64url').toString())
  expect(Object.values(claims.events)).toEqual([{ status: 'paused', reason: 'they move' }])
  expect(await receiptOf(eventId)).toMatchObject({ due: 1, paused: 1, deadAt: null })
  expect((await call('POST', `${streams()}/${stream}/resume`)).status).toBe(204)
  expect(await receiptOf(eventId)).toMatchObject({ paused: 0 })
  expect(Object.keys((await poll()).body.sets)).toContain(jti)
  expect((await asReceiver('POST', 'status', { stream_id: stream, status: 'paused' })).status).toBe(200)
})

it('what its receiver has paused is not an operator’s to let go', async () => {
  await asReceiver('POST', 'status', { stream_id: stream, status: 'paused' })
  expect((await call('POST', `${streams()}/${stream}/resume`)).status).toBe(404)
  expect((await statusOf()).status).toBe('paused')
})

it('one that ended while an operator held it is its receiver’s to enable once he has let go', async () => {
  await asOwner(fixture.ownerUrl, `UPDATE event_streams SET status = 'disabled', status_by = 'operator', status_reason = 'too old'`)
  expect((await call('POST', `${streams()}/${stream}/pause`, {})).status).toBe(404)
  expect((await asReceiver('POST', 'status', { stream_id: stream, status: 'enabled' })).status).toBe(403)
  expect((await call('POST', `${streams()}/${stream}/resume`)).status).toBe(204)
  expect(await statusOf()).toEqual({ stream_id: stream, status: 'disabled', reason: 'too old' })
  expect((await asReceiver('POST', 'status', { stream_id: stream, status: 'enabled' })).status).toBe(200)
})

it('a stream that an admin deletes is gone, and its receipts say what it had not heard', async () => {
  const { eventId } = await aNotice()
  expect((await call('DELETE', `${streams()}/${stream}`)).status).toBe(204)
  expect((await poll()).status).toBe(404)
  expect((await receiptOf(eventId)).receivers).toEqual([expect.objectContaining({ refusal: 'stream_deleted' })])
  expect((await call('DELETE', `${streams()}/${stream}`)).status).toBe(404)
})

it('nobody reaches a stream by way of another tenant, of another resource, or of none', async () => {
  const other = (await call('POST', '/tenants/acme/resources', { identifier: 'https://other.example/', name: 'x', scopes: [] })).body.id
  for (const path of [streams('globex'), `/tenants/acme/resources/${other}/streams`, '/tenants/acme/resources/x/streams']) {
    for (const act of ['/pause', '/resume'])
      expect((await call('POST', `${path}/${stream}${act}`, act === '/pause' ? {} : undefined)).status).toBe(404)
    expect((await call('DELETE', `${path}/${stream}`)).status).toBe(404)
  }
  expect((await call('GET', streams('globex'))).status).toBe(404)
  expect((await call('GET', `/tenants/acme/resources/${other}/streams`)).body.streams).toEqual([])
  expect((await statusOf()).status).toBe('enabled')
})

it('what a receiver does with its streams is in the trail, with the credential that did it', async () => {
  await asReceiver('PATCH', 'streams', { stream_id: stream, description: 'x' })
  await asReceiver('DELETE', `streams?stream_id=${stream}`)
  const events = (await call('GET', '/tenants/acme/audit-events')).body.auditEvents
  const own = events.filter(({ detail }: any) => detail.stream === stream).map(({ kind, detail }: any) => [kind, detail.credential])
  expect(own).toEqual(['deleted', 'changed', 'created'].map((act) => [`event_stream.${act}`, acme.credentialId]))
})
