/** Notices from the table to a guard: through HTTP, with the real guard at the other end of it. */
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { signJwt } from '@drawbridge/crypto/jwt'
import { toSigningKey } from '@drawbridge/crypto/signing-keys'
import { createGuard } from '@drawbridge/guard/create-guard'
import { streamLapseSeconds } from '@drawbridge/store/notice-streams'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  aGuardOf,
  aNoticingBroker,
  ids,
  idsIn,
  metrics,
  type NoticingBroker,
  oldKey,
  random,
  resource,
  secret,
  tokenKey,
} from '../../test/a-noticing-broker.js'
import { lateAfterSeconds } from './poll-rounds.js'

let broker: NoticingBroker
let guard: ReturnType<typeof aGuardOf>
beforeAll(async () => {
  broker = await aNoticingBroker()
  guard = aGuardOf(broker)
})
afterAll(() => broker.close())

it.each([
  ['a wrong secret', () => `${ids.credential}:dbx_wrong`, 'acme'],
  ['an unknown credential', () => `${random.uuid()}:${secret}`, 'acme'],
  ['an id that is no UUID', () => `x:${secret}`, 'acme'],
  ['a true credential at an issuer that may not mint for its resource', () => `${ids.credential}:${secret}`, 'globex'],
])('refuses %s with the same 401', async (_name, credential, tenant) => {
  const answer = await guard.post('/ssf/streams', { instance: 'a' }, credential(), tenant)
  const challenge = 'Basic realm="drawbridge", charset="UTF-8", Bearer realm="drawbridge"'
  expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, challenge])
  expect(answer.body).toMatchObject({ error: 'access_denied', error_description: 'prove yourself with the credential of your resource' })
})

it('gives what was revoked before in the snapshot and what comes after in the stream, each once', async () => {
  await broker.revoke('before', 2)
  const stream = await guard.open()
  expect(stream.snapshot['acme']?.['subject']?.['2']).toContain('before')
  const jti = await broker.revoke('after', 2)
  expect(Object.keys((await guard.poll(stream.streamId)).body.sets)).toEqual([jti])
  expect(Object.keys((await guard.poll(stream.streamId)).body.sets)).toEqual([jti])
  expect((await guard.poll(stream.streamId, { ack: [jti] })).body).toEqual({ sets: {}, moreAvailable: false })
  const [record] = await asOwner<{ delivered_at: Date; acknowledged_at: Date | null }>(
    broker.fixture.ownerUrl,
    'SELECT delivered_at, acknowledged_at FROM notice_deliveries WHERE stream_id = $1',
    [stream.streamId],
  )
  expect([record?.delivered_at, record?.acknowledged_at]).toEqual([expect.any(Date), expect.any(Date)])
})

it('records what an instance refuses: not acknowledged, not sent again, counted', async () => {
  const stream = await guard.open()
  const [refused, taken] = [await broker.revoke('refused', 2), await broker.revoke('taken', 2)]
  expect(Object.keys((await guard.poll(stream.streamId)).body.sets)).toEqual([refused, taken])
  const refusals = async () => Number(/^drawbridge_notices_refused_total (\d+)$/m.exec(await metrics.print())?.[1] ?? 0)
  const before = await refusals()
  const answer = { ack: [taken], setErrs: { [refused]: { err: 'invalid_key', description: 'no such key' } } }
  expect((await guard.poll(random.uuid(), answer)).status).toBe(404)
  expect((await guard.poll(stream.streamId, answer)).body).toEqual({ sets: {}, moreAvailable: false })
  await guard.poll(stream.streamId, answer)
  const records = await asOwner(
    broker.fixture.ownerUrl,
    `SELECT acknowledged_at IS NOT NULL AS acknowledged, refused_at IS NOT NULL AS refused, refusal FROM notice_deliveries
      WHERE stream_id = $1 ORDER BY position`,
    [stream.streamId],
  )
  expect(records).toEqual([
    { acknowledged: false, refused: true, refusal: 'invalid_key' },
    { acknowledged: true, refused: false, refusal: null },
  ])
  expect(await refusals()).toBe(before + 1)
  const later = await broker.revoke('later', 2)
  expect(Object.keys((await guard.poll(stream.streamId)).body.sets)).toEqual([later])
})

