/** Recurring jobs, in one list. The queue keeps one schedule per name, however many workers declare it, and is told again what it forgets. */
import { isDeepStrictEqual } from 'node:util'
import { declareAloneAcrossTenants } from '@drawbridge/store/recurring-work'
import type { Queue } from 'bullmq'
import type { WorkerDeps } from './deps.js'
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

export type ScheduleDeps = Pick<WorkerDeps, 'database' | 'queue' | 'log'>

/** Declares the list, but what the queue has as it is here. */
export const declareSchedule = (deps: ScheduleDeps, queue: Queue): Promise<readonly string[]> => declareAllBut(isAsDeclared, deps, queue)

/**
 * Declares again what the queue has forgotten, as a Redis that restarts without its data has, and what has lost its next turn: whoever takes a turn
 * plans the next one, and where the queue was away in that moment nobody does. It says what that was.
 */
export const declareForgotten = (deps: ScheduleDeps, queue: Queue): Promise<readonly string[]> => declareAllBut(hasTurn, deps, queue)

/** Keeps the list known, until stopped. */
export function keepSchedule(deps: ScheduleDeps, queue: Queue, everyMs: number = scheduleCheckMs): Wakeful {
  const { log } = deps
  const run = async (): Promise<void> => {
    const forgotten = await withinLimit(lookLimitSeconds, () => declareForgotten(deps, queue))
    if (forgotten.length > 0) log.warn({ jobs: forgotten }, 'the queue had forgotten what recurs')
  }
  return keepAwake({ log }, { everyMs, trouble: 'what recurs could not be looked at', run })
}

type IsKnown = (queue: Queue, recurring: Recurring) => Promise<boolean>

/**
 * On PostgreSQL one worker after the other: of two that declare the same at once the engine lets each plan a turn of its own, and may lose the first. On Redis
 * a declaration is one script, and nobody is to hold a transaction for as long as that is away. Whoever waited looks again. It says what it declared.
 */
async function declareAllBut(isKnown: IsKnown, { database, queue: { redisUrl } }: ScheduleDeps, queue: Queue): Promise<readonly string[]> {
  if ((await unknownOf(isKnown, queue)).length === 0) return []
  const declareUnknown = async (): Promise<readonly string[]> => {
    const unknown = await unknownOf(isKnown, queue)
    for (const recurring of unknown) await declare(queue, recurring)
    return unknown.map(({ job }) => job)
  }
  return redisUrl === undefined ? declareAloneAcrossTenants(database, declareUnknown) : declareUnknown()
}

async function unknownOf(isKnown: IsKnown, queue: Queue): Promise<readonly Recurring[]> {
  const unknown: Recurring[] = []
  for (const recurring of schedule) if (!(await isKnown(queue, recurring))) unknown.push(recurring)
  return unknown
}

const idOf = ({ job }: Recurring): string => `every-${job}`
const opts = { removeOnComplete: { count: 10 }, removeOnFail: { count: 100 } } as const

async function declare(queue: Queue, recurring: Recurring): Promise<void> {
  await queue.upsertJobScheduler(idOf(recurring), { every: recurring.everySeconds * 1000 }, { name: recurring.job, data: {}, opts })
}

/** The queue names a turn by its time. Of one that is over, the schedule would know the next. */
async function hasTurn(queue: Queue, recurring: Recurring): Promise<boolean> {
  const id = idOf(recurring)
  const next = (await queue.getJobScheduler(id))?.next
  return next !== undefined && livingStates.has(await queue.getJobState(`repeat:${id}:${next}`))
}

/** A version before may have declared it otherwise. */
async function isAsDeclared(queue: Queue, recurring: Recurring): Promise<boolean> {
  const known = await queue.getJobScheduler(idOf(recurring))
  const isSame = known?.every === recurring.everySeconds * 1000 && isDeepStrictEqual(known.template?.opts, opts)
  return isSame && hasTurn(queue, recurring)
}
