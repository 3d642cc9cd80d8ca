/** Statements that meet what another transaction holds for long: they wait in few places, and everybody else's statements have the rest. */
import { setTimeout as sleep } from 'node:timers/promises'
import { instant } from '@drawbridge/core/instant'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { lockTimeoutMs } from './lock-waits.js'
import { busyBy } from './turns.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let acme: ATenant
let globex: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
})
afterAll(() => fixture?.close())

/** As it is while a withdrawal ends very many grants. It is undone, unless it is committed. */
async function whileResourceIsWithdrawn<T>(
  { tenantId, resourceId }: ATenant,
  run: (commit: () => Promise<unknown>) => Promise<T>,
): Promise<T> {
  const admin = new pg.Client({ connectionString: fixture.ownerUrl })
  await admin.connect()
  try {
    await admin.query('BEGIN')
    await admin.query('DELETE FROM resource_issuers WHERE tenant_id = $1 AND resource_id = $2', [tenantId, resourceId])
    return await run(() => admin.query('COMMIT'))
  } finally {
    await admin.end()
  }
}

const waiting = async (): Promise<number> => {
  const asked = `SELECT count(*)::int AS many FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
  return (await asOwner<{ many: number }>(fixture.ownerUrl, asked))[0]?.many ?? 0
}

const open = (tenant: ATenant): Promise<string> =>
  aGrant(fixture, tenant, { now }).then(
    ({ opened }) => (opened ? 'opened' : 'refused'),
    (cause: unknown) => busyBy(cause) ?? String(cause),
  )

it('however many would open a grant of what is being withdrawn, other companies open theirs meanwhile, and these theirs afterwards', async () => {
  const { openings, meanwhile } = await whileResourceIsWithdrawn(acme, async () => {
    const all = Array.from({ length: 12 }, () => open(acme))
    while ((await waiting()) < 2) await sleep(5)
    // Those that came first have given up by now, and one of them tries on.
    while ((await waiting()) !== 1) await sleep(5)
    return { openings: all, meanwhile: await open(globex) }
  })
  expect(meanwhile).toBe('opened')
  // Whoever came first may have waited for as long as one waits, on a slow machine.
  for (const opening of await Promise.all(openings)) expect(['opened', 'tenant_busy']).toContain(opening)
})

it('whoever waits for too long is told so, and nothing of it was done', async () => {
  const before = await grants()
  expect(await whileResourceIsWithdrawn(acme, () => open(acme))).toBe('tenant_busy')
  expect(await grants()).toEqual(before)
  expect(await open(acme)).toBe('opened')
})

it('an end that is committed between two tries counts at the second', async () => {
  const opened = await whileResourceIsWithdrawn(acme, async (commit) => {
    const opening = open(acme)
    while ((await waiting()) === 0) await sleep(5)
    // The first try is over by then, and the last is not.
    await sleep(2 * lockTimeoutMs)
    await commit()
    return opening
  })
  expect(opened).toBe('refused')
})

const grants = () => asOwner(fixture.ownerUrl, 'SELECT id FROM grants WHERE tenant_id = $1 ORDER BY id', [acme.tenantId])
