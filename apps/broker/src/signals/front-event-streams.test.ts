/** Event streams at the front issuer, for a receiver of another maker: one hears what happens in every tenant, and each tenant's receipts say how far it has come. */
import { sessionRevoked, supportedEvents } from '@drawbridge/core/signals/event-stream'
import { refusalsBelieved } from '@drawbridge/core/signals/push-answer'
import { pushOnce } from '@drawbridge/testkit/a-pusher'
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
import { ids, secret } from '../../test/a-noticing-broker.js'
import { aNoticingFront, type NoticingFront, sharedResource } from '../../test/a-noticing-front.js'

const [push, poll] = ['urn:ietf:rfc:8935', 'urn:ietf:rfc:8936']
const verification = 'https://schemas.openid.net/secevent/ssf/event-type/verification'
let front: NoticingFront
let receiver: SsfReceiver
let here: Managed
let streams: ReturnType<typeof managing>
let judge: (token: string) => Promise<SecurityEvent>
const owner = (sql: string, parameters: readonly unknown[] = []) => asOwner<any>(front.broker.fixture.ownerUrl, sql, parameters)

beforeAll(async () => {
  receiver = await anSsfReceiver(() => judge)
  front = await aNoticingFront([receiver.origin])
  here = { configuration: await discover(front.url), authorization: `Bearer ${ids.sharedCredential}.${secret}` }
  streams = managing(here)
  judge = judging(here, sharedResource)
})
afterAll(async () => {
  await front?.broker.close()
  await receiver?.close()
})
beforeEach(async () => {
  receiver.answers(undefined)
  for (const list of [receiver.believed, receiver.pushed, receiver.refused]) (list as unknown[]).length = 0
  for (const table of ['event_streams', 'notices', 'notice_receipts', 'revocations', 'deprovisioning_events'])
    await owner(`DELETE FROM ${table}`)
})

const aPolled = async () => (await streams.create({})).body
const aPushed = async () =>
  (await streams.create({ delivery: { method: push, endpoint_url: receiver.endpointUrl } })).body.stream_id as string
const pollAt = (stream: any, said: object = {}) => streams.poll(stream.delivery.endpoint_url, { returnImmediately: true, ...said })
const setsOf = async (stream: any, said: object = {}) =>
  Promise.all(Object.values<string>((await pollAt(stream, said)).body.sets).map(judge))
const receiptOf = async (subject: string) => (await front.receiptsOf(subject))[0]

it('the configuration is that of a tenant’s issuer, at the front’s own addresses', async () => {
  const at = (path: string) => `${front.url}/ssf/${path}`
  expect(here.configuration).toEqual({
    ...{ spec_version: '1_0', issuer: front.url, jwks_uri: at('jwks'), delivery_methods_supported: [push, poll] },
    ...{ configuration_endpoint: at('streams'), status_endpoint: at('status'), verification_endpoint: at('verify') },
    ...{ critical_subject_members: ['user', 'session', 'tenant', 'application', 'org_unit'], default_subjects: 'ALL' },
    authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:7617' }, { spec_urn: 'urn:ietf:rfc:6750' }],
  })
})

it('a stream is made, read, changed, replaced and deleted there', async () => {
  const made = await streams.create({ description: 'mine' })
  expect(made).toMatchObject({ status: 201, body: { iss: front.url, aud: sharedResource, events_delivered: supportedEvents } })
  const id: string = made.body.stream_id
  expect(made.body.delivery).toEqual({ method: poll, endpoint_url: `${front.url}/ssf/streams/${id}/poll` })
  expect((await streams.read(id)).body).toEqual(made.body)
  expect((await streams.list()).body).toEqual([made.body])
  const changed = await streams.update({ stream_id: id, events_requested: [sessionRevoked] })
  expect(changed.body).toMatchObject({ description: 'mine', events_delivered: [sessionRevoked] })
  expect((await streams.replace({ stream_id: id })).body.description).toBeUndefined()
  expect((await streams.status(id)).body).toEqual({ stream_id: id, status: 'enabled' })
  expect((await streams.remove(id)).status).toBe(204)
  expect((await streams.read(id)).status).toBe(404)
  const trail = await owner("SELECT DISTINCT detail ->> 'issuer' AS issuer FROM audit_events WHERE detail ->> 'stream' = $1", [id])
  expect(trail).toEqual([{ issuer: front.url }])
})

