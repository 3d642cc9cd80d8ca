/** A stream of security events is set up at a transmitter that shares no code with us, verifies itself, is looked at and given up. */
import { type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { createFetchSafely, type FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { createSimulator, type Simulator } from '@drawbridge/simulator/simulator'
import type { Stream } from '@drawbridge/simulator/ssf/streams'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let simulator: Simulator
let broker: TestBroker
let acme: ATenant
let call: Call
let id: string
let now: Instant = instant(Date.now())
const sent: { url: string; method: string | undefined; authorization: string | undefined }[] = []
/** Takes the place of the network for addresses that end so. */
let broken: readonly [end: string, answer: Awaited<ReturnType<FetchSafely>>] | undefined

const transmitter = () => simulator.signals('globex')
const streams = (): readonly Stream[] => [...transmitter().streams.all.values()]
const theStream = (): Stream => streams()[0] as Stream
const bearer = () => ({ bearerToken: transmitter().bearerToken })

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  simulator = createSimulator({ port: 0, now: () => new Date(now) })
  await simulator.start()
  const real = createFetchSafely({ allowedOrigins: [], allowLoopback: true })
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    fetchSafely: async (url, options) => {
      sent.push({ url, method: options.method, authorization: options.headers?.['authorization'] })
      return broken !== undefined && url.split('?')[0]?.endsWith(broken[0]) ? broken[1] : real(url, options)
    },
  })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await simulator?.close()
  await fixture?.close()
})

const configuration = (ssf: Record<string, unknown> = {}) => ({
  ...{ issuer: transmitter().issuer, clientId: 'drawbridge', ssf: { issuer: transmitter().issuer, ...ssf } },
})
async function aConnection(given: Record<string, unknown> = configuration()): Promise<string> {
  return (await call('POST', '/tenants/acme/connections', { kind: 'oidc', name: 'Globex', configuration: given })).body.id
}
beforeEach(async () => {
  broken = undefined
  for (const { id: one } of streams()) transmitter().streams.remove(one)
  id = await aConnection()
  sent.length = 0
})
const at = (end = '') => `/tenants/acme/connections/${id}/signal-stream${end}`
const setUp = (body: Record<string, unknown>) => call('PUT', at(), body)
const ssfOf = async (): Promise<Record<string, unknown>> => (await call('GET', `/tenants/acme/connections/${id}`)).body.configuration.ssf

/** The simulator knows the address that the issuer says; in a test the broker is at another. */
async function deliver(): Promise<readonly number[]> {
  const { endpoint_url: url, authorization_header: authorization = '' } = theStream().delivery
  const path = new URL(url).pathname
  const answers: number[] = []
  for (const [jti, token] of theStream().waiting) {
    const headers = { 'content-type': 'application/secevent+jwt', authorization }
    answers.push((await fetch(broker.url + path, { method: 'POST', headers, body: token })).status)
    theStream().waiting.delete(jti)
  }
  return answers
}

