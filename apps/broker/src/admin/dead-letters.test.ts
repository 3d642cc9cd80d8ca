/** What the workers gave up is seen and tried again by the vendor alone; a tenant finds it in its trail. */
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let call: Call
const tenants: ATenant[] = []
const ids: number[] = []

beforeAll(async () => {
  fixture = await testDatabase()
  for (const slug of ['acme', 'globex']) tenants.push(await aTenant(fixture, { slug }))
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
  for (const [tenant, kind] of [
    [0, 'revoke'],
    [1, 'revoke'],
    [0, 'settle-directory'],
  ] as const) {
    const [row] = await asOwner<{ id: string }>(
      fixture.ownerUrl,
      `INSERT INTO outbox (tenant_id, kind, payload, created_at, due_at, attempts, dead_at, dead_reason)
       VALUES ($1, $2, '{"eventId": "00000000-0000-4000-8000-000000000001", "target": "subject", "targetId": "ada"}', now(), 'infinity', 12, now(), 'the key is gone') RETURNING id`,
      [tenants[tenant]?.tenantId, kind],
    )
    ids.push(Number(row?.id))
  }
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const listed = async (query = '') => (await call('GET', `/dead-letters${query}`)).body.deadLetters.map(({ id }: { id: number }) => id)

it('lists them with tenant and reason, by kind and by tenant', async () => {
  const { body } = await call('GET', '/dead-letters?kind=revoke&tenant=acme')
  expect(body.deadLetters).toEqual([
    expect.objectContaining({
      id: ids[0],
      tenant: 'acme',
      kind: 'revoke',
      reason: 'the key is gone',
      attempts: 12,
      target: 'subject',
      targetId: 'ada',
    }),
  ])
  expect(await listed()).toEqual([...ids].reverse())
})

it('replays one, then all of a kind, each in the trail of its tenant', async () => {
  expect((await call('POST', '/dead-letters/replay', { id: ids[2], reason: 'repaired' })).body).toEqual({ replayed: 1 })
  expect((await call('POST', '/dead-letters/replay', { id: ids[2], reason: 'again' })).status).toBe(404)
  expect((await call('POST', '/dead-letters/replay', { kind: 'revoke', reason: 'repaired' })).body).toEqual({ replayed: 2 })
  expect(await listed()).toEqual([])
  const kindsOf = async (slug: string) =>
    (await call('GET', `/tenants/${slug}/audit-events?kind=dead_letters.replayed`)).body.auditEvents.map(
      ({ detail }: { detail: { entryKind: string; vendor: boolean } }) => [detail.entryKind, detail.vendor],
    )
  expect((await kindsOf('acme')).sort()).toEqual([
    ['revoke', true],
    ['settle-directory', true],
  ])
  expect(await kindsOf('globex')).toEqual([['revoke', true]])
})

it.each([{ reason: 'neither' }, { id: 1, kind: 'revoke', reason: 'both' }, { kind: 'revoke' }])('refuses %j', async (body) => {
  expect((await call('POST', '/dead-letters/replay', body)).body).toMatchObject({ type: 'urn:drawbridge:error:body_invalid' })
})
