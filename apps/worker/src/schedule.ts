/** Recurring jobs, in one list. The queue keeps one schedule per name, however many workers declare it, and is told again what it forgets. */
import type { Log } from '@drawbridge/runtime/log'
import type { Queue } from 'bullmq'
import { livingStates } from './queue.js'
import { keepAwake, type Wakeful } from './wakeful.js'
import { withinLimit } from './within-limit.js'

type Recurring = { readonly job: string; readonly everySeconds: number }

export const schedule: readonly Recurring[] = [
  { job: 'sweep-expired', everySeconds: 60 },
  { job: 'end-subjects', everySeconds: 60 },
  { job: 'end-audit-events', everySeconds: 3600 },
  { job: 'end-idle-registrations', everySeconds: 3600 },
  { job: 'refresh-idp-metadata', everySeconds: 30 },
  { job: 'warn-certificates', everySeconds: 6 * 3600 },
  { job: 'verify-domains', everySeconds: 600 },
  { job: 'check-signal-streams', everySeconds: 60 },
  { job: 'rotate-signing-keys', everySeconds: 1800 },
  { job: 'send-announcements', everySeconds: 30 },
]

/** How often each worker asks the queue whether it still knows the list. */
export const scheduleCheckMs = 10_000
/** A look that takes longer is given up: a queue that is away would have it wait, and whoever ends the worker with it. */
const lookLimitSeconds = 5

/** Declares the list; doing it again changes nothing. */
export async function declareSchedule(queue: Queue): Promise<void> {
  for (const recurring of schedule) await declare(queue, recurring)
}

/**
 * Declares again what the queue has forgotten, as a Redis that restarts without its data has, and what has lost its next turn: whoever takes a turn
 * plans the next one, and where the queue was away in that moment nobody does. It says what that was.
 */
export async function declareForgotten(queue: Queue): Promise<readonly string[]> {
  const forgotten: string[] = []
  for (const recurring of schedule) {
    if (await hasTurn(queue, idOf(recurring))) continue
    await declare(queue, recurring)
    forgotten.push(recurring.job)
  }
  return forgotten
}

/** Keeps the list known, until stopped. */
export function keepSchedule({ log }: { readonly log: Log }, queue: Queue, everyMs: number = scheduleCheckMs): Wakeful {
  const run = async (): Promise<void> => {
    const forgotten = await withinLimit(lookLimitSeconds, () => declareForgotten(queue))
    if (forgotten.length > 0) log.warn({ jobs: forgotten }, 'the queue had forgotten what recurs')
  }
  return keepAwake({ log }, { everyMs, trouble: 'what recurs could not be looked at', run })
}

const idOf = ({ job }: Recurring): string => `every-${job}`

async function declare(queue: Queue, recurring: Recurring): Promise<void> {
  const opts = { removeOnComplete: { count: 10 }, removeOnFail: { count: 100 } }
  await queue.upsertJobScheduler(idOf(recurring), { every: recurring.everySeconds * 1000 }, { name: recurring.job, data: {}, opts })
}

/** The queue names a turn by its time. Of one that is over, the schedule would know the next. */
async function hasTurn(queue: Queue, id: string): Promise<boolean> {
  const next = (await queue.getJobScheduler(id))?.next
  return next !== undefined && livingStates.has(await queue.getJobState(`repeat:${id}:${next}`))
}
