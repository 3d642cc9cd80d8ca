/** A PostgreSQL that is nobody's but the test's, as an operator would bring one: it can be stopped and started again with its data. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedPostgres, freePort, startEmbeddedPostgres } from '@drawbridge/store/embedded-postgres'
import { asOwner } from '@drawbridge/testkit/database'
import { answersAt } from './a-redis.js'

export type PlainPostgres = {
  readonly ownerUrl: string
  readonly runtimeUrl: string
  readonly dataDirectory: string
  stop(): Promise<void>
  /** As a machine that loses power, as far as a process can: nothing is told to anybody, nothing is finished. Answers when it is gone. */
  kill(): Promise<void>
  start(): Promise<void>
  remove(): Promise<void>
}

const runtimeLogin = 'drawbridge_runtime:a-password-of-the-test'

export async function aPlainPostgres(): Promise<PlainPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'drawbridge-plain-'))
  chmodSync(folder, 0o755)
  const port = await freePort()
  const settings = { fsync: 'on' }
  const options = { dataDirectory: join(folder, 'data'), port, durable: false, password: 'the-owner-of-the-test', settings }
  let server: EmbeddedPostgres = await startEmbeddedPostgres(options)
  // A production refuses a server that answers commits before they are durable, and one that does not write to the disk.
  await asOwner(server.url('postgres'), 'ALTER ROLE ALL SET synchronous_commit = on')
  return {
    ownerUrl: server.url('drawbridge'),
    runtimeUrl: `postgresql://${runtimeLogin}@127.0.0.1:${port}/drawbridge`,
    dataDirectory: options.dataDirectory,
    stop: () => server.stop(),
    kill: async () => {
      process.kill(server.processId, 'SIGKILL')
      while (await answersAt(port)) await new Promise((resolve) => setTimeout(resolve, 10))
    },
    start: async () => {
      server = await startEmbeddedPostgres(options)
    },
    remove: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** What every process of one production installation has in common. */
export const productionOn = (postgres: PlainPostgres): Readonly<Record<string, string>> => ({
  NODE_ENV: 'production',
  DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com',
  DRAWBRIDGE_MASTER_KEYS: `1:${Buffer.alloc(32, 7).toString('base64')}`,
  DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000',
  DATABASE_URL: postgres.runtimeUrl,
})
