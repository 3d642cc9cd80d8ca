/** The barrier on a real PostgreSQL: what a directory's change does, in one transaction, to the people who signed in. */
import { randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import type { ScimUser, ScimUserData } from '@drawbridge/core/scim/user'
import type { BrowserSessionId, DeprovisioningEventId, LoginRequestId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { completeLogin } from './complete-login.js'
import { type Deprovision, deprovision, reinstate } from './deprovisioning.js'
import type { ScimCaller } from './scim-caller.js'
import { deleteScimUser, insertScimUser, updateScimUser } from './scim-users.js'
import { inTenant, onHotPath } from './transaction.js'

let fixture: TestDatabase
let slugs = 0
const now = instant(1_800_000_000_000)

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const freshTenant = (): Promise<ATenant> => aTenant(fixture, { slug: `scim-${(slugs += 1)}` })
const callerOf = (tenant: ATenant): ScimCaller => ({
  tenant: tenant.tenantId,
  connectionId: tenant.connectionId,
  now,
  requestId: 'request',
  newId: randomUUID,
})
const aUser = (over: Partial<ScimUserData> = {}): ScimUserData => ({
  userName: 'Ada@acme.example',
  externalId: 'ada',
  active: true,
  attributes: {},
  ...over,
})
const rows = <Row = Record<string, unknown>>(sql: string, tenant: ATenant): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, sql, [tenant.tenantId])
const subjectOf = async (tenant: ATenant) =>
  (
    await rows<{ epoch: number; deactivated_at: unknown; scim_user_id: string | null }>(
      'SELECT epoch, deactivated_at, scim_user_id FROM subjects WHERE tenant_id = $1',
      tenant,
    )
  )[0]
const eventsOf = (tenant: ATenant) =>
  rows('SELECT source, target, target_id, matched, reason FROM deprovisioning_events WHERE tenant_id = $1 ORDER BY received_at', tenant)
const outboxOf = (tenant: ATenant) =>
  rows<{ kind: string; payload: Record<string, unknown> }>('SELECT kind, payload FROM outbox WHERE tenant_id = $1 ORDER BY id', tenant)
const auditOf = async (tenant: ATenant) =>
  (await rows<{ kind: string }>('SELECT kind FROM audit_events WHERE tenant_id = $1 ORDER BY id', tenant)).map((row) => row.kind)

const created = async (tenant: ATenant, over: Partial<ScimUserData> = {}): Promise<ScimUser> => {
  const user = await inTenant(fixture.database, tenant.tenantId, (db) => insertScimUser(db, callerOf(tenant), aUser(over)))
  if (!user.ok) throw new Error(user.error)
  return user.value
}
const setActive = (tenant: ATenant, id: string, active: boolean) =>
  inTenant(fixture.database, tenant.tenantId, (db) =>
    updateScimUser(db, callerOf(tenant), id, (user) => ok<ScimUserData>({ ...user, active })),
  )

async function anotherConnection(tenant: ATenant): Promise<ATenant['connectionId']> {
  const id = randomUUID() as ATenant['connectionId']
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'Other', '{}', $3)`,
    [tenant.tenantId, id, new Date(now)],
  )
  return id
}

/** A whole trip to the IdP, answered: believed, or the reason of the refusal. */
async function signIn(tenant: ATenant, stableId: string, connectionId = tenant.connectionId): Promise<string> {
  const [request, trip, browser] = [randomUUID(), randomUUID(), hashCredential(randomUUID())]
  const later = new Date(now + 60_000)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO authorization_requests (tenant_id, id, issuer_id, client_id, browser_hash, request, step, tenant_epoch, client_epoch, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, '{}', 'login', 1, 1, $6, $7)`,
    [tenant.tenantId, request, tenant.issuerId, tenant.clientId, browser, new Date(now), later],
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO login_requests (tenant_id, id, authorization_request_id, connection_id, purpose, browser_hash, upstream_id, sealed_state, tenant_epoch, connection_epoch, created_at, expires_at)
     VALUES ($1, $2, $3, $4, 'login', $5, $2::uuid::text, '', 1, 1, $6, $7)`,
    [tenant.tenantId, trip, request, connectionId, browser, new Date(now), later],
  )
  const done = await completeLogin(onHotPath(fixture.database), tenant.tenantId, {
    id: trip as LoginRequestId,
    issuerId: tenant.issuerId,
    connectionId,
    browserHash: browser,
    issuedAt: instant(now + 5_000),
    now: instant(now + 6_000),
    replays: [{ kind: 'oidc_id_token', id: trip }],
    replayableUntil: instant(now + 60_000),
    subject: { id: randomUUID() as ATenant['subjectId'], stableId, claims: {} },
    scimLink: undefined,
    addresses: { claimed: [], own: undefined },
    session: {
      id: randomUUID() as BrowserSessionId,
      handleHash: hashCredential(randomUUID()),
      acr: undefined,
      amr: [],
      authenticatedAt: instant(now + 5_000),
      idpSession: {},
      idpSessionNames: undefined,
      sealedLogoutHint: undefined,
      expiresAt: instant(now + 60_000),
    },
    previousHandleHash: undefined,
    requestId: 'request',
    address: '127.0.0.1',
  })
  return done.kind === 'refused' ? done.reason : done.kind
}

describe('active = false', () => {
  test('kills the linked subject: row, barrier, event, audit and outbox together', async () => {
    const tenant = await freshTenant()
    const user = await created(tenant)
    expect(await subjectOf(tenant)).toMatchObject({ epoch: 1, deactivated_at: null, scim_user_id: user.id })
    await setActive(tenant, user.id, false)
    expect(await subjectOf(tenant)).toMatchObject({ epoch: 2, deactivated_at: expect.anything() })
    expect(await eventsOf(tenant)).toMatchObject([{ source: 'scim', target: 'subject', target_id: tenant.subjectId, matched: true }])
    expect(await outboxOf(tenant)).toMatchObject([{ kind: 'revoke', payload: { target: 'subject', targetId: tenant.subjectId, epoch: 2 } }])
    expect(await auditOf(tenant)).toEqual(['scim_user.created', 'scim_user.updated', 'subject.deprovisioned'])
  })

  test('said twice changes nothing', async () => {
    const tenant = await freshTenant()
    const user = await created(tenant)
    await setActive(tenant, user.id, false)
    await setActive(tenant, user.id, false)
    expect(await subjectOf(tenant)).toMatchObject({ epoch: 2 })
    expect(await outboxOf(tenant)).toHaveLength(1)
  })

  test('of somebody who never signed in is kept as an alarm', async () => {
    const tenant = await freshTenant()
    const user = await created(tenant, { externalId: 'nobody', userName: 'nobody' })
    await setActive(tenant, user.id, false)
    expect(await eventsOf(tenant)).toMatchObject([{ matched: false, target_id: `scim:${user.id}` }])
    expect(await outboxOf(tenant)).toEqual([])
    expect(await signIn(tenant, 'nobody')).toBe('subject_deactivated')
  })

  test('rolls back whole when the transaction fails', async () => {
    const tenant = await freshTenant()
    const user = await created(tenant)
    const failing = inTenant(fixture.database, tenant.tenantId, async (db) => {
      await updateScimUser(db, callerOf(tenant), user.id, (before) => ok<ScimUserData>({ ...before, active: false }))
      throw new Error('the process died')
    })
    await expect(failing).rejects.toThrow('the process died')
    expect(await subjectOf(tenant)).toMatchObject({ epoch: 1, deactivated_at: null })
    expect(await outboxOf(tenant)).toEqual([])
  })
})

test('a login links the person whom the directory knows, and so a later kill finds her', async () => {
  const tenant = await freshTenant()
  const user = await created(tenant, { externalId: 'grace', userName: 'grace' })
  expect(await signIn(tenant, 'grace')).toBe('believed')
  await setActive(tenant, user.id, false)
  expect(await eventsOf(tenant)).toMatchObject([{ target: 'subject', matched: true }])
  expect(await signIn(tenant, 'grace')).toBe('subject_deactivated')
})

test('reinstatement opens the door and resurrects nothing', async () => {
  const tenant = await freshTenant()
  const user = await created(tenant)
  await setActive(tenant, user.id, false)
  await setActive(tenant, user.id, true)
  expect(await subjectOf(tenant)).toMatchObject({ epoch: 2, deactivated_at: null })
  const again = await inTenant(fixture.database, tenant.tenantId, (db) =>
    reinstate(db, { tenant: tenant.tenantId, subjectId: tenant.subjectId, by: 'admin', reason: 'x', now, requestId: undefined }),
  )
  expect(again).toBe(false)
})

test('DELETE leaves a tombstone that refuses her return on any connection', async () => {
  const tenant = await freshTenant()
  const user = await created(tenant)
  expect(await inTenant(fixture.database, tenant.tenantId, (db) => deleteScimUser(db, callerOf(tenant), user.id))).toMatchObject({
    ok: true,
  })
  expect(await subjectOf(tenant)).toMatchObject({ epoch: 2, deactivated_at: expect.anything() })
  expect(await inTenant(fixture.database, tenant.tenantId, (db) => deleteScimUser(db, callerOf(tenant), user.id))).toMatchObject({
    error: { kind: 'not_found' },
  })
  expect(await signIn(tenant, 'ada')).toBe('subject_deactivated')
  expect(await signIn(tenant, 'ada', await anotherConnection(tenant))).toBe('subject_deactivated')
  expect(await signIn(tenant, 'somebody')).toBe('believed')
})

test('a link is made once: another externalId collects nobody', async () => {
  const tenant = await freshTenant()
  const user = await created(tenant)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at) VALUES ($1, $2, $3, 'clark', '{}', $4, $4, $4)`,
    [tenant.tenantId, randomUUID(), tenant.connectionId, new Date(now)],
  )
  await inTenant(fixture.database, tenant.tenantId, (db) =>
    updateScimUser(db, callerOf(tenant), user.id, (before) => ok<ScimUserData>({ ...before, externalId: 'clark' })),
  )
  const linked = await rows<{ stable_id: string }>(
    'SELECT stable_id FROM subjects WHERE tenant_id = $1 AND scim_user_id IS NOT NULL',
    tenant,
  )
  expect(linked.map((row) => row.stable_id)).toEqual(['ada'])
})

