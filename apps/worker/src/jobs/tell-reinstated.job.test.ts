/** Nobody is told that somebody may come in whom a restore keeps out; who was taken back meanwhile is told of when her directory names her, or an admin lets her in. */
import { instant } from '@drawbridge/core/instant'
import type { ConnectionId, DeprovisioningEventId, ScimUserId, SubjectId } from '@drawbridge/core/tenant/ids'
import { deprovision, reinstate, tellBackOnceNamed } from '@drawbridge/store/deprovisioning'
import { markDirectoryResynced } from '@drawbridge/store/recovery'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { letInUnnamed, markNamed, unnameAll } from '@drawbridge/store/unnamed-people'
import { insertWebhook } from '@drawbridge/store/webhook-endpoints'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { installationId, jobDeps, random, sealer } from '../../test/a-company.js'
import { aToldCompany } from '../../test/a-told-client.js'
import { findJob } from '../jobs.js'

const now = instant(Date.now() + 60_000)
let fixture: TestDatabase
let acme: Awaited<ReturnType<typeof aToldCompany>>
let connectionId: ConnectionId
let ada: { readonly subject: SubjectId; readonly user: ScimUserId }
let companies = 0

const owner = <Row = Record<string, unknown>>(sql: string, ...parameters: readonly unknown[]) =>
  asOwner<Row>(fixture.ownerUrl, sql, [acme.tenant, ...parameters])
const here = <T>(act: (db: Db) => Promise<T>) => inTenant(fixture.database, acme.tenant, act)

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(async () => {
  companies += 1
  acme = await aToldCompany(fixture, `restored-${companies}`)
  connectionId = acme.connection as ConnectionId
  const [subject, id] = [(await acme.aPerson('ada')) as SubjectId, random.uuid()]
  ada = { subject, user: await aScimUser(fixture, { tenantId: acme.tenant, connectionId } as never, 'ada') }
  await owner('UPDATE subjects SET scim_user_id = $2 WHERE tenant_id = $1 AND id = $3', ada.user, ada.subject)
  const place = { installation: installationId, tenant: acme.tenant, table: 'webhook_endpoints', column: 'sealed_secret', row: id }
  const sealedSecret = sealer.seal(random.bytes(32), place)
  const events = ['subject.reinstated'] as const
  await here((db) => insertWebhook(db, acme.tenant, { id, name: 'SIEM', url: 'https://siem.example/', events, sealedSecret, now }))
})

/** How often it has been told that she may come in, after everything that waits has been done. */
async function toldBack(): Promise<number> {
  const entries = await owner<{ id: string; kind: string; payload: unknown }>(
    'SELECT id, kind, payload FROM outbox WHERE tenant_id = $1 AND done_at IS NULL ORDER BY id',
  )
  const deps = { ...jobDeps(fixture), clock: { now: () => now } }
  for (const { id, kind, payload } of entries) await findJob(kind)?.run(deps, { tenant: acme.tenant, entry: Number(id), payload })
  return (await owner('SELECT 1 FROM deliveries WHERE tenant_id = $1')).length
}
const shut = () =>
  here((db) =>
    deprovision(db, {
      ...{
        tenant: acme.tenant,
        eventId: random.uuid() as DeprovisioningEventId,
        source: 'admin',
        target: 'subject',
        targetId: ada.subject,
      },
      ...{ reason: 'test', toldAt: undefined, deactivate: true, now, requestId: undefined },
    }),
  )
const lift = () =>
  here((db) => reinstate(db, { tenant: acme.tenant, subjectId: ada.subject, by: 'admin', reason: 'looked', now, requestId: undefined }))
/** As a recovery leaves it. */
const restored = (isResynced: boolean) =>
  here(async (db) => {
    await unnameAll(db, acme.tenant, [connectionId], now)
    if (!isResynced) await db.query('UPDATE connections SET resync_demanded_at = $2 WHERE tenant_id = $1', [acme.tenant, new Date(now)])
  })
const directoryNames = () =>
  here(async (db) => {
    await tellBackOnceNamed(db, { tenant: acme.tenant, connectionId, now }, ada.user)
    await markNamed(db, { tenant: acme.tenant, connectionId }, ada.user)
  })
const adminSaysResynced = (letsInUnnamed: boolean) =>
  here(async (db) => {
    await tellBackOnceNamed(db, { tenant: acme.tenant, connectionId, now })
    await markDirectoryResynced(db, acme.tenant, connectionId)
    if (letsInUnnamed) await letInUnnamed(db, acme.tenant, connectionId)
  })

it('without a restore she is told to be back at once', async () => {
  await shut()
  await lift()
  expect(await toldBack()).toBe(1)
})

it('whom her directory has not named is told to be back when it names her, and once', async () => {
  await shut()
  await restored(true)
  await lift()
  expect(await toldBack()).toBe(0)
  await directoryNames()
  expect(await toldBack()).toBe(1)
  await directoryNames()
  await adminSaysResynced(true)
  expect(await toldBack()).toBe(1)
})

it('while her directory is awaited nobody is told, named or not; then an admin’s word counts for whom it has named', async () => {
  await shut()
  await restored(false)
  await lift()
  expect(await toldBack()).toBe(0)
  await directoryNames()
  expect(await toldBack()).toBe(0)
  await adminSaysResynced(false)
  expect(await toldBack()).toBe(1)
})

it('an admin who lets in whom it has not named has her told to be back; not who stays out by a word, and not who has signed in since her end', async () => {
  await shut()
  await restored(true)
  await lift()
  await adminSaysResynced(false)
  expect(await toldBack()).toBe(0)
  await shut()
  await adminSaysResynced(true)
  expect(await toldBack()).toBe(0)
  await lift()
  expect(await toldBack()).toBe(1)
  await owner('UPDATE subjects SET last_login_at = COALESCE(barrier_at, last_login_at) WHERE tenant_id = $1')
  await restored(true)
  await adminSaysResynced(true)
  expect(await toldBack()).toBe(1)
})
