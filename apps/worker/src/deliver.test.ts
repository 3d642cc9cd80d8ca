/** Calls that must arrive: at least once, in order, fairly, and past every kind of trouble. The clock is moved; nobody waits. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { deliveryLimits } from '@drawbridge/core/revocation/delivery'
import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { claimDeliveriesAcrossTenants, markDelivered } from '@drawbridge/store/deliveries'
import { listDeliveries, replayDead } from '@drawbridge/store/delivery-records'
import { planLogouts } from '@drawbridge/store/plan-logouts'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { countOf, eventually, jobDeps, random } from '../test/a-company.js'
import { aReceiver } from '../test/a-receiver.js'
import { aToldCompany } from '../test/a-told-client.js'
import { deliverDue, deliverOne, startDeliveries } from './deliver.js'
import type { JobDeps } from './deps.js'
import { sweepExpired } from './jobs/sweep-expired.job.js'

const start = instant(Date.now())
let now: Instant = start
let fixture: TestDatabase
let deps: JobDeps
let receiver: Awaited<ReturnType<typeof aReceiver>>
let acme: Awaited<ReturnType<typeof aToldCompany>>
let globex: Awaited<ReturnType<typeof aToldCompany>>
let people: readonly string[] = []
beforeAll(async () => {
  fixture = await testDatabase()
  deps = { ...jobDeps(fixture), clock: { now: () => now } }
  receiver = await aReceiver()
  acme = await aToldCompany(fixture, 'acme')
  globex = await aToldCompany(fixture, 'globex')
  await acme.aClient('one', `${receiver.origin}/one`)
  await acme.aClient('two', `${receiver.origin}/two`)
  await globex.aClient('one', `${receiver.origin}/globex`)
  const made = []
  for (let n = 0; n < 12; n += 1) made.push(await acme.aPerson(`p${n}`))
  people = made
  for (const person of people) await acme.aGrant('one', person)
  await acme.aGrant('two', people[0] ?? '')
  await globex.aGrant('one', await globex.aPerson('ada'))
})
afterAll(async () => {
  await receiver?.close()
  await fixture?.close()
})
beforeEach(async () => {
  receiver.forget()
  now = start
  await asOwner(fixture.ownerUrl, 'DELETE FROM deliveries')
  await asOwner(fixture.ownerUrl, 'DELETE FROM delivery_destinations')
})

let sequence = 0
type Company = Awaited<ReturnType<typeof aToldCompany>>
const tell = (company: Company, target: 'subject' | 'tenant', targetId: string, eventId = random.uuid()) =>
  acrossTenants(fixture.database, (db) =>
    planLogouts(db, {
      ...{ tenant: company.tenant, eventId: eventId as DeprovisioningEventId, sequence: (sequence += 1), now, target, targetId, epoch: 2 },
    }),
  )
const later = (seconds: number) => {
  now = addSeconds(now, seconds)
}
const claim = () => acrossTenants(fixture.database, (db) => claimDeliveriesAcrossTenants(db, now, deliveryLimits.slots))
const listed = () =>
  inTenant(fixture.database, acme.tenant, (db) =>
    listDeliveries(db, acme.tenant, { state: undefined, destinationId: undefined }, { from: undefined, limit: 200 }),
  )
const paths = () => receiver.heard.map(({ path }) => path)
const jtis = () =>
  receiver.heard.map(({ body }) => {
    const [, claims = ''] = (new URLSearchParams(body).get('logout_token') ?? '').split('.')
    return JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')).jti as string
  })

it('the same event planned twice, even at once, is told once', async () => {
  const event = random.uuid()
  await Promise.all([tell(acme, 'subject', people[0] ?? '', event), tell(acme, 'subject', people[0] ?? '', event)])
  await tell(acme, 'subject', people[0] ?? '', event)
  expect(await deliverDue(deps)).toBe(2)
  expect(paths().sort()).toEqual(['/one', '/two'])
  expect(await deliverDue(deps)).toBe(0)
})

it('a worker that dies after its claim leaves it to the next one, which says the same under the same id; one that comes back late writes over nothing', async () => {
  await tell(acme, 'subject', people[1] ?? '')
  const [died] = await claim()
  expect(await deliverDue(deps)).toBe(0)
  later(deliveryLimits.leaseSeconds)
  expect(await deliverDue(deps)).toBe(1)
  if (died === undefined) throw new Error('something was claimed')
  expect(jtis()).toEqual([died.id])
  await deliverOne(deps, died)
  expect(jtis()).toEqual([died.id, died.id])
  expect(await acrossTenants(fixture.database, (db) => markDelivered(db, died, now))).toBe(false)
  expect(await listed()).toMatchObject([{ state: 'delivered', attempts: 2 }])
})

it('two workers never have the same message', async () => {
  await tell(acme, 'tenant', acme.tenant)
  const claims = await Promise.all(Array.from({ length: 6 }, claim))
  const ids = claims.flat().map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBeGreaterThanOrEqual(deliveryLimits.perDestination)
})

it('a logout that its client does not take holds up no later one of the same person', async () => {
  receiver.answerWith(400)
  await tell(acme, 'subject', people[0] ?? '')
  await deliverDue(deps)
  receiver.answerWith(200)
  await tell(acme, 'subject', people[0] ?? '')
  await deliverDue(deps)
  expect((await listed()).filter(({ state }) => state === 'delivered')).toHaveLength(2)
})

it('of what has an order, the oldest comes first and nothing overtakes it, while others go on', async () => {
  receiver.answerWith(({ path }) => (path === '/one' ? 400 : 200))
  await tell(acme, 'subject', people[0] ?? '')
  await tell(acme, 'subject', people[0] ?? '')
  await tell(acme, 'subject', people[2] ?? '')
  await asOwner(fixture.ownerUrl, "UPDATE deliveries SET order_key = payload ->> 'sub'")
  await deliverDue(deps)
  await deliverDue(deps)
  expect(paths().sort()).toEqual(['/one', '/one', '/two', '/two'])
  receiver.forget()
  later(deliveryLimits.longestPauseSeconds.message)
  const firsts = (await listed()).filter(({ state, orderKey }) => state === 'waiting' && orderKey === people[0]).map(({ id }) => id)
  await deliverDue(deps)
  await deliverDue(deps)
  const heard = jtis().filter((jti) => firsts.includes(jti))
  const order = await asOwner<{ id: string }>(fixture.ownerUrl, 'SELECT id FROM deliveries WHERE id = ANY ($1) ORDER BY sequence', [firsts])
  expect(heard).toEqual(order.map(({ id }) => id))
})

it('a message that its receiver does not want holds up nobody, and is given up when it is old, with the reason', async () => {
  receiver.answerWith(400)
  await tell(acme, 'subject', people[1] ?? '')
  await deliverDue(deps)
  await tell(acme, 'subject', people[2] ?? '')
  expect(await deliverDue(deps)).toBe(1) // the destination is not paused
  later(deliveryLimits.ageSeconds)
  await deliverDue(deps)
  expect(await listed()).toMatchObject([
    { state: 'dead', reason: 'answered 400', attempts: 2 },
    { state: 'dead', reason: 'answered 400' },
  ])
  expect(await deps.metrics.print()).toContain('drawbridge_deliveries_total{kind="backchannel_logout",outcome="dead"} 2')
})

it('a destination that is down is paused as a whole, tried by a single call, and has all of it once it is back', async () => {
  receiver.answerWith(() => 'nothing')
  await tell(acme, 'tenant', acme.tenant)
  await deliverDue(deps)
  expect(paths().filter((path) => path === '/one')).toHaveLength(deliveryLimits.perDestination)
  expect(await deliverDue(deps)).toBe(0)
  const [destination] = await asOwner<{ failures: number; paused: boolean }>(
    fixture.ownerUrl,
    "SELECT failures, paused_until > $1 AS paused FROM delivery_destinations WHERE client_id = 'one'",
    [new Date(now)],
  )
  expect(destination).toEqual({ failures: 1, paused: true }) // what failed together counts once
  later(2)
  receiver.heard.length = 0
  await deliverDue(deps)
  expect(paths().filter((path) => path === '/one')).toHaveLength(1)
  receiver.answerWith(200)
  for (let round = 0; round < 20; round += 1) {
    later(20)
    await deliverDue(deps)
  }
  expect((await listed()).filter(({ state }) => state !== 'delivered')).toEqual([])
})

it('who was down for an hour has all of it within the longest pause of being back', async () => {
  receiver.answerWith(503)
  await tell(acme, 'tenant', acme.tenant)
  const waiting = (await listed()).length
  for (let waited = 0; waited < 3600; waited += 20) {
    await deliverDue(deps)
    later(20)
  }
  receiver.answerWith(200)
  receiver.heard.length = 0
  later(deliveryLimits.longestPauseSeconds.destination)
  while ((await deliverDue(deps)) > 0) continue
  expect(new Set(jtis()).size).toBe(waiting)
  expect((await listed()).filter(({ state }) => state !== 'delivered')).toEqual([])
})

it('a message that was tried very often, while its receiver was away, is not given up for one refusal', async () => {
  receiver.answerWith(400)
  await tell(acme, 'subject', people[1] ?? '')
  await asOwner(fixture.ownerUrl, 'UPDATE deliveries SET attempts = 1000')
  await deliverDue(deps)
  receiver.answerWith(200)
  later(deliveryLimits.longestPauseSeconds.message)
  await deliverDue(deps)
  expect(await listed()).toMatchObject([{ state: 'delivered', attempts: 1002 }])
})

it('nobody else waits for a tenant with very many, nor for a destination that is down', async () => {
  await tell(acme, 'tenant', acme.tenant)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, due_at, created_at, begun_at)
     SELECT d.tenant_id, gen_random_uuid(), t.id, n::text, 1, gen_random_uuid(), '', d.payload, d.due_at - interval '1 hour', d.created_at, d.begun_at
       FROM generate_series(1, 500) n, delivery_destinations t, (SELECT * FROM deliveries LIMIT 1) d WHERE t.tenant_id = d.tenant_id`,
  )
  await tell(globex, 'tenant', globex.tenant)
  const claimed = await claim()
  expect(claimed.filter(({ tenantId }) => tenantId === globex.tenant)).toHaveLength(1)
  expect(claimed.filter(({ tenantId }) => tenantId === acme.tenant)).toHaveLength(deliveryLimits.perTenant)
  expect(await claim()).toEqual([]) // until what is under way ends
})

it('no host gets more than its share of what is under way, however many tenants name it', async () => {
  await tell(acme, 'tenant', acme.tenant)
  await tell(globex, 'tenant', globex.tenant)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, due_at, created_at, begun_at)
     SELECT t.tenant_id, gen_random_uuid(), t.id, n::text, 1, gen_random_uuid(), '', '{}', $1, $1, $1 FROM generate_series(1, 20) n, delivery_destinations t`,
    [new Date(now)],
  )
  expect((await claim()).length).toBe(deliveryLimits.perOrigin)
})

it('what waited in vain for days is given up by the sweep, counted, kept, and forgotten later', async () => {
  await tell(acme, 'subject', people[1] ?? '')
  later(deliveryLimits.ageSeconds)
  await sweepExpired(deps)
  expect(await listed()).toMatchObject([{ state: 'dead', attempts: 0, reason: 'its destination was paused for too long' }])
  expect(await deps.metrics.print()).toContain('drawbridge_deliveries_dead 1')
  later(deliveryLimits.keepDeadSeconds + 1)
  await sweepExpired(deps)
  expect(await listed()).toEqual([])
})

it('what was given up is replayed under its id, in its old place, as if it had never been tried', async () => {
  receiver.answerWith(503)
  await tell(acme, 'subject', people[1] ?? '')
  later(deliveryLimits.ageSeconds)
  await deliverDue(deps)
  const [dead] = await listed()
  expect(dead).toMatchObject({ state: 'dead', reason: 'answered 503' })
  receiver.forget()
  const replay = () => inTenant(fixture.database, acme.tenant, (db) => replayDead(db, acme.tenant, { destinationId: undefined }, now))
  expect(await replay()).toBe(1)
  expect(await replay()).toBe(0)
  expect(await deliverDue(deps)).toBe(1) // its destination is not waited for
  expect(jtis()).toEqual([dead?.id])
  expect(await listed()).toMatchObject([{ id: dead?.id, state: 'delivered', attempts: 1 }])
})

it('a redirect is not followed, and an address that may not be called is given up at once', async () => {
  receiver.answerWith(302)
  await tell(acme, 'subject', people[1] ?? '')
  await deliverDue(deps)
  expect(await listed()).toMatchObject([{ state: 'waiting', reason: 'answered 302' }])
  await asOwner(
    fixture.ownerUrl,
    "UPDATE clients SET backchannel_logout_uri = 'http://agent.example/logout' WHERE client_id = 'one' AND tenant_id = $1",
    [acme.tenant],
  )
  later(deliveryLimits.longestPauseSeconds.message)
  await deliverDue(deps)
  expect(await listed()).toMatchObject([{ state: 'dead', reason: 'scheme_refused' }])
  await asOwner(
    fixture.ownerUrl,
    "UPDATE clients SET backchannel_logout_uri = 'https://10.0.0.1/logout' WHERE client_id = 'one' AND tenant_id = $1",
    [acme.tenant],
  )
  await tell(acme, 'subject', people[2] ?? '')
  await deliverDue(deps)
  expect((await listed()).find(({ orderKey }) => orderKey.startsWith(people[2] ?? ''))).toMatchObject({ reason: 'address_refused' })
  await asOwner(fixture.ownerUrl, "UPDATE clients SET backchannel_logout_uri = $2 WHERE client_id = 'one' AND tenant_id = $1", [
    acme.tenant,
    `${receiver.origin}/one`,
  ])
})

it('the running worker is woken by what is written, and finishes what is under way when it is stopped', async () => {
  const deliveries = startDeliveries(deps)
  await tell(acme, 'tenant', acme.tenant)
  deliveries.wake()
  await eventually(async () => (await countOf(fixture, 'deliveries WHERE delivered_at IS NULL')) === 0)
  await deliveries.stop()
  expect(receiver.heard).toHaveLength(people.length + 1)
})
