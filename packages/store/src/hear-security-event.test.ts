/** A security event and whoever else tells of its stream, at the same moment on a real PostgreSQL; and one that comes again. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { announce } from './announcements.js'
import { hearSecurityEvent } from './hear-security-event.js'
import { lockSignalStream } from './signal-stream-checks.js'
import { signalLimits } from './signals.js'
import { inTenant } from './transaction.js'

const now = instant(1_800_000_000_000)
const issuer = 'https://idp.example'
let fixture: TestDatabase
let acme: ATenant
let tenants = 0

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture?.close())
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `acme-${(tenants += 1)}` })
  await sql("INSERT INTO contacts (tenant_id, id, name, email, created_at) VALUES ($1, gen_random_uuid(), 'IT', 'it@acme.example', now())")
})
const sql = <Row = Record<string, unknown>>(text: string, ...more: readonly unknown[]): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, text, [acme.tenantId, ...more])

const link = { scim: 'externalId', claims: ['oid'], isStableId: false } as const
const words = { issuers: [issuer], loginIssuer: undefined, link, events: ['identifier-changed', 'account-disabled'] }
type Said = { readonly name: string; readonly sub?: string; readonly id?: string; readonly at?: Instant }
const hear = ({ name, sub = 'grace', id = randomUUID(), at = now }: Said) =>
  hearSecurityEvent(fixture.database, {
    ...{ tenant: acme.tenantId, connectionId: acme.connectionId, way: 'push', now: at, requestId: 'test', newId: randomUUID, words },
    event: {
      ...{ id, type: `https://schemas.openid.net/secevent/risc/event-type/${name}`, event: {}, toldAt: undefined, issuedAt: at },
      ...{ subject: { format: 'iss_sub', iss: issuer, sub }, replayableUntil: addSeconds(now, 60) },
    },
  })
async function somebodyWaits(): Promise<void> {
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND $1::uuid IS NOT NULL"
  while ((await sql(waiting)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('an event that is an alarm waits for whoever holds its stream and is about to tell of it, and neither is given up', () => {
  it.each([
    { alarm: 'because of what it says', name: 'identifier-changed', before: 0, kind: 'connection.signal_alarm' },
    {
      alarm: 'because there are very many',
      name: 'account-disabled',
      before: signalLimits.massPeople - 1,
      kind: 'connection.mass_revocation',
    },
    {
      alarm: 'because several people bear the key that it names',
      name: 'account-disabled',
      before: 0,
      kind: 'deprovisioning.ambiguous',
      people: ['upstream-1', 'upstream-2'],
      outcome: 'unmatched',
    },
  ])('$alarm', async ({ name, before, kind, people = ['grace'], outcome = 'done' }) => {
    await hear({ name: 'account-disabled', sub: 'somebody' })
    await sql(
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
       SELECT $1, gen_random_uuid(), $2, person, '{"claims": [["oid", "grace"]]}', now(), now(), now() FROM unnest($3::text[]) AS person`,
      acme.connectionId,
      people,
    )
    await sql(
      'INSERT INTO signal_windows (tenant_id, connection_id, began_at, people) VALUES ($1, $2, $3, $4)',
      ...[acme.connectionId, new Date(now), before],
    )
    let heard: ReturnType<typeof hear> | undefined
    await inTenant(fixture.database, acme.tenantId, async (db) => {
      await lockSignalStream(db, acme.tenantId, acme.connectionId)
      heard = hear({ name })
      await somebodyWaits()
      await announce(db, acme.tenantId, { at: now, kind: 'connection.signals_unheard', about: undefined, by: undefined })
    })
    expect((await heard)?.outcome).toBe(outcome)
    expect(await sql('SELECT 1 FROM audit_events WHERE tenant_id = $1 AND kind = $2', kind)).toHaveLength(1)
    expect(await sql('SELECT act_count FROM announcements WHERE tenant_id = $1')).toEqual([{ act_count: 2 }])
  })
})

describe('an event that comes again', () => {
  it('is answered as heard and does nothing: no word of it, no alarm, no count', async () => {
    const id = randomUUID()
    const traces = async () => ({
      audits: await sql('SELECT kind FROM audit_events WHERE tenant_id = $1 ORDER BY id'),
      events: await sql('SELECT id FROM deprovisioning_events WHERE tenant_id = $1'),
      kept: await sql('SELECT said_at FROM unmatched_signals WHERE tenant_id = $1'),
      stream: await sql('SELECT last_event_at FROM signal_streams WHERE tenant_id = $1'),
      mails: await sql('SELECT act_count FROM announcements WHERE tenant_id = $1'),
    })
    expect((await hear({ name: 'identifier-changed', id })).outcome).toBe('unmatched')
    const before = await traces()
    expect(await hear({ name: 'identifier-changed', id, at: addSeconds(now, 30) })).toEqual({ outcome: 'repeated', isMass: false })
    expect(await traces()).toEqual(before)
  })

  it('of any number at the same moment one counts', async () => {
    const id = randomUUID()
    const came = await Promise.all(Array.from({ length: 8 }, () => hear({ name: 'account-disabled', id })))
    expect(came.map(({ outcome }) => outcome).toSorted()).toEqual([...Array<string>(7).fill('repeated'), 'unmatched'])
  })
})
