/** Receipts of a tenant: who had to hear of a deprovisioning, who has, and since when it is dead everywhere. */
import { instant } from '@drawbridge/core/instant'
import type { IssuerId, ResourceId, ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import { createDatabase } from '@drawbridge/store/database'
import { recordNoticeAnswers } from '@drawbridge/store/notice-polls'
import { listRevocationReceipts, markEventsDead, markEventsDeadAcrossTenants } from '@drawbridge/store/notice-receipts'
import { type AcrossDb, acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aGuardOf, aNoticingBroker, ids, metrics, type NoticingBroker, resource } from '../../test/a-noticing-broker.js'

let broker: NoticingBroker
let guard: ReturnType<typeof aGuardOf>
beforeAll(async () => {
  broker = await aNoticingBroker()
  guard = aGuardOf(broker)
})
afterAll(() => broker.close())

const receiptOf = async (subject: string) => {
  const everything = { since: undefined, until: undefined, matched: undefined, withReceivers: true }
  const all = await inTenant(broker.fixture.database, ids.tenant as TenantId, (db) =>
    listRevocationReceipts(db, ids.tenant as TenantId, everything, { limit: 200 }),
  )
  return all.find(({ targetId }) => targetId === subject)
}
const sweptNow = () => asOwner(broker.fixture.ownerUrl, 'UPDATE deprovisioning_events SET swept_at = barrier_at WHERE swept_at IS NULL')
/** Other tests leave streams behind, which would be waited for. */
const hangUp = () => asOwner(broker.fixture.ownerUrl, 'UPDATE notice_streams SET closed_at = now()')

it('a receipt names every instance that listened, and says dead when the last of them has acknowledged', async () => {
  await hangUp()
  const [first, second] = [await guard.open(), await guard.open()]
  const jti = await broker.revoke('with receipts', 2)
  await sweptNow()
  const late = await guard.open()
  await guard.poll(first.streamId)
  expect(await receiptOf('with receipts')).toMatchObject({ due: 2, notified: 1, acknowledged: 0, deadAt: null, secondsToDead: null })
  await guard.poll(first.streamId, { ack: [jti] })
  await guard.poll(second.streamId)
  await guard.poll(late.streamId)
  expect(await receiptOf('with receipts')).toMatchObject({ due: 2, notified: 2, acknowledged: 1, deadAt: null })
  await guard.poll(second.streamId, { ack: [jti] })
  const receipt = await receiptOf('with receipts')
  const last = Math.max(...(receipt?.receivers ?? []).map(({ acknowledgedAt }) => Date.parse(String(acknowledgedAt))))
  expect(receipt).toMatchObject({ acknowledged: 2, refused: 0, lapsed: 0, deadAt: last })
  expect(receipt?.receivers).toEqual([
    expect.objectContaining({ resource, dueAt: expect.any(String), notifiedAt: expect.any(String), refusal: null, lapsedAt: null }),
    expect.objectContaining({ resource }),
  ])
  expect(await metrics.print()).toMatch(/^drawbridge_time_to_dead_seconds_count [1-9]/m)
})

it('what an instance refuses is never called dead', async () => {
  await hangUp()
  const stream = await guard.open()
  const jti = await broker.revoke('disbelieved', 2)
  await sweptNow()
  await guard.poll(stream.streamId)
  await guard.poll(stream.streamId, { setErrs: { [jti]: { err: 'invalid_key' } } })
  expect(await receiptOf('disbelieved')).toMatchObject({ due: 1, acknowledged: 0, refused: 1, deadAt: null })
  expect((await receiptOf('disbelieved'))?.receivers).toEqual([expect.objectContaining({ refusal: 'invalid_key' })])
})

it('of two instances that answer at the same moment the sweep sees both, and gives the time of the last', async () => {
  await hangUp()
  const streams = [await guard.open(), await guard.open()]
  const jti = await broker.revoke('at once', 2)
  await sweptNow()
  for (const { streamId } of streams) await guard.poll(streamId)
  const of = {
    resource: { tenantId: ids.tenant as TenantId, resourceId: ids.resource as ResourceId, identifier: resource as ResourceIdentifier },
    issuer: { tenantId: ids.tenant as TenantId, id: ids.issuer as IssuerId },
  }
  const acknowledge = async (db: AcrossDb, { streamId }: (typeof streams)[number]) => {
    const { events } = await recordNoticeAnswers(
      db,
      { ...of, ids: [streamId] },
      [{ streamId, taken: [jti], refused: {} }],
      instant(Date.now()),
    )
    await markEventsDead(db, events)
  }
  const elsewhere = createDatabase({ url: broker.fixture.url, connectionBudget: 8 })
  await acrossTenants(elsewhere, async (one) => {
    await acknowledge(one, streams[0] as (typeof streams)[number])
    await acrossTenants(broker.fixture.database, (other) => acknowledge(other, streams[1] as (typeof streams)[number]))
  })
  await elsewhere.close()
  expect(await receiptOf('at once')).toMatchObject({ acknowledged: 2, deadAt: null })
  await acrossTenants(broker.fixture.database, (db) => markEventsDeadAcrossTenants(db, 100))
  const receipt = await receiptOf('at once')
  expect(receipt?.deadAt).toBe(Math.max(...(receipt?.receivers ?? []).map(({ acknowledgedAt }) => Date.parse(String(acknowledgedAt)))))
})