it('a stream carries what its own issuer says, and is unknown at another one that may mint for the same resource', async () => {
  await asOwner(
    broker.fixture.ownerUrl,
    `INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id)
       SELECT $1, $2, tenant_id, id FROM issuers WHERE tenant_id = $3`,
    [vendorTenantId, ids.shared, ids.other],
  )
  const credential = `${ids.sharedCredential}:${secret}`
  const openAt = async (slug: string) => (await guard.post('/ssf/streams', { instance: random.uuid() }, credential, slug)).body
  const pollAt = (slug: string, streamId: string) => guard.post('/ssf/poll', { streamId, returnImmediately: true }, credential, slug)
  const [acme, globex] = [await openAt('acme'), await openAt('globex')]
  await broker.revoke('of-acme', 2)
  expect(Object.keys((await pollAt('acme', acme.streamId)).body.sets)).toHaveLength(1)
  expect((await pollAt('globex', globex.streamId)).body.sets).toEqual({})
  expect((await pollAt('globex', acme.streamId)).status).toBe(404)
  const told = idsIn((await openAt('globex')).snapshot)
  expect(told).not.toContain('of-acme')
  expect(idsIn((await openAt('acme')).snapshot)).toContain('of-acme')
})

it('names condemned keys of the issuer in the snapshot, and calls it late when they wait for the worker', async () => {
  const stream = await guard.open()
  await asOwner(broker.fixture.ownerUrl, "UPDATE signing_keys SET state = 'compromised' WHERE tenant_id = $1 AND id = $2", [
    ids.tenant,
    oldKey.id,
  ])
  await asOwner(
    broker.fixture.ownerUrl,
    `INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'tell-condemned-key', '{}', $2)`,
    [ids.tenant, new Date(Date.now() - (lateAfterSeconds + 1) * 1000)],
  )
  expect((await guard.open()).condemnedKeys).toEqual([oldKey.id])
  expect((await guard.poll(stream.streamId)).body).toEqual({ sets: {}, moreAvailable: true })
  await asOwner(broker.fixture.ownerUrl, 'UPDATE outbox SET done_at = $2 WHERE tenant_id = $1', [ids.tenant, new Date()])
})

it('loses nothing between snapshot and position while revocations run', async () => {
  const subjects = Array.from({ length: 30 }, (_, index) => `race-${index}`)
  const [streams] = await Promise.all([
    Promise.all([guard.open(), guard.open(), guard.open()]),
    ...subjects.map((subject) => broker.revoke(subject, 2)),
  ])
  for (const stream of streams) {
    const inSnapshot = idsIn(stream.snapshot)
    const sets = Object.values((await guard.poll(stream.streamId)).body.sets)
    const inStream = sets.map((token) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).drawbridge.targetId)
    const told = new Set<string>([...inSnapshot, ...inStream])
    expect(subjects.filter((subject) => !told.has(subject))).toEqual([])
  }
})

it('wakes a waiting poll at once', async () => {
  const stream = await guard.open()
  const waiting = guard.post('/ssf/poll', { streamId: stream.streamId })
  await new Promise((resolve) => setTimeout(resolve, 200))
  const started = performance.now()
  const jti = await broker.revoke('woken', 2)
  expect(Object.keys((await waiting).body.sets)).toEqual([jti])
  expect(performance.now() - started).toBeLessThan(2000)
})

