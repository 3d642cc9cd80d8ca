/** Notices from the table to a guard: through HTTP, with the real guard at the other end of it. */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { addSeconds, instant } from '@drawbridge/core/instant'
import { type DeprovisioningEventId, type IssuerId, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { signJwt } from '@drawbridge/crypto/jwt'
import { systemRandom } from '@drawbridge/crypto/random'
import { createSealer } from '@drawbridge/crypto/seal'
import { generateSigningKey, toSigningKey } from '@drawbridge/crypto/signing-keys'
import { createVerifiedSignatures } from '@drawbridge/crypto/verified-signatures'
import { createGuard } from '@drawbridge/guard/create-guard'
import { systemClock } from '@drawbridge/runtime/clock'
import { readEnv } from '@drawbridge/runtime/env'
import { createFetchSafely } from '@drawbridge/runtime/fetch-safely'
import { silentLog } from '@drawbridge/runtime/log'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { insertNotices } from '@drawbridge/store/notices'
import { insertRevocations, lockResourcesOfIssuer } from '@drawbridge/store/revocations'
import { acrossTenants } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { type BrokerApp, createApp } from '../app.js'
import { createClientCache } from '../clients/client-cache.js'
import { createConfigurationCache } from '../http/tenant.js'
import { lateAfterSeconds } from './poll.endpoint.js'

const random = systemRandom()
const installationId = random.uuid()
const sealer = createSealer([{ version: 1, key: randomBytes(32) }])
const resource = 'https://documents.acme.example/mcp'
const ids = {
  tenant: random.uuid(),
  other: random.uuid(),
  issuer: random.uuid(),
  resource: random.uuid(),
  credential: random.uuid(),
  shared: random.uuid(),
  sharedCredential: random.uuid(),
}
const secret = `dbx_${random.token()}`
const tokenKey = generateSigningKey(random, 'tokens')
const noticeKey = generateSigningKey(random, 'notices')
const oldKey = generateSigningKey(random, 'tokens')
const metrics = createMetrics({ withProcess: false })
let fixture: TestDatabase
let app: BrokerApp
let issuer = ''

beforeAll(async () => {
  fixture = await testDatabase()
  const deps = {
    settings: readEnv({}),
    installation: { id: installationId, kind: 'demo' as const },
    clock: systemClock(),
    random,
    log: silentLog(),
    metrics,
    database: fixture.database,
    sealer,
    fetchSafely: createFetchSafely({ allowedOrigins: [], allowLoopback: false }),
    resolveTxt: async () => ({ kind: 'absent' as const }),
    connectorFor: () => undefined,
  }
  app = createApp({
    ...deps,
    configuration: createConfigurationCache({ ...deps, installationId }),
    clients: createClientCache(fixture.database),
    logins: { record: () => undefined, settled: async () => undefined },
    signatures: createVerifiedSignatures(),
  })
  await new Promise<void>((resolve) => app.server.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/t/acme`
  await arrange()
})
afterAll(async () => {
  await app.close()
  await fixture.close()
})

async function arrange(): Promise<void> {
  const at = new Date()
  const write = (sql: string, parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
  for (const [id, slug] of [
    [ids.tenant, 'acme'],
    [ids.other, 'globex'],
  ])
    await write('INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $2, $3)', [id, slug, at])
  const newIssuer = "INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, $3, 'tenant', $4)"
  await write(newIssuer, [ids.tenant, ids.issuer, issuer, at])
  await write(newIssuer, [ids.other, random.uuid(), issuer.replace('acme', 'globex'), at])
  for (const [key, state] of [
    [tokenKey, 'active'],
    [noticeKey, 'active'],
    [oldKey, 'retired'],
  ] as const) {
    const context = { installation: installationId, tenant: ids.tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
    await write(
      `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at, activated_at)
       VALUES ($1, $2, $3, $4, 'ES256', $8, $5, $6, $7, $7)`,
      [ids.tenant, key.id, ids.issuer, key.purpose, JSON.stringify(key.publicJwk), sealer.seal(key.privateKey, context), at, state],
    )
  }
  await write("INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, 'vendor', 'Vendor', $2) ON CONFLICT DO NOTHING", [
    vendorTenantId,
    at,
  ])
  await arrangeResource({ owner: ids.tenant, id: ids.resource, identifier: resource, credential: ids.credential })
  await arrangeResource({
    owner: vendorTenantId,
    id: ids.shared,
    identifier: 'https://shared.example/mcp',
    credential: ids.sharedCredential,
  })
}

/** A resource for which the issuer of acme may mint, and its credential. */
async function arrangeResource(made: { owner: string; id: string; identifier: string; credential: string }): Promise<void> {
  const at = new Date()
  const write = (sql: string, parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
  await write('INSERT INTO resources (tenant_id, id, identifier, name, created_at) VALUES ($1, $2, $3, $3, $4)', [
    made.owner,
    made.id,
    made.identifier,
    at,
  ])
  await write('INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $3, $4)', [
    made.owner,
    made.id,
    ids.tenant,
    ids.issuer,
  ])
  await write('INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ($1, $2, $3, $4, $5)', [
    made.owner,
    made.credential,
    made.id,
    hashCredential(secret),
    at,
  ])
}

/** What the worker's job does, in its own order. */
async function revoke(subject: string, epoch: number): Promise<string> {
  const now = instant(Date.now())
  const [tenant, eventId, jti] = [ids.tenant as TenantId, random.uuid() as DeprovisioningEventId, random.uuid()]
  const issuerId = ids.issuer as IssuerId
  const expiresAt = addSeconds(now, 3600)
  const token = signJwt(
    toSigningKey(noticeKey.id, noticeKey.privateKey),
    { typ: 'secevent+jwt' },
    {
      iss: issuer,
      aud: resource,
      iat: Math.floor(now / 1000),
      jti,
      events: { 'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {} },
      drawbridge: { target: 'subject', targetId: subject, epoch, tenant: 'acme' },
    },
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
     VALUES ($1, $2, 'admin', 'subject', $3, 'test', $4, $4)`,
    [tenant, eventId, subject, new Date(now)],
  )
  await acrossTenants(fixture.database, async (db) => {
    const told = await lockResourcesOfIssuer(db, tenant, issuerId, now)
    await insertRevocations(db, tenant, [{ eventId, issuerId, target: 'subject', targetId: subject, epoch, at: now, expiresAt }])
    const to = { issuer: { tenant, id: issuerId }, createdAt: now, expiresAt }
    for (const { tenantId, id } of told)
      await insertNotices(db, { ...to, tenantId, resourceId: id }, [{ eventId, token, jti: id === ids.resource ? jti : random.uuid() }])
  })
  return jti
}

type Body = { streamId: string; snapshot: { targetId: string }[]; condemnedKeys: string[]; sets: Record<string, string> }
const post = async (path: string, body: unknown, credential = `${ids.credential}:${secret}`, tenant = 'acme') => {
  const response = await fetch(`${issuer.replace('acme', tenant)}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Basic ${Buffer.from(credential).toString('base64')}` },
    body: JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body }
}
const open = async () => (await post('/ssf/streams', { instance: random.uuid() })).body
const poll = (streamId: string, over: object = {}) => post('/ssf/poll', { streamId, returnImmediately: true, ...over })

