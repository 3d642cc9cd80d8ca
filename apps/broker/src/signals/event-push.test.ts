/** Events pushed to a receiver of another maker: in order, until it has taken each, whatever happens to it, to us and to what we know of each other. */
import { eventStreamLimits, sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { refusalsBelieved } from '@drawbridge/core/signals/push-answer'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { createFetchSafely } from '@drawbridge/runtime/fetch-safely'
import { listRevocationReceipts } from '@drawbridge/store/notice-receipts'
import { inTenant } from '@drawbridge/store/transaction'
import { pushing, pushOnce } from '@drawbridge/testkit/a-pusher'
import {
  anSsfReceiver,
  discover,
  judging,
  type Managed,
  managing,
  type SecurityEvent,
  type SsfReceiver,
} from '@drawbridge/testkit/an-ssf-receiver'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aNoticingBroker, ids, type NoticingBroker, random, resource, secret } from '../../test/a-noticing-broker.js'

const verification = 'https://schemas.openid.net/secevent/ssf/event-type/verification'
const header = 'Bearer chosen-by-the-receiver'
let receiver: SsfReceiver
let broker: NoticingBroker
let acme: Managed
let streams: ReturnType<typeof managing>
let judge: (token: string) => Promise<SecurityEvent>
const owner = (sql: string, parameters: readonly unknown[] = []) => asOwner<any>(broker.fixture.ownerUrl, sql, parameters)

beforeAll(async () => {
  receiver = await anSsfReceiver(() => judge)
  receiver.wants(header)
  broker = await aNoticingBroker([receiver.origin])
  acme = { configuration: await discover(broker.issuer), authorization: `Bearer ${ids.credential}.${secret}` }
  streams = managing(acme)
  judge = judging(acme, resource)
})
afterAll(async () => {
  await broker?.close()
  await receiver?.close()
})
beforeEach(async () => {
  receiver.answers(undefined)
  for (const list of [receiver.believed, receiver.pushed, receiver.refused]) (list as unknown[]).length = 0
  await owner('DELETE FROM event_streams')
  await owner('DELETE FROM notices')
})

const aStream = async (over: object = {}) => {
  const delivery = { method: 'urn:ietf:rfc:8935', endpoint_url: receiver.endpointUrl, authorization_header: header }
  return (await streams.create({ delivery, ...over })).body.stream_id as string
}
const once = () => pushOnce(broker.pushDeps)
const heard = () => receiver.believed.map(({ jti }) => jti)
const rowOf = async (id: string) => (await owner('SELECT * FROM event_streams WHERE id = $1', [id]))[0]
/** Tries now, whatever pause the stream is in. */
const again = async () => {
  broker.later(400)
  return once()
}
const receiptOf = async (subject: string) => {
  const everything = { since: undefined, until: undefined, matched: undefined, withReceivers: true }
  const of = ids.tenant as TenantId
  const all = await inTenant(broker.fixture.database, of, (db) => listRevocationReceipts(db, of, everything, { limit: 200 }))
  return all.find(({ targetId }) => targetId === subject)
}
const swept = () => owner('UPDATE deprovisioning_events SET swept_at = barrier_at WHERE swept_at IS NULL')
const revokeAll = async (subjects: readonly string[]) => {
  const jtis: string[] = []
  for (const subject of subjects) jtis.push(await broker.revoke(subject, 2))
  return jtis
}

