/** Webhook endpoints through the admin API: a secret is shown once, addresses are https in production, and another tenant's are nobody's business. */
import { randomUUID } from 'node:crypto'
import { webhookLimits } from '@drawbridge/core/revocation/webhook'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let call: Call

beforeAll(async () => {
  fixture = await testDatabase()
  await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => asOwner(fixture.ownerUrl, 'DELETE FROM webhook_endpoints'))

const siem = { name: 'SIEM', url: 'https://siem.example/hook', events: ['access.ended', 'subject.reinstated'] }
const acme = '/tenants/acme/webhooks'

it.each([acme, '/webhooks'])(
  'an endpoint at %s shows its secret once, and a new one beside which the former signs for a day',
  async (path) => {
    const made = await call('POST', path, siem)
    expect(made).toMatchObject({ status: 201, body: { ...siem, pausedAt: null, disabledAt: null, formerSecretUntil: null } })
    const { id, secret } = made.body
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    const next = await call('POST', `${path}/${id}/secret`)
    expect(next).toMatchObject({
      status: 201,
      body: { id, secret: expect.stringMatching(/^whsec_/), formerSecretUntil: expect.any(String) },
    })
    expect(next.body.secret).not.toBe(secret)
    const listed = await call('GET', path)
    expect(listed.body.webhooks).toMatchObject([{ id, formerSecretUntil: next.body.formerSecretUntil }])
    const trail = await call('GET', path === acme ? '/tenants/acme/audit-events' : '/audit-events')
    for (const shown of [listed, trail]) expect(JSON.stringify(shown.body)).not.toContain('whsec_')
    expect(JSON.stringify(trail.body)).not.toContain('/hook') // some receivers put secrets into their addresses
  },
)

it.each([
  { when: 'the address is plain http', change: { url: 'http://siem.example/hook' } },
  { when: 'the address has a fragment', change: { url: 'https://siem.example/hook#x' } },
  { when: 'the address holds credentials', change: { url: 'https://a:b@siem.example/hook' } },
  { when: 'there is no such news', change: { events: ['access.granted'] } },
  { when: 'it hears nothing', change: { events: [] } },
])('an endpoint is refused when $when', async ({ change }) => {
  expect((await call('POST', acme, { ...siem, ...change })).status).toBe(400)
  const { id } = (await call('POST', acme, siem)).body
  expect((await call('PATCH', `${acme}/${id}`, change)).status).toBe(400)
})

it('a production calls https alone, where a laboratory may call loopback: webhook_not_https', async () => {
  const loopback = { ...siem, url: 'http://127.0.0.1:9000/hook' }
  const production = await aBroker(fixture.database, { installation: { ...broker.deps.installation, kind: 'production' } })
  try {
    const asked = anAdmin(production)
    expect(await asked('POST', acme, loopback)).toMatchObject({ status: 400, body: { type: 'urn:drawbridge:error:webhook_not_https' } })
    const { id } = (await asked('POST', acme, siem)).body
    expect((await asked('PATCH', `${acme}/${id}`, { url: loopback.url })).body.type).toBe('urn:drawbridge:error:webhook_not_https')
  } finally {
    await production.close()
  }
  if (broker.deps.installation.kind !== 'production') expect((await call('POST', acme, loopback)).status).toBe(201)
})

it('there are only so many, also for those who ask at once: webhooks_enough', async () => {
  const asked = await Promise.all(Array.from({ length: webhookLimits.endpoints + 3 }, () => call('POST', acme, siem)))
  expect(asked.filter(({ status }) => status === 201)).toHaveLength(webhookLimits.endpoints)
  expect(asked.find(({ status }) => status !== 201)).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:webhooks_enough' } })
  expect((await call('POST', '/tenants/globex/webhooks', siem)).status).toBe(201)
})

it('it is changed, paused, resumed, tested and removed, by its owner alone', async () => {
  const { id } = (await call('POST', acme, siem)).body
  expect(await call('PATCH', `${acme}/${id}`, { name: 'Log' })).toMatchObject({ body: { ...siem, name: 'Log' } })
  expect((await call('POST', `${acme}/${id}/pause`)).body.pausedAt).toEqual(expect.any(String))
  expect((await call('POST', `${acme}/${id}/resume`)).body.pausedAt).toBeNull()
  const { delivery } = (await call('POST', `${acme}/${id}/test`)).body
  expect((await call('GET', `/tenants/acme/deliveries?destinationId=${id}`)).body.deliveries).toMatchObject([
    { id: delivery, kind: 'webhook' },
  ])
  for (const path of ['/tenants/globex/webhooks', '/webhooks'])
    for (const [method, verb] of [
      ['PATCH', ''],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/secret'],
      ['POST', '/test'],
      ['DELETE', ''],
    ] as const)
      for (const which of [id, randomUUID()])
        expect((await call(method, `${path}/${which}${verb}`, method === 'PATCH' ? {} : undefined)).status).toBe(404)
  expect((await call('DELETE', `${acme}/${id}`)).status).toBe(204)
  expect((await call('GET', '/tenants/acme/deliveries')).body.deliveries).toEqual([])
})
