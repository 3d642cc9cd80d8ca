/** Event streams as a receiver of another maker manages and polls them; and what everybody else gets to see of them. */

import { eventStreamLimits, sessionRevoked, supportedEvents } from '@drawbridge/core/signals/event-stream'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { discover, judging, type Managed, managing } from '@drawbridge/testkit/an-ssf-receiver'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aGuardOf, aNoticingBroker, ids, metrics, type NoticingBroker, random, resource, secret } from '../../test/a-noticing-broker.js'

const push = 'urn:ietf:rfc:8935'
const poll = 'urn:ietf:rfc:8936'
const shared = 'https://shared.example/mcp'
const endpoint = 'https://receiver.example/events'

let broker: NoticingBroker
let acme: Managed
let streams: ReturnType<typeof managing>
const basic = (id: string, proof = secret) => `Basic ${Buffer.from(`${id}:${proof}`).toString('base64')}`
const owner = (sql: string, parameters: readonly unknown[] = []) => asOwner<any>(broker.fixture.ownerUrl, sql, parameters)

beforeAll(async () => {
  broker = await aNoticingBroker()
  acme = { configuration: await discover(broker.issuer), authorization: basic(ids.credential) }
  streams = managing(acme)
})
afterAll(() => broker.close())
beforeEach(async () => {
  await owner('DELETE FROM event_streams')
  await owner('DELETE FROM notices')
})

const made = async (body: unknown = {}) => (await streams.create(body)).body
const jtisOf = (answer: { readonly body: any }) => Object.keys(answer.body.sets)

it('the configuration is complete, offers nothing that is not served, and is found at each well-known place', async () => {
  const { configuration } = acme
  const at = (path: string) => `${broker.issuer}/ssf/${path}`
  expect(configuration).toEqual({
    ...{ spec_version: '1_0', issuer: broker.issuer, jwks_uri: at('jwks'), delivery_methods_supported: [push, poll] },
    ...{ configuration_endpoint: at('streams'), status_endpoint: at('status'), verification_endpoint: at('verify') },
    ...{ critical_subject_members: ['user', 'session', 'tenant', 'application', 'org_unit'], default_subjects: 'ALL' },
    authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:7617' }, { spec_urn: 'urn:ietf:rfc:6750' }],
  })
  for (const path of ['/.well-known/ssf-configuration', '/ssf/configuration'])
    expect(await (await fetch(`${broker.issuer}${path}`)).json()).toEqual(configuration)
})

it('nobody is taken out of a stream: no address for it is served, and a stream that asks to hear of nobody hears of everybody', async () => {
  const { stream_id, ...stream } = await made({ default_subjects: 'NONE', subjects: [], description: 'quiet' })
  expect(Object.keys(stream).filter((name) => name.includes('subject'))).toEqual([])
  const subject = { format: 'iss_sub', iss: broker.issuer, sub: 'ada' }
  for (const path of ['subjects:add', 'subjects:remove', 'subject:add', 'subject:remove', `streams/${stream_id}/subjects:remove`])
    for (const authorization of [acme.authorization, 'Bearer nobody']) {
      const headers = { authorization, 'content-type': 'application/json' }
      const answer = await fetch(`${broker.issuer}/ssf/${path}`, { method: 'POST', headers, body: JSON.stringify({ stream_id, subject }) })
      expect([path, answer.status]).toEqual([path, 404])
    }
  expect((await streams.read(stream_id)).body).toEqual({ stream_id, ...stream })
})

