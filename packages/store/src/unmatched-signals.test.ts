/**
 * What a signal says of somebody who is not here yet, and what somebody who is out leaves behind: on a real PostgreSQL, also in the very moment of
 * a first login. Whichever commits first, nobody is left with a session who should have none.
 */
import { randomUUID } from 'node:crypto'
import { type EmailAddress, parseEmailAddress } from '@drawbridge/core/identity/email-address'
import type { SubjectLink } from '@drawbridge/core/identity/subject-link'
import { type Instant, instant } from '@drawbridge/core/instant'
import type { AuthorizationRequestId, BrowserSessionId, ConnectionId, LoginRequestId, SubjectId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { completeLogin } from './complete-login.js'
import { deprovision, reinstate } from './deprovisioning.js'
import { insertLoginRequest } from './login-requests.js'
import type { ScimCaller } from './scim-caller.js'
import { insertScimUser, updateScimUser } from './scim-users.js'
import { takeAway } from './signals.js'
import { type Db, inTenant, onHotPath } from './transaction.js'
import { liftUnmatchedSignal, listUnmatchedSignals } from './unmatched-signals.js'

const start = instant(1_800_000_000_000)
const at = (seconds: number): Instant => instant(start + seconds * 1000)
let fixture: TestDatabase
let acme: ATenant
let other: ConnectionId
let slugs = 0
const anotherConnection = `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'Other', '{}', $3)`

beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
})
afterAll(() => fixture.close())
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `acme-${(slugs += 1)}` })
  other = randomUUID() as ConnectionId
  await sql(anotherConnection, [acme.tenantId, other, new Date(start)])
})

const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[]): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const here = <T>(run: (db: Db) => Promise<T>): Promise<T> => inTenant(fixture.database, acme.tenantId, run)
const directory = (connectionId: ConnectionId = acme.connectionId, now: Instant = start): ScimCaller => ({
  ...{ tenant: acme.tenantId, connectionId, now, requestId: undefined, newId: randomUUID },
})

type Her = {
  readonly stableId?: string
  readonly link?: { readonly by: 'userName' | 'externalId'; readonly value: string }
  readonly email?: string
  readonly connectionId?: ConnectionId
  readonly issuedAt?: Instant
  readonly authenticatedAt?: Instant
}

/** Her trip to the IdP is under way; the answer to it is `comeHome`. */
async function leave({
  stableId = 'grace',
  link,
  email,
  connectionId = acme.connectionId,
  ...times
}: Her = {}): Promise<() => Promise<string>> {
  const { tenantId, issuerId, clientId } = acme
  const { issuedAt = at(60), authenticatedAt = issuedAt } = times
  const [id, browserHash, later] = [randomUUID() as LoginRequestId, hashCredential(randomUUID()), at(600)]
  const hot = onHotPath(fixture.database)
  const ongoing = {
    ...{ id: randomUUID() as AuthorizationRequestId, issuerId, clientId, request: {}, step: 'login' as const, connectionId },
    ...{ subjectId: undefined, sessionId: undefined, noticedAt: undefined, stepUps: 0, decision: undefined },
    ...{ clientEpoch: 1, createdAt: start, expiresAt: later, saved: false },
  }
  const request = { ongoing, browserHash, decidedOn: await presentVersions(fixture, acme) }
  const trip = { id, connectionId, upstreamId: id, sealedState: Buffer.alloc(1), expiresAt: later, freshDemanded: false, now: start }
  expect(await insertLoginRequest(hot, tenantId, request, trip)).toEqual({ kind: 'written' })
  return async () => {
    const done = await completeLogin(hot, tenantId, {
      ...{ id, issuerId, connectionId, browserHash, issuedAt, now: at(120) },
      ...{ replays: [{ kind: 'oidc_id_token' as const, id }], replayableUntil: later, scimLink: link },
      addresses: { claimed: [], own: email === undefined ? undefined : parseEmailAddress(email) },
      subject: { id: randomUUID() as SubjectId, stableId, claims: {} },
      session: {
        ...{ id: randomUUID() as BrowserSessionId, handleHash: hashCredential(randomUUID()), acr: undefined, amr: [] },
        ...{ authenticatedAt, idpSession: {}, idpSessionNames: undefined, sealedLogoutHint: undefined, expiresAt: later },
      },
      ...{ previousHandleHash: undefined, requestId: 'request', address: '127.0.0.1' },
    })
    return done.kind === 'refused' ? done.reason : done.kind
  }
}
const signIn = async (her: Her = {}): Promise<string> => (await leave(her))()

