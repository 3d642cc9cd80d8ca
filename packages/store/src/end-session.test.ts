/** The end of a session on a real PostgreSQL: what it takes, what it leaves, and that nothing slips through while it commits. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { IdpSessionEnd } from '@drawbridge/core/logout/idp-session'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { type ASession, aTrip, aTripIssuer as issuer, type Traveller } from '@drawbridge/testkit/a-trip'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findLiveBrowserSession } from './browser-sessions.js'
import { endOwnSession } from './end-own-session.js'
import { endIdpSession, endSessionOfBrowser, sessionEndLimits } from './end-session.js'
import { type Db, inTenant, onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let tenant: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
})
afterAll(() => fixture.close())
beforeEach(async () => {
  tenant = await aTenant(fixture, { slug: `logout-${(slugs += 1)}` })
})

const sql = <Row = Record<string, unknown>>(text: string, ...parameters: readonly unknown[]): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, text, [tenant.tenantId, ...parameters])

/** Her trip to the IdP begins; what is answered comes home with the answer. */
const leave = (who: Traveller = {}, at: Instant = now) => aTrip({ fixture, tenant, now: at }, who)

async function signIn(who: Traveller = {}, at: Instant = now): Promise<ASession> {
  const { comeHome, session } = await leave(who, at)
  expect(await comeHome()).toBe('believed')
  return session
}

const openGrant = (session: ASession) => aGrant(fixture, tenant, { now: addSeconds(now, 20), sessionId: session.id })
const ending = () => ({
  ...{ tenant: tenant.tenantId, connectionId: tenant.connectionId, reason: 'backchannel_logout' as const, now: addSeconds(now, 30) },
  ...{ requestId: 'end', address: undefined, newId: randomUUID },
})
const run = <T>(act: (db: Db) => Promise<T>): Promise<T> => inTenant(fixture.database, tenant.tenantId, act)
const end = (ended: Partial<{ sub: string; sid: string; issuer: string }>) => {
  const told = { protocol: 'oidc', issuer, sub: undefined, sid: undefined, ...ended } as IdpSessionEnd
  return run((db) => endIdpSession(db, ending(), told))
}
const isLive = async ({ handleHash }: ASession): Promise<boolean> => {
  const wanted = { handleHash, issuerId: tenant.issuerId, now: addSeconds(now, 40) }
  return (await findLiveBrowserSession(onHotPath(fixture.database), tenant.tenantId, wanted)) !== undefined
}
const livingGrants = async (): Promise<number> =>
  (await sql('SELECT id FROM grants WHERE tenant_id = $1 AND revoked_at IS NULL AND epoch = 1')).length

