/** What PostgreSQL reads for one signal of somebody who is not here, where as many as may be are kept: what gives way, and not all of them. */
import { randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { explaining, rowsRead } from '@drawbridge/testkit/explained'
import { manyUnmatchedSignals } from '@drawbridge/testkit/many-unmatched-signals'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Db, inTenant } from './transaction.js'
import { keepUnmatchedSignal, listUnmatchedSignals, unmatchedSignalLimits } from './unmatched-signals.js'

const now = instant(1_800_000_000_000)
const { ofConnection, givingWay, keepSeconds } = unmatchedSignalLimits
let fixture: TestDatabase
const full: Record<string, ATenant> = {}

/** Whose store is full, and of what: whether anybody may give way. */
const stores = [
  { store: 'nobody may give way', deactivates: true, at: now, kept: false },
  { store: 'all may, because they only ask for a newer sign-in', deactivates: false, at: now, kept: true },
  { store: 'all may, because they were kept out for long enough', deactivates: true, at: addSeconds(now, -keepSeconds - 60), kept: true },
]

beforeAll(async () => {
  fixture = await testDatabase()
  // Otherwise it learns something of one company's rows before those of the next are there.
  await asOwner(fixture.ownerUrl, 'ALTER TABLE unmatched_signals SET (autovacuum_enabled = false)')
  for (const [nth, { store, deactivates, at }] of stores.entries()) {
    const tenant = await aTenant(fixture, { slug: `full-${nth}` })
    await manyUnmatchedSignals(fixture.ownerUrl, { ...tenant, name: 'out ', count: ofConnection, deactivates, at })
    full[store] = tenant
  }
}, 120_000)
afterAll(() => fixture?.close())

/** How many rows of its table the statements of `run` read. */
const readBy = (tenant: ATenant, run: (db: Db) => Promise<unknown>): Promise<number> =>
  inTenant(fixture.database, tenant.tenantId, async (within) => {
    const { db, statements } = explaining(within)
    await run(db)
    return rowsRead(statements.flat(), /^unmatched_signals$/)
  })

describe.each(['before anything is known of the table', 'after ANALYZE'])('%s', (when) => {
  test.each(stores)('where $store', async ({ store, deactivates, at, kept }) => {
    if (when === 'after ANALYZE') await asOwner(fixture.ownerUrl, 'ANALYZE unmatched_signals')
    const tenant = full[store] as ATenant
    const { connectionId } = tenant
    const [{ kept: there } = { kept: 0 }] = await asOwner<{ kept: number }>(
      fixture.ownerUrl,
      'SELECT kept FROM unmatched_signal_counts WHERE connection_id = $1',
      [connectionId],
    )
    await manyUnmatchedSignals(fixture.ownerUrl, { ...tenant, name: when, count: ofConnection - there, deactivates, at })
    const signal = { id: randomUUID(), connectionId, stableId: `grace ${when}`, reason: 'account-disabled', deactivates: true, saidAt: now }
    let came: boolean | undefined
    const read = await readBy(tenant, async (db) => {
      came = await keepUnmatchedSignal(db, tenant.tenantId, signal)
    })
    expect(read).toBeLessThanOrEqual(2 * givingWay + 10)
    expect(came).toBe(kept)
  })

  test('an admin is shown a page, and no more is read', async () => {
    const tenant = full[stores[0]?.store ?? ''] as ATenant
    const page = { from: { at: now, id: randomUUID() }, limit: 100 }
    expect(await readBy(tenant, (db) => listUnmatchedSignals(db, tenant.tenantId, page))).toBeLessThanOrEqual(110)
  })
})
