/**
 * A client is ended by its own registration's word, and in the same moment something is opened for it: whichever comes first, nobody is left with a token that is
 * dead and of which no guard hears. On a real PostgreSQL.
 */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { DeprovisioningEventId, GrantId, Scope } from '@drawbridge/core/tenant/ids'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openClientGrant } from './client-grants.js'
import { deprovision } from './deprovisioning.js'
import { type Db, inTenant, onHotPath } from './transaction.js'

const now: Instant = instant(1_800_000_000_000)
let fixture: TestDatabase
let tenants = 0
let acme: ATenant
beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
})
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `acme-${(tenants += 1)}` })
})
afterAll(() => fixture.close())

const sql = <Row = Record<string, unknown>>(text: string, ...parameters: readonly unknown[]) =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const versions = async () =>
  (
    await sql<{ client: number; configuration: number }>(
      'SELECT c.version::int AS client, t.configuration_version AS configuration FROM clients c JOIN tenants t ON t.id = c.tenant_id WHERE t.id = $1',
      acme.tenantId,
    )
  )[0] as { client: number; configuration: number }
/** A grant and its token, in one statement. */
const open = async (decided: { readonly client: number; readonly configuration: number }) =>
  openClientGrant(onHotPath(fixture.database), {
    tenantId: acme.tenantId,
    grantId: randomUUID() as GrantId,
    caller: { issuerId: acme.issuerId, clientId: acme.clientId, clientVersion: decided.client },
    isAtFront: false,
    resource: { tenantId: acme.tenantId, id: acme.resourceId, identifier: acme.resource },
    scopes: ['read' as Scope],
    accessTokenTtl: { seconds: 300, by: 'tier', detail: 'read' },
    expiresAt: addSeconds(now, 300),
    provenKey: undefined,
    decidedUnder: { configurationVersion: decided.configuration, policyVersion: 0 },
    now,
    asked: { requestId: 'r', address: undefined },
  })
const end = (db: Db, source: 'registration' | 'admin' = 'registration') =>
  deprovision(db, {
    ...{ tenant: acme.tenantId, eventId: randomUUID() as DeprovisioningEventId, source, target: 'client', targetId: acme.clientId },
    ...{ reason: 'a test', toldAt: undefined, now, requestId: undefined },
  })
const ended = (source?: 'registration' | 'admin') => inTenant(fixture.database, acme.tenantId, (db) => end(db, source))
const told = async () =>
  (await sql<{ kind: string }>('SELECT kind FROM outbox WHERE tenant_id = $1', acme.tenantId)).map(({ kind }) => kind)
/** Whoever waits for a row, of this database. */
const waiting = () =>
  sql("SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'")

describe('a client that its registration ends', () => {
  it('is told where it holds a grant that is not below its barrier, whenever that ends, and not again', async () => {
    await aGrant(fixture, acme, { now })
    await sql('UPDATE grants SET expires_at = $2 WHERE tenant_id = $1', acme.tenantId, new Date(now))
    expect(await ended()).toMatchObject({ matched: true, epoch: 2 })
    expect(await told()).toEqual(['revoke'])
    expect(await ended()).toMatchObject({ matched: true, epoch: 3 })
    expect(await told()).toEqual(['revoke'])
  })

  it('and held nothing is told to nobody; by an admin it always is', async () => {
    expect(await ended()).toMatchObject({ matched: true, epoch: 2 })
    expect(await told()).toEqual([])
    expect(await ended('admin')).toMatchObject({ matched: true, epoch: 3 })
    expect(await told()).toEqual(['revoke'])
  })

  it('has whoever opens a grant with its token wait, who then opens none', async () => {
    const decided = await versions()
    let opened: ReturnType<typeof open> | undefined
    await inTenant(fixture.database, acme.tenantId, async (db) => {
      await end(db)
      opened = open(decided)
      await expect.poll(waiting, { interval: 5 }).toHaveLength(1)
    })
    expect(await opened).toEqual({ kind: 'client_changed' })
    expect(await sql('SELECT FROM grants WHERE tenant_id = $1', acme.tenantId)).toEqual([])
    expect(await told()).toEqual([])
  })

  it('waits for a grant that is being opened, and finds it', async () => {
    expect((await open(await versions())).kind).toBe('opened')
    const [grant] = await sql<{ row: object }>('DELETE FROM grants g WHERE tenant_id = $1 RETURNING to_jsonb(g) AS row', acme.tenantId)
    let ending: ReturnType<typeof ended> | undefined
    await inTenant(fixture.database, acme.tenantId, async (db) => {
      await db.query('INSERT INTO grants SELECT (jsonb_populate_record(NULL::grants, $1)).*', [grant?.row])
      ending = ended()
      await expect.poll(waiting, { interval: 5 }).toHaveLength(1)
    })
    expect(await ending).toMatchObject({ matched: true, epoch: 2 })
    expect(await told()).toEqual(['revoke'])
  })
})
