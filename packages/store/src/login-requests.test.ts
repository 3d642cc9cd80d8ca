/** Evidence that may no longer be believed, on a real PostgreSQL: it opens nothing, and it leaves nothing behind either. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { AuthorizationRequestId, BrowserSessionId, ConnectionId, LoginRequestId, SubjectId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { OngoingRequest } from './authorization-requests.js'
import { completeLogin } from './complete-login.js'
import { insertLoginRequest } from './login-requests.js'
import { onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[]): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const freshTenant = (): Promise<ATenant> => aTenant(fixture, { slug: `login-${(slugs += 1)}` })
const subjectOf = async (tenant: ATenant) =>
  (
    await sql('SELECT claims, claims_version, scim_user_id FROM subjects WHERE tenant_id = $1 AND id = $2', [
      tenant.tenantId,
      tenant.subjectId,
    ])
  )[0]

type Answer = {
  readonly stableId?: string
  readonly connectionId?: ConnectionId
  readonly issuedAt?: Instant
  readonly link?: { readonly by: 'userName' | 'externalId'; readonly value: string }
  readonly authenticatedAt?: Instant | undefined
  readonly freshDemandedAt?: Instant | undefined
}

/** A whole trip, from its start to the verified answer: believed, or the reason of the refusal. */
async function signIn(tenant: ATenant, answer: Answer = {}): Promise<string> {
  const { stableId = 'ada', connectionId = tenant.connectionId, issuedAt = addSeconds(now, 5), link, freshDemandedAt } = answer
  const authenticatedAt = 'authenticatedAt' in answer ? answer.authenticatedAt : issuedAt
  const [id, browserHash] = [randomUUID() as LoginRequestId, hashCredential(randomUUID())]
  const expiresAt = addSeconds(now, 600)
  const hot = onHotPath(fixture.database)
  const ongoing: OngoingRequest = {
    ...{ id: randomUUID() as AuthorizationRequestId, issuerId: tenant.issuerId, clientId: tenant.clientId, request: {}, step: 'login' },
    ...{ connectionId, subjectId: undefined, sessionId: undefined, noticedAt: undefined, stepUps: 0, decision: undefined },
    ...{ clientEpoch: 1, createdAt: now, expiresAt, saved: false },
  }
  const request = { ongoing, browserHash, decidedOn: await presentVersions(fixture, tenant) }
  const trip = { id, connectionId, upstreamId: id, sealedState: Buffer.alloc(1), expiresAt }
  const asked = { freshDemanded: freshDemandedAt !== undefined, now: freshDemandedAt ?? now }
  expect(await insertLoginRequest(hot, tenant.tenantId, request, { ...trip, ...asked })).toEqual({ kind: 'written' })
  const session = { acr: undefined, amr: [], authenticatedAt, idpSession: {}, expiresAt }
  const done = await completeLogin(hot, tenant.tenantId, {
    ...{ id, issuerId: tenant.issuerId, connectionId, browserHash, issuedAt, now: addSeconds(now, 6) },
    replays: [{ kind: 'oidc_id_token', id }],
    replayableUntil: expiresAt,
    subject: { id: randomUUID() as SubjectId, stableId, claims: { groups: ['admins'] } },
    scimLink: link,
    session: { ...session, id: randomUUID() as BrowserSessionId, handleHash: hashCredential(randomUUID()) },
    previousHandleHash: undefined,
    requestId: 'request',
    address: '127.0.0.1',
  })
  return done.kind === 'refused' ? done.reason : done.kind
}

async function aScimUser(tenant: ATenant, user: { readonly userName: string; readonly active: boolean; readonly connectionId?: string }) {
  await sql(
    `INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at)
     VALUES ($1, gen_random_uuid(), $2, $3, $3, $3, $4, '{}', $5, $5)`,
    [tenant.tenantId, user.connectionId ?? tenant.connectionId, user.userName, user.active, new Date(now)],
  )
}

async function anotherConnection(tenant: ATenant): Promise<ConnectionId> {
  const id = randomUUID() as ConnectionId
  await sql(`INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'Other', '{}', $3)`, [
    ...[tenant.tenantId, id, new Date(now)],
  ])
  return id
}

describe('evidence that is refused', () => {
  it('leaves the claims of the subject alone when it is from before her barrier', async () => {
    const tenant = await freshTenant()
    await sql('UPDATE subjects SET barrier_at = $2, epoch = 2 WHERE tenant_id = $1', [tenant.tenantId, new Date(now)])
    expect(await signIn(tenant, { issuedAt: addSeconds(now, -5) })).toBe('evidence_below_barrier')
    const told = await sql("SELECT reason, subject_id, client_id FROM audit_events WHERE tenant_id = $1 AND kind = 'login_refused'", [
      tenant.tenantId,
    ])
    expect(told).toEqual([{ reason: 'evidence_below_barrier', subject_id: tenant.subjectId, client_id: tenant.clientId }])
    expect(await subjectOf(tenant)).toMatchObject({ claims: {}, claims_version: 1 })
    expect(await signIn(tenant)).toBe('believed')
    expect(await subjectOf(tenant)).toMatchObject({ claims: { groups: ['admins'] }, claims_version: 2 })
  })

  it('neither updates nor links a deactivated subject', async () => {
    const tenant = await freshTenant()
    await aScimUser(tenant, { userName: 'ada', active: true })
    await sql('UPDATE subjects SET deactivated_at = $2 WHERE tenant_id = $1', [tenant.tenantId, new Date(now)])
    expect(await signIn(tenant)).toBe('subject_deactivated')
    expect(await subjectOf(tenant)).toMatchObject({ claims: {}, claims_version: 1, scim_user_id: null })
  })
})

describe('a person whom one directory of the tenant has switched off', () => {
  it.each(['ÄDAM', 'İrem'])('is found by her name in whatever case it comes: %s', async (name) => {
    const tenant = await freshTenant()
    await aScimUser(tenant, { userName: name.toLowerCase(), active: false })
    expect(await signIn(tenant, { stableId: 'u-18', link: { by: 'userName', value: name } })).toBe('subject_deactivated')
  })

  it('does not come back by another connection', async () => {
    const tenant = await freshTenant()
    const other = await anotherConnection(tenant)
    await aScimUser(tenant, { userName: 'lena', active: false })
    const byName = { connectionId: other, stableId: 'u-17', link: { by: 'userName', value: 'Lena' } } as const
    expect(await signIn(tenant, byName)).toBe('subject_deactivated')
    expect(await signIn(tenant, { connectionId: other, stableId: 'lena' })).toBe('subject_deactivated')
    expect(await signIn(tenant, { connectionId: other, stableId: 'max' })).toBe('believed')
  })

  it('is judged by the directory of the connection that she uses where it knows her', async () => {
    const tenant = await freshTenant()
    const other = await anotherConnection(tenant)
    await aScimUser(tenant, { userName: 'lena', active: false })
    await aScimUser(tenant, { userName: 'lena', active: true, connectionId: other })
    expect(await signIn(tenant, { connectionId: other, stableId: 'lena' })).toBe('believed')
    expect(await signIn(tenant, { stableId: 'lena' })).toBe('subject_deactivated')
  })
})
