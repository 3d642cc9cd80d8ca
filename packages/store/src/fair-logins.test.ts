/** Logins that meet their directory while it is speaking: they wait in few places, and everybody else's statements have the rest. */
import { setTimeout as sleep } from 'node:timers/promises'
import { instant } from '@drawbridge/core/instant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTrip } from '@drawbridge/testkit/a-trip'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'

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

/** As a broker does while it writes what a large group is now. */
async function whileItSpeaks<T>({ tenantId, connectionId }: ATenant, run: () => Promise<T>): Promise<T> {
  const directory = new pg.Client({ connectionString: fixture.ownerUrl })
  await directory.connect()
  try {
    await directory.query('BEGIN')
    await directory.query("SELECT pg_advisory_xact_lock(hashtextextended('scim:' || $1::text || $2::text, 0))", [tenantId, connectionId])
    return await run()
  } finally {
    await directory.end()
  }
}

const waiting = async (): Promise<number> => {
  const asked = `SELECT count(*)::int AS many FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted`
  return (await asOwner<{ many: number }>(fixture.ownerUrl, asked))[0]?.many ?? 0
}

const tripOf = (tenant: ATenant, sub: string) => aTrip({ fixture, tenant, now }, { sub })
const became = (cause: unknown): string => String((cause as { readonly busy?: unknown }).busy)

it('however many come home while it speaks, those of other companies come home meanwhile', async () => {
  const trips = await Promise.all(Array.from({ length: 12 }, (_, nth) => tripOf(acme, `person-${nth}`)))
  const another = await tripOf(globex, 'ada')
  const { logins, meanwhile } = await whileItSpeaks(acme, async () => {
    const all = trips.map((trip) => trip.comeHome().catch(became))
    while ((await waiting()) < 2) await sleep(5)
    // Those that came first have given up by now, and one of them tries on.
    while ((await waiting()) !== 1) await sleep(5)
    return { meanwhile: await another.comeHome(), logins: all }
  })
  expect(meanwhile).toBe('believed')
  // Whoever came first may have waited for as long as one waits, on a slow machine.
  for (const login of await Promise.all(logins)) expect(['believed', 'tenant_busy']).toContain(login)
})

it('whoever waits for too long is told so, and nothing of hers is used up', async () => {
  const trip = await tripOf(acme, 'grace')
  expect(await whileItSpeaks(acme, () => trip.comeHome().catch(became))).toBe('tenant_busy')
  expect(await trip.comeHome()).toBe('believed')
})
