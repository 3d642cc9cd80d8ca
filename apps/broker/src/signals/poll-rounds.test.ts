/** Guards that poll at the same moment share what the database is asked, and nothing else. */
import { instant } from '@drawbridge/core/instant'
import type { IssuerId, ResourceId, ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import { createDatabase, type Database } from '@drawbridge/store/database'
import { lockLivingStreams, recordNoticeAnswers } from '@drawbridge/store/notice-polls'
import { markEventsDead } from '@drawbridge/store/notice-receipts'
import { acrossTenants } from '@drawbridge/store/transaction'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aGuardOf, aNoticingBroker, ids, metrics, type NoticingBroker, random, resource } from '../../test/a-noticing-broker.js'

const instances = 30
let broker: NoticingBroker
let guard: ReturnType<typeof aGuardOf>
beforeAll(async () => {
  broker = await aNoticingBroker()
  guard = aGuardOf(broker)
})
afterAll(() => broker.close())

const ask = <Row>(sql: string, parameters: readonly unknown[] = []) => asOwner<Row>(broker.fixture.ownerUrl, sql, parameters)
const openAll = () => Promise.all(Array.from({ length: instances }, () => guard.open()))
const sweptNow = () => ask('UPDATE deprovisioning_events SET swept_at = barrier_at WHERE swept_at IS NULL')
/** Other tests leave streams behind, which would be waited for. */
const hangUp = () => ask('UPDATE notice_streams SET closed_at = now() WHERE closed_at IS NULL')
const eventOf = async (subject: string) => {
  const [event] = await ask<{ isDead: boolean; due: number; acknowledged: number; refused: number }>(
    `SELECT e.dead_at IS NOT NULL AS "isDead", count(*)::int AS due, count(r.acknowledged_at)::int AS acknowledged, count(r.refused_at)::int AS refused
       FROM deprovisioning_events e JOIN notice_receipts r ON r.tenant_id = e.tenant_id AND r.event_id = e.id WHERE e.target_id = $1 GROUP BY e.dead_at`,
    [subject],
  )
  return event
}

it('all that wait are handed the notice; it is dead everywhere when the last one has said so', async () => {
  await hangUp()
  const streams = await openAll()
  const waiting = streams.map(({ streamId }) => guard.post('/ssf/poll', { streamId }))
  const jti = await broker.revoke('heard by all', 2)
  expect((await Promise.all(waiting)).map(({ body }) => Object.keys(body.sets))).toEqual(streams.map(() => [jti]))
  await sweptNow()
  const [last, ...others] = streams
  const acknowledge = ({ streamId }: (typeof streams)[number]) => guard.poll(streamId, { ack: [jti] })
  expect((await Promise.all(others.map(acknowledge))).map(({ body }) => body.sets)).toEqual(others.map(() => ({})))
  expect(await eventOf('heard by all')).toEqual({ isDead: false, due: instances, acknowledged: instances - 1, refused: 0 })
  await acknowledge(last as (typeof streams)[number])
  expect(await eventOf('heard by all')).toEqual({ isDead: true, due: instances, acknowledged: instances, refused: 0 })
})

it('each is answered for itself: who acknowledges, who refuses, who wants one, who is unknown, in the same round', async () => {
  await hangUp()
  const [takes = '', refuses = '', wantsOne = '', says = ''] = (await openAll()).map(({ streamId }) => streamId)
  const [first, second] = [await broker.revoke('first of two', 2), await broker.revoke('second of two', 2)]
  for (const stream of [takes, refuses, wantsOne, says]) await guard.poll(stream)
  const answers = await Promise.all([
    guard.poll(takes, { ack: [first, second] }),
    guard.poll(refuses, { ack: [first], setErrs: { [second]: { err: 'invalid_key' } } }),
    guard.poll(wantsOne, { maxEvents: 1 }),
    guard.poll(says, { maxEvents: 0, ack: [second] }),
    guard.poll(random.uuid(), { ack: [first] }),
  ])
  expect(answers.map(({ status, body }) => [status, Object.keys(body.sets ?? {})])).toEqual([
    [200, []],
    [200, []],
    [200, [first]],
    [200, []],
    [404, []],
  ])
  expect(Object.keys((await guard.poll(says)).body.sets)).toEqual([first])
  expect(await eventOf('first of two')).toMatchObject({ acknowledged: 2, refused: 0 })
  expect(await eventOf('second of two')).toMatchObject({ acknowledged: 2, refused: 1 })
})

it('two polls of one stream in a round are told once what was refused, and one whose stream closes in it is told so', async () => {
  await hangUp()
  const [twice = '', closing = ''] = (await openAll()).map(({ streamId }) => streamId)
  const jti = await broker.revoke('refused twice', 2)
  for (const stream of [twice, closing]) await guard.poll(stream)
  const refusals = async () => Number(/^drawbridge_notices_refused_total (\d+)$/m.exec(await metrics.print())?.[1] ?? 0)
  const before = await refusals()
  const refuse = () => guard.poll(twice, { setErrs: { [jti]: { err: 'invalid_key' } } })
  const answers = await Promise.all([refuse(), refuse(), guard.post('/ssf/poll', { streamId: closing, close: true }), guard.poll(closing)])
  expect(answers.map(({ status, body }) => [status, body.sets])).toEqual([
    [200, {}],
    [200, {}],
    [200, {}],
    [404, undefined],
  ])
  expect((await refusals()) - before).toBe(1)
})

it('what no notice is called is no answer to any', async () => {
  const stream = await guard.open()
  const jti = await broker.revoke('said oddly', 2)
  await guard.poll(stream.streamId)
  const odd = { ack: ['x', '', jti.toUpperCase()], setErrs: { x: { err: 'invalid_key' } } }
  expect(Object.keys((await guard.poll(stream.streamId, odd)).body.sets)).toEqual([jti])
})

it('brokers that hear the same streams in another order wait for each other, and neither is given up', async () => {
  await hangUp()
  const streams = (await openAll()).map(({ streamId }) => streamId)
  const jtis = [await broker.revoke('in order', 2), await broker.revoke('in order as well', 2)]
  await Promise.all(streams.map((streamId) => guard.poll(streamId)))
  await sweptNow()
  const of = {
    resource: { tenantId: ids.tenant as TenantId, resourceId: ids.resource as ResourceId, identifier: resource as ResourceIdentifier },
    issuer: { tenantId: ids.tenant as TenantId, id: ids.issuer as IssuerId },
  }
  const hear = (database: Database, order: readonly string[], said: readonly string[]) =>
    acrossTenants(database, async (db) => {
      const living = await lockLivingStreams(db, of, order, instant(0))
      const answers = order.map((streamId) => ({ streamId, taken: said, refused: {} }))
      return recordNoticeAnswers(db, { ...of, ids: [...living] }, answers, instant(Date.now()))
    }).then(({ events }) => markEventsDead(database, events))
  const other = createDatabase({ url: broker.fixture.url, connectionBudget: 8 })
  for (let round = 0; round < 10; round += 1) {
    await ask(
      'UPDATE notice_receipts SET acknowledged_at = NULL; UPDATE notice_deliveries SET acknowledged_at = NULL; UPDATE notice_streams SET acknowledged = 0; UPDATE deprovisioning_events SET dead_at = NULL',
    )
    await Promise.all([hear(broker.fixture.database, streams, jtis), hear(other, [...streams].reverse(), [...jtis].reverse())])
    expect(await eventOf('in order')).toMatchObject({ acknowledged: instances, isDead: true })
  }
  await other.close()
}, 30_000)