describe('a stream that is pushed', () => {
  it('is made with our address and a token that nobody has seen before, verifies itself, and is heard', async () => {
    const put = await setUp({ delivery: 'push', credential: bearer() })
    expect([put.status, put.body]).toMatchObject([
      200,
      { delivery: 'push', streamId: theStream().id, status: 'enabled', verifiedAt: null, hasCredential: true },
    ])
    const { delivery, eventsRequested } = theStream()
    expect(delivery).toMatchObject({
      method: 'urn:ietf:rfc:8935',
      endpoint_url: put.body.receiverUrl,
      authorization_header: expect.stringMatching(/^Bearer \S{40,}$/),
    })
    expect(eventsRequested).toContain('https://schemas.openid.net/secevent/caep/event-type/session-revoked')
    expect(eventsRequested.some((type) => type.includes('/ssf/') || type.endsWith('account-enabled'))).toBe(false)
    expect(await deliver()).toEqual([202])
    const { body } = await call('GET', at())
    expect(body).toMatchObject({ verifiedAt: new Date(now).toISOString(), lagSeconds: 0, lastError: null })
    // What the stream was set up with is asked for from now on.
    await transmitter().emit('session-revoked', 'globex-ada')
    const [token] = theStream().waiting.values()
    const stranger = await fetch(`${broker.url}${new URL(body.receiverUrl).pathname}`, {
      method: 'POST',
      headers: { 'content-type': 'application/secevent+jwt' },
      body: token as string,
    })
    expect([stranger.status, await deliver()]).toEqual([400, [202]])
    const refused = { refusals: 1, refusal: 'set_sender_unproven', refusedAt: new Date(now).toISOString() }
    expect((await call('GET', at())).body).toMatchObject({ ...refused, refusalSays: expect.stringContaining('authorization header') })
    // Set up anew it begins anew.
    await setUp({ delivery: 'push', credential: bearer() })
    expect((await call('GET', at())).body).toMatchObject({ refusals: 0, refusal: null, refusalSays: null, refusedAt: null })
  })

  it('has another token after it is set up again, at the same stream, and the one before is believed until it is changed once more', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    const [first] = (await ssfOf())['pushTokenSha256'] as string[]
    const old = theStream().delivery.authorization_header as string
    await setUp({ delivery: 'push', credential: bearer() })
    expect(streams()).toHaveLength(1)
    const [second, before] = (await ssfOf())['pushTokenSha256'] as string[]
    expect([before, second === first]).toEqual([first, false])
    await transmitter().emit('session-revoked', 'globex-ada')
    theStream().delivery = { ...theStream().delivery, authorization_header: old }
    expect(new Set(await deliver())).toEqual(new Set([202]))
    await setUp({ delivery: 'push', credential: bearer() })
    await transmitter().emit('session-revoked', 'globex-ada')
    theStream().delivery = { ...theStream().delivery, authorization_header: old }
    expect(new Set(await deliver())).toEqual(new Set([400]))
  })

  it('that an attempt which broke off has left behind is found again: there is one', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    await asOwner(fixture.ownerUrl, 'DELETE FROM signal_streams WHERE id = $1', [id])
    expect((await setUp({ delivery: 'push', credential: bearer() })).body.streamId).toBe(theStream().id)
    expect(streams()).toHaveLength(1)
  })

  it.each([
    { status: 403, tokens: 1 },
    { status: 500, tokens: 4 },
  ])('is heard as before, however often it could not be changed ($status)', async ({ status, tokens }) => {
    await setUp({ delivery: 'push', credential: bearer() })
    broken = ['/stream', { ok: true, value: { status, headers: {}, body: Buffer.alloc(0) } }]
    for (let times = 0; times < 6; times += 1) expect((await setUp({ delivery: 'push', credential: bearer() })).status).toBe(424)
    expect((await ssfOf())['pushTokenSha256']).toHaveLength(tokens)
    await transmitter().emit('session-revoked', 'globex-ada')
    expect(await deliver()).toEqual([202, 202])
    broken = undefined
    await setUp({ delivery: 'push', credential: bearer() })
    expect((await ssfOf())['pushTokenSha256']).toHaveLength(2)
  })

  it.each([409, 500])('that could not be set up (%i) asks no token of what is pushed by a stream that was made by hand', async (status) => {
    broken = ['/stream', { ok: true, value: { status, headers: {}, body: Buffer.alloc(0) } }]
    expect((await setUp({ delivery: 'push', credential: bearer() })).status).toBe(424)
    expect((await ssfOf())['pushTokenSha256'] ?? []).toEqual([])
  })

  it('that the transmitter has forgotten is made anew', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    const { id: gone } = theStream()
    transmitter().streams.remove(gone)
    expect((await setUp({ delivery: 'push', credential: bearer() })).body.streamId).not.toBe(gone)
  })
})