describe('a stream', () => {
  it('is made by poll unless it is asked otherwise, at an address that is ours', async () => {
    const { status, body, headers } = await streams.create({})
    expect([status, headers.get('cache-control')]).toEqual([201, 'no-store'])
    expect(body).toEqual({
      stream_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      ...{ iss: broker.issuer, aud: resource, events_supported: supportedEvents, events_delivered: supportedEvents },
      delivery: { method: poll, endpoint_url: `${broker.issuer}/ssf/streams/${body.stream_id}/poll` },
      ...{ min_verification_interval: eventStreamLimits.minVerificationSeconds, inactivity_timeout: eventStreamLimits.inactivitySeconds },
    })
  })

  it('by push shows everything but the authorization, which is sealed where it rests', async () => {
    const asked = { delivery: { method: push, endpoint_url: endpoint, authorization_header: 'Bearer of-the-receiver' } }
    const body = await made({ ...asked, events_requested: [sessionRevoked, 'urn:other'], description: 'd'.repeat(600) })
    expect(body).toMatchObject({ delivery: { method: push, endpoint_url: endpoint }, events_requested: [sessionRevoked, 'urn:other'] })
    expect(body).toMatchObject({ events_delivered: [sessionRevoked], description: 'd'.repeat(500) })
    expect(body.inactivity_timeout).toBeUndefined()
    expect(JSON.stringify([body, (await streams.read(body.stream_id)).body])).not.toContain('of-the-receiver')
    const [row] = await owner('SELECT * FROM event_streams')
    expect(JSON.stringify(row)).not.toContain('of-the-receiver')
    expect(row.sealed_authorization.toString('latin1')).not.toContain('of-the-receiver')
  })

  it('is read alone and in the list, and gone when it is deleted', async () => {
    expect((await streams.list()).body).toEqual([])
    const [first, second] = [await made({ description: 'first' }), await made({ description: 'second' })]
    expect((await streams.list()).body).toEqual([first, second])
    expect(await streams.read(second.stream_id)).toMatchObject({ status: 200, body: second })
    expect(await streams.remove(first.stream_id)).toMatchObject({ status: 204, body: undefined })
    expect((await streams.remove(first.stream_id)).status).toBe(404)
    expect((await streams.list()).body).toEqual([second])
  })

  it('keeps by PATCH what is left out, and by PUT does not', async () => {
    const { stream_id } = await made({
      description: 'mine',
      events_requested: [sessionRevoked],
      delivery: { method: push, endpoint_url: endpoint },
    })
    expect((await streams.update({ stream_id, events_requested: [] })).body).toMatchObject({
      ...{ description: 'mine', events_requested: [], events_delivered: [], delivery: { method: push, endpoint_url: endpoint } },
    })
    const replaced = await streams.replace({ stream_id, description: 'new' })
    expect(replaced.body).toMatchObject({ description: 'new', events_delivered: supportedEvents, delivery: { method: poll } })
    expect(replaced.body.events_requested).toBeUndefined()
    expect((await streams.replace({ ...replaced.body, description: 'again' })).body).toEqual({ ...replaced.body, description: 'again' })
  })

  it('shows an authorization that was set for one address to no other', async () => {
    const delivery = { method: push, endpoint_url: endpoint }
    const { stream_id } = await made({ delivery: { ...delivery, authorization_header: 'Bearer x' } })
    const isKept = async () => (await owner('SELECT sealed_authorization FROM event_streams'))[0].sealed_authorization !== null
    await streams.update({ stream_id, delivery })
    expect(await isKept()).toBe(true)
    await streams.update({ stream_id, delivery: { ...delivery, endpoint_url: 'https://elsewhere.example/' } })
    expect(await isKept()).toBe(false)
    await streams.update({ stream_id, delivery: { ...delivery, authorization_header: 'Bearer y' } })
    await streams.replace({ stream_id, delivery })
    expect(await isKept()).toBe(false)
  })

  it.each([
    ['an issuer', { iss: 'https://other.example' }],
    ['an audience', { aud: shared }],
    ['supported events', { events_supported: [] }],
    ['an interval', { min_verification_interval: 0 }],
  ])('refuses %s that is not what it is', async (_name, over) => {
    const { stream_id } = await made()
    expect(await streams.update({ stream_id, ...over })).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
    expect((await streams.replace({ stream_id, ...over })).status).toBe(400)
  })

  it.each([
    ['http', { method: push, endpoint_url: 'http://receiver.example/' }],
    ['the loopback', { method: push, endpoint_url: 'http://127.0.0.1:1/' }],
    ['credentials in the URL', { method: push, endpoint_url: 'https://a:b@receiver.example/' }],
    ['no address', { method: push }],
    ['an address of his own for polls', { method: poll, endpoint_url: endpoint }],
    ['an unknown method', { method: 'urn:ietf:rfc:0', endpoint_url: endpoint }],
    ['a header that is two', { method: push, endpoint_url: endpoint, authorization_header: 'a\r\nb: c' }],
  ])('refuses delivery by %s', async (_name, delivery) => {
    expect((await streams.create({ delivery })).status).toBe(400)
    const { stream_id } = await made()
    expect((await streams.update({ stream_id, delivery })).status).toBe(400)
  })

  it('there are only so many of one resource', async () => {
    for (let count = 0; count < eventStreamLimits.streams; count += 1) await made()
    expect(await streams.create({})).toMatchObject({ status: 403, body: { error: 'access_denied' } })
    expect((await aGuardOf(broker).open()).streamId).toEqual(expect.any(String))
  })
})

