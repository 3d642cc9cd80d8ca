/** The queue on each engine: on PostgreSQL always, on a Redis of the test's own where there is one. */
import { spawn } from 'node:child_process'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { asOwner, type TestDatabase } from '@drawbridge/testkit/database'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { createPostgresBackend, DEFAULT_SCHEMA, type Processor, Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import type { QueueSettings } from '../src/deps.js'
import { migrateQueue } from '../src/queue.js'

export type TestQueue = {
  readonly settings: QueueSettings
  /** The same engine, without our worker. Whoever makes them closes them. */
  queue(name: string): Queue
  worker(name: string, run: Processor): Worker
  /** As after a restart that kept nothing: no job, no schedule. */
  forgetEverything(): Promise<void>
  /** What recurs is still known, but not its next turns. */
  forgetTurns(): Promise<void>
  stop(): void
}
export type Engine = { readonly engine: string; open(fixture: TestDatabase): Promise<TestQueue> }

const onPostgres: Engine = {
  engine: 'PostgreSQL',
  open: async (fixture) => {
    await migrateQueue(fixture.ownerUrl, fixture.url)
    const connection = { connectionString: fixture.url, max: 2 }
    // Only the engine's own type parameters differ.
    return {
      settings: { databaseUrl: fixture.url },
      queue: (name) => new Queue(name, { connection }, createPostgresBackend) as unknown as Queue,
      worker: (name, run) => new Worker(name, run, { connection, concurrency: 1 }, createPostgresBackend) as unknown as Worker,
      forgetEverything: async () => {
        const tables = await asOwner<{ name: string }>(
          fixture.ownerUrl,
          "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = $1 AND tablename <> 'migration' ORDER BY tablename DESC",
          [DEFAULT_SCHEMA],
        )
        // One by one, and what recurs before its turns: a worker that is at one of them is waited for, and never waits for us.
        for (const { name } of tables) await asOwner(fixture.ownerUrl, `DELETE FROM ${name}`)
      },
      forgetTurns: async () => void (await asOwner(fixture.ownerUrl, `DELETE FROM ${DEFAULT_SCHEMA}.job WHERE scheduler_id IS NOT NULL`)),
      stop: () => undefined,
    }
  },
}

const onRedis: Engine = {
  engine: 'Redis',
  open: async (fixture) => {
    const port = await freePort()
    const redisUrl = `redis://127.0.0.1:${port}`
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
    const server = spawn('redis-server', options, { stdio: 'ignore' })
    const redis = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
    // Until it listens it refuses, which is no trouble of the test.
    redis.on('error', () => undefined)
    await redis.ping()
    return {
      // Its tables are not there: nothing of the queue may rest in PostgreSQL.
      settings: { databaseUrl: fixture.url, redisUrl },
      queue: (name) => new Queue(name, { connection: redis }),
      worker: (name, run) => new Worker(name, run, { connection: redis, concurrency: 1 }),
      forgetEverything: async () => void (await redis.flushall()),
      forgetTurns: async () => {
        const turns = await redis.keys('bull:*:repeat:*:*')
        await redis.del('bull:drawbridge:delayed', 'bull:drawbridge:wait', ...turns)
      },
      stop: () => {
        redis.disconnect()
        server.kill()
      },
    }
  },
}

export const bothQueues = (): readonly Engine[] => (hasTool('redis-server') ? [onPostgres, onRedis] : [onPostgres])