it.each([
  ['a wrong secret', () => `${ids.credential}:dbx_wrong`, 'acme'],
  ['an unknown credential', () => `${random.uuid()}:${secret}`, 'acme'],
  ['an id that is no UUID', () => `x:${secret}`, 'acme'],
  ['a true credential at an issuer that may not mint for its resource', () => `${ids.credential}:${secret}`, 'globex'],
])('refuses %s with the same 401', async (_name, credential, tenant) => {
  const answer = await post('/ssf/streams', { instance: 'a' }, credential(), tenant)
  expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="drawbridge", charset="UTF-8"'])
  expect(answer.body).toMatchObject({ error: 'access_denied', error_description: 'prove yourself with the credential of your resource' })
})

it('gives what was revoked before in the snapshot and what comes after in the stream, each once', async () => {
  await revoke('before', 2)
  const stream = await open()
  expect(stream.snapshot).toContainEqual({ issuer, target: 'subject', targetId: 'before', epoch: 2 })
  const jti = await revoke('after', 2)
  expect(Object.keys((await poll(stream.streamId)).body.sets)).toEqual([jti])
  expect(Object.keys((await poll(stream.streamId)).body.sets)).toEqual([jti])
  expect((await poll(stream.streamId, { ack: [jti] })).body).toEqual({ sets: {}, moreAvailable: false })
  const [record] = await asOwner<{ delivered_at: Date; acknowledged_at: Date | null }>(
    fixture.ownerUrl,
    'SELECT delivered_at, acknowledged_at FROM notice_deliveries WHERE stream_id = $1',
    [stream.streamId],
  )
  expect([record?.delivered_at, record?.acknowledged_at]).toEqual([expect.any(Date), expect.any(Date)])
})