describe('what an end at the IdP takes', () => {
  it('the session that is named, with its grants; guards hear of each, and her other session lives', async () => {
    const [one, other] = [await signIn({ sid: 's1' }), await signIn({ sid: 's2' })]
    const { grantId } = await openGrant(one)
    await openGrant(other)
    expect(await end({ sid: 's1' })).toEqual({ sessions: 1, grants: 1, barrier: undefined })
    expect([await isLive(one), await isLive(other), await livingGrants()]).toEqual([false, true, 1])
    expect(await sql('SELECT epoch, revoked_reason FROM grants WHERE tenant_id = $1 AND id = $2', grantId)).toEqual([
      { epoch: 2, revoked_reason: 'backchannel_logout' },
    ])
    const told = `SELECT e.source, e.target, e.matched, o.kind, o.payload->>'epoch' AS epoch FROM deprovisioning_events e
      JOIN outbox o ON o.tenant_id = e.tenant_id AND o.payload->>'eventId' = e.id::text WHERE e.tenant_id = $1 AND e.target_id = $2`
    expect(await sql(told, grantId)).toEqual([{ source: 'logout', target: 'grant', matched: true, kind: 'revoke', epoch: '2' }])
    const trail = `SELECT kind, detail->>'sessions' AS sessions FROM audit_events WHERE tenant_id = $1 AND request_id = 'end' ORDER BY kind`
    expect(await sql(trail)).toEqual([
      { kind: 'grant.deprovisioned', sessions: null },
      { kind: 'session_ended', sessions: '1' },
    ])
  })

  it('every session of the person who is named without one, and nobody else’s', async () => {
    const [one, other, bob] = [await signIn({ sid: 's1' }), await signIn(), await signIn({ sub: 'bob', sid: 's3' })]
    await openGrant(one)
    await openGrant(other)
    expect(await end({ sub: 'ada' })).toEqual({ sessions: 2, grants: 2, barrier: undefined })
    expect([await isLive(one), await isLive(other), await isLive(bob)]).toEqual([false, false, true])
  })

  it('what was granted from a session that a later login in the same browser has replaced', async () => {
    const first = await signIn({ sid: 's1' })
    await openGrant(first)
    await signIn({ sid: 's1', previous: first.handleHash })
    expect(await end({ sid: 's1' })).toEqual({ sessions: 1, grants: 1, barrier: undefined })
  })

  it('what was granted from the sessions before it in the same browser, whatever the IdP called them, and nothing of the one after it', async () => {
    const first = await signIn({ sid: 's1' })
    await openGrant(first)
    // Written by a replica whose clock is behind.
    const stepUp = await signIn({ sid: 's2', previous: first.handleHash }, addSeconds(now, -5))
    await openGrant(stepUp)
    const last = await signIn({ sid: 's3', previous: stepUp.handleHash }, addSeconds(now, 1))
    await openGrant(last)
    expect(await end({ sid: 's2' })).toEqual({ sessions: 0, grants: 2, barrier: undefined })
    expect([await isLive(last), await livingGrants()]).toEqual([true, 1])
  })

  it('nothing where nothing matches: no event, no line in the trail, no alarm', async () => {
    const session = await signIn({ sid: 's1' })
    await openGrant(session)
    for (const named of [{ sid: 'unknown' }, { sub: 'nobody' }, { sub: 'ada', issuer: 'https://other.example' }])
      expect(await end(named)).toEqual({ sessions: 0, grants: 0, barrier: undefined })
    expect([await isLive(session), await livingGrants()]).toEqual([true, 1])
    expect(await sql('SELECT id FROM deprovisioning_events WHERE tenant_id = $1')).toEqual([])
    expect(await sql(`SELECT id FROM audit_events WHERE tenant_id = $1 AND request_id = 'end'`)).toEqual([])
  })

  it('nothing of another connection, whatever it calls its people', async () => {
    const session = await signIn({ sid: 's1' })
    const another = randomUUID() as ConnectionId
    await sql(
      `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', 'Other', '{}', now())`,
      another,
    )
    const told: IdpSessionEnd = { protocol: 'oidc', issuer, sid: 's1', sub: 'ada' }
    await run((db) => endIdpSession(db, { ...ending(), connectionId: another }, told))
    expect(await isLive(session)).toBe(true)
  })

  it('no grants of a tenant that lets them outlive a logout', async () => {
    const session = await signIn({ sid: 's1' })
    await openGrant(session)
    await sql('UPDATE tenants SET grants_outlive_logout = true WHERE id = $1')
    expect(await end({ sid: 's1' })).toEqual({ sessions: 1, grants: 0, barrier: undefined })
    expect([await isLive(session), await livingGrants()]).toEqual([false, 1])
  })

  it('everything of the person where there is more than can be ended one by one', async () => {
    const [session, bob] = [await signIn({ sid: 's1' }), await signIn({ sub: 'bob', sid: 's2' })]
    await openGrant(session)
    const copies = `INSERT INTO grants SELECT (jsonb_populate_record(g, jsonb_build_object('id', gen_random_uuid()))).* FROM grants g,
      generate_series(1, $2) WHERE g.tenant_id = $1`
    await sql(copies, sessionEndLimits.grants)
    expect(await end({ sid: 's1' })).toEqual({ sessions: 1, grants: 0, barrier: 'subject' })
    const epochs = await sql('SELECT stable_id, epoch FROM subjects WHERE tenant_id = $1 ORDER BY stable_id')
    expect(epochs).toEqual([
      { stable_id: 'ada', epoch: 2 },
      { stable_id: 'bob', epoch: 1 },
    ])
    expect([await isLive(session), await isLive(bob)]).toEqual([false, true])
  })

  it('everything of the connection where one name stands for more people than can be named', async () => {
    const session = await signIn({ sid: 's1' })
    const person = `WITH person AS (INSERT INTO subjects SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'stable_id', n))).*
        FROM subjects s, generate_series(1, $2) n WHERE s.tenant_id = $1 RETURNING id)
      INSERT INTO browser_sessions SELECT (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(), 'subject_id', person.id,
        'handle_hash', '\\x' || encode(sha256(person.id::text::bytea), 'hex')))).* FROM browser_sessions b, person, generate_series(1, 1) WHERE b.tenant_id = $1`
    await sql(person, sessionEndLimits.sessions)
    expect(await end({ sid: 's1' })).toMatchObject({ barrier: 'connection' })
    expect(await isLive(session)).toBe(false)
    expect(await sql('SELECT epoch FROM connections WHERE tenant_id = $1')).toEqual([{ epoch: 2 }])
    // Such an end is an alarm: a line of its own in the trail.
    const alarms = "SELECT detail FROM audit_events WHERE tenant_id = $1 AND kind = 'connection.mass_logout' ORDER BY id DESC LIMIT 1"
    expect(await sql(alarms)).toEqual([{ detail: { barrier: 'connection' } }])
  })
})

