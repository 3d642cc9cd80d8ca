/** Nothing per tenant is loaded before it is used: a broker and a worker start with the same statements and rows whatever the number of tenants. */
import { startBroker, startWorker } from '@drawbridge/cli/compose'
import { openPlatform } from '@drawbridge/cli/platform'
import { readEnv } from '@drawbridge/runtime/env'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { migrateQueue } from '@drawbridge/worker/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertManyConnections } from './many-connections.js'
import { callsOf, createStatementCounter, rowsOf, type StatementCounter } from './statement-count.js'

const manyTenants = 300

let fixture: TestDatabase
let counter: StatementCounter

beforeAll(async () => {
  fixture = await testDatabase({ waitsForCommits: true })
  await migrateQueue(fixture.ownerUrl, fixture.url)
  counter = await createStatementCounter(fixture.ownerUrl)
})
afterAll(async () => {
  await counter?.close()
  await fixture?.close()
})

/** As in production, behind a public address: then a broker also asks which connections lead to this machine. */
const settingsOf = async () =>
  readEnv({
    DATABASE_URL: fixture.url,
    DRAWBRIDGE_MASTER_KEYS: `1:${Buffer.alloc(32, 7).toString('base64')}`,
    DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com',
    DRAWBRIDGE_PORT: String(await freePort()),
    DRAWBRIDGE_WORKER_PORT: String(await freePort()),
    DRAWBRIDGE_LOG_LEVEL: 'error',
  })

async function start(process: 'broker' | 'worker'): Promise<void> {
  const platform = await openPlatform(await settingsOf(), { kind: 'production' })
  const started = process === 'broker' ? await startBroker(platform) : await startWorker(platform)
  await started.close()
  await platform.close()
}

test('a broker starts with as many statements and rows among hundreds of tenants as alone', async () => {
  await start('broker') // makes the installation's own rows
  // How many connections a start opens is chance, and each is asked for its history.
  const during = async () => (await counter.during(() => start('broker'))).filter(({ text }) => !text.includes('pg_walfile_name'))
  const alone = await during()
  await insertManyConnections(fixture.ownerUrl, { count: manyTenants, publicUrl: 'https://login.example.com' })
  const among = await during()
  expect(callsOf(alone)).toBeGreaterThan(0)
  expect({ calls: callsOf(among), rows: rowsOf(among) }).toEqual({ calls: callsOf(alone), rows: rowsOf(alone) })
})

test('no statement of a starting broker or worker brings a row for each tenant', async () => {
  const [{ n }] = (await asOwner<{ n: string }>(fixture.ownerUrl, 'SELECT count(*) AS n FROM tenants')) as [{ n: string }]
  expect(Number(n)).toBeGreaterThan(manyTenants)
  for (const process of ['broker', 'worker'] as const) {
    const counts = await counter.during(() => start(process))
    expect(counts.filter(({ rows, calls }) => rows / calls >= manyTenants).map(({ text }) => text)).toEqual([])
  }
})