describe('a stream that is fetched', () => {
  it('is due at once, by client credentials, and what its tokens are for is what the transmitter says', async () => {
    const put = await setUp({ delivery: 'poll', credential: transmitter().client })
    expect([put.status, put.body]).toMatchObject([
      200,
      { delivery: 'poll', pollUrl: theStream().delivery.endpoint_url, nextPollAt: new Date(now).toISOString() },
    ])
    expect((await ssfOf())['audience']).toBe(theStream().audience)
  })

  it('may have been made there by hand', async () => {
    const put = await setUp({ delivery: 'poll', pollUrl: 'https://idp.example/poll', credential: bearer() })
    expect([put.status, put.body]).toMatchObject([200, { pollUrl: 'https://idp.example/poll', streamId: null }])
    const verify = await call('POST', at('/verify'))
    expect([verify.status, verify.body.type]).toEqual([409, 'urn:drawbridge:error:signal_stream_by_hand'])
  })
})

describe('what a set-up changes of what the connection believes is in the trail, and the contacts are told', () => {
  const trail = async () =>
    (
      await asOwner<{ detail: Record<string, unknown> }>(
        fixture.ownerUrl,
        `SELECT detail - 'adminKey' - 'vendor' AS detail FROM audit_events WHERE connection_id = $1 AND kind = 'connection.signal_stream_put' ORDER BY id`,
        [id],
      )
    ).map(({ detail }) => detail)
  const told = async (): Promise<number> => {
    const sql = `SELECT coalesce(sum(act_count), 0)::int AS count FROM announcements WHERE tenant_id = $1`
    return (await asOwner<{ count: number }>(fixture.ownerUrl, sql, [acme.tenantId]))[0]?.count ?? 0
  }
  const refusing = (status: number) => {
    broken = ['/stream', { ok: true, value: { status, headers: {}, body: Buffer.alloc(0) } }]
  }

  it('where it ends well: the name, and the one before it', async () => {
    await setUp({ delivery: 'poll', credential: bearer() })
    const { id: streamId, audience } = theStream()
    expect(await trail()).toEqual([{ delivery: 'poll', streamId, audience, audienceBefore: null }])
    await setUp({ delivery: 'poll', credential: bearer() })
    expect((await trail())[1]).toEqual({ delivery: 'poll', streamId })
    id = await aConnection(configuration({ audience: 'given by an admin' }))
    await setUp({ delivery: 'poll', credential: bearer() })
    expect(await trail()).toMatchObject([{ audience: expect.any(String), audienceBefore: 'given by an admin' }])
  })

  it.each([
    { status: 403, steps: ['push_token_added', 'push_token_withdrawn'] },
    { status: 500, steps: ['push_token_added'] },
  ])('where the transmitter answers $status: each step', async ({ status, steps }) => {
    await call('POST', '/tenants/acme/contacts', { name: 'Ida', email: 'ida@acme.example' })
    await setUp({ delivery: 'push', credential: bearer() })
    const before = await told()
    refusing(status)
    expect((await setUp({ delivery: 'push', credential: bearer() })).status).toBe(424)
    expect((await trail()).slice(1)).toEqual(steps.map((step) => ({ step, pushTokens: true })))
    expect((await told()) - before).toBe(steps.length)
  })

  it('where it changes nothing: nothing', async () => {
    refusing(403)
    expect((await setUp({ delivery: 'push', credential: bearer() })).status).toBe(424)
    expect(await trail()).toEqual([])
  })

  it('and a name that cannot be kept is refused: what was believed is believed, and the token of the transmitter is', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    const [first] = (await ssfOf())['pushTokenSha256'] as string[]
    const said = { stream_id: theStream().id, aud: 'x'.repeat(2000) }
    broken = ['/stream', { ok: true, value: { status: 200, headers: {}, body: Buffer.from(JSON.stringify(said)) } }]
    const put = await setUp({ delivery: 'push', credential: bearer() })
    expect([put.status, put.body.errors?.[0]?.path]).toEqual([424, 'transmitter_named_unusably'])
    expect(await ssfOf()).toMatchObject({ pushTokenSha256: [expect.any(String), first] })
    expect(await ssfOf()).not.toHaveProperty('audience')
    expect((await trail()).slice(1)).toEqual([{ step: 'push_token_added', pushTokens: true }])
  })
})