describe('a receiver that listens', () => {
  it('gets every event in order, and its answer makes the receipt', async () => {
    const id = await aStream()
    const jtis = await revokeAll(['push-1', 'push-2', 'push-3'])
    await swept()
    expect(await receiptOf('push-3')).toMatchObject({ due: 1, acknowledged: 0, deadAt: null })
    expect(await once()).toBe(1)
    expect(heard()).toEqual(jtis)
    expect(receiver.believed[0]).toMatchObject({
      sub_id: { format: 'iss_sub', sub: 'push-1' },
      events: { [sessionRevoked]: expect.anything() },
    })
    expect(await receiptOf('push-3')).toMatchObject({ acknowledged: 1, deadAt: expect.any(Number) })
    expect((await receiptOf('push-3'))?.receivers).toEqual([expect.objectContaining({ resource, instance: `event stream ${id}` })])
    expect(await once()).toBe(0)
  })

  it('is pushed to as soon as the notice is written, by whoever listens', async () => {
    await aStream()
    const worker = await pushing(broker.pushDeps)
    try {
      expect(worker.isListening()).toBe(true)
      const jtis = await revokeAll(['woken-1', 'woken-2'])
      for (let tries = 0; tries < 500 && receiver.believed.length < 2; tries += 1) await new Promise((resolve) => setTimeout(resolve, 10))
      expect(heard()).toEqual(jtis)
    } finally {
      await worker.stop()
    }
  })

  it('is asked by one worker at a time, and each event comes once though many try', async () => {
    await aStream()
    const jtis = await revokeAll(['many-1', 'many-2', 'many-3', 'many-4'])
    await Promise.all([once(), once(), once(), once()])
    while ((await once()) > 0);
    expect(receiver.pushed).toEqual(jtis)
  })

  it('gets the verification that it asked for, signed for it, before what is owed', async () => {
    const id = await aStream()
    const [jti] = await revokeAll(['behind'])
    await streams.verify({ stream_id: id, state: 's' })
    await once()
    expect(receiver.believed[0]).toMatchObject({ sub_id: { format: 'opaque', id }, events: { [verification]: { state: 's' } } })
    expect(heard().slice(1)).toEqual([jti])
  })
})

describe('a receiver in trouble', () => {
  it('that is down for an hour loses nothing, and is asked at growing intervals meanwhile', async () => {
    const id = await aStream()
    receiver.answers(() => 'hang up')
    const jtis = await revokeAll(['down-1', 'down-2'])
    await once()
    expect(await rowOf(id)).toMatchObject({ failures: 1, trouble: 'unreachable', lease_id: null })
    expect(await once()).toBe(0)
    for (let tries = 0; tries < 9; tries += 1) expect(await again()).toBe(1)
    expect(await rowOf(id)).toMatchObject({ failures: 10 })
    expect(new Set(receiver.pushed)).toEqual(new Set([jtis[0]]))
    const later = await revokeAll(['down-3'])
    expect(await once()).toBe(0)
    receiver.answers(undefined)
    await again()
    expect(heard()).toEqual([...jtis, ...later])
    expect(await rowOf(id)).toMatchObject({ failures: 0, trouble: null, try_at: null })
  })

  it('that does not know us is asked until it does: nothing is taken for refused', async () => {
    const id = await aStream({
      delivery: { method: 'urn:ietf:rfc:8935', endpoint_url: receiver.endpointUrl, authorization_header: 'Bearer old' },
    })
    const jtis = await revokeAll(['unknown-1'])
    await once()
    for (let tries = 0; tries < refusalsBelieved + 1; tries += 1) await again()
    expect(await rowOf(id)).toMatchObject({ refusals: 0, trouble: 'answered 400: authentication_failed: said by the receiver' })
    await streams.update({
      stream_id: id,
      delivery: { method: 'urn:ietf:rfc:8935', endpoint_url: receiver.endpointUrl, authorization_header: header },
    })
    await once()
    expect(heard()).toEqual(jtis)
  })

  it('that cannot believe an event is asked again before that counts; then it is recorded, never called dead, and the next goes on', async () => {
    const id = await aStream()
    const [bad, good] = await revokeAll(['disbelieved', 'believed'])
    await swept()
    receiver.answers((jti) => (jti === bad ? { status: 400, err: 'invalid_key' } : { status: 202 }))
    await once()
    for (let tries = 1; tries < refusalsBelieved; tries += 1) {
      expect(await rowOf(id)).toMatchObject({ disbelieved: tries, refusals: 0 })
      await again()
    }
    expect(receiver.pushed).toEqual([bad, bad, bad, good])
    expect(await rowOf(id)).toMatchObject({ disbelieved: 0, refusals: 1 })
    expect(await receiptOf('disbelieved')).toMatchObject({ acknowledged: 0, refused: 1, deadAt: null })
    expect((await receiptOf('disbelieved'))?.receivers).toEqual([expect.objectContaining({ refusal: 'invalid_key' })])
    expect(await receiptOf('believed')).toMatchObject({ acknowledged: 1, deadAt: expect.any(Number) })
  })

  it('that refuses what a condemned key had signed has not refused it: it waits to be signed by another', async () => {
    const id = await aStream()
    const jtis = await revokeAll(['by a condemned key'])
    const set = (state: string) => owner(`UPDATE signing_keys SET state = $1 WHERE purpose = 'notices'`, [state])
    await set('compromised')
    receiver.answers(() => ({ status: 400, err: 'invalid_key' }))
    await once()
    for (let tries = 0; tries < refusalsBelieved + 1; tries += 1) await again()
    expect(await rowOf(id)).toMatchObject({ refusals: 0, trouble: 'refused: invalid_key' })
    await set('active')
    receiver.answers(undefined)
    await again()
    expect(heard()).toEqual(jtis)
  })

  it('holds up no other receiver', async () => {
    await aStream()
    const elsewhere = await anSsfReceiver(() => judge)
    elsewhere.answers(() => 'hang up')
    const origins = { allowedOrigins: [receiver.origin, elsewhere.origin], allowLoopback: false }
    await owner('UPDATE event_streams SET endpoint_url = $1', [elsewhere.endpointUrl])
    await aStream()
    const jtis = await revokeAll(['beside'])
    await pushOnce({ ...broker.pushDeps, fetchSafely: createFetchSafely(origins) })
    expect(heard()).toEqual(jtis)
    await elsewhere.close()
  })
})

