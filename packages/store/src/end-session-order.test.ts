/** Which came first, a login or the end of its session: processes whose clocks differ do not differ in that, on a real PostgreSQL. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { IdpSessionEnd } from '@drawbridge/core/logout/idp-session'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { type ASession, aTrip, aTripIssuer, type Traveller } from '@drawbridge/testkit/a-trip'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { endOwnSession } from './end-own-session.js'
import { endIdpSession } from './end-session.js'
import { inTenant } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let tenant: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  tenant = await aTenant(fixture, { slug: `order-${(slugs += 1)}` })
})

const leave = (who: Traveller, at: Instant = now) => aTrip({ fixture, tenant, now: at }, who)
const ending = (at: Instant) => ({
  ...{ tenant: tenant.tenantId, connectionId: tenant.connectionId, reason: 'backchannel_logout' as const, now: at },
  ...{ requestId: 'end', address: undefined, newId: randomUUID },
})
const end = (ended: { readonly sub?: string; readonly sid?: string }, at: Instant) => {
  const told = { protocol: 'oidc', issuer: aTripIssuer, sub: undefined, sid: undefined, ...ended } as IdpSessionEnd
  return inTenant(fixture.database, tenant.tenantId, (db) => endIdpSession(db, ending(at), told))
}

describe.each([
  { is: 'behind', by: -30 },
  { is: 'ahead', by: 30 },
])('where the process that begins a login is 30 s $is', ({ by }) => {
  const itsNow = addSeconds(now, by)
  const signOut = ({ handleHash }: ASession) =>
    inTenant(fixture.database, tenant.tenantId, (db) =>
      endOwnSession(db, { ...ending(now), reason: 'signed_out' }, { handleHash, issuerId: tenant.issuerId, browserHash: undefined }),
    )

  it('the logout that comes after it counts', async () => {
    const { comeHome } = await leave({ sid: 's1' }, itsNow)
    await end({ sid: 's1' }, now)
    expect(await comeHome()).toBe('idp_session_ended')
  })

  it('the logout that came before it does not, nor does one that came before that', async () => {
    await end({ sub: 'ada' }, addSeconds(now, 1))
    await end({ sub: 'ada' }, now)
    expect(await (await leave({ sid: 's1' }, itsNow)).comeHome()).toBe('believed')
  })

  it('the same logout told again after it counts', async () => {
    await end({ sub: 'ada' }, addSeconds(now, 1))
    const { comeHome } = await leave({ sid: 's1' }, itsNow)
    await end({ sub: 'ada' }, now)
    expect(await comeHome()).toBe('idp_session_ended')
  })

  it('her sign-out here counts where it came after it, and not where it came before', async () => {
    const { comeHome, session } = await leave({ sid: 's1' })
    await comeHome()
    const underWay = await leave({ sid: 's1' }, itsNow)
    await signOut(session)
    const afterwards = await leave({ sid: 's1' }, itsNow)
    expect([await underWay.comeHome(), await afterwards.comeHome()]).toEqual(['idp_session_ended', 'believed'])
  })
})

it('a login from before there was an order of the database is refused by every end of its names', async () => {
  await end({ sid: 's1' }, now)
  const { comeHome } = await leave({ sid: 's1' })
  await asOwner(fixture.ownerUrl, 'UPDATE login_requests SET began_nth = NULL WHERE tenant_id = $1', [tenant.tenantId])
  expect(await comeHome()).toBe('idp_session_ended')
})