it('the credential is sealed, and shown nowhere', async () => {
  await setUp({ delivery: 'push', credential: bearer() })
  const everything = JSON.stringify([
    (await call('GET', at())).body,
    await asOwner(fixture.ownerUrl, 'SELECT * FROM signal_streams', []),
    await asOwner(fixture.ownerUrl, 'SELECT * FROM audit_events', []),
  ])
  expect(everything).not.toContain(transmitter().bearerToken)
  const token = theStream().delivery.authorization_header?.slice('Bearer '.length) as string
  expect(everything + JSON.stringify(await asOwner(fixture.ownerUrl, 'SELECT * FROM connections', []))).not.toContain(token)
})

describe('a transmitter that does not do what it is asked is said so, and nothing is kept', () => {
  const answer = (status: number, value: unknown): Awaited<ReturnType<FetchSafely>> => ({
    ...{ ok: true, value: { status, headers: {}, body: Buffer.from(JSON.stringify(value)) } },
  })
  it.each([
    { where: '/ssf-configuration/globex', said: answer(404, {}), trouble: 'transmitter_lacks_this' },
    { where: '/ssf-configuration/globex', said: answer(500, {}), trouble: 'transmitter_unreachable' },
    {
      where: '/ssf-configuration/globex',
      said: answer(200, { issuer: 'https://another.example', configuration_endpoint: 'https://evil.example' }),
      trouble: 'transmitter_lacks_this',
    },
    { where: '/ssf-configuration/globex', said: answer(200, { issuer: 'ISSUER' }), trouble: 'transmitter_lacks_this' },
    { where: '/stream', said: answer(403, {}), trouble: 'transmitter_says_no' },
    { where: '/stream', said: answer(201, { aud: 'x' }), trouble: 'transmitter_answer_malformed' },
    {
      where: '/stream',
      said: answer(201, { stream_id: 's', aud: 'x', delivery: { method: 'urn:ietf:rfc:8936', endpoint_url: 'https://evil.example' } }),
      trouble: 'transmitter_answer_malformed',
    },
  ])('$trouble at $where', async ({ where, said, trouble }) => {
    const text = said.ok ? said.value.body.toString().replace('ISSUER', transmitter().issuer) : ''
    broken = [where, said.ok ? { ok: true, value: { ...said.value, body: Buffer.from(text) } } : said]
    const put = await setUp({ delivery: 'push', credential: bearer() })
    expect([put.status, put.body.type, put.body.errors?.[0]?.path]).toEqual([424, 'urn:drawbridge:error:transmitter_failed', trouble])
    expect((await call('GET', at())).status).toBe(404)
    // The credential has gone nowhere but to endpoints that the configuration document names.
    expect(sent.filter(({ authorization, url }) => authorization !== undefined && !url.startsWith(transmitter().issuer))).toEqual([])
  })

  it('a connection that names no transmitter has no stream', async () => {
    id = await aConnection({ issuer: transmitter().issuer, clientId: 'x' })
    for (const more of [{}, { pollUrl: 'https://idp.example/poll' }])
      expect((await setUp({ delivery: 'poll', credential: bearer(), ...more })).body.type).toBe(
        'urn:drawbridge:error:signals_not_configured',
      )
  })

  it.each([
    { delivery: 'push', pollUrl: 'https://idp.example/poll' },
    { delivery: 'poll', streamId: 'x' },
    { delivery: 'poll', credential: { bearerToken: 'two words' } },
    { delivery: 'poll', credential: {} },
  ])('%j is no set-up', async (body) => {
    expect((await setUp({ credential: bearer(), ...body })).status).toBe(400)
  })
})

