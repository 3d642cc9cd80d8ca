/** The background process: the relay, the jobs and the schedule. The only user of the queue. */
import type { Job } from 'bullmq'
import type { JobDeps, WorkerDeps } from './deps.js'
import { serveHealth } from './health.js'
import { findJob } from './jobs.js'
import { createNoticeSigner } from './notice-signer.js'
import { openQueue, type QueueHandle } from './queue.js'
import { type Relay, startRelay } from './relay-outbox.js'
import { declareSchedule } from './schedule.js'

export { migrateQueue } from './queue.js'

export type RunningWorker = { readonly port: number; close(): Promise<void> }

/** Starts the worker; it runs until `close`. Any number may run at once. */
export async function createWorker(deps: WorkerDeps): Promise<RunningWorker> {
  const jobDeps: JobDeps = { ...deps, openNoticeSigner: createNoticeSigner(deps.sealer, deps.installationId) }
  const onQueueError = (error: Error) => deps.log.warn({ cause: error.message }, 'the queue is in trouble')
  const opened: { handle?: QueueHandle; relay?: Relay } = {}
  const checks = {
    postgresql: () => deps.database.isReachable(),
    queue: () => opened.handle?.isReachable() ?? false,
    listening: () => opened.relay?.isListening() ?? false,
  }
  // Its port first: where that is taken nothing has begun yet; until the rest is open it answers "unready".
  const health = await serveHealth({ ...deps, checks })
  const close = async () => {
    await opened.relay?.stop()
    await opened.handle?.close()
    await health.close()
  }
  try {
    opened.handle = await openQueue(deps.queue, (job) => runJob(jobDeps, job), onQueueError)
    opened.relay = await startRelay({ ...deps, queue: opened.handle.queue })
    await declareSchedule(opened.handle.queue)
    return { port: health.port, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Runs one job by the table; throws so that the queue retries. */
async function runJob(deps: JobDeps, job: Job): Promise<void> {
  const entry = findJob(job.name)
  if (entry === undefined) throw new Error(`there is no job ${job.name}`)
  try {
    await entry.run({ ...deps, log: deps.log.child({ job: job.name, jobId: job.id }) }, job.data)
    deps.metrics.count('drawbridge_jobs_total', { job: job.name, outcome: 'done' })
  } catch (error) {
    deps.metrics.count('drawbridge_jobs_total', { job: job.name, outcome: 'failed' })
    deps.log.error(
      { job: job.name, jobId: job.id, attempt: job.attemptsMade, cause: error instanceof Error ? error.message : String(error) },
      'job failed',
    )
    throw error
  }
}