/** Over SAML: no name of a session holds her. */
type Told = {
  readonly id?: string
  readonly address?: string
  readonly now?: Instant
  readonly connectionId?: ConnectionId
  readonly link?: SubjectLink
}
const tell = (db: Db, reason: string, { id = 'grace', address, now = at(30), connectionId = acme.connectionId, link }: Told = {}) =>
  takeAway(db, {
    ...{ tenant: acme.tenantId, connectionId, reason, toldAt: undefined },
    person:
      address === undefined
        ? { by: 'id', id, issuer: undefined, link }
        : { by: 'email', address: parseEmailAddress(address) as EmailAddress },
    ...{ deactivate: reason.startsWith('account-'), now, requestId: 'signal', newId: randomUUID },
  })
const told = (reason: string, more: Told = {}) => here((db) => tell(db, reason, more))
const prove = async () => {
  await sql("DELETE FROM domains WHERE domain = 'acme.example'", [])
  await sql("INSERT INTO domains (tenant_id, domain, verified_at, created_at) VALUES ($1, 'acme.example', now(), now())", [acme.tenantId])
}
const unmatched = () => here((db) => listUnmatchedSignals(db, acme.tenantId, { from: undefined, limit: 10 }))

async function somebodyWaits(): Promise<void> {
  for (;;) {
    const waiting = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    if ((await sql<{ count: number }>(waiting, []))[0]?.count === 1) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const hasSession = async (): Promise<boolean> =>
  (await sql('SELECT 1 FROM browser_sessions WHERE tenant_id = $1', [acme.tenantId])).length > 0

describe('what was said of somebody who was not here', () => {
  it.each([
    { said: 'session-revoked', issuedAt: at(20), outcome: 'evidence_below_barrier' },
    { said: 'global_token_revocation', issuedAt: at(30), outcome: 'evidence_below_barrier' },
    { said: 'session-revoked', issuedAt: at(60), authenticatedAt: at(20), outcome: 'fresh_login_required' },
    { said: 'session-revoked', issuedAt: at(60), authenticatedAt: at(60), outcome: 'believed' },
    { said: 'account-disabled', issuedAt: at(60), outcome: 'subject_deactivated' },
    { said: 'account-purged', issuedAt: at(60), outcome: 'subject_deactivated' },
  ])('$said, and she comes with evidence of $issuedAt: $outcome', async ({ said, outcome, ...times }) => {
    expect(await told(said)).toMatchObject({ outcome: 'unknown' })
    expect(await signIn(times)).toBe(outcome)
    expect(await hasSession()).toBe(outcome === 'believed')
  })

  it('holds for the id that her directory gave her, too, by whichever key she is linked', async () => {
    await here((db) =>
      insertScimUser(db, directory(), { userName: 'Grace@acme.example', externalId: 'e-17', active: true, attributes: {} }),
    )
    await told('account-disabled', { id: 'e-17' })
    expect(await signIn({ stableId: 'u-1', link: { by: 'userName', value: 'grace@acme.example' } })).toBe('subject_deactivated')
    expect(await signIn({ stableId: 'u-1', link: { by: 'externalId', value: 'e-17' } })).toBe('subject_deactivated')
  })

  it('the stronger word stays, and the later time counts', async () => {
    await told('account-disabled', { now: at(30) })
    await told('session-revoked', { now: at(40) })
    expect(await unmatched()).toMatchObject([{ stableId: 'grace', reason: 'account-disabled', deactivates: true, saidAt: at(40) }])
  })

  it.each([
    { when: 'evidence from before', issuedAt: at(20), outcome: 'evidence_below_barrier' },
    { when: 'a sign-in from before', issuedAt: at(60), authenticatedAt: at(20), outcome: 'fresh_login_required' },
    { when: 'a sign-in from after', issuedAt: at(60), authenticatedAt: at(60), outcome: 'believed' },
  ])('by address holds for whoever comes with that and $when: $outcome', async ({ when: _when, outcome, ...times }) => {
    await prove()
    expect(await told('global_token_revocation', { address: 'Grace@acme.example' })).toMatchObject({ outcome: 'unknown' })
    expect(await unmatched()).toMatchObject([{ stableId: 'mailto:grace@acme.example', deactivates: false }])
    expect(await signIn({ stableId: 'clark', email: 'clark@acme.example', issuedAt: at(20) })).toBe('believed')
    expect(await signIn({ email: 'grace@ACME.example', ...times })).toBe(outcome)
  })

  it('by address is not kept where the tenant has not proven its domain: the connection may not speak of it', async () => {
    await told('global_token_revocation', { address: 'grace@acme.example' })
    expect([await unmatched(), await signIn({ email: 'grace@acme.example', issuedAt: at(20) })]).toEqual([[], 'believed'])
  })

  it('is of its connection and tenant: somebody of another with the same id is not asked for a newer sign-in', async () => {
    await told('session-revoked', { connectionId: other })
    expect(await signIn({ issuedAt: at(20) })).toBe('believed')
    const globex = await aTenant(fixture, { slug: `globex-${slugs}` })
    await told('account-disabled')
    expect(
      await inTenant(fixture.database, globex.tenantId, (db) => listUnmatchedSignals(db, globex.tenantId, { from: undefined, limit: 10 })),
    ).toEqual([])
  })

  it('of whom the directory has never been told is lifted by an admin; evidence from before stays refused', async () => {
    await told('account-disabled')
    const [signal] = await unmatched()
    expect(await here((db) => liftUnmatchedSignal(db, acme.tenantId, signal?.id ?? '', at(50)))).toBe(acme.connectionId)
    expect(await here((db) => liftUnmatchedSignal(db, acme.tenantId, signal?.id ?? '', at(50)))).toBeUndefined()
    expect(await signIn({ issuedAt: at(20) })).toBe('evidence_below_barrier')
    expect(await signIn()).toBe('believed')
  })

  it('is not lifted by her directory, which switches her on again: it did not say it', async () => {
    const user = { userName: 'grace', externalId: 'grace', active: false, attributes: {} }
    const created = await here((db) => insertScimUser(db, directory(), user))
    if (!created.ok) throw new Error('taken')
    await told('account-disabled')
    await here((db) =>
      updateScimUser(db, directory(acme.connectionId, at(50)), created.value.id, () => ({ ok: true, value: { ...user, active: true } })),
    )
    expect(await signIn()).toBe('subject_deactivated')
    const [signal] = await unmatched()
    await here((db) => liftUnmatchedSignal(db, acme.tenantId, signal?.id ?? '', at(55)))
    expect(await signIn()).toBe('believed')
  })
})

describe('somebody who signed in before her directory told of her, and has not since', () => {
  const link = { scim: 'userName', claims: [], isStableId: true } as const
  const inDirectory = () =>
    here((db) => insertScimUser(db, directory(), { userName: 'Grace@acme.example', externalId: 'e-17', active: true, attributes: {} }))

  it('is found by what she recorded, where the signal names the id of the directory; it links nobody', async () => {
    expect(await signIn({ stableId: 'grace@ACME.example' })).toBe('believed')
    await inDirectory()
    expect(await told('account-disabled', { id: 'e-17', link, now: at(70) })).toMatchObject({ outcome: 'done' })
    const said = 'SELECT deactivated_at IS NOT NULL AS gone, scim_user_id FROM subjects WHERE tenant_id = $1 AND stable_id = $2'
    expect(await sql(said, [acme.tenantId, 'grace@ACME.example'])).toEqual([{ gone: true, scim_user_id: null }])
    expect(await unmatched()).toEqual([])
  })

  it('is found by the id itself, where that is her key, though no directory has told of her at all', async () => {
    const byId = { scim: 'externalId', claims: ['oid'], isStableId: false } as const
    expect(await signIn({ stableId: 'pairwise' })).toBe('believed')
    await sql(`UPDATE subjects SET claims = '{"claims": [["oid", "e-17"]]}' WHERE tenant_id = $1 AND stable_id = 'pairwise'`, [
      acme.tenantId,
    ])
    expect(await told('account-disabled', { id: 'e-17', link: byId, now: at(70) })).toMatchObject({ outcome: 'done' })
    const said = "SELECT deactivated_at IS NOT NULL AS gone FROM subjects WHERE tenant_id = $1 AND stable_id = 'pairwise'"
    expect(await sql(said, [acme.tenantId])).toEqual([{ gone: true }])
  })

  it('is nobody whom a connection without a link key could find, and one of two is not chosen: both sign in anew', async () => {
    expect(await signIn({ stableId: 'grace@ACME.example' })).toBe('believed')
    expect(await signIn({ stableId: 'GRACE@acme.example' })).toBe('believed')
    await inDirectory()
    expect(await told('account-disabled', { id: 'e-17', now: at(70) })).toMatchObject({ outcome: 'unknown' })
    expect(await told('account-disabled', { id: 'e-17', link, now: at(70) })).toMatchObject({ outcome: 'ambiguous' })
    expect(
      await sql('SELECT DISTINCT epoch FROM subjects WHERE tenant_id = $1 AND stable_id ILIKE $2', [acme.tenantId, 'grace@%']),
    ).toEqual([{ epoch: 2 }])
    expect(await unmatched()).toMatchObject([{ stableId: 'e-17', deactivates: true }])
  })
})

describe('in the moment of a first login', () => {
  it.each([
    { by: 'her stable id', her: {}, id: 'grace' },
    { by: 'her link value', her: { stableId: 'u-1', link: { by: 'externalId' as const, value: 'e-17' } }, id: 'e-17' },
    {
      by: 'the id of the user whom she is linked to by name',
      her: { stableId: 'u-1', link: { by: 'userName' as const, value: 'grace' } },
      id: 'e-17',
    },
    { by: 'her address', her: { email: 'grace@acme.example' }, id: 'e-17', address: 'grace@acme.example' },
  ])('whoever is named by $by gets no session, though nobody had her when the signal looked', async ({ her, id, ...named }) => {
    for (const said of ['session-revoked', 'account-disabled']) {
      acme = await aTenant(fixture, { slug: `moment-${(slugs += 1)}` })
      await here((db) => insertScimUser(db, directory(), { userName: 'grace', externalId: id, active: true, attributes: {} }))
      await prove()
      const comeHome = await leave({ ...her, issuedAt: at(20) })
      let login: Promise<string> | undefined
      await here(async (db) => {
        expect(await tell(db, said, { id, ...named })).toMatchObject({ outcome: 'unknown' })
        login = comeHome()
        await somebodyWaits()
      })
      expect(await login).not.toBe('believed')
      expect(await hasSession()).toBe(false)
    }
  })

  it('a signal that comes while she is being written waits, and finds her', async () => {
    const comeHome = await leave()
    let login: Promise<string> | undefined
    let signal: Promise<unknown> | undefined
    // Somebody holds the place in which both are one before the other; she is first in the queue for it.
    await here(async (db) => {
      await db.query('SELECT pg_advisory_xact_lock(signal_lock($1, $2, $3))', [acme.tenantId, acme.connectionId, 'grace'])
      login = comeHome()
      await somebodyWaits()
      signal = told('account-disabled')
    })
    expect(await login).toBe('believed')
    expect(await signal).toMatchObject({ outcome: 'done' })
    const [grace] = await sql<{ gone: boolean }>(
      "SELECT deactivated_at IS NOT NULL AS gone FROM subjects WHERE tenant_id = $1 AND stable_id = 'grace'",
      [acme.tenantId],
    )
    expect(grace?.gone).toBe(true)
  })
})

describe('whoever is out leaves a tombstone of all her linking keys', () => {
  const ways: readonly (Her & { readonly by: string })[] = [
    { by: 'her stable id', stableId: 'grace' },
    { by: 'her stable id as link value', stableId: 'u-1', link: { by: 'externalId', value: 'grace' } },
    { by: 'her address', stableId: 'u-1', email: 'Grace@acme.example' },
    { by: 'her address as stable id', stableId: 'grace@ACME.example' },
    { by: 'her name in the directory', stableId: 'GRACE.H', email: 'x@acme.example' },
    { by: 'her id in the directory', stableId: 'e-17' },
  ]
  const ends: Readonly<Record<string, (id: SubjectId) => Promise<unknown>>> = {
    'an IdP purged': () => told('account-purged', { now: at(70) }),
    'an IdP disabled': () => told('account-disabled', { now: at(70) }),
    'an admin deactivated': (id) =>
      here((db) =>
        deprovision(db, {
          ...{ tenant: acme.tenantId, eventId: randomUUID() as never, source: 'admin', target: 'subject', targetId: id, reason: 'left' },
          ...{ toldAt: undefined, deactivate: true, now: at(70), requestId: undefined },
        }),
      ),
    'whose end has come': () => sql('UPDATE subjects SET deactivates_at = $2 WHERE tenant_id = $1', [acme.tenantId, new Date(at(70))]),
  }
  const grace = { stableId: 'grace', email: 'grace@acme.example', link: { by: 'externalId' as const, value: 'e-17' } }
  async function aPersonWhoIsOut(end: string): Promise<SubjectId> {
    await sql('DELETE FROM subjects WHERE tenant_id = $1', [acme.tenantId])
    await here((db) => insertScimUser(db, directory(), { userName: 'grace.h', externalId: 'e-17', active: true, attributes: {} }))
    expect(await signIn(grace)).toBe('believed')
    const [row] = await sql<{ id: SubjectId }>('SELECT id FROM subjects WHERE tenant_id = $1', [acme.tenantId])
    await ends[end]?.(row?.id as SubjectId)
    return row?.id as SubjectId
  }

  it.each(Object.keys(ends))('%s: nobody is made of another connection by any of them', async (end) => {
    await aPersonWhoIsOut(end)
    for (const { by, ...her } of ways)
      expect([by, await signIn({ ...her, connectionId: other, issuedAt: at(90) })]).toEqual([by, 'subject_deactivated'])
    expect(await signIn({ stableId: 'somebody', email: 'else@acme.example', connectionId: other })).toBe('believed')
    const reasons = `SELECT DISTINCT reason FROM audit_events WHERE tenant_id = $1 AND kind = 'login_refused'`
    expect(await sql(reasons, [acme.tenantId])).toEqual([{ reason: 'subject_tombstone' }])
  })

  it.each([
    { by: 'her link value', link: { by: 'externalId' as const, value: 'Emp-17' } },
    { by: 'her link value in other letters', link: { by: 'userName' as const, value: 'EMP-17' } },
    { by: 'her link value as stable id', stableId: 'emp-17' },
    { by: 'her stable id in other letters', stableId: 'PAIR-wise' },
    { by: 'her stable id in other letters, as link value', link: { by: 'externalId' as const, value: 'pair-WISE' } },
  ])('whom no directory knows: nor by $by', async ({ by: _by, ...her }) => {
    expect(await signIn({ stableId: 'Pair-Wise', link: { by: 'externalId', value: 'Emp-17' } })).toBe('believed')
    // What her last login did not say again is still hers.
    expect(await signIn({ stableId: 'Pair-Wise' })).toBe('believed')
    await told('account-disabled', { id: 'Pair-Wise', now: at(70) })
    expect(await signIn({ stableId: 'u-1', ...her, connectionId: other, issuedAt: at(90) })).toBe('subject_deactivated')
    acme = await aTenant(fixture, { slug: `globex-${(slugs += 1)}` })
    expect(await signIn({ stableId: 'u-1', ...her, issuedAt: at(90) })).toBe('believed')
  })

  it('nor of her own connection under another id', async () => {
    await aPersonWhoIsOut('an IdP purged')
    expect(await signIn({ stableId: 'u-1', email: 'grace@acme.example', issuedAt: at(90) })).toBe('subject_deactivated')
  })

  it('also where the IdP purged an id before anybody came under it', async () => {
    await told('account-purged', { id: 'grace' })
    expect(await signIn({ connectionId: other })).toBe('subject_deactivated')
  })

  it('an id that another IdP purged of nobody keeps out nobody whom the directory of this connection has', async () => {
    await told('account-purged', { id: 'grace' })
    await here((db) => insertScimUser(db, directory(other), { userName: 'grace.o', externalId: 'grace', active: true, attributes: {} }))
    expect(await signIn({ stableId: 'grace', connectionId: other, issuedAt: at(90) })).toBe('believed')
  })

  it('whom the directory of the other connection has is let in by it; whoever was there already stays', async () => {
    await here((db) => insertScimUser(db, directory(other), { userName: 'grace.o', externalId: 'grace', active: true, attributes: {} }))
    expect(await signIn({ stableId: 'was-here', email: 'grace@acme.example', connectionId: other })).toBe('believed')
    await here((db) => insertScimUser(db, directory(), { userName: 'grace.h', externalId: 'e-17', active: true, attributes: {} }))
    expect(await signIn(grace)).toBe('believed')
    await ends['an IdP purged']?.('' as SubjectId)
    expect(await signIn({ stableId: 'grace', connectionId: other })).toBe('believed')
    expect(await signIn({ stableId: 'was-here', email: 'grace@acme.example', connectionId: other, issuedAt: at(90) })).toBe('believed')
  })

  it.each([
    { invited: 'since then', at: at(80), outcome: 'believed' },
    { invited: 'before', at: at(65), outcome: 'subject_deactivated' },
  ])('whom an admin has invited $invited: $outcome', async ({ at: createdAt, outcome }) => {
    await aPersonWhoIsOut('an IdP purged')
    const invitation = `INSERT INTO invitations (tenant_id, id, connection_id, named_by, value, created_at, expires_at)
      VALUES ($1, gen_random_uuid(), $2, 'link_key', 'u-2', $3, $4)`
    await sql(invitation, [acme.tenantId, other, new Date(createdAt), new Date(at(9000))])
    expect(await signIn({ stableId: 'u-2', email: 'grace@acme.example', connectionId: other, issuedAt: at(90) })).toBe(outcome)
  })

  it('and it is gone when an admin lets her in again', async () => {
    const subjectId = await aPersonWhoIsOut('an IdP purged')
    const letIn = { tenant: acme.tenantId, subjectId, by: 'admin', reason: 'a mistake', now: at(80), requestId: undefined } as const
    await here((db) => reinstate(db, letIn))
    expect(await signIn({ stableId: 'u-1', email: 'grace@acme.example', connectionId: other, issuedAt: at(90) })).toBe('believed')
  })

  it('of another tenant is nobody’s concern', async () => {
    await aPersonWhoIsOut('an IdP purged')
    acme = await aTenant(fixture, { slug: `globex-${(slugs += 1)}` })
    expect(await signIn(grace)).toBe('believed')
  })
})
