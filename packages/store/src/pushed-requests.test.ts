/** What a client pushed is used by its own address, once, in its time, and never across a barrier. RFC 9126 */
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type PushedRequest, pushAuthorizationRequest, type UsedRequest, usePushedRequest } from './pushed-requests.js'
import { onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
const requestHash = hashCredential('handle')
const parameters = { client_id: 'c', state: 's' }
let fixture: TestDatabase
let tenant: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture?.close())
beforeEach(async () => {
  tenant = await aTenant(fixture, { slug: `pushed-${(slugs += 1)}` })
})

const hot = () => onHotPath(fixture.database)
const owner = <Row = Record<string, unknown>>(sql: string) => asOwner<Row>(fixture.ownerUrl, sql, [tenant.tenantId])
async function push(change: Partial<PushedRequest> = {}) {
  const { clientVersion } = await presentVersions(fixture, tenant)
  return pushAuthorizationRequest(hot(), {
    provenKey: undefined,
    ...{ tenantId: tenant.tenantId, caller: { issuerId: tenant.issuerId, clientId: tenant.clientId, clientVersion } },
    ...{ requestHash, parameters, now, expiresAt: addSeconds(now, 60), asked: { requestId: 'r', address: '192.0.2.1' }, isTold: true },
    ...change,
  })
}
const use = (change: Partial<UsedRequest> = {}) =>
  usePushedRequest(hot(), tenant.tenantId, { requestHash, issuerId: tenant.issuerId, clientId: tenant.clientId, now, ...change })

describe('a pushed request', () => {
  it('is kept by a hash, told in the trail, and used once', async () => {
    expect(await push()).toBe('pushed')
    expect(await owner('SELECT request_hash, parameters FROM pushed_requests WHERE tenant_id = $1')).toEqual([
      { request_hash: requestHash, parameters },
    ])
    expect(await owner("SELECT client_id FROM audit_events WHERE tenant_id = $1 AND kind = 'authorization_request_pushed'")).toEqual([
      { client_id: tenant.clientId },
    ])
    expect([await use(), await use()]).toEqual([parameters, undefined])
    expect(await owner('SELECT 1 FROM pushed_requests WHERE tenant_id = $1')).toEqual([])
  })

  it('of a client that anybody could name leaves no line in the trail, which is kept for ever', async () => {
    expect(await push({ isTold: false })).toBe('pushed')
    expect(await owner("SELECT 1 FROM audit_events WHERE tenant_id = $1 AND kind = 'authorization_request_pushed'")).toEqual([])
    expect(await use()).toEqual(parameters)
  })

  it('is used by one of many at once', async () => {
    await push()
    const used = await Promise.all(Array.from({ length: 20 }, () => use()))
    expect(used.filter((each) => each !== undefined)).toEqual([parameters])
  })

  it.each([
    { what: 'another client', change: { clientId: 'other' } },
    { what: 'another issuer', change: { issuerId: '00000000-0000-4000-8000-000000000000' as UsedRequest['issuerId'] } },
    { what: 'another address', change: { requestHash: hashCredential('other') } },
  ])('is not found by $what, nor used up', async ({ change }) => {
    await push()
    expect([await use(change), await use()]).toEqual([undefined, parameters])
  })

  it('is of its tenant alone', async () => {
    await push()
    const other = await aTenant(fixture, { slug: `pushed-other-${slugs}` })
    const asked = { requestHash, issuerId: tenant.issuerId, clientId: tenant.clientId, now }
    expect([await usePushedRequest(hot(), other.tenantId, asked), await use()]).toEqual([undefined, parameters])
  })

  it('lives until its time, which is no more its own', async () => {
    await push()
    expect(await use({ now: addSeconds(now, 60) })).toBeUndefined()
    expect(await use({ now: instant(addSeconds(now, 60) - 1) })).toEqual(parameters)
  })

  it.each([
    { what: 'the barrier of its client', raise: 'UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1' },
    { what: 'the barrier of its tenant', raise: 'UPDATE tenants SET epoch = epoch + 1 WHERE id = $1' },
    { what: 'a block of its client', raise: 'UPDATE clients SET blocked_at = now() WHERE tenant_id = $1' },
    { what: 'a suspension of its tenant', raise: 'UPDATE tenants SET suspended_at = now() WHERE id = $1' },
  ])('does not outlive $what', async ({ raise }) => {
    await push()
    await owner(raise)
    expect(await use()).toBeUndefined()
  })

  it('is taken only from the client that was proven: not from one that has changed, is blocked, or of a suspended tenant', async () => {
    const { clientVersion } = await presentVersions(fixture, tenant)
    const caller = { issuerId: tenant.issuerId, clientId: tenant.clientId as ClientId, clientVersion }
    await owner("UPDATE clients SET name = 'Other' WHERE tenant_id = $1")
    expect(await push({ caller })).toBe('client_changed')
    await owner('UPDATE tenants SET suspended_at = now() WHERE id = $1')
    expect(await push()).toBe('client_changed')
    expect(await owner('SELECT 1 FROM pushed_requests WHERE tenant_id = $1')).toEqual([])
    expect(await owner("SELECT 1 FROM audit_events WHERE tenant_id = $1 AND kind = 'authorization_request_pushed'")).toEqual([])
  })
})