it('records what an instance refuses: not acknowledged, not sent again, counted', async () => {
  const stream = await open()
  const [refused, taken] = [await revoke('refused', 2), await revoke('taken', 2)]
  expect(Object.keys((await poll(stream.streamId)).body.sets)).toEqual([refused, taken])
  const answer = { ack: [taken], setErrs: { [refused]: { err: 'invalid_key', description: 'no such key' } } }
  expect((await poll(random.uuid(), answer)).status).toBe(404)
  expect((await poll(stream.streamId, answer)).body).toEqual({ sets: {}, moreAvailable: false })
  await poll(stream.streamId, answer)
  const records = await asOwner(
    fixture.ownerUrl,
    `SELECT acknowledged_at IS NOT NULL AS acknowledged, refused_at IS NOT NULL AS refused, refusal FROM notice_deliveries
      WHERE stream_id = $1 ORDER BY position`,
    [stream.streamId],
  )
  expect(records).toEqual([
    { acknowledged: false, refused: true, refusal: 'invalid_key' },
    { acknowledged: true, refused: false, refusal: null },
  ])
  expect(await metrics.print()).toMatch(/^drawbridge_notices_refused_total 1$/m)
  const later = await revoke('later', 2)
  expect(Object.keys((await poll(stream.streamId)).body.sets)).toEqual([later])
})

