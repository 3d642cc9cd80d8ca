/** A network that forgets connections without a word costs one answer, not the connection for ever, and nobody listens to nothing. */
import { aTcpProxy, type TcpProxy } from '@drawbridge/testkit/a-tcp-proxy'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listen } from './changes.js'
import { createDatabase, type Database } from './database.js'
import { freePort } from './embedded-postgres.js'
import { acrossTenants } from './transaction.js'

let fixture: TestDatabase
let line: TcpProxy
let database: Database
let url: string

beforeAll(async () => {
  fixture = await testDatabase()
  const throughLine = new URL(fixture.url)
  const port = Number(throughLine.port)
  line = await aTcpProxy(await freePort(), () => port)
  throughLine.port = String(line.port)
  throughLine.hostname = '127.0.0.1'
  url = throughLine.href
  // Of the smallest budget there is one connection for each role: if one is lost, nobody else can ask.
  database = createDatabase({ url, connectionBudget: 4, statementTimeoutMs: 1_000, answerGraceMs: 200 })
})
afterAll(async () => {
  await database?.close()
  await line?.close()
  await fixture?.close()
})

const inTransaction = () => acrossTenants(database, (db) => db.query('SELECT 1'))
const alone = () => database.hotPool.query('SELECT 1')

it.each([
  ['a transaction', inTransaction],
  ['a statement of the hot path', alone],
])('%s on a forgotten connection fails soon, and the next one has another', async (_, ask) => {
  await ask()
  line.forget()
  await expect(ask()).rejects.toThrow('Query read timeout')
  await expect(ask()).resolves.toMatchObject({ rowCount: 1 })
})

it('whoever listens finds out that the connection was forgotten, and takes it up again', async () => {
  const heard: string[] = []
  const listening = await listen(
    { url },
    {
      channels: ['drawbridge_outbox'],
      heartbeat: { everyMs: 1_100, answerMs: 1_000 },
      onChange: ({ payload }) => void heard.push(payload),
      onGap: () => void heard.push('gap'),
    },
  )
  const until = async (what: string, count: number) => {
    const end = performance.now() + 10_000
    while (heard.filter((each) => each === what).length < count && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 20))
  }
  try {
    line.forget()
    await until('gap', 2)
    await acrossTenants(fixture.database, (db) => db.query("SELECT pg_notify('drawbridge_outbox', 'news')"))
    await until('news', 1)
    expect(heard).toEqual(['gap', 'gap', 'news'])
  } finally {
    await listening.close()
  }
})