describe('with a declared link key, a subject who signed in before her SCIM user existed', () => {
  const link = { scim: 'userName', claims: ['email'], isStableId: false } as const
  const signedInBefore = async (tenant: ATenant, stableId: string, email: unknown, at = now) => {
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $6)`,
      [tenant.tenantId, randomUUID(), tenant.connectionId, stableId, { claims: [['email', email]] }, new Date(at)],
    )
  }
  const leave = (tenant: ATenant, id: string) =>
    inTenant(fixture.database, tenant.tenantId, (db) =>
      updateScimUser(db, { ...callerOf(tenant), link }, id, (user) => ok<ScimUserData>({ ...user, active: false })),
    )
  const gone = async (tenant: ATenant) =>
    (
      await rows<{ stable_id: string }>(
        'SELECT stable_id FROM subjects WHERE tenant_id = $1 AND deactivated_at IS NOT NULL AND scim_user_id IS NOT NULL ORDER BY stable_id',
        tenant,
      )
    ).map((row) => row.stable_id)

  test('is found by what she recorded, without case, and nobody else is', async () => {
    const tenant = await freshTenant()
    await signedInBefore(tenant, 'upstream-1', 'ada@ACME.example')
    await signedInBefore(tenant, 'upstream-2', 'clark@acme.example')
    await signedInBefore(tenant, 'upstream-3', ['ada@acme.example'])
    await leave(tenant, (await created(tenant, { externalId: undefined })).id)
    expect(await gone(tenant)).toEqual(['upstream-1'])
    expect(await eventsOf(tenant)).toMatchObject([{ matched: true, source: 'scim' }])
  })

  test('is found whatever letters her name has, whatever the locale of the cluster', async () => {
    const tenant = await freshTenant()
    await signedInBefore(tenant, 'upstream-1', 'ÄDAM@acme.example')
    await leave(tenant, (await created(tenant, { userName: 'ädam@acme.example', externalId: undefined })).id)
    expect(await gone(tenant)).toEqual(['upstream-1'])
  })

  test.each([
    ['in one request', [{ userName: 'gone-ada@acme.example', active: false }]],
    ['in two', [{ userName: 'gone-ada@acme.example' }, { active: false }]],
    ['in two, and to a name that was hers once more', [{ userName: 'x@acme.example' }, { userName: 'ada@acme.example', active: false }]],
  ])('is found by the name that she had when the directory takes name and access %s', async (_how, changes) => {
    const tenant = await freshTenant()
    await signedInBefore(tenant, 'upstream-1', 'ada@acme.example')
    const { id } = await created(tenant, { externalId: undefined })
    for (const said of changes)
      await inTenant(fixture.database, tenant.tenantId, (db) =>
        updateScimUser(db, { ...callerOf(tenant), link }, id, (user) => ok<ScimUserData>({ ...user, ...said })),
      )
    expect(await gone(tenant)).toEqual(['upstream-1'])
    expect(await eventsOf(tenant)).toMatchObject([{ matched: true, source: 'scim' }])
  })

  const say = (tenant: ATenant, id: string, said: Partial<ScimUserData>) =>
    inTenant(fixture.database, tenant.tenantId, (db) =>
      updateScimUser(db, { ...callerOf(tenant), link }, id, (user) => ok<ScimUserData>({ ...user, ...said })),
    )

  test('is not linked to whoever bore her name by mistake, nor taken away with him', async () => {
    const tenant = await freshTenant()
    await signedInBefore(tenant, 'upstream-1', 'ada@acme.example')
    const his = await created(tenant, { externalId: undefined })
    await say(tenant, his.id, { userName: 'bob@acme.example' })
    expect(await rows('SELECT 1 FROM subjects WHERE tenant_id = $1 AND scim_user_id IS NOT NULL', tenant)).toEqual([])
    const hers = await created(tenant, { externalId: undefined })
    await say(tenant, his.id, { active: false })
    expect(await gone(tenant)).toEqual([])
    await say(tenant, hers.id, { active: false })
    expect(await gone(tenant)).toEqual(['upstream-1'])
  })

  test('is not linked to whoever was given her name, where the directory has not told of him yet', async () => {
    const tenant = await freshTenant()
    const hers = await created(tenant, { externalId: undefined })
    await say(tenant, hers.id, { userName: 'ada.jones@acme.example' })
    await signedInBefore(tenant, 'upstream-1', 'ada@acme.example', addSeconds(now, 3600))
    await say(tenant, hers.id, { active: false })
    expect(await gone(tenant)).toEqual([])
    expect(await eventsOf(tenant)).toMatchObject([{ matched: false, source: 'scim' }])
    const his = await created(tenant, { externalId: undefined })
    await say(tenant, his.id, { active: false })
    expect(await gone(tenant)).toEqual(['upstream-1'])
  })

  test('is found by her stable id, though somebody else recorded the name', async () => {
    const tenant = await freshTenant()
    await signedInBefore(tenant, 'upstream-1', 'ada@acme.example')
    await signedInBefore(tenant, 'upstream-2', 'other@acme.example')
    const { id } = await created(tenant, { externalId: undefined })
    await say(tenant, id, { externalId: 'upstream-2' })
    await say(tenant, id, { active: false })
    expect(await gone(tenant)).toEqual(['upstream-2'])
  })

  test('is not linked by a change that is refused', async () => {
    const tenant = await freshTenant()
    await signedInBefore(tenant, 'upstream-1', 'ada@acme.example')
    const { id } = await created(tenant, { externalId: undefined })
    await created(tenant, { userName: 'bob@acme.example', externalId: undefined })
    expect(await say(tenant, id, { userName: 'bob@acme.example' })).toMatchObject({ ok: false })
    expect(await rows('SELECT 1 FROM subjects WHERE tenant_id = $1 AND scim_user_id IS NOT NULL', tenant)).toEqual([])
  })
})

test('userName is unique among the living, whatever its case; a parallel pair has one winner', async () => {
  const tenant = await freshTenant()
  const outcomes = await Promise.all(
    ['ada@acme.example', 'ADA@acme.example'].map((userName, index) =>
      inTenant(fixture.database, tenant.tenantId, (db) =>
        insertScimUser(db, callerOf(tenant), aUser({ userName, externalId: `e${index}` })),
      ),
    ),
  )
  expect(outcomes.map((outcome) => outcome.ok).sort()).toEqual([false, true])
})

describe('an admin’s kill', () => {
  const kill = (tenant: ATenant, over: Pick<Deprovision, 'target' | 'targetId'> & Partial<Deprovision>) =>
    inTenant(fixture.database, tenant.tenantId, (db) =>
      deprovision(db, {
        tenant: tenant.tenantId,
        eventId: randomUUID() as DeprovisioningEventId,
        source: 'admin',
        reason: 'test',
        toldAt: undefined,
        now,
        requestId: undefined,
        ...over,
      }),
    )
  test.each(['client', 'connection', 'tenant', 'subject'] as const)('of a %s raises its epoch, once per kill', async (target) => {
    const tenant = await freshTenant()
    const targetId = { client: tenant.clientId, connection: tenant.connectionId, tenant: tenant.tenantId, subject: tenant.subjectId }[
      target
    ]
    expect(await kill(tenant, { target, targetId })).toMatchObject({ matched: true, epoch: 2 })
    expect(await kill(tenant, { target, targetId, deactivate: true })).toMatchObject({ matched: true, epoch: 3 })
    expect(await outboxOf(tenant)).toHaveLength(2)
  })
  test.each(['client', 'connection', 'grant', 'subject'] as const)('of an unknown %s is kept as unmatched', async (target) => {
    const tenant = await freshTenant()
    expect(await kill(tenant, { target, targetId: randomUUID() })).toMatchObject({ matched: false, epoch: 0 })
    expect(await kill(tenant, { target, targetId: 'not a uuid' })).toMatchObject({ matched: false, epoch: 0 })
    expect(await eventsOf(tenant)).toMatchObject([{ matched: false }, { matched: false }])
    expect(await outboxOf(tenant)).toEqual([])
  })
  test('of another tenant’s subject touches nothing', async () => {
    const [one, other] = [await freshTenant(), await freshTenant()]
    expect(await kill(one, { target: 'subject', targetId: other.subjectId })).toMatchObject({ matched: false })
    expect(await kill(one, { target: 'tenant', targetId: other.tenantId })).toMatchObject({ matched: false })
    expect(await subjectOf(other)).toMatchObject({ epoch: 1 })
  })
})
