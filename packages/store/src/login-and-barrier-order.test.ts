/**
 * Which came first, a login or what took its person's access, is no clock's to say: an IdP that is ahead dates what it said before a barrier after it. On a
 * real PostgreSQL.
 */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import type { ScimUserData } from '@drawbridge/core/scim/user'
import type { DeprovisioningEventId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTrip } from '@drawbridge/testkit/a-trip'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { deprovision } from './deprovisioning.js'
import type { ScimCaller } from './scim-caller.js'
import { insertScimUser, updateScimUser } from './scim-users.js'
import { takeAway } from './signals.js'
import { type Db, inTenant } from './transaction.js'

const now = instant(1_800_000_000_000)
/** What an IdP whose clock is a minute ahead says of a sign-in of ten seconds ago. */
const ahead = { issuedAt: addSeconds(now, 50), authenticatedAt: addSeconds(now, 50) }
let fixture: TestDatabase
let acme: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `order-of-barriers-${(slugs += 1)}` })
})

const here = <Value>(run: (db: Db) => Promise<Value>): Promise<Value> => inTenant(fixture.database, acme.tenantId, run)
const leave = (sub: string, at: Instant) => aTrip({ fixture, tenant: acme, now: at }, { sub, ...ahead })
const revokedAt = (at: Instant, id: string) =>
  here((db) =>
    takeAway(db, {
      ...{
        tenant: acme.tenantId,
        connectionId: acme.connectionId,
        deactivate: false,
        reason: 'session-revoked',
        toldAt: undefined,
        now: at,
      },
      // Of a SAML IdP: by no issuer, so that no end of a session is told with it.
      ...{ person: { by: 'id', id, issuer: undefined, link: undefined }, requestId: 'request', newId: randomUUID },
    }),
  )
const ada = (active: boolean): ScimUserData => ({ userName: 'ada', externalId: 'ada', active, attributes: {} })
const directory = (): ScimCaller => ({
  ...{ tenant: acme.tenantId, connectionId: acme.connectionId, now, requestId: 'request', newId: randomUUID },
})
const offAndOn = async () => {
  const created = await here((db) => insertScimUser(db, directory(), ada(true)))
  if (!created.ok) throw new Error('taken')
  for (const active of [false, true]) await here((db) => updateScimUser(db, directory(), created.value.id, () => ok(ada(active))))
}
const killed = () =>
  here((db) =>
    deprovision(db, {
      ...{
        tenant: acme.tenantId,
        eventId: randomUUID() as DeprovisioningEventId,
        source: 'admin',
        target: 'subject',
        targetId: acme.subjectId,
      },
      ...{ reason: 'factors_reset', toldAt: undefined, now, requestId: undefined },
    }),
  )

describe.each([
  { what: 'a signal about her', who: 'ada', say: () => revokedAt(now, 'ada') },
  { what: 'a signal about her before anybody knew her', who: 'grace', say: () => revokedAt(now, 'grace') },
  { what: 'a directory that switches her off and on', who: 'ada', say: offAndOn },
  { what: 'an end that deactivates nobody', who: 'ada', say: killed },
])('$what', ({ who, say }) => {
  it('sends whoever was on her way to the IdP there once more, whatever the clock of the IdP says', async () => {
    const underWay = await leave(who, addSeconds(now, -10))
    await say()
    expect(await underWay.comeHome()).toBe('fresh_login_required')
  })

  it('keeps nobody back who left after it', async () => {
    await say()
    expect(await (await leave(who, now)).comeHome()).toBe('believed')
  })
})

it('a login of somebody else, and one that began before a barrier of a version that numbered none, are judged by their times', async () => {
  const [others, hers] = [await leave('grace', addSeconds(now, -10)), await leave('ada', addSeconds(now, -10))]
  await killed()
  await asOwner(fixture.ownerUrl, 'UPDATE subjects SET barred_nth = NULL WHERE tenant_id = $1', [acme.tenantId])
  expect([await others.comeHome(), await hers.comeHome()]).toEqual(['believed', 'believed'])
})

it('a word about nobody that is said again by a clock that is behind counts against whoever left between the two', async () => {
  await revokedAt(now, 'grace')
  const between = await leave('grace', now)
  await revokedAt(addSeconds(now, -20), 'grace')
  expect(await between.comeHome()).toBe('fresh_login_required')
})