describe('a worker', () => {
  it('that is lost between the push and the mark leaves it to another: the event comes twice under one id, and counts once', async () => {
    const id = await aStream()
    const jtis = await revokeAll(['lost-1', 'lost-2'])
    const dying = {
      ...broker.pushDeps,
      fetchSafely: async (...asked: Parameters<typeof broker.pushDeps.fetchSafely>) => {
        await broker.pushDeps.fetchSafely(...asked)
        throw new Error('the process died here')
      },
    }
    await expect(pushOnce(dying)).rejects.toThrow('the process died here')
    expect(await rowOf(id)).toMatchObject({ lease_id: expect.any(String) })
    expect(await once()).toBe(0)
    broker.later(61)
    await once()
    expect(receiver.pushed).toEqual([jtis[0], jtis[0], jtis[1]])
    expect(heard()).toEqual(jtis)
  })

  it('that was believed lost, and is not, marks nothing any more', async () => {
    const id = await aStream()
    const jtis = await revokeAll(['slow-1', 'slow-2'])
    const slow = {
      ...broker.pushDeps,
      fetchSafely: async (...asked: Parameters<typeof broker.pushDeps.fetchSafely>) => {
        const answer = await broker.pushDeps.fetchSafely(...asked)
        broker.later(61)
        await once()
        return answer
      },
    }
    await pushOnce(slow)
    expect(receiver.pushed).toEqual([jtis[0], ...jtis])
    const [{ notice_position }] = await owner('SELECT notice_position FROM resources WHERE id = $1', [ids.resource])
    expect(await rowOf(id)).toMatchObject({ position: notice_position, lease_id: null })
  })

  it('stops pushing to where a stream pointed before it was changed or deleted', async () => {
    const id = await aStream()
    const jtis = await revokeAll(['changed-1', 'changed-2'])
    const meanwhile = (act: () => Promise<unknown>) => ({
      ...broker.pushDeps,
      fetchSafely: async (...asked: Parameters<typeof broker.pushDeps.fetchSafely>) => {
        const answer = await broker.pushDeps.fetchSafely(...asked)
        await act()
        return answer
      },
    })
    await pushOnce(meanwhile(() => streams.setStatus({ stream_id: id, status: 'paused' })))
    expect(receiver.pushed).toEqual([jtis[0]])
    await streams.setStatus({ stream_id: id, status: 'enabled' })
    await pushOnce(meanwhile(() => streams.remove(id)))
    expect(receiver.pushed).toEqual([jtis[0], jtis[0]])
    expect(await once()).toBe(0)
  })
})

