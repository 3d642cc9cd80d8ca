/** How an instance of a guard ends: it says so itself, is waited for no longer, and believes nothing from then on. */
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { createGuard, type GuardOptions, mostDeafAfterSeconds } from '@drawbridge/guard/create-guard'
import { pollTimeoutSeconds, streamLapsesAfterSeconds } from '@drawbridge/guard/receive-notices'
import { mostStepBackSeconds } from '@drawbridge/guard/watched-clock'
import { mostGuardStreams, streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { aGuardOf, aNoticingBroker, ids, type NoticingBroker, random, resource, secret } from '../../test/a-noticing-broker.js'

let broker: NoticingBroker
let hand: ReturnType<typeof aGuardOf>
beforeAll(async () => {
  broker = await aNoticingBroker()
  hand = aGuardOf(broker)
})
afterAll(() => broker.close())

const ask = <Row>(sql: string, parameters: readonly unknown[] = []) => asOwner<Row>(broker.fixture.ownerUrl, sql, parameters)
beforeEach(() => ask('UPDATE notice_streams SET closed_at = now() WHERE closed_at IS NULL'))
const receiptsOf = async (subject: string) => {
  const [receipts] = await ask<object>(
    `SELECT e.dead_at IS NOT NULL AS "isDead", count(*)::int AS due, count(r.acknowledged_at)::int AS acknowledged, count(r.lapsed_at)::int AS lapsed
       FROM deprovisioning_events e JOIN notice_receipts r ON r.tenant_id = e.tenant_id AND r.event_id = e.id WHERE e.target_id = $1 GROUP BY e.dead_at`,
    [subject],
  )
  return receipts
}
const streamsOf = (instance: string) =>
  ask<{ isOpen: boolean }>('SELECT closed_at IS NULL AS "isOpen" FROM notice_streams WHERE instance = $1 ORDER BY opened_at', [instance])
const aGuard = (instance: string, over: Partial<GuardOptions> = {}) =>
  createGuard({
    ...{ resource, instance, toolScopes: {}, onDeaf: 'refuse' },
    issuers: [{ issuer: broker.issuer, credential: { id: ids.credential, secret } }],
    ...over,
  })
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('not so after 5 s')
}

it('with its last word it acknowledges what it took, and is waited for no longer; its stream is closed', async () => {
  const [ends, stays] = [await hand.open(), await hand.open()]
  const [heard, unheard] = [await broker.revoke('heard before the end', 2), await broker.revoke('not heard', 2)]
  await ask('UPDATE deprovisioning_events SET swept_at = barrier_at WHERE swept_at IS NULL')
  for (const { streamId } of [ends, stays]) await hand.poll(streamId)
  await hand.poll(stays.streamId, { ack: [heard, unheard] })
  expect(await receiptsOf('not heard')).toEqual({ isDead: false, due: 2, acknowledged: 1, lapsed: 0 })
  const last = await hand.post('/ssf/poll', { streamId: ends.streamId, ack: [heard], close: true })
  expect([last.status, last.body]).toEqual([200, { sets: {}, moreAvailable: false }])
  expect(await receiptsOf('heard before the end')).toEqual({ isDead: true, due: 2, acknowledged: 2, lapsed: 0 })
  expect(await receiptsOf('not heard')).toEqual({ isDead: true, due: 2, acknowledged: 1, lapsed: 1 })
  expect((await hand.poll(ends.streamId)).status).toBe(404)
  await broker.revoke('after the end', 2)
  expect(await receiptsOf('after the end')).toMatchObject({ due: 1 })
})

it('a stream that is closed while its poll waits is unknown when the wait is over, and no silence that a guard could take for peace', async () => {
  const [closes, stays] = [await hand.open(), await hand.open()]
  const waiting = [closes, stays].map(({ streamId }) => hand.post('/ssf/poll', { streamId }))
  const heard = () =>
    ask<{ isHeard: boolean }>('SELECT bool_and(heard_at > opened_at) AS "isHeard" FROM notice_streams WHERE id = ANY ($1)', [
      [closes.streamId, stays.streamId],
    ])
  await eventually(async () => (await heard())[0]?.isHeard === true)
  await ask('UPDATE notice_streams SET closed_at = now() WHERE id = $1', [closes.streamId])
  // Whatever comes wakes both.
  const jti = await broker.revoke('closed while it waits', 2)
  const [closed, stayed] = await Promise.all(waiting)
  expect([closed?.status, Object.keys(stayed?.body.sets ?? {})]).toEqual([404, [jti]])
})

