/** Receipts of a tenant: who had to hear of a deprovisioning, who has, and since when it is dead everywhere. */
import { instant } from '@drawbridge/core/instant'
import type { IssuerId, ResourceId, ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import { createDatabase } from '@drawbridge/store/database'
import { recordNoticeAnswers } from '@drawbridge/store/notice-polls'
import { listRevocationReceipts, markSweptDeadAcrossTenants, type RevocationReceipt } from '@drawbridge/store/notice-receipts'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aGuardOf, aNoticingBroker, ids, metrics, type NoticingBroker, resource, secret } from '../../test/a-noticing-broker.js'

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
const lastOf = (receipt: RevocationReceipt | undefined) =>
  Math.max(...(receipt?.receivers ?? []).map(({ acknowledgedAt }) => Date.parse(String(acknowledgedAt))))
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
  expect(receipt).toMatchObject({ acknowledged: 2, refused: 0, lapsed: 0, deadAt: lastOf(receipt) })
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

const wait = 4711
/** Whoever has answered, and is handed more, waits before its commit until `run` is over. */
async function answeringAtOnce(run: (waiting: (count: number) => Promise<void>) => Promise<void>): Promise<void> {
  await asOwner(
    broker.fixture.ownerUrl,
    `CREATE OR REPLACE FUNCTION wait_a_while() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(${wait}); RETURN NEW; END $$;
     CREATE TRIGGER wait_a_while BEFORE INSERT ON notice_deliveries FOR EACH ROW EXECUTE FUNCTION wait_a_while()`,
  )
  const waiting = async (count: number) => {
    const waits = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = ${wait} AND NOT granted`
    while ((await asOwner(broker.fixture.ownerUrl, waits)).length < count) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  // The broker's own connections are for those who wait.
  const elsewhere = createDatabase({ url: broker.fixture.url, connectionBudget: 8 })
  await acrossTenants(elsewhere, async (db) => {
    await db.query(`SELECT pg_advisory_xact_lock(${wait})`)
    await run(waiting)
  })
  await elsewhere.close()
  await asOwner(broker.fixture.ownerUrl, 'DROP TRIGGER wait_a_while ON notice_deliveries')
}

it('of two resource servers that answer at the same moment, and do not see each other, the last one says dead', async () => {
  await hangUp()
  const shared = `${ids.sharedCredential}:${secret}`
  const own = await guard.open()
  const theirs = (await guard.post('/ssf/streams', { instance: 'theirs' }, shared)).body
  const jti = await broker.revoke('at once', 2)
  await sweptNow()
  await guard.poll(own.streamId)
  const { sets } = (await guard.post('/ssf/poll', { streamId: theirs.streamId, returnImmediately: true }, shared)).body
  await broker.revoke('what comes next', 2)
  const answers: Promise<unknown>[] = []
  await answeringAtOnce(async (waiting) => {
    answers.push(guard.poll(own.streamId, { ack: [jti] }))
    answers.push(guard.post('/ssf/poll', { streamId: theirs.streamId, returnImmediately: true, ack: Object.keys(sets) }, shared))
    await waiting(answers.length)
  })
  await Promise.all(answers)
  const receipt = await receiptOf('at once')
  expect(receipt).toMatchObject({ due: 2, acknowledged: 2 })
  expect(receipt?.deadAt).toBe(lastOf(receipt))
})

it('what nobody came to call dead after the last answer, the sweep does, with the time of that answer', async () => {
  await hangUp()
  const { streamId } = await guard.open()
  const jti = await broker.revoke('broker died', 2)
  await sweptNow()
  await guard.poll(streamId)
  const of = {
    resource: { tenantId: ids.tenant as TenantId, resourceId: ids.resource as ResourceId, identifier: resource as ResourceIdentifier },
    issuer: { tenantId: ids.tenant as TenantId, id: ids.issuer as IssuerId },
  }
  await acrossTenants(broker.fixture.database, (db) =>
    recordNoticeAnswers(db, { ...of, ids: [streamId] }, [{ streamId, taken: [jti], refused: {} }], instant(Date.now())),
  )
  expect(await receiptOf('broker died')).toMatchObject({ acknowledged: 1, deadAt: null })
  const look = { since: instant(0), before: undefined, limit: 100 }
  await acrossTenants(broker.fixture.database, (db) => markSweptDeadAcrossTenants(db, look))
  const receipt = await receiptOf('broker died')
  expect(receipt?.deadAt).toBe(lastOf(receipt))
})
