/** Recurring jobs, in one list. The queue keeps one schedule per name, however many workers declare it. */
import type { Queue } from 'bullmq'

export const schedule: readonly { readonly job: string; readonly everySeconds: number }[] = [
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

/** Declares the list; doing it again changes nothing. */
export async function declareSchedule(queue: Queue): Promise<void> {
  for (const { job, everySeconds } of schedule) {
    const opts = { removeOnComplete: { count: 10 }, removeOnFail: { count: 100 } }
    await queue.upsertJobScheduler(`every-${job}`, { every: everySeconds * 1000 }, { name: job, data: {}, opts })
  }
}
