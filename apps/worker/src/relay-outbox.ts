/**
 * Carries outbox entries to the queue.
 *
 * The design: claim entries with their row locks held (two relays never take the same ones), add them to the queue under an id made from
 * the entry (twice is once), and only then mark them relayed and commit. A crash before the commit leaves the entries unmarked and they
 * are carried again, which the job id and the handler's own `done_at` make harmless. A queue that loses jobs is healed in the same way:
 * entries that are not done long after they were relayed are relayed again, under a new job id, because the old id may still be held
 * by a job that failed for good. NOTIFY wakes the relay; a poll every second is the safety net.
 */
import { addSeconds } from '@drawbridge/core/instant'
import type { Clock } from '@drawbridge/runtime/clock'
import type { Log } from '@drawbridge/runtime/log'
import type { Metrics } from '@drawbridge/runtime/metrics'
import { listen } from '@drawbridge/store/changes'
import type { Database } from '@drawbridge/store/database'
import {
  claimOutboxAcrossTenants,
  countUndoneAcrossTenants,
  markRelayedAcrossTenants,
  type WaitingEntry,
} from '@drawbridge/store/outbox-relay'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { Queue } from 'bullmq'
import { findJob } from './jobs.js'

export const relayBatch = 500
export const relayPollMs = 1000
/** Relayed but not done for this long: the queue has lost it, or given up on it. */
export const relayAgainSeconds = 30
/** Any number above 0 does: a job without one goes first. */
const priorityOfYielding = 1
/** A finished job is remembered by the queue for this long, so that a repeated id is recognised. */
export const rememberFinishedSeconds = 3600

export type RelayDeps = {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly queue: Pick<Queue, 'addBulk'>
}

/** BullMQ refuses integers and colons. A later round of the same entry gets an id of its own. */
const jobIdOf = (entry: WaitingEntry): string =>
  entry.relayedAt === null ? `ob-${entry.tenantId}-${entry.id}` : `ob-${entry.tenantId}-${entry.id}-${entry.relayedAt}`

const toJob = (entry: WaitingEntry) => {
  const { retries = { attempts: 1, firstPauseMs: 0 }, yields } = findJob(entry.kind) ?? {}
  return {
    name: entry.kind,
    data: { tenant: entry.tenantId, entry: entry.id, payload: entry.payload },
    opts: {
      jobId: jobIdOf(entry),
      ...(yields ? { priority: priorityOfYielding } : {}),
      attempts: retries.attempts,
      backoff: { type: 'exponential', delay: retries.firstPauseMs, jitter: 0.5 },
      removeOnComplete: { age: rememberFinishedSeconds },
      removeOnFail: { age: rememberFinishedSeconds },
    },
  }
}

/** Relays one batch, says how many wait, and answers how many it carried. Throws when the queue or the database is away: nothing is marked then. */
export function relayOnce(deps: RelayDeps): Promise<number> {
  return acrossTenants(deps.database, async (db) => {
    const now = deps.clock.now()
    const entries = await claimOutboxAcrossTenants(db, { limit: relayBatch, relayedBefore: addSeconds(now, -relayAgainSeconds) })
    deps.metrics.set('drawbridge_outbox_waiting', await countUndoneAcrossTenants(db))
    if (entries.length === 0) return 0
    await deps.queue.addBulk(entries.map(toJob))
    await markRelayedAcrossTenants(db, entries, now)
    return entries.length
  })
}

export type Relay = { isListening(): boolean; stop(): Promise<void> }

/** Relays until stopped: at every notification, and every second. */
export async function startRelay(deps: RelayDeps): Promise<Relay> {
  let isStopped = false
  let isListening = false
  let isWanted = false
  let working: Promise<void> | undefined

  const work = async (): Promise<void> => {
    while (isWanted && !isStopped) {
      isWanted = false
      try {
        while (!isStopped && (await relayOnce(deps)) === relayBatch);
      } catch (error) {
        deps.log.warn({ cause: error instanceof Error ? error.message : String(error) }, 'the outbox could not be relayed')
      }
    }
    working = undefined
  }
  const wake = (): void => {
    isWanted = true
    if (!isStopped) working ??= work()
  }
  const listening = await listen(deps.database, {
    channels: ['drawbridge_outbox'],
    onChange: wake,
    onGap: () => {
      isListening = true
      wake()
    },
    onError: () => {
      isListening = false
    },
  })
  const poll = setInterval(wake, relayPollMs)
  wake()
  return {
    isListening: () => isListening,
    stop: async () => {
      isStopped = true
      clearInterval(poll)
      await listening.close()
      await working
    },
  }
}
