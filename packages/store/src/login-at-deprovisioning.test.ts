/**
 * A login and the directory's word about the same person in the same moment, on a real PostgreSQL: whichever commits first, nobody who is
 * switched off is left with a session, and nobody gets a fault of ours. And what else is written beside a login.
 */
import { randomUUID } from 'node:crypto'
import { parseEmailAddress } from '@drawbridge/core/identity/email-address'
import { type Instant, instant } from '@drawbridge/core/instant'
import type {
  AuthorizationRequestId,
  BrowserSessionId,
  ConnectionId,
  LoginRequestId,
  ScimUserId,
  SubjectId,
} from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { completeLogin } from './complete-login.js'
import { insertLoginRequest } from './login-requests.js'
import { holdDirectory, type ScimCaller } from './scim-caller.js'
import { deleteScimUser, insertScimUser, updateScimUser } from './scim-users.js'
import { type Db, inTenant, onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
const later = instant(now + 600_000)
let fixture: TestDatabase
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
})
afterAll(() => fixture.close())

const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[]): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const directoryOf = ({ tenantId, connectionId }: ATenant): ScimCaller => ({
  ...{ tenant: tenantId, connectionId, now: now as Instant, requestId: undefined, newId: randomUUID },
})
const inDirectory = <T>(tenant: ATenant, run: (db: Db) => Promise<T>): Promise<T> => inTenant(fixture.database, tenant.tenantId, run)
const grace = (active = true) => ({ userName: 'grace', externalId: 'grace', active, attributes: {} })

async function createGrace(tenant: ATenant): Promise<ScimUserId> {
  const created = await inDirectory(tenant, (db) => insertScimUser(db, directoryOf(tenant), grace()))
  if (!created.ok) throw new Error('taken')
  return created.value.id
}