describe('a verification', () => {
  it('counts by what it was asked to carry alone, whoever else it answers', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    expect(await deliver()).toEqual([202])
    now = instant(now + 60_000)
    expect((await call('POST', at('/verify'))).status).toBe(200)
    const asked = [...theStream().waiting]
    theStream().waiting.clear()
    await transmitter().streams.put(
      theStream(),
      'https://schemas.openid.net/secevent/ssf/event-type/verification',
      { state: 'another' },
      { format: 'opaque', id: theStream().id },
    )
    await deliver()
    const verifiedAt = async () => toSeconds(instant(Date.parse((await call('GET', at())).body.verifiedAt)))
    expect(await verifiedAt()).toBe(toSeconds(now) - 60)
    for (const [jti, token] of asked) theStream().waiting.set(jti, token)
    await deliver()
    expect(await verifiedAt()).toBe(toSeconds(now))
  })

  it('that the transmitter does not take is shown', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    broken = ['/verification', { ok: false, error: { reason: 'unreachable' } }]
    const { status, body } = await call('POST', at('/verify'))
    expect([status, body.lastError, body.lastErrorSays]).toEqual([
      200,
      'transmitter_unreachable',
      expect.stringContaining('cannot be reached'),
    ])
  })
})

describe('a connection that is moved to another transmitter', () => {
  /** Where somebody who may change the connection would have our credential sent. */
  const move = () =>
    call('PUT', `/tenants/acme/connections/${id}`, {
      ...{ kind: 'oidc', name: 'Globex', configuration: configuration({ configurationUrl: `${simulator.signals('acme').issuer}/evil` }) },
    })
  it('takes no credential with it: nobody is asked, and the stream says what is to be done', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    expect((await move()).status).toBe(200)
    sent.length = 0
    const verified = await call('POST', at('/verify'))
    expect([verified.status, verified.body.lastError, sent]).toEqual([200, 'stream_of_another_transmitter', []])
    const refused = await call('POST', at('/retire'), {})
    expect([refused.status, refused.body.errors?.[0]?.path, sent]).toEqual([424, 'stream_of_another_transmitter', []])
    expect((await call('POST', at('/retire'), { forget: true })).status).toBe(204)
    expect(sent).toEqual([])
  })

  it('has it again where it is entered again', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    await asOwner(
      fixture.ownerUrl,
      `UPDATE connections SET configuration = jsonb_set(configuration, '{ssf,configurationUrl}', $2) WHERE id = $1`,
      [...[id, JSON.stringify(`${new URL(transmitter().issuer).origin}/.well-known/ssf-configuration/globex?moved`)]],
    )
    expect((await call('POST', at('/verify'))).body.lastError).toBe('stream_of_another_transmitter')
    await setUp({ delivery: 'push', credential: bearer() })
    expect((await call('POST', at('/verify'))).body.lastError).toBeNull()
  })
})

describe('given up', () => {
  it('the stream is gone at the transmitter, and our credential here', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    expect((await call('POST', at('/retire'), {})).status).toBe(204)
    expect([streams().length, (await call('GET', at())).status, (await call('POST', at('/retire'), {})).status]).toEqual([0, 404, 404])
  })

  it('while the transmitter is away, only by whoever says that it is to be forgotten', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    broken = ['/stream', { ok: false, error: { reason: 'unreachable' } }]
    expect((await call('POST', at('/retire'), {})).status).toBe(424)
    expect((await call('GET', at())).status).toBe(200)
    expect((await call('POST', at('/retire'), { forget: true })).status).toBe(204)
  })

  it('goes with its connection', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    expect((await call('DELETE', `/tenants/acme/connections/${id}`)).status).toBe(204)
    expect(streams()).toHaveLength(0)
  })

  it('stays where its connection may not be removed', async () => {
    await setUp({ delivery: 'push', credential: bearer() })
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at) VALUES ($1, gen_random_uuid(), $2, 'x', '{}', now(), now(), now())`,
      [acme.tenantId, id],
    )
    expect((await call('DELETE', `/tenants/acme/connections/${id}`)).status).toBe(409)
    expect(streams()).toHaveLength(1)
  })
})
