/** A request is written whole at each step, by its own browser, while it lives, and only on the ground that the step was decided on. */
import { randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { AuthorizationRequestId, Scope } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type DecidedOn,
  declineAuthorizationRequest,
  findAuthorizationRequest,
  type OngoingRequest,
  saveAuthorizationRequest,
} from './authorization-requests.js'
import { onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
const browserHash = hashCredential('a browser')
let fixture: TestDatabase
let tenant: ATenant
let ongoing: OngoingRequest
let decidedOn: DecidedOn
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  tenant = await aTenant(fixture, { slug: `request-${(slugs += 1)}` })
  decidedOn = await presentVersions(fixture, tenant)
  ongoing = {
    ...{ id: randomUUID() as AuthorizationRequestId, issuerId: tenant.issuerId, clientId: tenant.clientId, request: { a: 1 } },
    ...{ step: 'client_notice', connectionId: tenant.connectionId, subjectId: undefined, sessionId: undefined, noticedAt: undefined },
    ...{ stepUps: 0, decision: undefined, clientEpoch: 1, createdAt: now, expiresAt: addSeconds(now, 600), saved: false },
  }
})

const hot = () => onHotPath(fixture.database)
const save = (change: Partial<OngoingRequest> = {}, given = { browserHash, decidedOn }) =>
  saveAuthorizationRequest(hot(), tenant.tenantId, { ongoing: { ...ongoing, ...change }, ...given })
const find = () => findAuthorizationRequest(hot(), tenant.tenantId, { id: ongoing.id, browserHash, now })
const decline = () =>
  declineAuthorizationRequest(hot(), tenant.tenantId, {
    ...{ id: ongoing.id, browserHash, now, kind: 'notice_declined', scopes: ['read' as Scope], requestId: 'request', address: '192.0.2.1' },
  })
const owner = (sql: string) => asOwner(fixture.ownerUrl, sql, [tenant.tenantId])

describe('an authorization request', () => {
  it('is inserted at its first step and moved on at each later one', async () => {
    expect(await save()).toEqual({ kind: 'written' })
    expect((await find())?.ongoing).toEqual({ ...ongoing, saved: true })
    const later = { step: 'login', noticedAt: now, stepUps: 1, decision: { scopes: ['read'] } } as const
    expect(await save(later)).toEqual({ kind: 'written' })
    expect((await find())?.ongoing).toEqual({ ...ongoing, ...later, saved: true })
  })
  it('is moved by its own browser only', async () => {
    await save()
    expect(await save({ step: 'login' }, { browserHash: hashCredential('another'), decidedOn })).toEqual({ kind: 'over' })
    expect((await find())?.ongoing.step).toBe('client_notice')
  })
  it('is over once it was answered, and of many who decline it one is the one', async () => {
    await save()
    const answers = await Promise.all(Array.from({ length: 8 }, decline))
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await save({ step: 'login' })).toEqual({ kind: 'over' })
    expect(await owner(`SELECT 1 FROM audit_events WHERE tenant_id = $1 AND kind = 'notice_declined'`)).toHaveLength(1)
  })
  it.each([
    { below: 'the tenant', barrier: 'UPDATE tenants SET epoch = epoch + 1 WHERE id = $1' },
    { below: 'the client', barrier: 'UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1' },
  ])('is over below a barrier of $below, whatever the step was decided on', async ({ barrier }) => {
    await save()
    await owner(barrier)
    decidedOn = await presentVersions(fixture, tenant)
    expect(await save({ step: 'login' }, { browserHash, decidedOn })).toEqual({ kind: 'over' })
    expect(await find()).toBe(undefined)
    expect(await decline()).toBe(false)
  })
})

describe('a step is not written, and the version to decide again at is told,', () => {
  it.each([
    { when: 'the configuration has changed', change: `UPDATE connections SET name = 'renamed' WHERE tenant_id = $1` },
    { when: 'a policy was published', change: 'UPDATE tenants SET policy_version = policy_version + 1 WHERE id = $1' },
    { when: 'the tenant was suspended', change: 'UPDATE tenants SET suspended_at = now() WHERE id = $1' },
    { when: 'the client has changed', change: `UPDATE clients SET application_type = 'native' WHERE tenant_id = $1` },
    { when: 'the client was blocked', change: 'UPDATE clients SET blocked_at = now() WHERE tenant_id = $1' },
  ])('when $when', async ({ change }) => {
    await owner(change)
    const { configurationVersion } = await presentVersions(fixture, tenant)
    expect(await save()).toEqual({ kind: 'ground_moved', configurationVersion })
    expect(await owner('SELECT 1 FROM authorization_requests WHERE tenant_id = $1')).toEqual([])
  })
})
