/** Event streams beyond their bounds: ended or held with a reason, which the receiver is told and its status says; never a silent gap. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { eventStreamLimits, statusReasons } from '@drawbridge/core/signals/event-stream'
import {
  type DeprovisioningEventId,
  type IssuerId,
  type ResourceId,
  type ResourceIdentifier,
  type TenantId,
  vendorTenantId,
} from '@drawbridge/core/tenant/ids'
import { verifyJwt } from '@drawbridge/crypto/jwt'
import { generateSigningKey, toVerificationKey } from '@drawbridge/crypto/signing-keys'
import { takeForPoll } from '@drawbridge/store/event-stream-delivery'
import { changeEventStreamStatus, type EventStream, findEventStreamHeard, insertEventStream } from '@drawbridge/store/event-streams'
import { insertNotices } from '@drawbridge/store/notices'
import { acrossTenants } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { aCompany, installationId, jobDeps, random, sealer } from '../test/a-company.js'
import { boundEventStreams } from './bound-event-streams.js'
import { sweepExpired } from './jobs/sweep-expired.job.js'

const day = 86_400
let fixture: TestDatabase
let company: Awaited<ReturnType<typeof aCompany>>
let now: Instant
const owner = (sql: string, parameters: readonly unknown[] = []) => asOwner<any>(fixture.ownerUrl, sql, parameters)
const deps = () => ({ ...jobDeps(fixture), clock: { now: () => now } })

beforeAll(async () => {
  fixture = await testDatabase()
  company = await aCompany(fixture, 'acme')
})
afterAll(() => fixture.close())
beforeEach(async () => {
  now = instant(Date.now())
  await owner('DELETE FROM event_streams')
  await owner('DELETE FROM notices')
})

const place = () => {
  const [resource] = company.resources
  return {
    resource: { tenantId: company.tenant, resourceId: resource?.id as ResourceId, identifier: resource?.identifier as ResourceIdentifier },
    issuer: { tenantId: company.tenant, id: company.issuerId as IssuerId },
  }
}

async function aStream(over: { method?: 'push' | 'poll'; revokedAt?: Date } = {}): Promise<string> {
  const [id, credentialId] = [random.uuid(), random.uuid()]
  const { method = 'push', revokedAt = null } = over
  await owner(
    'INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6)',
    [company.tenant, credentialId, place().resource.resourceId, Buffer.alloc(32), new Date(), revokedAt],
  )
  const endpointUrl = method === 'push' ? 'https://receiver.example/' : null
  const configuration = { description: null, method, endpointUrl, sealedAuthorization: null, eventsRequested: null }
  await acrossTenants(fixture.database, (db) => insertEventStream(db, { ...place(), ...configuration, id, credentialId, now }))
  return id
}

async function notices(count: number): Promise<void> {
  const { resource, issuer } = place()
  const to = { tenantId: resource.tenantId, resourceId: resource.resourceId, issuer: { tenant: issuer.tenantId, id: issuer.id } }
  const many = Array.from({ length: count }, () => ({
    eventId: random.uuid() as DeprovisioningEventId,
    jti: random.uuid(),
    token: 'a.b.c',
  }))
  await acrossTenants(fixture.database, (db) => insertNotices(db, { ...to, createdAt: now, expiresAt: addSeconds(now, 3600) }, many))
}

const found = (id: string) => acrossTenants(fixture.database, (db) => findEventStreamHeard(db, place(), id, now)) as Promise<EventStream>
const stateOf = async (id: string) => {
  const { status, statusReason, statusBy } = (
    await owner('SELECT status, status_reason AS "statusReason", status_by AS "statusBy" FROM event_streams WHERE id = $1', [id])
  )[0]
  return [status, statusBy, statusReason]
}

it.each(['enabled', 'paused'] as const)(
  'a stream that is %s is disabled when what it owes is too old, and its receiver is told so',
  async (status) => {
    const id = await aStream()
    const stream = await found(id)
    await acrossTenants(fixture.database, (db) => changeEventStreamStatus(db, stream, { status, reason: undefined, by: 'receiver', now }))
    await notices(2)
    now = addSeconds(now, eventStreamLimits.heldSeconds - 60)
    expect(await boundEventStreams(deps())).toBe(0)
    now = addSeconds(now, 120)
    await sweepExpired(deps())
    expect(await stateOf(id)).toEqual(['disabled', 'transmitter', statusReasons.backlog_too_old])
    expect(await owner('SELECT 1 FROM notices')).toHaveLength(2)
    const [{ own }] = await owner('SELECT own_events AS own FROM event_streams')
    const expected = { typ: 'secevent+jwt', issuer: company.issuer, audience: place().resource.identifier, now, skewSeconds: 0 }
    expect(verifyJwt(own[0].token, [company.noticeKey], expected)).toMatchObject({
      ok: true,
      value: {
        sub_id: { format: 'opaque', id },
        events: {
          'https://schemas.openid.net/secevent/ssf/event-type/stream-updated': {
            status: 'disabled',
            reason: statusReasons.backlog_too_old,
          },
        },
      },
    })
  },
)

it('a worker that was away for longer than everything is kept ends the stream before it removes what the stream owed', async () => {
  const id = await aStream()
  await notices(1)
  now = addSeconds(now, 30 * day)
  await sweepExpired(deps())
  expect(await owner('SELECT 1 FROM notices')).toEqual([])
  expect((await stateOf(id))[0]).toBe('disabled')
})

it('a stream that owes too many events is disabled; notices of others do not count', async () => {
  const id = await aStream()
  const { resource } = place()
  await owner('UPDATE resources SET notice_position = notice_position + $2 WHERE id = $1', [
    resource.resourceId,
    eventStreamLimits.heldNotices + 1,
  ])
  await notices(1)
  expect(await boundEventStreams(deps())).toBe(0)
  await owner(
    `INSERT INTO notices (tenant_id, resource_id, position, jti, event_id, token, created_at, expires_at, issuer_tenant_id, issuer_id)
     SELECT tenant_id, resource_id, position - n, gen_random_uuid(), event_id, token, created_at, expires_at, issuer_tenant_id, issuer_id
       FROM notices, generate_series(1, $1::int) AS n`,
    [eventStreamLimits.heldNotices],
  )
  expect(await boundEventStreams(deps())).toBe(1)
  expect(await stateOf(id)).toEqual(['disabled', 'transmitter', statusReasons.backlog_too_long])
})

it('a stream that nobody polls is disabled, one that is pushed is not, and the next poll is told', async () => {
  const [polled, pushed] = [await aStream({ method: 'poll' }), await aStream()]
  now = addSeconds(now, eventStreamLimits.inactivitySeconds + 1)
  expect(await boundEventStreams(deps())).toBe(1)
  expect(await stateOf(polled)).toEqual(['disabled', 'transmitter', statusReasons.inactive])
  expect((await stateOf(pushed))[0]).toBe('enabled')
  const stream = await found(polled)
  const told = await acrossTenants(fixture.database, (db) => takeForPoll(db, stream, now, 10))
  expect(told).toEqual({ sets: [expect.anything()], notices: 0 })
  expect(await boundEventStreams(deps())).toBe(0)
})

it('a stream whose credential was revoked is held, not ended: what it owes waits for another credential', async () => {
  const id = await aStream({ revokedAt: new Date(now) })
  await notices(1)
  expect(await boundEventStreams(deps())).toBe(1)
  expect(await stateOf(id)).toEqual(['paused', 'transmitter', statusReasons.credential_ended])
  const stream = await found(id)
  await acrossTenants(fixture.database, (db) =>
    changeEventStreamStatus(db, stream, { status: 'enabled', reason: undefined, by: 'receiver', now }),
  )
  expect(await owner('SELECT 1 FROM event_streams s JOIN notices n ON n.position > s.position')).toHaveLength(1)
})

it('a stream that is polled is not held for the credential that set it up: each poll proves a living one', async () => {
  const id = await aStream({ method: 'poll', revokedAt: new Date(now) })
  await notices(1)
  expect(await boundEventStreams(deps())).toBe(0)
  expect((await stateOf(id))[0]).toBe('enabled')
})

it('a stream that owes nothing moves past what it does not carry, and hears what comes then', async () => {
  const id = await aStream({ method: 'poll' })
  await owner("UPDATE event_streams SET events_requested = '{urn:rare}' WHERE id = $1", [id])
  await notices(3)
  await owner("UPDATE notices SET event_type = 'urn:common'")
  await boundEventStreams(deps())
  await notices(1)
  await owner('UPDATE event_streams SET events_requested = NULL WHERE id = $1', [id])
  const { position, resource } = (
    await owner(
      'SELECT s.position, r.notice_position AS resource FROM event_streams s JOIN resources r ON r.id = s.resource_id WHERE s.id = $1',
      [id],
    )
  )[0]
  expect(resource - position).toBe(1)
  const stream = await found(id)
  expect((await acrossTenants(fixture.database, (db) => takeForPoll(db, stream, now, 10))).notices).toBe(1)
})

it('one that is enabled again after it was disabled begins with what may still matter', async () => {
  const id = await aStream({ method: 'poll' })
  await notices(1)
  now = addSeconds(now, eventStreamLimits.heldSeconds + 60)
  await boundEventStreams(deps())
  await notices(2)
  const stream = await found(id)
  await acrossTenants(fixture.database, (db) =>
    changeEventStreamStatus(db, stream, { status: 'enabled', reason: undefined, by: 'receiver', now }),
  )
  const taken = await acrossTenants(fixture.database, (db) => takeForPoll(db, { ...stream, status: 'enabled' }, now, 10))
  expect(taken.notices).toBe(2)
})

it('that a stream was disabled is tried to be told for a day', async () => {
  await aStream()
  await notices(1)
  now = addSeconds(now, eventStreamLimits.heldSeconds + 60)
  await boundEventStreams(deps())
  now = addSeconds(now, day + 60)
  await boundEventStreams(deps())
  expect(await owner(`SELECT 1 FROM event_streams WHERE own_events <> '[]'`)).toEqual([])
})

it('what an operator holds is still his when it ends', async () => {
  const id = await aStream()
  const stream = await found(id)
  await acrossTenants(fixture.database, (db) =>
    changeEventStreamStatus(db, stream, { status: 'paused', reason: undefined, by: 'operator', now }),
  )
  await notices(1)
  now = addSeconds(now, eventStreamLimits.heldSeconds + 60)
  await boundEventStreams(deps())
  expect(await stateOf(id)).toEqual(['disabled', 'operator', statusReasons.backlog_too_old])
})

it('a notice that is still owed is not removed, whenever it was said to expire', async () => {
  await aStream()
  await notices(1)
  await owner('UPDATE notices SET expires_at = created_at')
  now = addSeconds(now, 3600)
  await sweepExpired(deps())
  expect(await owner('SELECT 1 FROM notices')).toHaveLength(1)
  await owner('UPDATE event_streams SET position = 1000000')
  await sweepExpired(deps())
  expect(await owner('SELECT 1 FROM notices')).toEqual([])
})

it('a stream at the front that ends says so in every tenant whose news it owed, and its receiver is told by the front’s key', async () => {
  const globex = await aCompany(fixture, 'globex')
  const front = { url: 'https://login.example', issuer: { tenantId: vendorTenantId, id: random.uuid() as IssuerId } }
  await owner("INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, 'vendor', 'Vendor', now()) ON CONFLICT DO NOTHING", [
    vendorTenantId,
  ])
  await owner("INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, $3, 'front', now())", [
    ...[vendorTenantId, front.issuer.id, front.url],
  ])
  const key = generateSigningKey(random, 'notices')
  const context = { installation: installationId, tenant: vendorTenantId, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  await owner(
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at, activated_at)
     VALUES ($1, $2, $3, 'notices', 'ES256', 'active', $4, $5, now(), now())`,
    [vendorTenantId, key.id, front.issuer.id, JSON.stringify(key.publicJwk), sealer.seal(key.privateKey, context)],
  )
  const identifier = 'https://shared.example/mcp' as ResourceIdentifier
  const resource = { tenantId: vendorTenantId, resourceId: random.uuid() as ResourceId, identifier }
  await owner("INSERT INTO resources (tenant_id, id, identifier, name, created_at) VALUES ($1, $2, $3, 'S', now())", [
    ...[vendorTenantId, resource.resourceId, identifier],
  ])
  const [id, credentialId] = [random.uuid(), random.uuid()]
  await owner('INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ($1, $2, $3, $4, now())', [
    ...[vendorTenantId, credentialId, resource.resourceId, Buffer.alloc(32)],
  ])
  const configuration = { description: null, method: 'poll' as const, endpointUrl: null, sealedAuthorization: null, eventsRequested: null }
  await acrossTenants(fixture.database, (db) =>
    insertEventStream(db, { resource, issuer: front.issuer, ...configuration, id, credentialId, now }),
  )
  const tenants = [company.tenant, globex.tenant]
  for (const tenant of tenants) {
    const eventId = random.uuid() as DeprovisioningEventId
    await owner(
      `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
       VALUES ($1, $2, 'admin', 'subject', 'ada', 'test', $3, $3)`,
      [tenant, eventId, new Date(now)],
    )
    const to = { tenantId: vendorTenantId, resourceId: resource.resourceId, issuer: { tenant: vendorTenantId, id: front.issuer.id } }
    const told = { ...to, eventTenant: tenant as TenantId, createdAt: now, expiresAt: addSeconds(now, 3600) }
    await acrossTenants(fixture.database, (db) => insertNotices(db, told, [{ eventId, jti: random.uuid(), token: 'a.b.c' }]))
  }
  now = addSeconds(now, eventStreamLimits.heldSeconds + 60)
  await boundEventStreams(deps())
  expect(await stateOf(id)).toEqual(['disabled', 'transmitter', statusReasons.backlog_too_old])
  const receipts = await owner('SELECT tenant_id, refusal, acknowledged_at FROM notice_receipts WHERE stream_id = $1', [id])
  expect(new Set(receipts.map(({ tenant_id }: any) => tenant_id))).toEqual(new Set(tenants))
  for (const receipt of receipts) expect(receipt).toMatchObject({ refusal: 'stream_disabled', acknowledged_at: null })
  const [{ own }] = await owner('SELECT own_events AS own FROM event_streams WHERE id = $1', [id])
  const expected = { typ: 'secevent+jwt', issuer: front.url, audience: identifier, now, skewSeconds: 0 }
  expect(verifyJwt(own[0].token, [toVerificationKey(key.publicJwk)], expected)).toMatchObject({ ok: true })
})