describe('a login that was under way when the IdP ended the session', () => {
  it.each([
    { when: 'its sid has ended', told: { sid: 's1' }, outcome: 'idp_session_ended' },
    { when: 'its person was logged out everywhere', told: { sub: 'ada' }, outcome: 'idp_session_ended' },
    { when: 'another session of hers has ended', told: { sub: 'ada', sid: 's2' }, outcome: 'believed' },
  ])('is $outcome where $when, however late the answer says that it was made', async ({ told, outcome }) => {
    const { comeHome } = await leave({ sid: 's1' })
    await end(told)
    expect(await comeHome()).toBe(outcome)
  })

  it('is believed where it began afterwards', async () => {
    await end({ sub: 'ada' })
    const { comeHome } = await leave({}, addSeconds(now, 31))
    expect(await comeHome()).toBe('believed')
  })

  it('uses no invitation up, writes no subject, and is told in the trail', async () => {
    const { comeHome } = await leave({ sub: 'grace' })
    await end({ sub: 'grace' })
    await comeHome()
    expect(await sql(`SELECT id FROM subjects WHERE tenant_id = $1 AND stable_id = 'grace'`)).toEqual([])
    const trail = `SELECT reason FROM audit_events WHERE tenant_id = $1 AND kind = 'login_refused'`
    expect(await sql(trail)).toEqual([{ reason: 'idp_session_ended' }])
  })
})