it('the last word of the last that was awaited is when it was dead everywhere, whether it answers or ends', async () => {
  const streams = [await hand.open(), await hand.open()]
  const jti = await broker.revoke('ends and answers', 2)
  await ask('UPDATE deprovisioning_events SET swept_at = barrier_at WHERE swept_at IS NULL')
  for (const { streamId } of streams) await hand.poll(streamId)
  const [answers, ends] = streams as [(typeof streams)[number], (typeof streams)[number]]
  await Promise.all([
    hand.poll(answers.streamId, { ack: [jti] }),
    hand.post('/ssf/poll', { streamId: ends.streamId, ack: [], close: true }),
  ])
  expect(await receiptsOf('ends and answers')).toEqual({ isDead: true, due: 2, acknowledged: 1, lapsed: 1 })
})

it('nobody closes a stream with the credential of another resource server, or at another issuer', async () => {
  await ask(
    `INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) SELECT $1, $2, tenant_id, id FROM issuers WHERE tenant_id = $3`,
    [vendorTenantId, ids.shared, ids.other],
  )
  const [own, shared] = [
    await hand.open(),
    (await hand.post('/ssf/streams', { instance: 'shared' }, `${ids.sharedCredential}:${secret}`)).body,
  ]
  const close = (streamId: string, credential: string, tenant: string) =>
    hand.post('/ssf/poll', { streamId, close: true }, credential, tenant)
  expect((await close(own.streamId, `${ids.sharedCredential}:${secret}`, 'acme')).status).toBe(404)
  expect((await close(shared.streamId, `${ids.sharedCredential}:${secret}`, 'globex')).status).toBe(404)
  expect((await hand.poll(own.streamId)).status).toBe(200)
})

it('a guard that stops closes its stream, and refuses everything from then on', async () => {
  const instance = random.uuid()
  const guard = aGuard(instance)
  await guard.start()
  expect(await streamsOf(instance)).toEqual([{ isOpen: true }])
  await guard.stop()
  expect(await streamsOf(instance)).toEqual([{ isOpen: false }])
  expect(guard.isReady()).toBe(false)
  expect(await guard.check('Bearer a.b.c')).toMatchObject({ ok: false, error: { status: 503 } })
})

it('a guard that begins anew in the same process closes the stream that it had', async () => {
  const instance = random.uuid()
  const clock = { setBackMs: 0 }
  const guard = aGuard(instance, { now: () => Date.now() - clock.setBackMs })
  await guard.start()
  try {
    clock.setBackMs = (mostStepBackSeconds + 10) * 1000
    await guard.check('Bearer a.b.c')
    await eventually(async () => JSON.stringify(await streamsOf(instance)) === JSON.stringify([{ isOpen: false }, { isOpen: true }]))
  } finally {
    await guard.stop()
  }
})

it('a guard that an answer never reached hears it on the same stream', async () => {
  const instance = random.uuid()
  const line = { breaksOnce: false }
  const guard = aGuard(instance, {
    fetch: async (input, init) => {
      const answer = await fetch(input, init)
      if (!line.breaksOnce || !String(input instanceof Request ? input.url : input).endsWith('/poll')) return answer
      line.breaksOnce = false
      throw new TypeError('the answer was lost')
    },
  })
  await guard.start()
  try {
    line.breaksOnce = true
    await broker.revoke('lost on its way', 2)
    await eventually(async () => JSON.stringify(await receiptsOf('lost on its way')).includes('"acknowledged":1'))
    expect([line.breaksOnce, await streamsOf(instance)]).toEqual([false, [{ isOpen: true }]])
  } finally {
    await guard.stop()
  }
})

it('the same name alone closes nothing: it does not prove that the process before has ended', async () => {
  const instance = random.uuid()
  const [before] = [(await hand.post('/ssf/streams', { instance })).body, (await hand.post('/ssf/streams', { instance })).body]
  expect(await streamsOf(instance)).toEqual([{ isOpen: true }, { isOpen: true }])
  expect((await hand.poll(before.streamId)).status).toBe(200)
})

it('a silent one believes nothing any more when it is given up, whatever its owner has set', () => {
  const secondOfRounding = 1
  expect(streamLapsesAfterSeconds).toBe(streamLapseSeconds)
  expect(pollTimeoutSeconds + mostDeafAfterSeconds + mostStepBackSeconds + secondOfRounding).toBeLessThanOrEqual(streamLapseSeconds)
})

it('a resource server has as many living streams as it may have, and one more when one of them has closed', async () => {
  const open = () => hand.post('/ssf/streams', { instance: random.uuid() })
  await ask(
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, issuer_tenant_id, issuer_id)
     SELECT $1, gen_random_uuid(), $2, 'pod-' || n, now(), now(), $1, $3 FROM generate_series(1, $4::int) AS n`,
    [ids.tenant, ids.resource, ids.issuer, mostGuardStreams],
  )
  const refused = await open()
  expect([refused.status, refused.body]).toMatchObject([403, { error: 'access_denied' }])
  await ask(`UPDATE notice_streams SET closed_at = now() WHERE instance = 'pod-1'`)
  expect([(await open()).status, (await open()).status]).toEqual([201, 403])
  await ask('UPDATE notice_streams SET closed_at = now() WHERE closed_at IS NULL')
})