describe('nobody but the resource at the issuer where it was made', () => {
  it('sees or changes a stream', async () => {
    const { stream_id, delivery } = await made()
    await owner(
      `INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) SELECT $1, $2, tenant_id, id FROM issuers WHERE tenant_id = $3 ON CONFLICT DO NOTHING`,
      [vendorTenantId, ids.shared, ids.other],
    )
    const globex = await discover(broker.issuer.replace('acme', 'globex'))
    const theirs = managing({ configuration: globex, authorization: basic(ids.sharedCredential) })
    const strangers = {
      'another resource': managing({ ...acme, authorization: basic(ids.sharedCredential) }),
      'another issuer': theirs,
    }
    for (const [name, stranger] of Object.entries(strangers)) {
      expect([name, (await stranger.list()).body]).toEqual([name, []])
      const atIssuer = name === 'another issuer' ? delivery.endpoint_url.replace('acme', 'globex') : delivery.endpoint_url
      const answers = [
        await stranger.read(stream_id),
        await stranger.update({ stream_id, description: 'x' }),
        await stranger.replace({ stream_id, description: 'x' }),
        await stranger.status(stream_id),
        await stranger.setStatus({ stream_id, status: 'disabled' }),
        await stranger.verify({ stream_id }),
        await stranger.poll(atIssuer),
        await stranger.remove(stream_id),
      ]
      expect([name, answers.map(({ status }) => status)]).toEqual([name, Array(8).fill(404)])
    }
    expect((await streams.status(stream_id)).body).toEqual({ stream_id, status: 'enabled' })
    const mine = (await theirs.create({})).body
    expect(mine).toMatchObject({ iss: globex['issuer'], aud: shared })
    await broker.revoke('of acme', 2)
    expect(jtisOf(await theirs.poll(mine.delivery.endpoint_url))).toEqual([])
  })

  it('a caller without proof gets nothing, by either way of proving', async () => {
    const { stream_id, delivery } = await made()
    const proofs = [
      '',
      basic(ids.credential, 'wrong'),
      `Bearer ${ids.credential}.wrong`,
      `Bearer ${secret}`,
      `Bearer ${random.uuid()}.${secret}`,
    ]
    for (const authorization of proofs) {
      const stranger = managing({ ...acme, authorization })
      for (const answer of [
        await stranger.list(),
        await stranger.create({}),
        await stranger.poll(delivery.endpoint_url),
        await stranger.verify({ stream_id }),
      ]) {
        expect(answer.status).toBe(401)
        expect(answer.headers.get('www-authenticate')).toMatch(/^Basic .*, Bearer /)
      }
    }
    const bearer = managing({ ...acme, authorization: `Bearer ${ids.credential}.${secret}` })
    expect((await bearer.read(stream_id)).status).toBe(200)
  })

  it.each(['', 'x', "'; DROP TABLE event_streams", '00000000-0000-4000-8000-000000000000'])('no stream is called %j', async (id) => {
    expect((await streams.read(id)).status).toBe(404)
    expect((await streams.update({ stream_id: id })).status).toBe(404)
    expect((await streams.poll(`${broker.issuer}/ssf/streams/${encodeURIComponent(id || 'x')}/poll`)).status).toBe(404)
  })
})