it('a verification comes over it, signed by the front', async () => {
  const stream = await aPolled()
  expect((await streams.verify({ stream_id: stream.stream_id, state: 's' })).status).toBe(204)
  const [event] = await setsOf(stream)
  expect(event).toMatchObject({ sub_id: { format: 'opaque', id: stream.stream_id }, events: { [verification]: { state: 's' } } })
  expect(event).not.toHaveProperty('tenant')
})

describe('one stream', () => {
  it('that is polled hears of people of every tenant, each with her tenant, and what it takes is in that tenant’s receipt', async () => {
    const stream = await aPolled()
    const jtis = [await front.revoke('acme', 'ada'), await front.revoke('globex', 'bob')]
    const events = await setsOf(stream)
    expect(events.map(({ jti, tenant, sub_id: subject }) => [jti, tenant, subject])).toEqual([
      [jtis[0], 'acme', { format: 'iss_sub', iss: front.url, sub: 'ada' }],
      [jtis[1], 'globex', { format: 'iss_sub', iss: front.url, sub: 'bob' }],
    ])
    const waiting = { instance: `event stream ${stream.stream_id}`, isAcknowledged: false, refusal: null, isDead: false }
    expect(await front.receiptsOf('bob')).toMatchObject([{ tenant: 'globex', ...waiting }])
    await pollAt(stream, { ack: [jtis[1]] })
    expect(await receiptOf('bob')).toMatchObject({ isAcknowledged: true, isDead: true })
    expect(await receiptOf('ada')).toMatchObject({ tenant: 'acme', ...waiting })
    expect((await setsOf(stream, { ack: [jtis[0]] })).length).toBe(0)
    expect(await receiptOf('ada')).toMatchObject({ isAcknowledged: true, isDead: true })
  })

  it('that is pushed to, the same, in order', async () => {
    await aPushed()
    const jtis = [await front.revoke('globex', 'carl'), await front.revoke('acme', 'dora')]
    await pushOnce(front.broker.pushDeps)
    expect(receiver.believed.map(({ jti, tenant }) => [jti, tenant])).toEqual([
      [jtis[0], 'globex'],
      [jtis[1], 'acme'],
    ])
    for (const subject of ['carl', 'dora']) expect(await receiptOf(subject)).toMatchObject({ isAcknowledged: true, isDead: true })
  })

  it('of a receiver that is away leaves people of every tenant alive somewhere, until it has taken each', async () => {
    await aPushed()
    receiver.answers(() => 'hang up')
    for (const [company, subject] of [
      ['acme', 'eve'],
      ['globex', 'fred'],
    ] as const)
      await front.revoke(company, subject)
    await pushOnce(front.broker.pushDeps)
    for (const subject of ['eve', 'fred']) expect(await receiptOf(subject)).toMatchObject({ isAcknowledged: false, isDead: false })
    receiver.answers(undefined)
    front.broker.later(400)
    await pushOnce(front.broker.pushDeps)
    for (const subject of ['eve', 'fred']) expect(await receiptOf(subject)).toMatchObject({ isAcknowledged: true, isDead: true })
  })

  it('that refuses an event has refused it in the receipt of its tenant alone, and the person is dead nowhere by it', async () => {
    const stream = await aPolled()
    const jtis = [await front.revoke('acme', 'gina'), await front.revoke('globex', 'hugo')]
    await pollAt(stream)
    await pollAt(stream, { ack: [jtis[0]], setErrs: { [jtis[1] as string]: { err: 'invalid_key' } } })
    expect(await receiptOf('gina')).toMatchObject({ refusal: null, isDead: true })
    expect(await receiptOf('hugo')).toMatchObject({ tenant: 'globex', refusal: 'invalid_key', isAcknowledged: false, isDead: false })
  })

  it('that is pushed to and refuses one for good, the same', async () => {
    await aPushed()
    await front.revoke('globex', 'iris')
    receiver.answers(() => ({ status: 400, err: 'invalid_key' }))
    for (let tries = 0; tries < refusalsBelieved; tries += 1) {
      await pushOnce(front.broker.pushDeps)
      front.broker.later(400)
    }
    expect(await receiptOf('iris')).toMatchObject({ tenant: 'globex', refusal: 'invalid_key', isDead: false })
  })

  it.each<['paused' | 'disabled', object]>([
    ['paused', { isPaused: true, refusal: null }],
    ['disabled', { isPaused: false, refusal: 'stream_disabled' }],
  ])('that its receiver has %s while it owes something says so in the receipts of every tenant', async (status, said) => {
    const stream = await aPolled()
    for (const company of ['acme', 'globex'] as const) await front.revoke(company, `${status}-${company}`)
    await streams.setStatus({ stream_id: stream.stream_id, status })
    for (const tenant of ['acme', 'globex'])
      expect(await receiptOf(`${status}-${tenant}`)).toMatchObject({ tenant, ...said, isDead: false })
  })

  it('that is let go on afterwards is paused in none of them', async () => {
    const { stream_id: id } = await aPolled()
    await streams.setStatus({ stream_id: id, status: 'paused' })
    for (const company of ['acme', 'globex'] as const) await front.revoke(company, `again-${company}`)
    await streams.setStatus({ stream_id: id, status: 'enabled' })
    for (const company of ['acme', 'globex']) expect(await receiptOf(`again-${company}`)).toMatchObject({ isPaused: false, refusal: null })
  })

  it('that is deleted has heard nothing more, in the receipts of every tenant', async () => {
    const { stream_id: id } = await aPolled()
    for (const company of ['acme', 'globex'] as const) await front.revoke(company, `gone-${company}`)
    await streams.remove(id)
    for (const company of ['acme', 'globex'])
      expect(await receiptOf(`gone-${company}`)).toMatchObject({ refusal: 'stream_deleted', isDead: false })
  })

  it('begins with what may still matter, of every tenant', async () => {
    const jtis = [await front.revoke('acme', 'early'), await front.revoke('globex', 'early too')]
    expect((await setsOf(await aPolled())).map(({ jti }) => jti)).toEqual(jtis)
  })
})

