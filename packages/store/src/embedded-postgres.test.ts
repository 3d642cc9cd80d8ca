/** The embedded server beside the remains of an earlier one. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort, startEmbeddedPostgres } from './embedded-postgres.js'

const folder = mkdtempSync(join(tmpdir(), 'drawbridge embedded '))
beforeAll(() => chmodSync(folder, 0o755))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const isStopping = (dataDirectory: string) => readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').includes('stopping')

it('waits for a server of an earlier start that is still ending, and starts with its data', async () => {
  const options = { dataDirectory: join(folder, 'data'), port: await freePort(), durable: false }
  const first = await startEmbeddedPostgres(options)
  const session = new pg.Client({ connectionString: first.url('postgres') })
  await session.connect()
  await session.query('CREATE TABLE kept (n int)')
  process.kill(first.processId, 'SIGTERM') // a smart shutdown: it ends with the last session, as one on a slow disk with its checkpoint
  while (!isStopping(first.dataDirectory)) await sleep(10)
  const starting = startEmbeddedPostgres(options)
  const isEarly = await Promise.race([starting.then(() => true), sleep(1000).then(() => false)])
  await session.end()
  const second = await starting
  try {
    expect({ isEarly, adopted: second.adopted, isAnother: second.processId !== first.processId }).toEqual({
      isEarly: false,
      adopted: false,
      isAnother: true,
    })
    const client = new pg.Client({ connectionString: second.url('postgres') })
    await client.connect()
    expect((await client.query('SELECT count(*)::int AS n FROM kept')).rows).toEqual([{ n: 0 }])
    await client.end()
  } finally {
    await second.stop()
  }
}, 60_000)