it('a stream carries what its own issuer says, and is unknown at another one that may mint for the same resource', async () => {
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id)
       SELECT $1, $2, tenant_id, id FROM issuers WHERE tenant_id = $3`,
    [vendorTenantId, ids.shared, ids.other],
  )
  const credential = `${ids.sharedCredential}:${secret}`
  const openAt = async (slug: string) => (await post('/ssf/streams', { instance: random.uuid() }, credential, slug)).body
  const pollAt = (slug: string, streamId: string) => post('/ssf/poll', { streamId, returnImmediately: true }, credential, slug)
  const [acme, globex] = [await openAt('acme'), await openAt('globex')]
  await revoke('of-acme', 2)
  expect(Object.keys((await pollAt('acme', acme.streamId)).body.sets)).toHaveLength(1)
  expect((await pollAt('globex', globex.streamId)).body.sets).toEqual({})
  expect((await pollAt('globex', acme.streamId)).status).toBe(404)
  const told = (await openAt('globex')).snapshot.map(({ targetId }) => targetId)
  expect(told).not.toContain('of-acme')
  expect((await openAt('acme')).snapshot.map(({ targetId }) => targetId)).toContain('of-acme')
})

it('names condemned keys of the issuer in the snapshot, and calls it late when they wait for the worker', async () => {
  const stream = await open()
  await asOwner(fixture.ownerUrl, "UPDATE signing_keys SET state = 'compromised' WHERE tenant_id = $1 AND id = $2", [ids.tenant, oldKey.id])
  await asOwner(fixture.ownerUrl, `INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'tell-condemned-key', '{}', $2)`, [
    ids.tenant,
    new Date(Date.now() - (lateAfterSeconds + 1) * 1000),
  ])
  expect((await open()).condemnedKeys).toEqual([oldKey.id])
  expect((await poll(stream.streamId)).body).toEqual({ sets: {}, moreAvailable: true })
  await asOwner(fixture.ownerUrl, 'UPDATE outbox SET done_at = $2 WHERE tenant_id = $1', [ids.tenant, new Date()])
})

it('loses nothing between snapshot and position while revocations run', async () => {
  const subjects = Array.from({ length: 30 }, (_, index) => `race-${index}`)
  const [streams] = await Promise.all([Promise.all([open(), open(), open()]), ...subjects.map((subject) => revoke(subject, 2))])
  for (const stream of streams) {
    const inSnapshot = stream.snapshot.map((entry) => entry.targetId)
    const sets = Object.values((await poll(stream.streamId)).body.sets)
    const inStream = sets.map((token) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).drawbridge.targetId)
    const told = new Set<string>([...inSnapshot, ...inStream])
    expect(subjects.filter((subject) => !told.has(subject))).toEqual([])
  }
})

it('wakes a waiting poll at once', async () => {
  const stream = await open()
  const waiting = post('/ssf/poll', { streamId: stream.streamId })
  await new Promise((resolve) => setTimeout(resolve, 200))
  const started = performance.now()
  const jti = await revoke('woken', 2)
  expect(Object.keys((await waiting).body.sets)).toEqual([jti])
  expect(performance.now() - started).toBeLessThan(2000)
})

it('does not call it silence while a revocation waits for the worker', async () => {
  const stream = await open()
  const wait = (tenant: string, seconds: number, targetId: string) =>
    asOwner(fixture.ownerUrl, `INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'revoke', $2, $3)`, [
      tenant,
      JSON.stringify({ eventId: random.uuid(), target: 'subject', targetId, epoch: 7 }),
      new Date(Date.now() - seconds * 1000),
    ])
  await wait(ids.other, 3600, 'elsewhere')
  await wait(ids.tenant, 5, 'fresh')
  expect((await poll(stream.streamId)).body).toEqual({ sets: {}, moreAvailable: false })
  await wait(ids.tenant, lateAfterSeconds + 1, 'late')
  expect((await poll(stream.streamId)).body).toEqual({ sets: {}, moreAvailable: true })
  const targets = (await open()).snapshot.map(({ targetId }) => targetId)
  expect(targets).toEqual(expect.arrayContaining(['fresh', 'late']))
  expect(targets).not.toContain('elsewhere')
  await asOwner(fixture.ownerUrl, 'UPDATE outbox SET done_at = $2 WHERE tenant_id = $1', [ids.tenant, new Date()])
  expect((await poll(stream.streamId)).body).toEqual({ sets: {}, moreAvailable: false })
})

it('answers 404 for a stream that is unknown or has lapsed', async () => {
  expect((await poll(random.uuid())).status).toBe(404)
  const stream = await open()
  await asOwner(fixture.ownerUrl, 'UPDATE notice_streams SET heard_at = $2 WHERE id = $1', [stream.streamId, new Date(Date.now() - 91_000)])
  expect((await poll(stream.streamId)).status).toBe(404)
})

it('kills an unexpired token at every replica of a guarded server', async () => {
  const make = () =>
    createGuard({ resource, issuers: [{ issuer, credential: { id: ids.credential, secret } }], toolScopes: {}, onDeaf: 'refuse' })
  const replicas = [make(), make(), make()]
  try {
    await Promise.all(replicas.map((guard) => guard.start()))
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: issuer, sub: 'ada', aud: resource, iat: now, exp: now + 900, jti: 't', client_id: 'c', tenant: 'acme' }
    const key = toSigningKey(tokenKey.id, tokenKey.privateKey)
    const token = signJwt(key, { typ: 'at+jwt' }, { ...claims, scope: '', epochs: '1.1.1.1.1', gid: random.uuid() })
    const verdicts = () => Promise.all(replicas.map(async (guard) => (await guard.check(`Bearer ${token}`)).ok))
    expect(await verdicts()).toEqual([true, true, true])
    await revoke('ada', 2)
    for (let tries = 0; tries < 200 && (await verdicts()).includes(true); tries++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(await verdicts()).toEqual([false, false, false])
  } finally {
    await Promise.all(replicas.map((guard) => guard.stop()))
  }
})