describe('in the same moment', () => {
  /** So many statements wait for a lock: what they judged by, they have read already. */
  async function waiting(count: number): Promise<void> {
    const asked = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`
    for (;;) {
      const [found] = await asOwner<{ count: number }>(fixture.ownerUrl, asked, [])
      if (found?.count === count) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  it.each([{ sid: 's1' }, { sub: 'ada' }])('a login that waits for the end of %j is not believed', async (told) => {
    const { comeHome } = await leave({ sid: 's1' })
    let login: Promise<string> | undefined
    await run(async (db) => {
      await endIdpSession(db, ending(), { protocol: 'oidc', issuer, sub: undefined, sid: undefined, ...told } as IdpSessionEnd)
      login = comeHome()
      await waiting(1)
    })
    expect(await login).toBe('idp_session_ended')
  })

  it.each([{ sid: 's1' }, { sub: 'ada' }])('a login that is written first is found by the end of %j', async (told) => {
    const { comeHome, session } = await leave({ sid: 's1' })
    let both: Promise<unknown> | undefined
    await run(async (db) => {
      await db.query('SELECT 1 FROM subjects WHERE tenant_id = $1 FOR UPDATE', [tenant.tenantId])
      const login = comeHome()
      await waiting(1)
      both = Promise.all([login, end(told)])
      await waiting(2)
    })
    expect(await both).toEqual(['believed', { sessions: 1, grants: 0, barrier: undefined }])
    expect(await isLive(session)).toBe(false)
  })

  it('a grant that waits for the end of its session is not opened', async () => {
    const session = await signIn({ sid: 's1' })
    let opening: ReturnType<typeof openGrant> | undefined
    await run(async (db) => {
      await endIdpSession(db, ending(), { protocol: 'oidc', issuer, sub: undefined, sid: 's1' })
      opening = openGrant(session)
      await waiting(1)
    })
    expect((await opening)?.opened).toBe(false)
    expect(await livingGrants()).toBe(0)
  })

  it('a grant that is opened first dies with its session', async () => {
    const session = await signIn({ sid: 's1' })
    let both: Promise<unknown> | undefined
    await run(async (db) => {
      await db.query('SELECT 1 FROM resource_issuers WHERE tenant_id = $1 FOR UPDATE', [tenant.tenantId])
      const opening = openGrant(session)
      await waiting(1)
      both = Promise.all([opening, end({ sid: 's1' })])
      await waiting(2)
    })
    expect(await both).toMatchObject([{ opened: true }, { sessions: 1, grants: 1 }])
    expect(await livingGrants()).toBe(0)
  })
})

describe('what ends here', () => {
  const own = ({ handleHash }: ASession) => ({ handleHash, issuerId: tenant.issuerId, browserHash: undefined })

  it('her own session takes its grants, and those of the session at the IdP that it is of', async () => {
    const first = await signIn({ sid: 's1' })
    await openGrant(first)
    const second = await signIn({ sid: 's1', previous: first.handleHash })
    const elsewhere = await signIn({ sid: 's2' })
    await openGrant(elsewhere)
    const ended = await run((db) => endOwnSession(db, { ...ending(), reason: 'signed_out' }, own(second)))
    expect(ended).toMatchObject({ connectionId: tenant.connectionId, subjectId: tenant.subjectId, idpSession: { sid: 's1' } })
    expect([await isLive(second), await isLive(elsewhere), await livingGrants()]).toEqual([false, true, 1])
  })

  it('a login of the same session at the IdP that was under way is not believed, one that begins afterwards is', async () => {
    const session = await signIn({ sid: 's1' })
    const [underWay, another] = [await leave({ sid: 's1' }), await leave({ sid: 's2' })]
    await run((db) => endOwnSession(db, { ...ending(), reason: 'signed_out' }, own(session)))
    const afterwards = await leave({ sid: 's1' }, addSeconds(now, 31))
    expect([await underWay.comeHome(), await another.comeHome(), await afterwards.comeHome()]).toEqual([
      'idp_session_ended',
      'believed',
      'believed',
    ])
  })

  it('without a name from the IdP it takes its own grants alone', async () => {
    const [here, there] = [await signIn(), await signIn()]
    await openGrant(here)
    await openGrant(there)
    await run((db) => endOwnSession(db, { ...ending(), reason: 'signed_out' }, own(here)))
    expect([await isLive(here), await isLive(there), await livingGrants()]).toEqual([false, true, 1])
  })

  it.each<{ from: string; first: Traveller; after: Traveller }>([
    { from: 'where the IdP names no session', first: {}, after: {} },
    { from: 'where the IdP names each login anew', first: { sid: 's1' }, after: { sid: 's2' } },
  ])('it takes what she let in from this browser before a step-up, $from, and nobody else’s', async ({ first, after }) => {
    const before = await signIn(first)
    await openGrant(before)
    const bobs = await signIn({ sub: 'bob', previous: before.handleHash })
    await openGrant(bobs)
    const now = await signIn({ ...after, previous: bobs.handleHash })
    await openGrant(now)
    await run((db) => endOwnSession(db, { ...ending(), reason: 'signed_out' }, own(now)))
    expect(await sql('SELECT session_id FROM grants WHERE tenant_id = $1 AND revoked_at IS NULL')).toEqual([{ session_id: bobs.id }])
  })

  it('a handle that opens nothing changes nothing', async () => {
    const session = await signIn()
    const wrong = { handleHash: hashCredential('none'), issuerId: tenant.issuerId, browserHash: undefined }
    expect(await run((db) => endOwnSession(db, ending(), wrong))).toBeUndefined()
    const elsewhere = { ...own(session), issuerId: randomUUID() as never }
    expect(await run((db) => endOwnSession(db, ending(), elsewhere))).toBeUndefined()
    expect(await isLive(session)).toBe(true)
  })

  it('a browser logout ends the one session that matches, and no grant', async () => {
    const session = await signIn({ sid: 's1' })
    await openGrant(session)
    const named = (sid: string) => ({
      ...own(session),
      sessionId: undefined,
      ended: { protocol: 'oidc' as const, issuer, sub: undefined, sid },
    })
    expect(await run((db) => endSessionOfBrowser(db, ending(), named('s2')))).toBe(false)
    expect(await isLive(session)).toBe(true)
    expect(await run((db) => endSessionOfBrowser(db, ending(), named('s1')))).toBe(true)
    expect([await isLive(session), await livingGrants()]).toEqual([false, 1])
  })
})