describe('a stream that holds back', () => {
  it('keeps its backlog while it is paused, shows as paused in the receipts, and is not dead', async () => {
    const id = await aStream()
    const before = await revokeAll(['paused-1'])
    await streams.setStatus({ stream_id: id, status: 'paused' })
    const jtis = [...before, ...(await revokeAll(['paused-2']))]
    await swept()
    expect(await once()).toBe(0)
    for (const subject of ['paused-1', 'paused-2']) {
      expect(await receiptOf(subject)).toMatchObject({ due: 1, paused: 1, acknowledged: 0, deadAt: null })
      expect((await receiptOf(subject))?.receivers).toEqual([expect.objectContaining({ pausedAt: expect.any(String) })])
    }
    await streams.setStatus({ stream_id: id, status: 'enabled' })
    await once()
    expect(heard()).toEqual(jtis)
    expect(await receiptOf('paused-1')).toMatchObject({ paused: 0, acknowledged: 1, deadAt: expect.any(Number) })
  })

  it('that is disabled or deleted has not heard what it still owed, and that is never called dead', async () => {
    const [first, second] = [await aStream(), await aStream()]
    await revokeAll(['never heard'])
    await swept()
    await streams.setStatus({ stream_id: first, status: 'disabled' })
    await streams.remove(second)
    const receipt = await receiptOf('never heard')
    expect(receipt).toMatchObject({ due: 2, refused: 2, deadAt: null })
    expect(receipt?.receivers?.map(({ refusal }) => refusal).sort()).toEqual(['stream_deleted', 'stream_disabled'])
    await revokeAll(['after that'])
    expect(await receiptOf('after that')).toMatchObject({ due: 0 })
  })

  it('that we ended hears nothing of what comes after, goes on believing, and so nothing is called dead', async () => {
    const id = await aStream()
    await owner("UPDATE event_streams SET status = 'disabled', status_by = 'transmitter' WHERE id = $1", [id])
    await revokeAll(['after its end'])
    await swept()
    expect(await receiptOf('after its end')).toMatchObject({ due: 1, refused: 1, deadAt: null })
    await streams.setStatus({ stream_id: id, status: 'enabled' })
    await once()
    expect(await receiptOf('after its end')).toMatchObject({ acknowledged: 1, deadAt: expect.any(Number) })
  })

  it('is owed a receipt only for what it asked for', async () => {
    await aStream({ events_requested: ['urn:other'] })
    await revokeAll(['unasked'])
    expect(await receiptOf('unasked')).toMatchObject({ due: 0 })
    expect(await once()).toBe(0)
  })

  it('has its notices kept for longer than it may be away', async () => {
    await revokeAll(['before'])
    await aStream()
    await revokeAll(['after'])
    const rows = await owner(`SELECT extract(epoch FROM expires_at - created_at)::int AS kept FROM notices WHERE resource_id = $1`, [
      ids.resource,
    ])
    expect(rows.every(({ kept }) => kept > eventStreamLimits.heldSeconds)).toBe(true)
    expect(rows).toHaveLength(2)
  })
})

describe('where it is pushed to', () => {
  it.each([
    ['the loopback', 'https://127.0.0.1/events', 'address_refused'],
    ['a cloud’s metadata', 'https://169.254.169.254/latest', 'address_refused'],
    ['a private network', 'https://10.0.0.7/', 'address_refused'],
    ['a name of the loopback', 'https://localhost/', 'address_refused'],
  ])('%s is refused at each push, and nothing is sent', async (_name, endpoint_url, trouble) => {
    const id = await aStream({ delivery: { method: 'urn:ietf:rfc:8935', endpoint_url } })
    await revokeAll(['inward'])
    await once()
    expect(await rowOf(id)).toMatchObject({ trouble, failures: 1 })
    expect(receiver.pushed).toEqual([])
  })

  it('a redirect is not followed', async () => {
    const id = await aStream()
    receiver.answers(() => ({ status: 307 }))
    await revokeAll(['redirected'])
    await once()
    expect(await rowOf(id)).toMatchObject({ trouble: 'redirect_refused' })
  })

  it('nothing goes by a stream whose credential is dead, until another living one of the resource takes it over', async () => {
    const [old, next] = [random.uuid(), random.uuid()]
    for (const id of [old, next])
      await owner('INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ($1, $2, $3, $4, now())', [
        ...[ids.tenant, id, ids.resource, hashCredential(secret)],
      ])
    const by = (id: string) => managing({ ...acme, authorization: `Bearer ${id}.${secret}` })
    const id = (
      await by(old).create({ delivery: { method: 'urn:ietf:rfc:8935', endpoint_url: receiver.endpointUrl, authorization_header: header } })
    ).body.stream_id
    await owner('UPDATE resource_credentials SET revoked_at = now() WHERE id = $1', [old])
    const jtis = await revokeAll(['by a dead credential'])
    expect(await once()).toBe(0)
    expect((await by(old).setStatus({ stream_id: id, status: 'enabled' })).status).toBe(401)
    await by(next).list()
    expect(await once()).toBe(0)
    await by(next).setStatus({ stream_id: id, status: 'enabled' })
    await once()
    expect(heard()).toEqual(jtis)
  })
})
