/** Who keeps a person out: each source lifts its own word, an admin any, and she is in when none is left. docs/adr/0099 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { instant } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import type { DeprovisioningSource } from '@drawbridge/core/revocation/deprovisioning-event'
import type { ScimUserData } from '@drawbridge/core/scim/user'
import type { DeprovisioningEventId, ScimUserId } from '@drawbridge/core/tenant/ids'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { type Explained, nodesOf } from '@drawbridge/testkit/explained'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { listSubjects } from './admin-reads.js'
import { deprovision, reinstate } from './deprovisioning.js'
import type { ScimCaller } from './scim-caller.js'
import { insertScimUser, updateScimUser } from './scim-users.js'
import { changeSubjectLink } from './subject-links.js'
import { type Db, inTenant } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let acme: ATenant
let userId: ScimUserId
let slugs = 0

const here = <Value>(run: (db: Db) => Promise<Value>): Promise<Value> => inTenant(fixture.database, acme.tenantId, run)
const sql = <Row = Record<string, unknown>>(text: string): Promise<Row[]> => asOwner<Row>(fixture.ownerUrl, text, [acme.tenantId])
const directory = (): ScimCaller => ({
  ...{ tenant: acme.tenantId, connectionId: acme.connectionId, now, requestId: 'request', newId: randomUUID },
})
const ada = (over: Partial<ScimUserData> = {}): ScimUserData => ({
  userName: 'ada',
  externalId: 'ada',
  active: true,
  attributes: {},
  ...over,
})
const created = (over: Partial<ScimUserData>) => here((db) => insertScimUser(db, directory(), ada(over)))

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `deactivated-by-${(slugs += 1)}` })
  const user = await created({})
  if (!user.ok) throw new Error('taken')
  userId = user.value.id
})

const directorySays = (active: boolean) =>
  here((db) => updateScimUser(db, directory(), userId, (user) => ok<ScimUserData>({ ...user, active })))
const says = (source: DeprovisioningSource) =>
  here((db) =>
    deprovision(db, {
      ...{ tenant: acme.tenantId, eventId: randomUUID() as DeprovisioningEventId, source, target: 'subject', targetId: acme.subjectId },
      ...{ reason: 'test', toldAt: undefined, now, requestId: undefined, deactivate: true },
    }),
  )
const adminLifts = () =>
  here((db) =>
    reinstate(db, { tenant: acme.tenantId, subjectId: acme.subjectId, by: 'admin', reason: 'looked', now, requestId: undefined }),
  )
const keptOutBy = async (): Promise<readonly string[]> => {
  const [subject] = await here((db) => listSubjects(db, acme.tenantId, 'ada', { from: undefined, limit: 1 }))
  if (subject === undefined) throw new Error('no subject')
  // The door that everything else reads, and who keeps it shut, say the same.
  expect(subject.deactivatedAt === null).toBe(subject.deactivatedBy.length === 0)
  return [...subject.deactivatedBy].sort()
}
const trail = async (): Promise<readonly unknown[]> =>
  sql("SELECT kind, detail FROM audit_events WHERE tenant_id = $1 AND kind IN ('subject.reinstated', 'subject.kept_out') ORDER BY id")
const toldBack = async (): Promise<number> => (await sql("SELECT 1 FROM outbox WHERE tenant_id = $1 AND kind = 'tell-reinstated'")).length

describe('a directory that switches somebody on again', () => {
  it('lets in whom it alone kept out', async () => {
    await directorySays(false)
    expect(await keptOutBy()).toEqual(['scim'])
    await directorySays(true)
    expect(await keptOutBy()).toEqual([])
    expect(await trail()).toMatchObject([{ kind: 'subject.reinstated', detail: { by: 'scim', wasDeactivatedBy: ['scim'] } }])
    expect(await toldBack()).toBe(1)
  })

  it.each(['admin', 'signal'] as const)('does not let in whom a word of %s keeps out, and the trail says so', async (source) => {
    await says(source)
    await directorySays(false)
    expect(await keptOutBy()).toEqual([source, 'scim'].sort())
    await directorySays(true)
    expect(await keptOutBy()).toEqual([source])
    expect(await trail()).toMatchObject([{ kind: 'subject.kept_out', detail: { by: 'scim', isDeactivatedBy: [source] } }])
    expect(await toldBack()).toBe(0)
    expect(await adminLifts()).toBe(true)
    expect(await keptOutBy()).toEqual([])
    expect(await toldBack()).toBe(1)
  })

  it('whose word came first leaves the word of whoever came after', async () => {
    await directorySays(false)
    await says('admin')
    await says('signal')
    await says('admin')
    expect(await keptOutBy()).toEqual(['admin', 'scim', 'signal'])
    await directorySays(true)
    expect(await keptOutBy()).toEqual(['admin', 'signal'])
  })

  it('does not let in whom nobody knows who deactivated: a version before this wrote it', async () => {
    await directorySays(false)
    await sql("UPDATE subjects SET deactivated_by = '{}' WHERE tenant_id = $1")
    await directorySays(true)
    expect(await sql('SELECT deactivated_at IS NOT NULL AS gone FROM subjects WHERE tenant_id = $1')).toEqual([{ gone: true }])
    expect(await adminLifts()).toBe(true)
  })
})

it('an admin lifts whatever keeps somebody out, and what was lifted does not come back with the next word', async () => {
  for (const source of ['scim', 'signal', 'admin'] as const) await says(source)
  expect(await adminLifts()).toBe(true)
  expect(await adminLifts()).toBe(false)
  expect(await keptOutBy()).toEqual([])
  await says('signal')
  expect(await keptOutBy()).toEqual(['signal'])
})

it.each([
  { by: 'end_date', is: 'whose end has come', out: 'UPDATE subjects SET deactivates_at = to_timestamp(1700000000) WHERE tenant_id = $1' },
  { by: 'directory', is: 'whom her directory has as inactive', out: 'UPDATE scim_users SET active = false WHERE tenant_id = $1' },
  { by: 'directory', is: 'whom her directory has deleted', out: 'UPDATE scim_users SET deleted_at = now() WHERE tenant_id = $1' },
])('an admin who lifts the word on somebody $is has not let her in, and nobody is told that she is back', async ({ by, out }) => {
  await says('admin')
  await sql(out)
  expect(await adminLifts()).toBe(true)
  expect(await keptOutBy()).toEqual([])
  expect(await trail()).toMatchObject([{ kind: 'subject.kept_out', detail: { isDeactivatedBy: [], stillOutBy: by } }])
  expect(await toldBack()).toBe(0)
})

it.each([
  { is: 'whom her directory has not named', since: 'UPDATE connections SET recoveries = 1, unnamed_since = now() WHERE tenant_id = $1' },
  {
    is: 'whose directory is awaited',
    since: 'UPDATE connections SET resync_demanded_at = to_timestamp(1900000000) WHERE tenant_id = $1',
  },
])('an admin who lifts the word on somebody $is since a restore has not let her in, and the trail says so', async ({ since }) => {
  await says('admin')
  await sql(since)
  expect(await adminLifts()).toBe(true)
  expect(await trail()).toMatchObject([{ kind: 'subject.kept_out', detail: { isDeactivatedBy: [], stillOutBy: 'restore' } }])
})

it('a directory that switches on whom it has not named since a restore names her, and the trail has her as reinstated', async () => {
  await directorySays(false)
  await sql('UPDATE connections SET recoveries = 1, unnamed_since = now() WHERE tenant_id = $1')
  await directorySays(true)
  expect(await trail()).toMatchObject([{ kind: 'subject.reinstated', detail: { by: 'scim' } }])
})

describe('whom an admin lifted while her directory had her as inactive', () => {
  it('is told to be back when her directory switches her on', async () => {
    await directorySays(false)
    expect(await adminLifts()).toBe(true)
    expect(await toldBack()).toBe(0)
    await directorySays(true)
    expect(await trail()).toMatchObject([
      { kind: 'subject.kept_out', detail: { by: 'admin', stillOutBy: 'directory' } },
      { kind: 'subject.reinstated', detail: { by: 'scim', wasDeactivatedBy: [], isDeactivatedBy: [] } },
    ])
    expect(await toldBack()).toBe(1)
  })

  it('is told nothing when her directory switches her on after the end that it named', async () => {
    await directorySays(false)
    await adminLifts()
    await sql('UPDATE subjects SET deactivates_at = to_timestamp(1700000000) WHERE tenant_id = $1')
    await directorySays(true)
    expect(await trail()).toMatchObject([
      { kind: 'subject.kept_out', detail: { by: 'admin' } },
      { kind: 'subject.kept_out', detail: { by: 'scim', stillOutBy: 'end_date' } },
    ])
    expect(await toldBack()).toBe(0)
  })

  it('is told to be back when an admin links her to an active user instead, and once', async () => {
    await directorySays(false)
    await adminLifts()
    const active = await created({ userName: 'other', externalId: 'other' })
    if (!active.ok) throw new Error('taken')
    const linked = async (scimUserId: ScimUserId | undefined) =>
      here((db) =>
        changeSubjectLink(db, {
          ...{ ...directory(), subjectId: acme.subjectId, eventId: randomUUID() as DeprovisioningEventId, reason: 'it is she' },
          scimUserId,
        }),
      )
    await linked(active.value.id)
    expect(await toldBack()).toBe(1)
    await linked(undefined)
    expect(await toldBack()).toBe(1)
  })
})

it('a directory that says again that somebody is out, whom an admin kept out before, keeps her out, too', async () => {
  await directorySays(false)
  await sql("UPDATE subjects SET deactivated_by = ARRAY['admin'] WHERE tenant_id = $1")
  await directorySays(false)
  expect(await keptOutBy()).toEqual(['admin', 'scim'])
})

it('whom an admin links to a user whose end has come is told to be shut out, and to be back when he takes the link away', async () => {
  const over = await created({ userName: 'over', externalId: 'over' })
  if (!over.ok) throw new Error('taken')
  const linked = (scimUserId: ScimUserId | undefined) =>
    here((db) =>
      changeSubjectLink(db, {
        ...{ ...directory(), subjectId: acme.subjectId, eventId: randomUUID() as DeprovisioningEventId, reason: 'it is she' },
        scimUserId,
      }),
    )
  const shut = async () =>
    (
      await sql<{ shut: boolean }>(
        "SELECT (payload -> 'deactivated')::boolean AS shut FROM outbox WHERE tenant_id = $1 AND kind = 'revoke' ORDER BY id",
      )
    ).map((entry) => entry.shut)
  await sql("UPDATE scim_users SET ends_at = to_timestamp(1700000000) WHERE tenant_id = $1 AND user_name = 'over'")
  await linked(over.value.id)
  expect([await shut(), await toldBack()]).toEqual([[true], 0])
  await linked(undefined)
  expect([await shut(), await toldBack()]).toEqual([[true, false], 1])
})

it('whom an admin links to an inactive user her directory keeps out, and lets in again', async () => {
  const left = await created({ userName: 'left', externalId: 'left', active: false })
  if (!left.ok) throw new Error('taken')
  const change = { ...directory(), subjectId: acme.subjectId, eventId: randomUUID() as DeprovisioningEventId, reason: 'it is she' }
  expect(await here((db) => changeSubjectLink(db, { ...change, scimUserId: left.value.id }))).toMatchObject({
    value: { deactivated: true },
  })
  expect(await keptOutBy()).toEqual(['scim'])
  await here((db) => updateScimUser(db, directory(), left.value.id, (user) => ok<ScimUserData>({ ...user, active: true })))
  expect(await keptOutBy()).toEqual([])
})

describe('of whoever was out before this was kept', () => {
  const migration = readFileSync(new URL('../../../prisma/migrations/0143_deactivated_by_filled/migration.sql', import.meta.url), 'utf8')
  const fill = () => asOwner(fixture.ownerUrl, `BEGIN; ${migration} COMMIT`)
  const migrate = async () => {
    await sql("UPDATE subjects SET deactivated_by = '{}' WHERE tenant_id = $1")
    await fill()
  }
  const unheard = 'UPDATE subjects SET deactivated_at = now() WHERE tenant_id = $1'

  it('the trail says who, of what was said since the door was shut', async () => {
    await says('signal')
    await adminLifts()
    await sql('UPDATE subjects SET deactivated_at = to_timestamp(1800000060) WHERE tenant_id = $1')
    const later = { now: instant(now + 60_000) }
    await here((db) => updateScimUser(db, { ...directory(), ...later }, userId, (user) => ok<ScimUserData>({ ...user, active: false })))
    await migrate()
    expect(await keptOutBy()).toEqual(['scim'])
    await here((db) =>
      deprovision(db, {
        ...{ tenant: acme.tenantId, eventId: randomUUID() as DeprovisioningEventId, source: 'admin', target: 'subject' },
        ...{ targetId: acme.subjectId, reason: 'test', toldAt: undefined, requestId: undefined, deactivate: true, ...later },
      }),
    )
    await migrate()
    expect(await keptOutBy()).toEqual(['admin', 'scim'])
  })

  it('a barrier that deactivated nobody is no word that keeps her out', async () => {
    await directorySays(false)
    await here((db) =>
      deprovision(db, {
        ...{ tenant: acme.tenantId, eventId: randomUUID() as DeprovisioningEventId, source: 'signal', target: 'subject' },
        ...{ targetId: acme.subjectId, reason: 'session-revoked', toldAt: undefined, requestId: undefined, now },
      }),
    )
    await migrate()
    expect(await keptOutBy()).toEqual(['scim'])
  })

  it('where the trail is gone it is her directory if that has her as inactive, else an admin', async () => {
    await sql(unheard)
    await migrate()
    expect(await keptOutBy()).toEqual(['admin'])
    await sql('UPDATE scim_users SET active = false WHERE tenant_id = $1')
    await migrate()
    expect(await keptOutBy()).toEqual(['scim'])
  })

  it('whose word is known keeps that word', async () => {
    await says('signal')
    await sql("UPDATE subjects SET deactivated_by = ARRAY['admin'] WHERE tenant_id = $1")
    await fill()
    expect(await keptOutBy()).toEqual(['admin'])
  })

  it('the trail is read once, however many they are', async () => {
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, link_value, email_key, claims, claims_at, created_at, last_login_at, deactivated_at)
       SELECT $1, gen_random_uuid(), $2, 's' || n, 'l' || n, 'e' || n, '{}', now(), now(), now(), now() FROM generate_series(1, 300) n`,
      [acme.tenantId, acme.connectionId],
    )
    const client = new pg.Client({ connectionString: fixture.ownerUrl })
    await client.connect()
    const explained = migration.replace('WITH leavers', 'EXPLAIN (ANALYZE, FORMAT JSON) WITH leavers')
    const results = (await client.query(`BEGIN; ${explained} ROLLBACK`)) as unknown as readonly { readonly rows: Explained }[]
    await client.end()
    const ofTrail = results.flatMap(({ rows }) => nodesOf(rows)).filter((node) => node['Relation Name'] === 'audit_events')
    expect(ofTrail.map((node) => node['Actual Loops'])).toEqual([1])
  })
})

it('whoever is let in by a broker of an earlier version, which knows no words, leaves none for the next time', async () => {
  await says('signal')
  await sql('UPDATE subjects SET deactivated_at = NULL WHERE tenant_id = $1')
  await sql('UPDATE subjects SET deactivated_at = now(), epoch = epoch + 1 WHERE tenant_id = $1')
  expect(await sql('SELECT deactivated_by FROM subjects WHERE tenant_id = $1')).toEqual([{ deactivated_by: [] }])
})
