/** The one place that knows which engine carries the queue: PostgreSQL, or Redis when its URL is given. The queue code is the same. */

import { keepAliveAfterMs, leaveFaultsToStatements } from '@drawbridge/store/database'
import { advisoryLock } from '@drawbridge/store/migrate'
import { asDatabaseOwner } from '@drawbridge/store/owner-connection'
import { createPostgresBackend, DEFAULT_SCHEMA, type Processor, Queue, runMigrations, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import type { QueueSettings } from './deps.js'
import { defaultPlaces, heldJobs } from './fair-slots.js'

export const defaultQueueName = 'drawbridge'
const defaultMaxConnections = 4
/** A job whose worker has not renewed its claim for this long has lost it: another worker takes the job, which may run twice. */
export const claimMs = 10_000
/** How often each worker looks for such jobs. */
export const lostClaimCheckMs = 5000
/** How often a job may lose its worker before the queue gives it up; the relay then brings the entry again. */
const mostLostClaims = 5

export type QueueHandle = { readonly queue: Queue; readonly worker: Worker; isReachable(): Promise<boolean>; close(): Promise<void> }

/** Of a job that will still be done: it waits, runs, or pauses between two tries. */
export const livingStates: ReadonlySet<string> = new Set(['waiting', 'active', 'delayed', 'prioritized', 'waiting-children'])

/**
 * Makes the queue's schema and opens it to the role that runs broker and worker. Idempotent; run by `drawbridge migrate`, as the owner of
 * the database. Redis needs none. The role may create in this one schema because the queue makes a sequence per queue name at its first job;
 * nothing of ours rests there, and what does can be rebuilt from the outbox.
 */
export async function migrateQueue(ownerUrl: string, runtimeUrl: string = ownerUrl): Promise<void> {
  const runtimeRole = decodeURIComponent(new URL(runtimeUrl).username)
  await asDatabaseOwner(ownerUrl, async (session) => {
    // Of two that grant at once PostgreSQL gives one up.
    await session.query('SELECT pg_advisory_lock($1)', [advisoryLock])
    await runMigrations(session as unknown as Parameters<typeof runMigrations>[0])
    if (runtimeRole === '') return
    const role = session.quoteName(runtimeRole)
    for (const grant of [
      'USAGE, CREATE ON SCHEMA',
      'ALL ON ALL TABLES IN SCHEMA',
      'ALL ON ALL SEQUENCES IN SCHEMA',
      'EXECUTE ON ALL FUNCTIONS IN SCHEMA',
    ])
      await session.query(`GRANT ${grant} ${DEFAULT_SCHEMA} TO ${role}`)
  })
}

/**
 * After how long the engine is asked again that refused a connection. Left to itself the library waits for fifteen seconds, for which no job is begun although the
 * engine is back, and nothing ends that wait, so that a worker which is told to end does not.
 */
const askAgainMs = 500
const claims = {
  ...{ lockDuration: claimMs, stalledInterval: lostClaimCheckMs, maxStalledCount: mostLostClaims },
  runRetryDelay: askAgainMs,
} as const

/** Jobs that run at a time in this process. */
export const placesOf = (settings: QueueSettings) => settings.concurrency ?? defaultPlaces
/**
 * How long the queue's engine may be silent after it was asked, before the connection counts as lost. Longer than a worker's blocking wait for work,
 * ten seconds at most.
 */
export const queueAnswerMs = 20_000
const nameOf = (settings: QueueSettings) => settings.name ?? defaultQueueName

/** Opens queue and worker; jobs begin to run at once. */
export async function openQueue(settings: QueueSettings, run: Processor, onError: (error: Error) => void): Promise<QueueHandle> {
  const handle = settings.redisUrl === undefined ? onPostgres(settings, run) : onRedis(settings, settings.redisUrl, run)
  handle.queue.on('error', onError)
  handle.worker.on('error', onError)
  await Promise.all([handle.queue.waitUntilReady(), handle.worker.waitUntilReady()])
  return handle
}

function onPostgres(settings: QueueSettings, run: Processor): QueueHandle {
  const max = settings.maxConnections ?? defaultMaxConnections
  const connection = {
    ...{ connectionString: settings.databaseUrl, max: Math.max(1, Math.floor(max / 2)) },
    ...{ query_timeout: queueAnswerMs, keepAlive: true, keepAliveInitialDelayMillis: keepAliveAfterMs },
    onConnect: leaveFaultsToStatements,
  }
  const queue = new Queue(nameOf(settings), { connection }, createPostgresBackend)
  const worker = new Worker(
    nameOf(settings),
    run,
    { connection, ...claims, concurrency: heldJobs(placesOf(settings)) },
    createPostgresBackend,
  )
  // Only the engine's own type parameters differ; the methods that we call are the same.
  const both = { queue: queue as unknown as Queue, worker: worker as unknown as Worker }
  return { ...both, isReachable: () => isReachable(both.queue), close: () => closeBoth(both.queue, both.worker) }
}

function onRedis(settings: QueueSettings, url: string, run: Processor): QueueHandle {
  const connection = new Redis(url, { maxRetriesPerRequest: null, socketTimeout: queueAnswerMs, keepAlive: keepAliveAfterMs })
  const queue = new Queue(nameOf(settings), { connection })
  const worker = new Worker(nameOf(settings), run, { connection, ...claims, concurrency: heldJobs(placesOf(settings)) })
  const close = async () => {
    // Redis is gone: nothing can be handed back to it, and waiting would last until it returns. The relay heals what was under way.
    if (connection.status === 'ready') await closeBoth(queue, worker)
    else void closeBoth(queue, worker).catch(() => undefined)
    connection.disconnect()
  }
  return { queue, worker, isReachable: () => isReachable(queue), close }
}

async function isReachable(queue: Queue): Promise<boolean> {
  try {
    await queue.getJobCounts('waiting')
    return true
  } catch {
    return false
  }
}

/** The worker first: it finishes what it runs. */
async function closeBoth(queue: Queue, worker: Worker): Promise<void> {
  await worker.close()
  await queue.close()
}