describe('by poll', () => {
  it('a receiver is handed each event in order, again until it answers, and then no more', async () => {
    const { delivery } = await made()
    const judge = judging(acme, resource)
    const jtis = [await broker.revoke('poll-1', 2), await broker.revoke('poll-2', 2), await broker.revoke('poll-3', 2)]
    const handed = await streams.poll(delivery.endpoint_url)
    expect(jtisOf(handed)).toEqual(jtis)
    for (const token of Object.values(handed.body.sets)) expect((await judge(token as string)).txn).toEqual(expect.any(String))
    expect(jtisOf(await streams.poll(delivery.endpoint_url, { ack: [jtis[1]], returnImmediately: true }))).toEqual([jtis[0], jtis[2]])
    const few = await streams.poll(delivery.endpoint_url, { maxEvents: 1, returnImmediately: true })
    expect([jtisOf(few), few.body.moreAvailable]).toEqual([[jtis[0]], true])
    expect((await streams.poll(delivery.endpoint_url, { ack: jtis, maxEvents: 0 })).body).toEqual({ sets: {}, moreAvailable: false })
    expect((await streams.poll(delivery.endpoint_url)).body).toEqual({ sets: {}, moreAvailable: false })
  })

  it('what a receiver refuses does not come again, unless a condemned key had signed it', async () => {
    const { delivery } = await made()
    const jti = await broker.revoke('poll-refused', 2)
    await streams.poll(delivery.endpoint_url)
    const refuse = () => streams.poll(delivery.endpoint_url, { setErrs: { [jti]: { err: 'invalid_key' } }, returnImmediately: true })
    const set = (state: string) => owner(`UPDATE signing_keys SET state = $1 WHERE purpose = 'notices'`, [state])
    await set('compromised')
    expect(jtisOf(await refuse())).toEqual([jti])
    await set('active')
    expect(jtisOf(await refuse())).toEqual([])
    expect(await owner('SELECT refusals FROM event_streams')).toEqual([{ refusals: 1 }])
  })

  it('an answer to what was never handed out counts for nothing', async () => {
    const { delivery } = await made()
    const jti = await broker.revoke('poll-early', 2)
    await streams.poll(delivery.endpoint_url, { ack: [jti, random.uuid(), 'x'], maxEvents: 0 })
    expect(jtisOf(await streams.poll(delivery.endpoint_url))).toContain(jti)
  })

  it('a waiting receiver is woken', async () => {
    const { delivery } = await made()
    const waiting = streams.poll(delivery.endpoint_url, {})
    await new Promise((resolve) => setTimeout(resolve, 200))
    const jti = await broker.revoke('poll-woken', 2)
    expect(jtisOf(await waiting)).toEqual([jti])
  })

  it('one whose credential is revoked while it waits is handed nothing of what comes then, and nothing counts as handed out', async () => {
    const { stream_id, delivery } = await made()
    broker.later(60)
    const waiting = streams.poll(delivery.endpoint_url, {})
    await expect.poll(() => owner('SELECT 1 FROM event_streams WHERE heard_at > created_at')).toHaveLength(1)
    await owner(`UPDATE resource_credentials SET revoked_at = now() WHERE id = '${ids.credential}'`)
    await broker.revoke('poll-revoked', 2)
    const answer = await waiting
    await owner(`UPDATE resource_credentials SET revoked_at = NULL WHERE id = '${ids.credential}'`)
    expect([answer.status, answer.body.sets]).toEqual([401, undefined])
    const handed = 'SELECT delivered_to > position AS "isHanded" FROM event_streams'
    expect([stream_id, await owner(handed)]).toEqual([stream_id, [{ isHanded: false }]])
  })

  it('a stream hears only what it asked for; whoever asks for more gets it from where he stands', async () => {
    const { stream_id, delivery } = await made({ events_requested: ['urn:other'] })
    await broker.revoke('unwanted', 2)
    expect(jtisOf(await streams.poll(delivery.endpoint_url))).toEqual([])
    await streams.update({ stream_id, events_requested: [sessionRevoked] })
    expect(jtisOf(await streams.poll(delivery.endpoint_url))).toHaveLength(1)
  })

  it('one that is pushed to has nothing to poll', async () => {
    const { stream_id } = await made({ delivery: { method: push, endpoint_url: endpoint } })
    expect((await streams.poll(`${broker.issuer}/ssf/streams/${stream_id}/poll`)).status).toBe(404)
  })

  it('a new stream begins with what may still matter, as a guard does with its snapshot', async () => {
    const jti = await broker.revoke('before the stream', 2)
    const { delivery } = await made()
    expect(jtisOf(await streams.poll(delivery.endpoint_url))).toContain(jti)
  })
})