it('does not call it silence while a revocation waits for the worker', async () => {
  const stream = await guard.open()
  const wait = (tenant: string, seconds: number, targetId: string) =>
    asOwner(broker.fixture.ownerUrl, `INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'revoke', $2, $3)`, [
      tenant,
      JSON.stringify({ eventId: random.uuid(), target: 'subject', targetId, epoch: 7 }),
      new Date(Date.now() - seconds * 1000),
    ])
  await wait(ids.other, 3600, 'elsewhere')
  await wait(ids.tenant, 5, 'fresh')
  expect((await guard.poll(stream.streamId)).body).toEqual({ sets: {}, moreAvailable: false })
  await wait(ids.tenant, lateAfterSeconds + 1, 'late')
  expect((await guard.poll(stream.streamId)).body).toEqual({ sets: {}, moreAvailable: true })
  const targets = idsIn((await guard.open()).snapshot)
  expect(targets).toEqual(expect.arrayContaining(['fresh', 'late']))
  expect(targets).not.toContain('elsewhere')
  await asOwner(broker.fixture.ownerUrl, 'UPDATE outbox SET done_at = $2 WHERE tenant_id = $1', [ids.tenant, new Date()])
  expect((await guard.poll(stream.streamId)).body).toEqual({ sets: {}, moreAvailable: false })
})

it('answers 404 for a stream that is unknown or has lapsed', async () => {
  expect((await guard.poll(random.uuid())).status).toBe(404)
  const stream = await guard.open()
  await asOwner(broker.fixture.ownerUrl, 'UPDATE notice_streams SET heard_at = $2 WHERE id = $1', [
    stream.streamId,
    new Date(Date.now() - (streamLapseSeconds + 1) * 1000),
  ])
  expect((await guard.poll(stream.streamId)).status).toBe(404)
})

it('kills an unexpired token at every replica of a guarded server', async () => {
  const make = () =>
    createGuard({
      resource,
      issuers: [{ issuer: broker.issuer, credential: { id: ids.credential, secret } }],
      toolScopes: {},
      onDeaf: 'refuse',
    })
  const replicas = [make(), make(), make()]
  try {
    await Promise.all(replicas.map((replica) => replica.start()))
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: broker.issuer, sub: 'ada', aud: resource, iat: now, exp: now + 900, jti: 't', client_id: 'c', tenant: 'acme' }
    const key = toSigningKey(tokenKey, tokenKey.privateKey)
    const token = signJwt(key, { typ: 'at+jwt' }, { ...claims, scope: '', epochs: '1.1.1.1.1', gid: random.uuid() })
    const verdicts = () => Promise.all(replicas.map(async (replica) => (await replica.check(`Bearer ${token}`)).ok))
    expect(await verdicts()).toEqual([true, true, true])
    await broker.revoke('ada', 2)
    for (let tries = 0; tries < 200 && (await verdicts()).includes(true); tries++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(await verdicts()).toEqual([false, false, false])
  } finally {
    await Promise.all(replicas.map((replica) => replica.stop()))
  }
})

it('a guard whose credential is revoked while it waits is handed nothing of what comes then, and nothing counts as delivered', async () => {
  const write = <Row = unknown>(sql: string, ...parameters: readonly unknown[]) => asOwner<Row>(broker.fixture.ownerUrl, sql, parameters)
  const { streamId } = await guard.open()
  broker.later(60)
  const waiting = guard.post('/ssf/poll', { streamId })
  const heard = "SELECT 1 FROM notice_streams WHERE id = $1 AND heard_at > opened_at + interval '30 s'"
  await expect.poll(() => write(heard, streamId)).toHaveLength(1)
  await write('UPDATE resource_credentials SET revoked_at = now() WHERE id = $1', ids.credential)
  await broker.revoke('while its credential was revoked', 2)
  const answer = await waiting
  await write('UPDATE resource_credentials SET revoked_at = NULL WHERE id = $1', ids.credential)
  expect([answer.status, answer.body.sets]).toEqual([401, undefined])
  expect(await write('SELECT 1 FROM notice_deliveries WHERE stream_id = $1', streamId)).toEqual([])
})
