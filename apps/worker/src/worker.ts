/** The background process: the relay, the jobs, the schedule, ends that come, pushes to receivers and the deliveries. The only user of the queue. */
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { systemClock } from '@drawbridge/runtime/clock'
import { deliveriesChannel } from '@drawbridge/store/deliveries'
import { noticesChannel } from '@drawbridge/store/notices'
import { DelayedError, type Job } from 'bullmq'
import { z } from 'zod'
import { startDeliveries } from './deliver.js'
import type { JobDeps, WorkerDeps } from './deps.js'
import { endFailedRound } from './end-round.js'
import { type FairSlots, fairSlots } from './fair-slots.js'
import { serveHealth } from './health.js'
import { findJob } from './jobs.js'
import { type ListeningForWork, listenForWork } from './listen-for-work.js'
import { type Poller, startPolling } from './poll-transmitters.js'
import { startPushing } from './push-events.js'
import { openQueue, placesOf, type QueueHandle } from './queue.js'
import { type Relay, startRelay } from './relay-outbox.js'
import { declareSchedule, keepSchedule } from './schedule.js'
import { createSigners } from './signers.js'
import { createStreamMemory } from './stream-memory.js'
import type { Wakeful } from './wakeful.js'
import { startWatchingEnds } from './watch-ends.js'
import { JobOverdue, withinLimit } from './within-limit.js'

export { migrateQueue } from './queue.js'

export type RunningWorker = { readonly port: number; close(): Promise<void> }

/** Starts the worker; it runs until `close`. Any number may run at once. */
export async function createWorker(deps: WorkerDeps): Promise<RunningWorker> {
  const jobDeps: JobDeps = { ...deps, ...createSigners(deps.sealer, deps.installationId) }
  const onQueueError = (error: Error) => deps.log.warn({ cause: error.message }, 'the queue is in trouble')
  const opened: {
    handle?: QueueHandle
    relay?: Relay
    deliveries?: Wakeful
    pushing?: Wakeful
    ends?: Wakeful
    listening?: ListeningForWork
    poller?: Poller
    hasSchedule?: true
    recurring?: Wakeful
  } = {}
  const checks = {
    postgresql: () => deps.database.isReachable(),
    queue: () => opened.handle?.isReachable() ?? false,
    listening: () => opened.listening?.isListening() ?? false,
    // The last that the start waits for: until then it is not told to end either.
    schedule: () => opened.hasSchedule ?? false,
  }
  // Its port first: where that is taken nothing has begun yet; until the rest is open it answers "unready".
  const health = await serveHealth({ ...deps, checks })
  const close = async () => {
    await opened.listening?.stop()
    await opened.pushing?.stop()
    await opened.ends?.stop()
    await opened.poller?.stop()
    await opened.recurring?.stop()
    await opened.relay?.stop()
    await opened.deliveries?.stop()
    await opened.handle?.close()
    await health.close()
  }
  try {
    const slots = fairSlots(placesOf(deps.queue))
    const run = (job: Job, token?: string) => runJob(jobDeps, slots, { job, token }).finally(() => opened.relay?.jobEnded())
    opened.handle = await openQueue(deps.queue, run, onQueueError)
    opened.relay = startRelay({ ...deps, queue: opened.handle.queue })
    opened.deliveries = startDeliveries(jobDeps)
    opened.pushing = startPushing(deps)
    opened.ends = startWatchingEnds(jobDeps)
    opened.listening = await listenForWork(deps.database, {
      drawbridge_outbox: opened.relay.wake,
      [deliveriesChannel]: opened.deliveries.wake,
      [noticesChannel]: opened.pushing.wake,
    })
    await declareSchedule(deps, opened.handle.queue)
    opened.hasSchedule = true
    opened.recurring = keepSchedule(deps, opened.handle.queue, deps.queue.scheduleCheckMs)
    opened.poller = startPolling({ ...deps, memory: createStreamMemory(deps) })
    return { port: health.port, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What another version handed over goes back for so long, so many times in a round: whoever knows it draws it meanwhile. */
export const putBack = { milliseconds: 250, times: 40 } as const

/** Runs one job by the table, when its tenant has a place; throws so that the queue retries. */
async function runJob(
  deps: JobDeps,
  slots: FairSlots,
  { job, token }: { readonly job: Job; readonly token: string | undefined },
): Promise<void> {
  const entry = findJob(job.name)
  if (entry === undefined && job.attemptsStarted <= putBack.times) {
    await job.moveToDelayed(systemClock().now() + putBack.milliseconds, token)
    throw new DelayedError()
  }
  const from = outboxEntryOf(job)
  try {
    if (entry === undefined) throw new Error(`there is no job ${job.name}`)
    const childDeps = { ...deps, log: deps.log.child({ job: job.name, jobId: job.id }) }
    await slots.run({ tenant: from?.tenantId ?? 'scheduled', yields: entry.yields === true }, () =>
      withinLimit(entry.limitSeconds, () => entry.run(childDeps, job.data)),
    )
    deps.metrics.count('drawbridge_jobs_total', { job: job.name, outcome: 'done' })
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error)
    deps.metrics.count('drawbridge_jobs_total', { job: job.name, outcome: error instanceof JobOverdue ? 'overdue' : 'failed' })
    deps.log.error({ job: job.name, jobId: job.id, attempt: job.attemptsMade, cause }, 'job failed')
    if (from !== undefined && job.attemptsMade + 1 >= (job.opts.attempts ?? 1)) await endRoundOf(deps, { ...from, kind: job.name, cause })
    throw error
  }
}

const outboxData = z.object({ tenant: z.string(), entry: z.number(), attempt: z.number() })
/** Of a job that a version without rounds handed over nothing is known; the relay asks the queue about it. */
function outboxEntryOf(job: Job) {
  const { success, data } = outboxData.safeParse(job.data)
  return success ? { tenantId: data.tenant as TenantId, id: data.entry, attempt: data.attempt } : undefined
}

async function endRoundOf(deps: JobDeps, failed: Parameters<typeof endFailedRound>[1]): Promise<void> {
  try {
    await endFailedRound(deps, failed)
  } catch (error) {
    deps.log.warn({ cause: error instanceof Error ? error.message : String(error) }, 'the end of a round could not be written')
  }
}