describe('a status', () => {
  it('paused holds back, disabled forgets all that does not matter any more, enabled goes on', async () => {
    const { stream_id, delivery } = await made()
    const set = async (status: string, reason?: string) => (await streams.setStatus({ stream_id, status, reason })).body
    expect(await set('paused', 'we move')).toEqual({ stream_id, status: 'paused', reason: 'we move' })
    const held = await broker.revoke('held', 2)
    expect((await streams.poll(delivery.endpoint_url)).body.sets).toEqual({})
    expect(await set('enabled')).toEqual({ stream_id, status: 'enabled' })
    expect(jtisOf(await streams.poll(delivery.endpoint_url))).toContain(held)
    await set('disabled')
    await owner(`UPDATE notices SET created_at = created_at - interval '1 day'`)
    const young = await broker.revoke('while disabled', 2)
    expect((await streams.poll(delivery.endpoint_url)).body.sets).toEqual({})
    await set('enabled')
    expect(jtisOf(await streams.poll(delivery.endpoint_url))).toEqual([young])
  })

  it.each([
    ['of one subject, which there is not', { status: 'paused', subject: { format: 'opaque', id: 'x' } }],
    ['that is none', { status: 'asleep' }],
    ['without one', {}],
  ])('is refused %s, and the stream goes on', async (_name, body) => {
    const { stream_id } = await made()
    expect((await streams.setStatus({ stream_id, ...body })).status).toBe(400)
    expect((await streams.status(stream_id)).body.status).toBe('enabled')
  })

  it('that an operator set is not the receiver’s to change', async () => {
    const { stream_id } = await made()
    await owner(`UPDATE event_streams SET status = 'paused', status_by = 'operator'`)
    expect(await streams.setStatus({ stream_id, status: 'enabled' })).toMatchObject({ status: 403, body: { error: 'access_denied' } })
    expect((await streams.setStatus({ stream_id, status: 'paused' })).status).toBe(200)
    expect((await owner('SELECT status_by FROM event_streams'))[0].status_by).toBe('operator')
    for (const around of [
      await streams.update({ stream_id, description: 'another' }),
      await streams.replace({ stream_id }),
      await streams.remove(stream_id),
      await streams.create({}),
    ])
      expect(around).toMatchObject({ status: 403, body: { error: 'access_denied' } })
  })
})

describe('a verification', () => {
  it('comes over the stream with its state, before anything else, and not too often', async () => {
    const { stream_id, delivery } = await made()
    await broker.revoke('behind the verification', 2)
    expect(await streams.verify({ stream_id, state: 'a state' })).toMatchObject({ status: 204, body: undefined })
    const [first] = Object.values((await streams.poll(delivery.endpoint_url)).body.sets)
    const event = await judging(acme, resource)(first as string)
    expect(event).toMatchObject({
      sub_id: { format: 'opaque', id: stream_id },
      events: { 'https://schemas.openid.net/secevent/ssf/event-type/verification': { state: 'a state' } },
    })
    const again = await streams.verify({ stream_id, state: 'another' })
    expect([again.status, again.headers.get('retry-after')]).toEqual([429, String(eventStreamLimits.minVerificationSeconds)])
    expect(jtisOf(await streams.poll(delivery.endpoint_url, { ack: [event.jti], returnImmediately: true }))).not.toContain(event.jti)
    broker.later(eventStreamLimits.minVerificationSeconds)
    expect((await streams.verify({ stream_id })).status).toBe(204)
  })

  it('needs a stream that is enabled', async () => {
    const { stream_id } = await made()
    await streams.setStatus({ stream_id, status: 'paused' })
    expect(await streams.verify({ stream_id })).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  })
})

it('every refusal here is counted by its reason', async () => {
  const printed = await metrics.print()
  for (const reason of [
    ...['stream_absent', 'streams_enough', 'stream_endpoint_refused', 'stream_property_wrong'],
    ...['stream_held', 'stream_not_enabled', 'verification_too_soon'],
  ])
    expect(printed).toContain(`drawbridge_refusals_total{reason="${reason}"}`)
})