async function anotherConnection({ tenantId }: ATenant): Promise<ConnectionId> {
  const id = randomUUID() as ConnectionId
  const values = [tenantId, id, new Date(now)]
  await sql(
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'Other', '{}', $3)`,
    values,
  )
  return id
}

type Her = {
  readonly stableId?: string
  readonly link?: { readonly by: 'userName' | 'externalId'; readonly value: string }
  readonly email?: string
}

/** Her trip to the IdP is under way; the answer to it is `comeHome`. */
async function leave(tenant: ATenant, { stableId = 'grace', link, email }: Her = {}): Promise<() => Promise<string>> {
  const { tenantId, connectionId, issuerId, clientId } = tenant
  const [id, browserHash] = [randomUUID() as LoginRequestId, hashCredential(randomUUID())]
  const hot = onHotPath(fixture.database)
  const ongoing = {
    ...{ id: randomUUID() as AuthorizationRequestId, issuerId, clientId, request: {}, step: 'login' as const, connectionId },
    ...{ subjectId: undefined, sessionId: undefined, noticedAt: undefined, stepUps: 0, decision: undefined },
    ...{ clientEpoch: 1, createdAt: now, expiresAt: later, saved: false },
  }
  const request = { ongoing, browserHash, decidedOn: await presentVersions(fixture, tenant) }
  const trip = { id, connectionId, upstreamId: id, sealedState: Buffer.alloc(1), expiresAt: later, freshDemanded: false, now }
  expect(await insertLoginRequest(hot, tenantId, request, trip)).toEqual({ kind: 'written' })
  return async () => {
    const done = await completeLogin(hot, tenantId, {
      ...{ id, issuerId, connectionId, browserHash, issuedAt: now, now: instant(now + 1000) },
      ...{ replays: [{ kind: 'oidc_id_token' as const, id }], replayableUntil: later, scimLink: link },
      addresses: { claimed: [], own: email === undefined ? undefined : parseEmailAddress(email) },
      subject: { id: randomUUID() as SubjectId, stableId, claims: {} },
      session: {
        ...{ id: randomUUID() as BrowserSessionId, handleHash: hashCredential(randomUUID()), acr: undefined, amr: [] },
        ...{ authenticatedAt: now, idpSession: {}, idpSessionNames: undefined, sealedLogoutHint: undefined, expiresAt: later },
      },
      ...{ previousHandleHash: undefined, requestId: 'request', address: '127.0.0.1' },
    })
    return done.kind === 'refused' ? done.reason : done.kind
  }
}

/** So many statements wait for a lock: what they judged by, they have read already. */
async function somebodyWaits(many = 1): Promise<void> {
  for (;;) {
    const [waiting] = await sql<{ count: number }>(
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      [],
    )
    if (waiting?.count === many) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const livingSessions = (tenant: ATenant) =>
  sql(
    `SELECT b.id FROM browser_sessions b JOIN subjects s ON s.tenant_id = b.tenant_id AND s.id = b.subject_id
     WHERE b.tenant_id = $1 AND s.deactivated_at IS NULL AND b.subject_epoch = s.epoch`,
    [tenant.tenantId],
  )

/** What a directory may say of her while she comes home for the first time. */
const goodbyes: Readonly<
  Record<string, { readonly before: boolean; readonly say: (db: Db, tenant: ATenant, id: ScimUserId) => Promise<unknown> }>
> = {
  'is switched off': {
    before: true,
    say: (db, tenant, id) => updateScimUser(db, directoryOf(tenant), id, () => ({ ok: true, value: grace(false) })),
  },
  'is deleted': { before: true, say: (db, tenant, id) => deleteScimUser(db, directoryOf(tenant), id) },
  'is made known as switched off': { before: false, say: (db, tenant) => insertScimUser(db, directoryOf(tenant), grace(false)) },
}

it.each(Object.keys(goodbyes))('whoever %s while her first login is written gets no session', async (name) => {
  const { before, say } = goodbyes[name] as (typeof goodbyes)[string]
  const tenant = await aTenant(fixture, { slug: `off-${(slugs += 1)}` })
  const id = before ? await createGrace(tenant) : ('' as ScimUserId)
  const comeHome = await leave(tenant)
  let login: Promise<string> | undefined
  await inDirectory(tenant, async (db) => {
    await say(db, tenant, id)
    login = comeHome()
    await somebodyWaits()
  })
  expect(await login).not.toBe('believed')
  expect(await livingSessions(tenant)).toEqual([])
})

it('whom the directory deleted and created anew comes home, and is shut out with the new record', async () => {
  const tenant = await aTenant(fixture, { slug: 'anew' })
  const before = await createGrace(tenant)
  await inDirectory(tenant, (db) => deleteScimUser(db, directoryOf(tenant), before))
  const id = await createGrace(tenant)
  expect(await (await leave(tenant))()).toBe('believed')
  await inDirectory(tenant, (db) => deleteScimUser(db, directoryOf(tenant), id))
  expect(await (await leave(tenant))()).toBe('subject_deactivated')
  expect(await livingSessions(tenant)).toEqual([])
})

it('whoever was created anew and is deleted again while her first login is written gets no session', async () => {
  const tenant = await aTenant(fixture, { slug: 'anew-off' })
  const before = await createGrace(tenant)
  await inDirectory(tenant, (db) => deleteScimUser(db, directoryOf(tenant), before))
  const id = await createGrace(tenant)
  const comeHome = await leave(tenant)
  let login: Promise<string> | undefined
  await inDirectory(tenant, async (db) => {
    await deleteScimUser(db, directoryOf(tenant), id)
    login = comeHome()
    await somebodyWaits()
  })
  expect(await login).not.toBe('believed')
  expect(await livingSessions(tenant)).toEqual([])
})

/** By no key that links: the record is hers to whoever reads it, and its directory may be that of another connection. */
describe('whoever comes home as a namesake of somebody', () => {
  const lena = { userName: 'Lena@acme.example', externalId: 'e-17', active: true, attributes: {} }
  const ways: readonly (Her & { readonly by: string })[] = [
    { by: 'her name as stable id', stableId: 'LENA@acme.example' },
    { by: 'her externalId, where names link', stableId: 'e-17', link: { by: 'userName', value: 'x' } },
    { by: 'her externalId as name', stableId: 'u-1', link: { by: 'userName', value: 'e-17' } },
    { by: 'her name as externalId', stableId: 'u-1', link: { by: 'externalId', value: 'lena@ACME.example' } },
    { by: 'her name as address', stableId: 'u-1', email: 'lena@acme.example' },
    { by: 'the declared externalId', stableId: 'u-1', link: { by: 'externalId', value: 'e-17' } },
    { by: 'her externalId as stable id', stableId: 'e-17' },
  ]
  const goodbyesOf: Readonly<Record<string, (db: Db, directory: ScimCaller, id: ScimUserId) => Promise<unknown>>> = {
    'switched off': (db, directory, id) => updateScimUser(db, directory, id, () => ({ ok: true, value: { ...lena, active: false } })),
    deleted: deleteScimUser,
  }
  async function arrange(another: boolean) {
    const tenant = await aTenant(fixture, { slug: `namesake-${(slugs += 1)}` })
    const connectionId = another ? await anotherConnection(tenant) : tenant.connectionId
    const created = await inDirectory(tenant, (db) => insertScimUser(db, directoryOf({ ...tenant, connectionId }), lena))
    if (!created.ok) throw new Error('taken')
    return { tenant, directory: directoryOf({ ...tenant, connectionId }), id: created.value.id }
  }
  const cases = ways.flatMap(({ by, ...her }) => Object.keys(goodbyesOf).map((away) => ({ by, her, away })))

  const byName: Her = { stableId: 'u-1', link: { by: 'userName', value: 'lena@acme.example' } }
  it.each([...cases, { by: 'the declared name', her: byName, away: 'deleted' }])(
    'another connection’s directory has $away meanwhile gets no session: $by',
    async ({ her, away }) => {
      const { tenant, directory, id } = await arrange(true)
      const comeHome = await leave(tenant, her)
      let login: Promise<string> | undefined
      await inDirectory(tenant, async (own) => {
        await holdDirectory(own, directoryOf(tenant))
        login = comeHome()
        await somebodyWaits()
        await inDirectory(tenant, async (db) => goodbyesOf[away]?.(db, directory, id))
      })
      expect(await login).not.toBe('believed')
      expect(await livingSessions(tenant)).toEqual([])
    },
  )

  it.each(cases)('this directory has $away meanwhile gets no session: $by', async ({ her, away }) => {
    const { tenant, directory, id } = await arrange(false)
    const comeHome = await leave(tenant, her)
    let login: Promise<string> | undefined
    await inDirectory(tenant, async (db) => {
      await holdDirectory(db, directory)
      login = comeHome()
      await somebodyWaits()
      await goodbyesOf[away]?.(db, directory, id)
    })
    expect(await login).not.toBe('believed')
    expect(await livingSessions(tenant)).toEqual([])
  })

  it.each([
    { whose: 'this', another: false },
    { whose: 'another', another: true },
  ])('and is written before $whose directory speaks is let in this once, and never again', async ({ another }) => {
    const { tenant, directory, id } = await arrange(another)
    const her = { stableId: 'u-1', email: lena.userName }
    const comeHome = await leave(tenant, her)
    let [login, goodbye]: Promise<unknown>[] = []
    await inTenant(fixture.database, tenant.tenantId, async (db) => {
      await db.query('UPDATE authorization_requests SET step_ups = 1 WHERE tenant_id = $1', [tenant.tenantId])
      login = comeHome() // which has looked at the directories, and waits to move the request on
      await somebodyWaits()
      goodbye = inDirectory(tenant, (speaking) => deleteScimUser(speaking, directory, id))
      await (another ? goodbye : somebodyWaits(2))
    })
    expect([await login, await goodbye]).toEqual(['believed', { ok: true, value: undefined }])
    expect(await (await leave(tenant, her))()).toBe('subject_deactivated')
  })

  it('and whom this directory makes known anew meanwhile comes in', async () => {
    const { tenant, directory, id } = await arrange(true)
    const comeHome = await leave(tenant, { stableId: 'u-1', email: lena.userName })
    let login: Promise<string> | undefined
    await inDirectory(tenant, async (own) => {
      await holdDirectory(own, directoryOf(tenant))
      login = comeHome()
      await somebodyWaits()
      await inDirectory(tenant, (db) => deleteScimUser(db, directory, id))
      await insertScimUser(own, directoryOf(tenant), { ...lena, externalId: 'e-18' })
    })
    expect(await login).toBe('believed')
  })
})

it('a login that is written first is found by the directory that switches her off, however they overlap', async () => {
  const tenant = await aTenant(fixture, { slug: 'overlap' })
  const id = await createGrace(tenant)
  const comeHome = await leave(tenant)
  await Promise.all([comeHome(), inDirectory(tenant, (db) => goodbyes['is switched off']?.say(db, tenant, id) ?? Promise.resolve())])
  expect(await livingSessions(tenant)).toEqual([])
})

it('a directory that creates her in the moment of her first login has no fault of ours, and one link', async () => {
  for (let round = 0; round < 10; round += 1) {
    const tenant = await aTenant(fixture, { slug: `link-${round}` })
    const homes = await Promise.all([leave(tenant), leave(tenant), leave(tenant)])
    const made = inDirectory(tenant, (db) => insertScimUser(db, directoryOf(tenant), grace()))
    await Promise.all([made, ...homes.map((comeHome) => comeHome())])
    expect(await sql('SELECT id FROM subjects WHERE tenant_id = $1 AND stable_id = $2', [tenant.tenantId, 'grace'])).toHaveLength(1)
  }
})

it('a request that somebody writes in the same moment is still moved on by the login that answers it', async () => {
  const tenant = await aTenant(fixture, { slug: 'written' })
  const comeHome = await leave(tenant)
  let login: Promise<string> | undefined
  await inDirectory(tenant, async (db) => {
    await db.query('UPDATE authorization_requests SET step_ups = 1 WHERE tenant_id = $1', [tenant.tenantId])
    login = comeHome()
    await somebodyWaits()
  })
  expect(await login).toBe('believed')
  expect(
    await sql('SELECT step_ups FROM authorization_requests WHERE tenant_id = $1 AND session_id IS NOT NULL', [tenant.tenantId]),
  ).toEqual([{ step_ups: 1 }])
})

it('a login does not wait for what is being written in the name of the same person', async () => {
  const tenant = await aTenant(fixture, { slug: 'beside' })
  expect(await (await leave(tenant))()).toBe('believed')
  const comeHome = await leave(tenant)
  await inDirectory(tenant, async (db) => {
    await db.query('SELECT id FROM subjects WHERE tenant_id = $1 FOR KEY SHARE', [tenant.tenantId]) // as a foreign key does
    expect(await comeHome()).toBe('believed')
  })
})
