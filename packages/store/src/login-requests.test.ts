/** Evidence that may no longer be believed, on a real PostgreSQL: it opens nothing, and it leaves nothing behind either. */
import { randomUUID } from 'node:crypto'
import { parseEmailAddress } from '@drawbridge/core/identity/email-address'
import { judgeFreshness } from '@drawbridge/core/identity/fresh-login'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type {
  AuthorizationRequestId,
  BrowserSessionId,
  ConnectionId,
  DeprovisioningEventId,
  LoginRequestId,
  SubjectId,
} from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OngoingRequest } from './authorization-requests.js'
import { completeLogin } from './complete-login.js'
import { deprovision } from './deprovisioning.js'
import { insertLoginRequest } from './login-requests.js'
import { inTenant, onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
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
  readonly email?: string
  readonly authenticatedAt?: Instant | undefined
  readonly freshDemandedAt?: Instant | undefined
  /** The session that this login opens, and the one that the browser had before. */
  readonly handle?: string
  readonly previous?: string
}

/** A whole trip, from its start to the verified answer: believed, or the reason of the refusal. */
async function signIn(tenant: ATenant, answer: Answer = {}): Promise<string> {
  const {
    stableId = 'ada',
    connectionId = tenant.connectionId,
    issuedAt = addSeconds(now, 5),
    link,
    freshDemandedAt,
    handle = randomUUID(),
  } = answer
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
  const session = {
    acr: undefined,
    amr: [],
    authenticatedAt,
    idpSession: {},
    idpSessionNames: undefined,
    sealedLogoutHint: undefined,
    expiresAt,
  }
  const done = await completeLogin(hot, tenant.tenantId, {
    ...{ id, issuerId: tenant.issuerId, connectionId, browserHash, issuedAt, now: addSeconds(now, 6) },
    replays: [{ kind: 'oidc_id_token', id }],
    replayableUntil: expiresAt,
    subject: { id: randomUUID() as SubjectId, stableId, claims: { groups: ['admins'] } },
    scimLink: link,
    addresses: { claimed: [], own: answer.email === undefined ? undefined : parseEmailAddress(answer.email) },
    session: { ...session, id: randomUUID() as BrowserSessionId, handleHash: hashCredential(handle) },
    previousHandleHash: answer.previous === undefined ? undefined : hashCredential(answer.previous),
    requestId: 'request',
    address: '127.0.0.1',
  })
  return done.kind === 'refused' ? done.reason : done.kind
}

