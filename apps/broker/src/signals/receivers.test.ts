/**
 * Security events at the receiver of a connection, pushed by a transmitter that shares no code with us: what each does, whom it cannot name,
 * and that nothing but a token of exactly this kind does anything.
 */
import { createHash, randomUUID } from 'node:crypto'
import { refusedEventLimits } from '@drawbridge/store/refused-security-events'
import { signalLimits } from '@drawbridge/store/signals'
import { type ASignallingCompany, aSignallingCompany } from '@drawbridge/testkit/a-signalling-company'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { securityEventLimits } from '@drawbridge/upstream/signals/security-event-token'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const idp = 'https://idp.example'
const transmitter = 'https://acme.okta.example'
const caep = 'https://schemas.openid.net/secevent/caep/event-type'
const risc = 'https://schemas.openid.net/secevent/risc/event-type'
const ssf = 'https://schemas.openid.net/secevent/ssf/event-type'
type Key = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
let keys: { readonly own: Key; readonly stranger: Key }
let fixture: TestDatabase
let acme: ASignallingCompany

beforeAll(async () => {
  fixture = await testDatabase()
  const { privateKey, publicKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
  keys = { own: privateKey, stranger: (await generateKeyPair('RS256', { modulusLength: 2048 })).privateKey }
  const jwk = { ...(await exportJWK(publicKey)), kid: 'okta', use: 'sig', alg: 'RS256' }
  acme = await aSignallingCompany(fixture, {
    [`${transmitter}/.well-known/ssf-configuration`]: {
      issuer: transmitter,
      jwks_uri: `${transmitter}/oauth2/v1/keys`,
      spec_version: '1_0',
    },
    [`${transmitter}/oauth2/v1/keys`]: { keys: [jwk] },
  })
})
afterAll(async () => {
  await acme.broker.close()
  await fixture.close()
})
const configure = (more: Record<string, unknown> = {}) =>
  acme.configure({ issuer: idp, clientId: 'drawbridge', ssf: { issuer: transmitter, ...more } })
beforeEach(async () => {
  await acme.begin()
  await configure()
})

const address = () => `${acme.issuer()}/ssf/receivers/${acme.tenant().connectionId}`
const ada = { format: 'iss_sub', iss: transmitter, sub: 'ada' }
type Shape = { readonly claims?: Record<string, unknown>; readonly typ?: string; readonly key?: Key; readonly kid?: string }
const aToken = (events: unknown, { claims = {}, typ = 'secevent+jwt', key = keys.own, kid = 'okta' }: Shape = {}): Promise<string> => {
  const said = { iss: transmitter, aud: address(), jti: randomUUID(), iat: acme.seconds(), sub_id: ada, events, ...claims }
  return new SignJWT(said).setProtectedHeader({ alg: 'RS256', kid, typ }).sign(key)
}
const push = (token: string, headers: Record<string, string> = {}, connectionId: string = acme.tenant().connectionId) =>
  fetch(`${acme.broker.url}/t/${acme.tenant().slug}/ssf/receivers/${connectionId}`, {
    ...{ method: 'POST', body: token, headers: { 'content-type': 'application/secevent+jwt', ...headers } },
  })
const tell = async (type: string, event: Record<string, unknown> = {}, shape: Shape = {}) => push(await aToken({ [type]: event }, shape))
const deactivated = async (): Promise<boolean> => {
  const rows = await acme.owner("SELECT deactivated_at IS NOT NULL AS gone FROM subjects WHERE tenant_id = $1 AND stable_id = 'ada'")
  return (rows[0] as { gone: boolean }).gone
}
const audited = async (kind: string): Promise<readonly unknown[]> =>
  (await acme.owner('SELECT detail FROM audit_events WHERE tenant_id = $1 AND kind = $2 ORDER BY id', kind)).map(
    (row) => (row as { detail: unknown }).detail,
  )

describe('a security event', () => {
  it('ends what was issued, in the transaction that remembers it, and says when it was told to have happened', async () => {
    const tokens = await acme.signIn()
    const happened = acme.seconds() - 30
    const answer = await tell(`${caep}/session-revoked`, { event_timestamp: happened })
    expect([answer.status, answer.headers.get('cache-control'), await answer.text()]).toEqual([202, 'no-store', ''])
    expect([await acme.isActive(tokens), await acme.refresh(tokens), await deactivated()]).toEqual([false, 400, false])
    const [event] = await acme.events()
    expect(event).toMatchObject({ source: 'signal', target: 'subject', reason: 'session-revoked', matched: true })
    expect(Number(event?.['told_at'])).toBe(happened * 1000)
    expect(await audited('signal.received')).toEqual([{ event: 'session-revoked', outcome: 'done' }])
  })

  it.each([
    [`${caep}/credential-change`, { credential_type: 'password', change_type: 'update' }],
    [`${caep}/device-compliance-change`, { previous_status: 'compliant', current_status: 'not-compliant' }],
    [`${caep}/assurance-level-change`, { current_level: 'aal1', change_direction: 'decrease' }],
  ])('%s demands a fresh sign-in', async (type, event) => {
    await acme.signIn()
    const signedInAt = acme.now()
    expect((await tell(type, event)).status).toBe(202)
    acme.wait(30)
    acme.idp.says = { ...acme.idp.says, signedInAt }
    await expect(acme.signIn()).rejects.toThrow()
    acme.idp.says = { ...acme.idp.says, signedInAt: acme.now() }
    expect(await acme.isActive(await acme.signIn())).toBe(true)
  })

  it.each(['account-disabled', 'account-purged'])('%s deactivates, and account-enabled gives nothing back', async (name) => {
    const tokens = await acme.signIn()
    expect((await tell(`${risc}/${name}`)).status).toBe(202)
    expect([await acme.isActive(tokens), await deactivated()]).toEqual([false, true])
    expect((await tell(`${risc}/account-enabled`)).status).toBe(202)
    expect(await deactivated()).toBe(true)
    acme.wait(5)
    await expect(acme.signIn()).rejects.toThrow()
    expect(await audited('signal.received')).toEqual([
      { event: name, outcome: 'done' },
      { event: 'account-enabled', outcome: 'nothing' },
    ])
  })

  it('of a changed identifier is a barrier and an alarm; the key of the person stays', async () => {
    const tokens = await acme.signIn()
    expect((await tell(`${risc}/identifier-changed`, { 'new-value': 'eve' })).status).toBe(202)
    expect([await acme.isActive(tokens), await deactivated()]).toEqual([false, false])
    expect(await audited('connection.signal_alarm')).toEqual([{ event: 'identifier-changed', outcome: 'done' }])
  })

  it.each([
    { type: `${ssf}/verification`, event: { state: 'abc' }, claims: { sub_id: { format: 'opaque', id: 'stream-1' } }, alarms: 0 },
    { type: `${ssf}/verification`, event: {}, claims: { sub_id: undefined }, alarms: 0 },
    { type: `${ssf}/stream-updated`, event: { status: 'paused' }, claims: { sub_id: { format: 'opaque', id: 'stream-1' } }, alarms: 1 },
    { type: 'https://example.com/unheard-of', event: {}, claims: {}, alarms: 0 },
    { type: `https://example.com/${'x'.repeat(300)}`, event: {}, claims: {}, alarms: 0 },
    { type: 'a\0b', event: {}, claims: {}, alarms: 0 },
  ])('$type is acknowledged and takes nothing', async ({ type, event, claims, alarms }) => {
    const tokens = await acme.signIn()
    expect((await tell(type, event, { claims })).status).toBe(202)
    expect(await acme.isActive(tokens)).toBe(true)
    expect(await acme.events()).toEqual([])
    expect(await audited('connection.signal_alarm')).toHaveLength(alarms)
  })

  it('that the connection does not list does nothing', async () => {
    await configure({ events: ['account-disabled'] })
    const tokens = await acme.signIn()
    expect((await tell(`${caep}/session-revoked`)).status).toBe(202)
    expect(await acme.isActive(tokens)).toBe(true)
  })

  it('that comes again is a success and counts once', async () => {
    const token = await aToken({ [`${caep}/session-revoked`]: {} })
    expect((await push(token)).status).toBe(202)
    acme.wait(5)
    const tokens = await acme.signIn()
    expect((await push(token)).status).toBe(202)
    expect(await acme.isActive(tokens)).toBe(true)
    expect(await acme.events()).toHaveLength(1)
    expect(await audited('signal.received')).toHaveLength(1)
  })

  it('is not lost where the database cannot write: it is 5xx, and counts when it comes again', async () => {
    const tokens = await acme.signIn()
    const token = await aToken({ [`${caep}/session-revoked`]: {} })
    await asOwner(fixture.ownerUrl, "ALTER TABLE deprovisioning_events ADD CONSTRAINT no_signals CHECK (source <> 'signal') NOT VALID", [])
    const refused = await push(token)
    await asOwner(fixture.ownerUrl, 'ALTER TABLE deprovisioning_events DROP CONSTRAINT no_signals', [])
    expect(refused.status).toBeGreaterThanOrEqual(500)
    expect((await push(token)).status).toBe(202)
    expect(await acme.isActive(tokens)).toBe(false)
  })
})

describe('whom it names', () => {
  it.each([
    { by: 'iss_sub of the transmitter', sub_id: ada },
    { by: 'iss_sub of the connection', sub_id: { format: 'iss_sub', iss: idp, sub: 'ada' } },
    { by: 'opaque', sub_id: { format: 'opaque', id: 'ada' } },
    {
      by: 'a complex subject',
      sub_id: { format: 'complex', user: ada, session: { format: 'opaque', id: 's1' }, tenant: { format: 'opaque', id: 't' } },
    },
  ])('by $by: her', async ({ sub_id }) => {
    const tokens = await acme.signIn()
    expect((await tell(`${caep}/session-revoked`, {}, { claims: { sub_id } })).status).toBe(202)
    expect(await acme.isActive(tokens)).toBe(false)
  })
  it.each([
    { who: 'an unknown person', sub_id: { format: 'opaque', id: 'eve' } },
    { who: 'somebody of another issuer', sub_id: { format: 'iss_sub', iss: 'https://other.example', sub: 'ada' } },
    { who: 'an address', sub_id: { format: 'email', email: 'ada@acme.example' } },
    { who: 'a device alone', sub_id: { format: 'complex', device: { format: 'opaque', id: 'd1' } } },
    { who: 'an id that cannot be kept', sub_id: { format: 'opaque', id: 'a\0' } },
  ])('$who: an alarm, and nothing ends', async ({ sub_id }) => {
    const tokens = await acme.signIn()
    expect((await tell(`${caep}/session-revoked`, {}, { claims: { sub_id } })).status).toBe(202)
    expect(await acme.isActive(tokens)).toBe(true)
    expect(await acme.events()).toMatchObject([{ source: 'signal', matched: false }])
  })
  it('in Okta’s older shape only where the connection says so; its milliseconds are understood', async () => {
    const tokens = await acme.signIn()
    const older = { subject: { user: ada }, event_timestamp: acme.seconds() * 1000 }
    const claims = { sub_id: undefined }
    expect((await tell(`${caep}/session-revoked`, older, { claims })).status).toBe(400)
    expect(await acme.isActive(tokens)).toBe(true)
    await configure({ legacySubjects: true })
    expect((await tell(`${caep}/session-revoked`, older, { claims })).status).toBe(202)
    expect(await acme.isActive(tokens)).toBe(false)
    expect(Number((await acme.events())[0]?.['told_at'])).toBe(acme.seconds() * 1000)
  })
})

describe('is refused by the code of the RFC, and takes nothing, where', () => {
  const event = { [`${caep}/session-revoked`]: {} }
  const { ageSeconds, skewSeconds } = securityEventLimits
  const refused: readonly { where: string; token: () => Promise<string>; err: string; reason: string }[] = [
    ...['JWT', 'at+jwt', 'logout+jwt', 'global-token-revocation+jwt', 'oauth-id-jag+jwt', ''].map((typ) => ({
      ...{ where: `its typ is ${typ || 'empty'}`, token: () => aToken(event, { typ }), err: 'invalid_request', reason: 'set_malformed' },
    })),
    ...[
      { exp: 9_999_999_999 },
      { sub: 'ada' },
      { nonce: 'n' },
      { iat: undefined },
      { jti: undefined },
      { jti: '' },
      { events: undefined },
      { events: {} },
      { events: [] },
      { events: { ...event, [`${caep}/credential-change`]: {} } },
      { events: { [`${caep}/session-revoked`]: true } },
      { sub_id: undefined },
      { sub_id: 'ada' },
    ].map((claims) => ({
      ...{
        where: `it says ${JSON.stringify(claims)}`,
        token: () => aToken(event, { claims }),
        err: 'invalid_request',
        reason: 'set_malformed',
      },
    })),
    {
      where: 'it is of tomorrow',
      token: () => aToken(event, { claims: { iat: acme.seconds() + skewSeconds + 60 } }),
      err: 'invalid_request',
      reason: 'set_malformed',
    },
    {
      where: 'it is too old',
      token: () => aToken(event, { claims: { iat: acme.seconds() - ageSeconds - skewSeconds } }),
      err: 'invalid_request',
      reason: 'set_malformed',
    },
    {
      where: 'another issuer says it',
      token: () => aToken(event, { claims: { iss: idp } }),
      err: 'invalid_issuer',
      reason: 'set_of_another_issuer',
    },
    {
      where: 'it is for another',
      token: () => aToken(event, { claims: { aud: 'drawbridge' } }),
      err: 'invalid_audience',
      reason: 'set_for_another_audience',
    },
    {
      where: 'a stranger signed it',
      token: () => aToken(event, { key: keys.stranger }),
      err: 'invalid_key',
      reason: 'set_signature_wrong',
    },
    { where: 'it is no token', token: async () => 'a.b.c', err: 'invalid_request', reason: 'set_malformed' },
    { where: 'it is nothing', token: async () => '', err: 'invalid_request', reason: 'set_malformed' },
  ]
  it('what it says is not so: each of them', async () => {
    expect((await tell(`${ssf}/verification`)).status).toBe(202)
    for (const { where, token, err, reason } of refused) {
      // The keys may be asked for again: what none of them has signed is judged.
      acme.wait(61)
      acme.told.take()
      const answer = await push(await token())
      expect([where, answer.status, ((await answer.json()) as { err: string }).err, acme.told.take()]).toEqual([where, 400, err, [reason]])
    }
    expect((await acme.events()).filter(({ matched }) => matched !== false)).toEqual([])
  })
  it('the sender does not present what the stream was set up with', async () => {
    const sha = (token: string) => createHash('sha256').update(token).digest('hex')
    await configure({ pushTokenSha256: [sha('first-of-them'), sha('second-of-them')] })
    for (const headers of [{}, { authorization: 'Bearer another' }, { authorization: 'first-of-them' }]) {
      const answer = await push(await aToken(event), headers as Record<string, string>)
      expect([answer.status, await answer.json()]).toMatchObject([400, { err: 'authentication_failed' }])
    }
    expect(acme.told.take()).toContain('set_sender_unproven')
    for (const token of ['first-of-them', 'second-of-them'])
      expect((await push(await aToken(event), { authorization: `Bearer ${token}` })).status).toBe(202)
  })
  it('nobody’s events are heard at the connection', async () => {
    await acme.configure({ issuer: idp, clientId: 'drawbridge' })
    for (const connectionId of [acme.tenant().connectionId, randomUUID(), 'none']) {
      const answer = await push(await aToken(event), {}, connectionId)
      expect([answer.status, await answer.json()]).toMatchObject([400, { err: 'access_denied' }])
    }
    expect(acme.told.take()).toContain('set_not_heard')
  })
  it('it comes as something else', async () => {
    const answer = await push(await aToken(event), { 'content-type': 'application/json' })
    expect([answer.status, await answer.json()]).toMatchObject([400, { err: 'invalid_request' }])
  })
  it('its keys cannot be had: told when to come', async () => {
    await configure({ jwksUri: 'https://nowhere.example/keys' })
    // Whatever it says: as long as nobody knows who says it, it may be heard later.
    for (const claims of [{}, { aud: 'drawbridge' }]) {
      const answer = await push(await aToken(event, { claims }))
      expect([answer.status, Number(answer.headers.get('retry-after')) > 0, acme.told.take()]).toEqual([503, true, ['signal_keys_awaited']])
    }
  })
  it('its configuration document is another issuer’s', async () => {
    await configure({ issuer: 'https://else.example', configurationUrl: `${transmitter}/.well-known/ssf-configuration` })
    expect((await push(await aToken(event, { claims: { iss: 'https://else.example' } }))).status).toBe(503)
  })
})

describe('what its transmitter signed and we do not believe', () => {
  const event = { [`${caep}/session-revoked`]: {} }
  const row = async () =>
    (await acme.owner('SELECT refusals, refusal, refused_at FROM signal_streams WHERE tenant_id = $1'))[0] as
      | Record<string, unknown>
      | undefined
  const old = () => ({ iat: acme.seconds() - securityEventLimits.ageSeconds - securityEventLimits.skewSeconds })

  it.each([
    { is: 'for another', claims: () => ({ aud: 'drawbridge' }), refusal: 'set_for_another_audience', alarm: {} },
    { is: 'of another issuer', claims: () => ({ iss: idp }), refusal: 'set_of_another_issuer', alarm: {} },
    { is: 'of another form', claims: () => ({ sub_id: undefined }), refusal: 'set_malformed: sub_id', alarm: { rule: 'sub_id' } },
    {
      is: 'too old',
      claims: old,
      refusal: 'set_malformed: too_old',
      alarm: { rule: 'too_old', named: expect.stringMatching(/^signal:.*:ada$/) },
    },
  ])('$is: it is counted, and somebody is told once with the reason', async ({ claims, refusal, alarm }) => {
    for (let times = 0; times < 2; times += 1) expect((await push(await aToken(event, { claims: claims() }))).status).toBe(400)
    expect(await row()).toMatchObject({ refusals: 2, refusal })
    const reason = refusal.split(':')[0]
    expect(await audited('connection.signal_alarm')).toEqual([{ event: 'refused', reason, ...alarm }])
  })

  it('for one reason does not hide another: each is told, once an hour, and counted', async () => {
    const send = async () => {
      for (const claims of [{ aud: 'drawbridge' }, { aud: 'drawbridge' }, old(), { ...old(), sub_id: { ...ada, sub: 'eve' } }])
        expect((await push(await aToken(event, { claims }))).status).toBe(400)
    }
    const told = async () => (await audited('connection.signal_alarm')).map((detail) => (detail as { reason: string }).reason)
    await send()
    expect(await told()).toEqual(['set_for_another_audience', 'set_malformed'])
    acme.wait(refusedEventLimits.alarmWindowSeconds - 1)
    await send()
    expect(await told()).toHaveLength(2)
    acme.wait(1)
    await send()
    expect(await told()).toHaveLength(4)
    const counted = 'SELECT reason, refusals FROM signal_refusals WHERE tenant_id = $1 ORDER BY reason'
    const expected = ['set_for_another_audience', 'set_malformed: too_old'].map((reason) => ({ reason, refusals: 6 }))
    expect(await acme.owner(counted)).toEqual(expected)
  })

  it('too old: whom it meant is in the trail, once, and the same made anew is heard', async () => {
    const jti = randomUUID()
    const token = await aToken(event, { claims: { ...old(), jti } })
    for (let times = 0; times < 2; times += 1) await push(token)
    expect(await acme.events()).toMatchObject([{ source: 'signal', matched: false, reason: 'session-revoked' }])
    expect((await push(await aToken(event, { claims: { jti } }))).status).toBe(202)
    expect(await acme.events()).toHaveLength(2)
  })

  it('without the bearer token of the stream: nothing is taken, and whom it meant is told', async () => {
    await configure({ pushTokenSha256: ['0'.repeat(64)] })
    for (let times = 0; times < 2; times += 1) expect((await push(await aToken(event))).status).toBe(400)
    expect(await row()).toMatchObject({ refusals: 2, refusal: 'set_sender_unproven' })
    const named = `signal:${acme.tenant().connectionId}:ada`
    expect(await audited('connection.signal_alarm')).toEqual([{ event: 'refused', reason: 'set_sender_unproven', named }])
    expect(await acme.events()).toMatchObject([{ matched: false }, { matched: false }])
  })

  it.each([{}, { pushTokenSha256: ['0'.repeat(64)] }])('is nothing that a stranger can bring about: %j', async (more) => {
    await configure(more)
    const strangers = [{ key: keys.stranger }, { key: keys.stranger, claims: { aud: 'drawbridge' } }, { key: keys.stranger, claims: old() }]
    for (const shape of strangers) {
      acme.wait(61)
      expect((await push(await aToken(event, shape))).status).toBe(400)
    }
    await push('a.b.c')
    expect([await row(), await audited('connection.signal_alarm'), await acme.events()]).toEqual([undefined, [], []])
  })
})

describe('very many people', () => {
  it('are an alarm once, and nobody is spared', async () => {
    await acme.owner(
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
       SELECT $1, gen_random_uuid(), $2, 'many-' || n, '{}', now(), now(), now() FROM generate_series(1, $3::int) AS n`,
      ...[acme.tenant().connectionId, signalLimits.massPeople + 2],
    )
    for (let n = 1; n <= signalLimits.massPeople + 2; n += 1)
      expect((await tell(`${caep}/session-revoked`, {}, { claims: { sub_id: { format: 'opaque', id: `many-${n}` } } })).status).toBe(202)
    expect(await audited('connection.mass_revocation')).toEqual([{ people: signalLimits.massPeople }])
    const left = "SELECT id FROM subjects WHERE tenant_id = $1 AND stable_id LIKE 'many-%' AND barrier_at IS NULL"
    expect(await acme.owner(left)).toEqual([])
  })
})
