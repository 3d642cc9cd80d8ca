/** Who signs out is not signed in again by what the same browser has under way, whatever the IdP calls it; on a real PostgreSQL. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { type ASession, aTrip, type Traveller } from '@drawbridge/testkit/a-trip'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { endOwnSession } from './end-own-session.js'
import { type Db, inTenant } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let tenant: ATenant
let browser: CredentialHash
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  tenant = await aTenant(fixture, { slug: `under-way-${(slugs += 1)}` })
  browser = hashCredential(randomUUID())
})

const sql = <Row = Record<string, unknown>>(text: string): Promise<Row[]> => asOwner<Row>(fixture.ownerUrl, text, [tenant.tenantId])
const leave = (who: Traveller, at = now) => aTrip({ fixture, tenant, now: at }, { browser, ...who })
async function signIn(who: Traveller = {}): Promise<ASession> {
  const { comeHome, session } = await leave(who)
  expect(await comeHome()).toBe('believed')
  return session
}
const run = <T>(act: (db: Db) => Promise<T>): Promise<T> => inTenant(fixture.database, tenant.tenantId, act)
const signOutIn = (
  db: Db,
  { handleHash }: Pick<ASession, 'handleHash'>,
  { browserHash = browser, at = addSeconds(now, 30) }: { readonly browserHash?: CredentialHash; readonly at?: Instant } = {},
) => {
  const ending = {
    tenant: tenant.tenantId,
    reason: 'signed_out',
    now: at,
    requestId: 'end',
    address: undefined,
    newId: randomUUID,
  } as const
  return endOwnSession(db, ending, { handleHash, issuerId: tenant.issuerId, browserHash })
}
const signOut = (...[session, how]: [Pick<ASession, 'handleHash'>, Parameters<typeof signOutIn>[2]?]) =>
  run((db) => signOutIn(db, session, how))
const openSessions = async () =>
  (await sql<{ id: string }>('SELECT id FROM browser_sessions WHERE tenant_id = $1 AND ended_at IS NULL')).map(({ id }) => id)
const livingGrants = () => sql('SELECT id FROM grants WHERE tenant_id = $1 AND revoked_at IS NULL')

describe('a sign-out', () => {
  it.each<{ of: string; who: Traveller }>([
    { of: 'that the IdP names anew', who: { sid: 's2' } },
    { of: 'that it does not name', who: {} },
    { of: 'of another person', who: { sub: 'bob', sid: 's3' } },
  ])('ends the login of the same browser $of', async ({ who }) => {
    const session = await signIn({ sid: 's1' })
    const { comeHome } = await leave(who)
    await signOut(session)
    expect(await comeHome()).not.toBe('believed')
    expect(await openSessions()).toEqual([])
  })

  it('at a process whose clock is ahead ends what has time left at another', async () => {
    const { comeHome } = await leave({ sid: 's2' })
    await signOut({ handleHash: hashCredential('over') }, { at: addSeconds(now, 3601) })
    expect(await comeHome()).not.toBe('believed')
  })

  it('ends none of another browser, and none that begins afterwards', async () => {
    const session = await signIn({ sid: 's1' })
    const elsewhere = await leave({ sid: 's2', browser: hashCredential(randomUUID()) })
    await signOut(session)
    const afterwards = await leave({ sid: 's3' }, addSeconds(now, 31))
    expect([await elsewhere.comeHome(), await afterwards.comeHome()]).toEqual(['believed', 'believed'])
  })

  it('ends none of another tenant in the same browser', async () => {
    const session = await signIn({ sid: 's1' })
    const other = await aTenant(fixture, { slug: `other-${slugs}` })
    const there = await aTrip({ fixture, tenant: other, now }, { browser })
    await signOut(session)
    expect(await there.comeHome()).toBe('believed')
  })

  it('ends what is under way although the session itself is over', async () => {
    const { comeHome } = await leave({ sid: 's2' })
    expect(await signOut({ handleHash: hashCredential('over') })).toBeUndefined()
    expect(await comeHome()).not.toBe('believed')
  })

  it('by a browser that has begun nothing here ends its session alone', async () => {
    const session = await signIn({ sid: 's1' })
    const { comeHome } = await leave({ sid: 's2' })
    await signOut(session, { browserHash: hashCredential('begun nothing') })
    expect(await comeHome()).toBe('believed')
  })
})

describe('a login that came home just before', () => {
  it('has put another session in the place of the one whose cookie is brought: that one ends with its grants', async () => {
    const before = await signIn({ sid: 's1' })
    const after = await signIn({ sid: 's2', previous: before.handleHash })
    await aGrant(fixture, tenant, { now: addSeconds(now, 20), sessionId: after.id })
    expect(await signOut(before)).toMatchObject({ id: after.id, idpSession: { sid: 's2' } })
    expect([await openSessions(), await livingGrants()]).toEqual([[], []])
  })

  it('did not know the session of the other tab: both end', async () => {
    const [one] = [await signIn({ sid: 's1' }), await signIn({ sid: 's2' })]
    await signOut(one)
    expect(await openSessions()).toEqual([])
  })

  it('does so for no other browser that knows an old cookie', async () => {
    const before = await signIn({ sid: 's1' })
    const after = await signIn({ sid: 's2', previous: before.handleHash })
    expect(await signOut(before, { browserHash: hashCredential('of a thief') })).toBeUndefined()
    expect(await openSessions()).toEqual([after.id])
  })
})

describe('in the same moment', () => {
  async function waiting(count: number): Promise<void> {
    const asked = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`
    for (;;) {
      const [found] = await asOwner<{ count: number }>(fixture.ownerUrl, asked, [])
      if (found?.count === count) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  it('a login that waits for the sign-out is not believed', async () => {
    const session = await signIn({ sid: 's1' })
    const { comeHome } = await leave({ sid: 's2', previous: session.handleHash })
    let login: Promise<string> | undefined
    await run(async (db) => {
      await signOutIn(db, session)
      login = comeHome()
      await waiting(1)
    })
    expect(await login).not.toBe('believed')
    expect(await openSessions()).toEqual([])
  })

  it('a login that is written first is ended by the sign-out that waited for it', async () => {
    const session = await signIn({ sid: 's1' })
    const { comeHome } = await leave({ sid: 's2', previous: session.handleHash })
    let both: Promise<unknown> | undefined
    await run(async (db) => {
      await db.query('SELECT 1 FROM subjects WHERE tenant_id = $1 FOR UPDATE', [tenant.tenantId])
      const login = comeHome()
      await waiting(1)
      both = Promise.all([login, signOut(session)])
      await waiting(2)
    })
    expect(await both).toMatchObject(['believed', { idpSession: { sid: 's2' } }])
    expect(await openSessions()).toEqual([])
  })
})