describe('what is of one issuer', () => {
  const shared = `Bearer ${ids.sharedCredential}.${secret}`
  const atAcme = async () => managing({ configuration: await discover(front.broker.issuer), authorization: shared })

  it('is no stream at the other, neither read, polled, changed, verified nor deleted', async () => {
    const acme = await atAcme()
    const [atFront, own] = [await aPolled(), (await acme.create({})).body]
    for (const [there, stream] of [
      [acme, atFront],
      [streams, own],
    ] as const) {
      const base = there === acme ? front.broker.issuer : front.url
      const id: string = stream.stream_id
      const answers = [
        await there.read(id),
        await there.update({ stream_id: id, description: 'x' }),
        await there.replace({ stream_id: id }),
        await there.status(id),
        await there.setStatus({ stream_id: id, status: 'disabled' }),
        await there.verify({ stream_id: id }),
        await there.poll(`${base}/ssf/streams/${id}/poll`),
        await there.remove(id),
      ]
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404))
    }
    expect((await streams.list()).body).toEqual([atFront])
    expect((await acme.list()).body).toEqual([own])
  })

  it('is told in its own stream alone', async () => {
    const acme = await atAcme()
    const [atFront, own] = [await aPolled(), (await acme.create({})).body]
    const jti = await front.revoke('acme', 'only at the front')
    await front.broker.revoke('only at acme', 2)
    expect((await setsOf(atFront)).map((event) => event.jti)).toEqual([jti])
    const sets = Object.keys((await acme.poll(own.delivery.endpoint_url)).body.sets)
    expect(sets).toHaveLength(1)
    expect(sets).not.toContain(jti)
  })

  it.each([
    ['of a tenant’s own resource server', `Bearer ${ids.credential}.${secret}`],
    ['that is wrong', `Bearer ${ids.sharedCredential}.wrong`],
    ['of nobody', `Bearer ${ids.tenant}.${secret}`],
  ])('is not to be had at the front by a credential %s', async (_what, authorization) => {
    const stream = await aPolled()
    const stranger = managing({ ...here, authorization })
    const answers = [
      await stranger.create({}),
      await stranger.list(),
      await stranger.read(stream.stream_id),
      await stranger.status(stream.stream_id),
      await stranger.verify({ stream_id: stream.stream_id }),
      await stranger.poll(stream.delivery.endpoint_url),
      await stranger.remove(stream.stream_id),
    ]
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401))
    expect((await streams.list()).body).toEqual([stream])
  })
})