type Given = { readonly userName: string; readonly externalId?: string; readonly active: boolean; readonly connectionId?: string }
async function aScimUser(tenant: ATenant, { userName, externalId = userName, active, connectionId = tenant.connectionId }: Given) {
  await sql(
    `INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at)
     VALUES ($1, gen_random_uuid(), $2, $3, $3, $4, $5, '{}', $6, $6)`,
    [tenant.tenantId, connectionId, userName, externalId, active, new Date(now)],
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

  describe.each([
    { away: 'switched off', state: 'active = false' },
    { away: 'deleted', state: 'active = false, deleted_at = now()' },
  ])('and who is $away', ({ state }) => {
    const lena = { userName: 'lena@acme.example', externalId: 'e-17' }
    const takeAway = (tenant: ATenant) => sql(`UPDATE scim_users SET ${state} WHERE tenant_id = $1`, [tenant.tenantId])
    it.each([
      { by: 'her name as stable id', answer: { stableId: 'Lena@acme.example' } },
      {
        by: 'her externalId as stable id of a connection that links by name',
        answer: { stableId: 'e-17', link: { by: 'userName', value: 'x' } },
      },
      { by: 'her externalId as name', answer: { stableId: 'u-1', link: { by: 'userName', value: 'e-17' } } },
      { by: 'her name as externalId', answer: { stableId: 'u-1', link: { by: 'externalId', value: 'LENA@acme.example' } } },
      { by: 'her name as address', answer: { stableId: 'u-1', email: 'Lena@ACME.example' } },
    ] as const)('comes back by no key that the directory had of her, on whichever connection: $by', async ({ answer }) => {
      const tenant = await freshTenant()
      const other = await anotherConnection(tenant)
      for (const connectionId of [tenant.connectionId, other]) expect(await signIn(tenant, { ...answer, connectionId })).toBe('believed')
      await aScimUser(tenant, { ...lena, active: true })
      await takeAway(tenant)
      for (const connectionId of [tenant.connectionId, other])
        expect(await signIn(tenant, { ...answer, connectionId })).toBe('subject_deactivated')
      expect(await signIn(tenant, { stableId: 'max', email: 'max@acme.example', connectionId: other })).toBe('believed')
      const elsewhere = await freshTenant()
      expect(await signIn(elsewhere, answer)).toBe('believed')
    })

    it('shuts nobody out whom the directory of this connection has anew', async () => {
      const tenant = await freshTenant()
      const other = await anotherConnection(tenant)
      await aScimUser(tenant, { ...lena, active: true })
      await takeAway(tenant)
      await aScimUser(tenant, { ...lena, externalId: 'e-18', active: true, connectionId: other })
      const newcomer = { stableId: 'u-1', email: lena.userName }
      expect(await signIn(tenant, { ...newcomer, connectionId: other })).toBe('believed')
      expect(await signIn(tenant, newcomer)).toBe('subject_deactivated')
    })
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

it('whom one connection knows is nobody yet at another: not invited there; once she is out she is made nobody there either', async () => {
  const tenant = await freshTenant()
  const other = await anotherConnection(tenant)
  await sql("UPDATE tenants SET provisioning_mode = 'invited_only' WHERE id = $1", [tenant.tenantId])
  expect(await signIn(tenant)).toBe('believed')
  expect(await signIn(tenant, { connectionId: other })).toBe('subject_not_invited')
  await sql("UPDATE tenants SET provisioning_mode = 'just_in_time' WHERE id = $1", [tenant.tenantId])
  await sql('UPDATE subjects SET deactivated_at = $2 WHERE tenant_id = $1', [tenant.tenantId, new Date(now)])
  expect(await signIn(tenant)).toBe('subject_deactivated')
  expect(await signIn(tenant, { connectionId: other })).toBe('subject_deactivated')
  expect(await signIn(tenant, { connectionId: other, stableId: 'somebody-else' })).toBe('believed')
})

it('a link value is kept with the key that it was read by, and one that was kept before stays with its own', async () => {
  const tenant = await freshTenant()
  const declare = (attribute: string, scim: string) =>
    sql('UPDATE connections SET configuration = $3 WHERE tenant_id = $1 AND id = $2', [
      ...[tenant.tenantId, tenant.connectionId, JSON.stringify({ scimLinkKey: { attribute, scim } })],
    ])
  const kept = async (link?: { readonly by: 'userName' | 'externalId'; readonly value: string }) => {
    expect(await signIn(tenant, { stableId: 'u-1', ...(link && { link }) })).toBe('believed')
    const [row] = await sql<{ link_value: string; link_key: string | null }>(
      "SELECT link_value, link_key::json ->> 'attribute' AS link_key FROM subjects WHERE tenant_id = $1 AND stable_id = 'u-1'",
      [tenant.tenantId],
    )
    return [row?.link_value, row?.link_key]
  }
  await declare('email', 'externalId')
  expect(await kept({ by: 'externalId', value: 'e-17' })).toEqual(['e-17', 'email'])
  await declare('number', 'externalId')
  expect(await kept()).toEqual(['e-17', 'email'])
  expect(await kept({ by: 'externalId', value: '17' })).toEqual(['17', 'number'])
  // Read before the change that is written already.
  await declare('upn', 'userName')
  expect(await kept({ by: 'externalId', value: '18' })).toEqual(['18', null])
})

describe('one SCIM user', () => {
  const byName = { by: 'userName', value: 'lena' } as const
  const linkedTo = (tenant: ATenant) =>
    sql<{ stable_id: string }>('SELECT stable_id FROM subjects WHERE tenant_id = $1 AND scim_user_id IS NOT NULL', [tenant.tenantId])

  it('is never two subjects: whom the directory knows as one, and the IdP as two, is refused the second time', async () => {
    const tenant = await freshTenant()
    await aScimUser(tenant, { userName: 'lena', active: true })
    expect(await signIn(tenant, { stableId: 'u-1', link: byName })).toBe('believed')
    expect(await signIn(tenant, { stableId: 'u-2', link: byName })).toBe('subject_not_provisioned')
    expect(await signIn(tenant, { stableId: 'u-1', link: byName })).toBe('believed')
    expect(await linkedTo(tenant)).toEqual([{ stable_id: 'u-1' }])
  })

  it('goes to one of those who come for it in the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      const tenant = await freshTenant()
      await aScimUser(tenant, { userName: 'lena', active: true })
      const ends = await Promise.all(['u-1', 'u-2', 'u-3', 'u-4'].map((stableId) => signIn(tenant, { stableId, link: byName })))
      expect(ends.sort()).toEqual(['believed', 'subject_not_provisioned', 'subject_not_provisioned', 'subject_not_provisioned'])
      expect(await linkedTo(tenant)).toHaveLength(1)
    }
  })

  it('that was deleted stays hers: the one whom the directory makes anew does not open the door', async () => {
    const tenant = await freshTenant()
    await aScimUser(tenant, { userName: 'lena', active: true })
    expect(await signIn(tenant, { stableId: 'u-1', link: byName })).toBe('believed')
    await sql('UPDATE scim_users SET active = false, deleted_at = $2 WHERE tenant_id = $1', [tenant.tenantId, new Date(now)])
    await aScimUser(tenant, { userName: 'lena', active: true })
    expect(await signIn(tenant, { stableId: 'u-1', link: byName })).toBe('subject_deactivated')
  })
})

describe('after a barrier', () => {
  const barrier = instant(now - 9_100)
  const offsets = [undefined, -3600, -180, -175, -171, -1, 0, 0.05, 0.1, 2, 9]
  const after = (seconds: number | undefined) => (seconds === undefined ? undefined : instant(barrier + seconds * 1000))

  it('the statement demands a fresh sign-in exactly where the rule of core does', async () => {
    const tenant = await freshTenant()
    await sql('UPDATE subjects SET barrier_at = $2, epoch = 2 WHERE tenant_id = $1', [tenant.tenantId, new Date(barrier)])
    const judged: Record<string, unknown> = {}
    const ruled: Record<string, unknown> = {}
    for (const beganBeforeBarrier of [false, true]) {
      await sql('UPDATE subjects SET barred_nth = $2 WHERE tenant_id = $1', [
        tenant.tenantId,
        beganBeforeBarrier ? '9000000000000000000' : '1',
      ])
      for (const authenticated of offsets)
        for (const demanded of [undefined, -5, 0.05, 2, 9]) {
          const instants = { authenticatedAt: after(authenticated), freshDemandedAt: after(demanded) }
          const verdict = judgeFreshness(barrier, { ...instants, beganBeforeBarrier })
          const arranged = `${authenticated}/${demanded}/${beganBeforeBarrier}`
          ruled[arranged] = verdict === 'fresh' ? 'believed' : verdict
          judged[arranged] = await signIn(tenant, instants)
        }
    }
    expect(judged).toEqual(ruled)
    expect(new Set(Object.values(ruled))).toEqual(new Set(['believed', 'fresh_login_required', 'login_not_fresh']))
  })

  it.each(['tenants', 'connections'])('of %s it holds for everybody, and nothing of a sign-in that is not fresh is kept', async (table) => {
    const tenant = await freshTenant()
    const key = table === 'tenants' ? 'id' : 'tenant_id'
    await sql(`UPDATE ${table} SET barrier_at = $2 WHERE ${key} = $1`, [tenant.tenantId, new Date(barrier)])
    expect(await signIn(tenant, { authenticatedAt: after(-60) })).toBe('fresh_login_required')
    expect(await signIn(tenant, { stableId: 'newcomer', authenticatedAt: undefined })).toBe('fresh_login_required')
    const kept = await sql('SELECT stable_id, claims FROM subjects WHERE tenant_id = $1', [tenant.tenantId])
    expect(kept).toEqual([{ stable_id: 'ada', claims: {} }])
    expect(await sql('SELECT id FROM browser_sessions WHERE tenant_id = $1', [tenant.tenantId])).toEqual([])
    const told = await sql('SELECT kind, reason FROM audit_events WHERE tenant_id = $1', [tenant.tenantId])
    expect(told).toEqual([1, 2].map(() => ({ kind: 'login_refused', reason: 'fresh_login_required' })))
  })

  it('of somebody else, a newcomer is believed whenever she signed in', async () => {
    const tenant = await freshTenant()
    await sql('UPDATE subjects SET barrier_at = $2, epoch = 2 WHERE tenant_id = $1', [tenant.tenantId, new Date(barrier)])
    expect(await signIn(tenant, { stableId: 'newcomer', authenticatedAt: after(-3600) })).toBe('believed')
    expect(await signIn(tenant, { stableId: 'another', authenticatedAt: undefined })).toBe('believed')
  })

  it('it holds for whoever was reinstated since', async () => {
    const tenant = await freshTenant()
    await sql('UPDATE subjects SET barrier_at = $2, epoch = 2, deactivated_at = $2 WHERE tenant_id = $1', [
      tenant.tenantId,
      new Date(barrier),
    ])
    expect(await signIn(tenant, { authenticatedAt: after(-60) })).toBe('subject_deactivated')
    await sql('UPDATE subjects SET deactivated_at = NULL WHERE tenant_id = $1', [tenant.tenantId])
    expect(await signIn(tenant, { authenticatedAt: after(-60) })).toBe('fresh_login_required')
    expect(await signIn(tenant, { authenticatedAt: after(2) })).toBe('believed')
  })
})

it('a login that was judged before a barrier and would be written after it is not', async () => {
  const tenant = await freshTenant()
  let login: Promise<string> | undefined
  await inTenant(fixture.database, tenant.tenantId, async (db) => {
    await deprovision(db, {
      ...{ tenant: tenant.tenantId, eventId: randomUUID() as DeprovisioningEventId, source: 'admin', target: 'subject' },
      ...{ targetId: tenant.subjectId, reason: 'test', toldAt: undefined, now: addSeconds(now, -60), requestId: undefined },
    })
    login = signIn(tenant)
    await loginWaits()
  })
  // Its own instants are after the barrier: only the epoch tells that it has not seen it.
  expect(await login).toBe('evidence_below_barrier')
  expect(await sql('SELECT id FROM browser_sessions WHERE tenant_id = $1', [tenant.tenantId])).toEqual([])
  expect(await signIn(tenant)).toBe('believed')
})

async function loginWaits(): Promise<void> {
  for (;;) {
    const [waiting] = await sql<{ count: number }>(
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1 AND datname = current_database()",
      ['%INSERT INTO replays%'],
    )
    if (waiting?.count === 1) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

it('a login ends the session that the browser had before, and a refused one does not', async () => {
  const tenant = await freshTenant()
  const living = async () =>
    (
      await sql<{ count: number }>('SELECT count(*)::int AS count FROM browser_sessions WHERE tenant_id = $1 AND ended_at IS NULL', [
        tenant.tenantId,
      ])
    )[0]?.count
  expect(await signIn(tenant, { handle: 'first' })).toBe('believed')
  expect(await signIn(tenant, { handle: 'second', previous: 'first' })).toBe('believed')
  expect(await living()).toBe(1)
  await sql('UPDATE subjects SET deactivated_at = $2 WHERE tenant_id = $1', [tenant.tenantId, new Date(now)])
  expect(await signIn(tenant, { handle: 'third', previous: 'second' })).toBe('subject_deactivated')
  expect(await living()).toBe(1)
})
