/** Several people of a connection who recorded the link key of one user of its directory, and she is to go. */
import { randomUUID } from 'node:crypto'
import { instant } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import type { ScimUser, ScimUserData } from '@drawbridge/core/scim/user'
import type { SubjectId } from '@drawbridge/core/tenant/ids'
import { aGrant, hashOf } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { namesakeLimits } from './namesakes.js'
import type { ScimCaller } from './scim-caller.js'
import { deleteScimUser, endAccessOfRefused, insertScimUser, updateScimUser } from './scim-users.js'
import { type Db, inTenant } from './transaction.js'

const now = instant(1_800_000_000_000)
const link = { scim: 'userName', claims: ['email'], isStableId: false } as const
let fixture: TestDatabase
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const freshTenant = (): Promise<ATenant> => aTenant(fixture, { slug: `namesakes-${(slugs += 1)}` })
const callerOf = (tenant: ATenant): ScimCaller => ({
  ...{ tenant: tenant.tenantId, connectionId: tenant.connectionId, now, requestId: 'request', newId: randomUUID },
})
const rows = <Row = Record<string, unknown>>(sql: string, tenant: ATenant): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, sql, [tenant.tenantId])
const signedInBefore = (tenant: ATenant, stableId: string, email: string) =>
  asOwner(
    fixture.ownerUrl,
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $6)`,
    [tenant.tenantId, randomUUID(), tenant.connectionId, stableId, { claims: [['email', email]] }, new Date(now)],
  )
const aSession = (tenant: ATenant, subjectId: SubjectId, epoch: number) =>
  asOwner(
    fixture.ownerUrl,
    `INSERT INTO browser_sessions (tenant_id, id, issuer_id, handle_hash, subject_id, connection_id, tenant_epoch, connection_epoch, subject_epoch, amr,
       idp_session, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, 1, 1, $7, '{}', '{}', $8, $9)`,
    [
      ...[tenant.tenantId, randomUUID(), tenant.issuerId, hashOf(randomUUID()), subjectId, tenant.connectionId, epoch],
      ...[new Date(now), new Date(now + 60_000)],
    ],
  )
const created = async (tenant: ATenant): Promise<ScimUser> => {
  const data: ScimUserData = { userName: 'Ada@acme.example', externalId: undefined, active: true, attributes: {} }
  const user = await inTenant(fixture.database, tenant.tenantId, (db) => insertScimUser(db, callerOf(tenant), data))
  if (!user.ok) throw new Error(user.error)
  return user.value
}
const leave = (tenant: ATenant, id: string) =>
  inTenant(fixture.database, tenant.tenantId, (db) =>
    updateScimUser(db, { ...callerOf(tenant), link }, id, (user) => ok<ScimUserData>({ ...user, active: false })),
  )

describe('of several people who recorded the key of a user who is to go, she', () => {
  const three = async (tenant: ATenant) => {
    await signedInBefore(tenant, 'upstream-1', 'ada@acme.example')
    await signedInBefore(tenant, 'upstream-2', 'Ada@acme.example')
    await signedInBefore(tenant, 'upstream-3', 'bob@acme.example')
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO contacts (tenant_id, id, name, email, created_at) VALUES ($1, $2, 'IT', 'it@acme.example', $3)`,
      [...[tenant.tenantId, randomUUID(), new Date(now)]],
    )
    return created(tenant)
  }
  const epochs = async (tenant: ATenant) =>
    (
      await rows<{ epoch: number }>(
        "SELECT epoch FROM subjects WHERE tenant_id = $1 AND stable_id LIKE 'upstream%' ORDER BY stable_id",
        tenant,
      )
    ).map(({ epoch }) => epoch)
  const told = async (tenant: ATenant) =>
    (
      await rows<{ kind: string }>(
        "SELECT jsonb_path_query(acts, '$[*]') ->> 'kind' AS kind FROM announcements WHERE tenant_id = $1",
        tenant,
      )
    ).map(({ kind }) => kind)
  const alarms = async (tenant: ATenant) =>
    rows("SELECT kind FROM audit_events WHERE tenant_id = $1 AND kind = 'deprovisioning.ambiguous'", tenant)

  test('is not chosen: what all of them hold ends, none is linked or deactivated, and the contacts are told', async () => {
    const tenant = await freshTenant()
    const user = await three(tenant)
    await leave(tenant, user.id)
    expect(await epochs(tenant)).toEqual([2, 2, 1])
    expect(
      await rows('SELECT 1 FROM subjects WHERE tenant_id = $1 AND (scim_user_id IS NOT NULL OR deactivated_at IS NOT NULL)', tenant),
    ).toEqual([])
    const events = await rows('SELECT source, target, matched, reason FROM deprovisioning_events WHERE tenant_id = $1', tenant)
    expect(events).toMatchObject(
      [1, 2].map(() => ({ source: 'scim', target: 'subject', matched: true, reason: expect.stringContaining('more than one person') })),
    )
    expect([(await alarms(tenant)).length, await told(tenant)]).toEqual([1, ['deprovisioning.ambiguous']])
  })

  test.each([
    [
      'deleted',
      (tenant: ATenant, id: string) =>
        inTenant(fixture.database, tenant.tenantId, (db) => deleteScimUser(db, { ...callerOf(tenant), link }, id as ScimUser['id'])),
    ],
    [
      'to leave by a request that is refused',
      (tenant: ATenant, id: string) =>
        inTenant(fixture.database, tenant.tenantId, (db) => endAccessOfRefused(db, { ...callerOf(tenant), link }, id, () => ok(undefined))),
    ],
  ])('is ended with the others where she is %s', async (_how, run) => {
    const tenant = await freshTenant()
    await run(tenant, (await three(tenant)).id)
    expect(await epochs(tenant)).toEqual([2, 2, 1])
  })

  test('hears it once: said again it ends nobody but who has signed in since, or may have', async () => {
    const tenant = await freshTenant()
    const user = await three(tenant)
    await leave(tenant, user.id)
    await leave(tenant, user.id)
    // The barrier and the login of the same moment: it counts as since.
    expect(await epochs(tenant)).toEqual([3, 3, 1])
    await asOwner(fixture.ownerUrl, 'UPDATE subjects SET last_login_at = $2 WHERE tenant_id = $1', [tenant.tenantId, new Date(now - 1000)])
    await leave(tenant, user.id)
    expect([await epochs(tenant), (await alarms(tenant)).length]).toEqual([[3, 3, 1], 2])
    await signedInBefore(tenant, 'upstream-4', 'ada@acme.example')
    await leave(tenant, user.id)
    expect([await epochs(tenant), (await alarms(tenant)).length]).toEqual([[3, 3, 1, 2], 3])
  })

  test.each<{ holds: string; from: (tenant: ATenant, subjectId: SubjectId, epoch: number) => Promise<unknown> }>([
    { holds: 'a session', from: aSession },
    {
      holds: 'a grant',
      from: (tenant, subjectId, subject) => aGrant(fixture, { ...tenant, subjectId }, { now, epochs: { subject } }),
    },
  ])('is ended again where she holds $holds of after the barrier, though a clock says that she signed in before it', async ({ from }) => {
    const tenant = await freshTenant()
    const user = await three(tenant)
    await leave(tenant, user.id)
    await asOwner(fixture.ownerUrl, 'UPDATE subjects SET last_login_at = $2 WHERE tenant_id = $1', [tenant.tenantId, new Date(now - 1000)])
    const [first] = await rows<{ id: SubjectId }>("SELECT id FROM subjects WHERE tenant_id = $1 AND stable_id = 'upstream-1'", tenant)
    // Of before: dead, and no reason to end anybody.
    await from(tenant, first?.id as SubjectId, 1)
    await leave(tenant, user.id)
    expect(await epochs(tenant)).toEqual([2, 2, 1])
    await from(tenant, first?.id as SubjectId, 2)
    await leave(tenant, user.id)
    expect([await epochs(tenant), (await alarms(tenant)).length]).toEqual([[3, 2, 1], 2])
  })

  const endDate = 'endsOn'
  const endOn = (tenant: ATenant, id: string, day: string, { active = true, watch = (db: Db) => db } = {}) =>
    inTenant(fixture.database, tenant.tenantId, (db) =>
      updateScimUser(watch(db), { ...callerOf(tenant), link, endDate }, id, (before) =>
        ok<ScimUserData>({ ...before, active, attributes: { [endDate]: day } }),
      ),
    )

  test('whose end is named in advance signs in anew, as the others do', async () => {
    const tenant = await freshTenant()
    await endOn(tenant, (await three(tenant)).id, '2031-01-01')
    expect(await epochs(tenant)).toEqual([2, 2, 1])
  })

  test.each([
    { who: 'who goes on', active: true },
    { who: 'who has left already', active: false },
  ])(
    '$who and whose end is named when it is past is an alarm, though nobody has signed in since the last one; once',
    async ({ active }) => {
      const tenant = await freshTenant()
      const user = await three(tenant)
      if (!active) await leave(tenant, user.id)
      await asOwner(fixture.ownerUrl, 'UPDATE subjects SET last_login_at = $2, barrier_at = $3 WHERE tenant_id = $1', [
        ...[tenant.tenantId, new Date(now - 2000), new Date(now - 1000)],
      ])
      const [before, alarmed] = [await epochs(tenant), (await alarms(tenant)).length]
      await endOn(tenant, user.id, '2020-01-01', { active })
      const after = before.map((epoch, at) => (at < 2 ? epoch + 1 : epoch))
      expect([await epochs(tenant), (await alarms(tenant)).length]).toEqual([after, alarmed + 1])
      expect((await told(tenant)).length).toBe(alarmed + 1)
      await endOn(tenant, user.id, '2020-01-01', { active })
      expect([await epochs(tenant), (await alarms(tenant)).length]).toEqual([after, alarmed + 1])
    },
  )

  test('is looked for once by a request that names her end and has her leave', async () => {
    const tenant = await freshTenant()
    const user = await three(tenant)
    const asked: string[] = []
    const watch = (db: Db): Db => {
      const query: Db['query'] = (statement, parameters) => {
        asked.push(typeof statement === 'string' ? statement : statement.text)
        return db.query(statement, parameters)
      }
      return { ...db, query }
    }
    await endOn(tenant, user.id, '2020-01-01', { active: false, watch })
    expect(asked.filter((text) => text.includes("claims -> 'claims'"))).toHaveLength(1)
    expect(await epochs(tenant)).toEqual([2, 2, 1])
  })

  test('of so many that it cannot be a name of one person: the connection as a whole signs in anew', async () => {
    const tenant = await freshTenant()
    const user = await three(tenant)
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
       SELECT $1, gen_random_uuid(), $2, 'n' || n, '{"claims": [["email", "ada@acme.example"]]}', $3, $3, $3 FROM generate_series(1, ${namesakeLimits.endedSingly}) n`,
      [tenant.tenantId, tenant.connectionId, new Date(now)],
    )
    await leave(tenant, user.id)
    expect(await epochs(tenant)).toEqual([1, 1, 1])
    expect(await rows('SELECT epoch FROM connections WHERE tenant_id = $1', tenant)).toEqual([{ epoch: 2 }])
    expect(await alarms(tenant)).toHaveLength(1)
    // Said again, and none of them all holds anything: nobody signs in anew for it.
    await asOwner(fixture.ownerUrl, 'UPDATE subjects SET last_login_at = $2 WHERE tenant_id = $1', [tenant.tenantId, new Date(now - 1000)])
    await leave(tenant, user.id)
    expect(await rows('SELECT epoch FROM connections WHERE tenant_id = $1', tenant)).toEqual([{ epoch: 2 }])
    // One has signed in since, of those who are not known by name, too.
    await asOwner(
      fixture.ownerUrl,
      'UPDATE subjects SET last_login_at = $2 WHERE tenant_id = $1 AND id = (SELECT max(id::text)::uuid FROM subjects WHERE tenant_id = $1)',
      [tenant.tenantId, new Date(now + 1000)],
    )
    await leave(tenant, user.id)
    expect(await rows('SELECT epoch FROM connections WHERE tenant_id = $1', tenant)).toEqual([{ epoch: 3 }])
    expect(await alarms(tenant)).toHaveLength(2)
  })
})
