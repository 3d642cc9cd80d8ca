/**
 * Carries outbox entries to the queue.
 *
 * The design: whose turn it is and how much of the queue each tenant gets is decided first (`share-out`). Then entries are claimed with their row locks
 * held (two relays never take the same ones), added to the queue under an id made from the entry and the round (twice is once), and only then
 * marked and committed. A crash before the commit leaves them unmarked and they are carried again, which the job id and the handler's own `done_at`
 * make harmless. A job that fails for good says so itself (`end-round`). Of what nothing was heard the relay asks the queue: what it still has is left
 * alone, what it has lost gets another round. NOTIFY wakes the relay, and so do jobs that end while something is held back for want of room; a poll
 * every second is the safety net.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { lanes, type Share, shareOut } from '@drawbridge/core/outbox/share-out'
import { tellsOfAnEnd } from '@drawbridge/core/revocation/ended-grants'
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import type { Random } from '@drawbridge/crypto/random'
import type { Clock } from '@drawbridge/runtime/clock'
import type { Log } from '@drawbridge/runtime/log'
import type { Metrics } from '@drawbridge/runtime/metrics'
import type { Database } from '@drawbridge/store/database'
import { countDeadLettersAcrossTenants } from '@drawbridge/store/dead-letters'
import {
  claimOutboxAcrossTenants,
  countHandedOverAcrossTenants,
  countUndoneAcrossTenants,
  listWaitingTenantsAcrossTenants,
  lookAgainAcrossTenants,
  markRelayedAcrossTenants,
  type WaitingEntry,
} from '@drawbridge/store/outbox-relay'
import { type AcrossDb, acrossTenants } from '@drawbridge/store/transaction'
import type { Queue } from 'bullmq'
import { writeRoundEnd } from './end-round.js'
import { findJob, jobs } from './jobs.js'
import { livingStates } from './queue.js'
import { keepAwake, type Wakeful } from './wakeful.js'
import { withinLimit } from './within-limit.js'

export const relayPollMs = 1000
/** How many tenants have a turn in one pass. What a pass costs grows with it, not with what waits. */
export const tenantsPerPass = 256
/** Handed over, and nothing heard for this long: the relay asks the queue, which costs little; a queue that lost everything is filled again by then. */
export const askAgainSeconds = 10
/** A version without rounds hands over again what it has handed over for so long: until then it is left to it. */
const olderVersionSeconds = 30
/** What this version does not know is left to a later one for so long; then it is handed over and becomes a dead letter, which somebody sees. */
export const leftToOthersSeconds = 3600
/** A queue that takes longer cannot be reached: the entries are let go, and another relay may carry them. */
export const handOverLimitSeconds = 5
/** While something is held back, so many jobs that ended here make it worth another look. */
export const endsPerLook = 4
export const measureEveryMs = 5000
/** Any number above 0 does: a job without one goes first. */
const priorityOfYielding = 1
/** A finished job is remembered by the queue for this long, so that a repeated id is recognised. */
export const rememberFinishedSeconds = 3600

export type RelayDeps = {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly queue: Pick<Queue, 'addBulk' | 'getJobState'>
  readonly handOverLimitSeconds?: number
}

/** BullMQ refuses integers and colons. Each round of an entry has an id of its own, because the queue remembers those that ended. */
const jobIdOf = ({ tenantId, id }: WaitingEntry, round: number): string => `ob-${tenantId}-${id}-${round}`

const toJob = (entry: WaitingEntry) => {
  const { retries = { attempts: 1, firstPauseMs: 0 }, yields } = findJob(entry.kind) ?? {}
  return {
    name: entry.kind,
    data: { tenant: entry.tenantId, entry: entry.id, attempt: entry.attempts + 1, payload: entry.payload },
    opts: {
      jobId: jobIdOf(entry, entry.attempts + 1),
      ...(yields ? { priority: priorityOfYielding } : {}),
      attempts: retries.attempts,
      backoff: { type: 'exponential', delay: retries.firstPauseMs, jitter: 0.5 },
      removeOnComplete: { age: rememberFinishedSeconds },
      removeOnFail: { age: rememberFinishedSeconds },
    },
  }
}

/** `next`: who begins the next pass. `isMore`: somebody may have more than could be carried now. */
export type Pass = { readonly carried: number; readonly isMore: boolean; readonly next: TenantId }

/** Carries to each tenant's share what is due. Throws when the queue or the database is away: nothing is marked then. */
export function relayOnce(deps: RelayDeps, from: TenantId = vendorTenantId): Promise<Pass> {
  return acrossTenants(deps.database, async (db) => {
    const now = deps.clock.now()
    const { tenants, next } = await listTurns(db, from)
    if (tenants.length === 0) return { carried: 0, isMore: false, next }
    const held = await countHandedOverAcrossTenants(db, now)
    const known = { kinds: Object.keys(jobs), unknownBefore: addSeconds(now, -leftToOthersSeconds) }
    let carried = 0
    let isMore = false
    for (const lane of ['telling', 'deciding', 'following'] as const) {
      const shares = shareOut(lanes[lane], { tenants, held: held[lane] })
      const claimed = await claimOutboxAcrossTenants(db, {
        lane,
        shares,
        now,
        relayedBefore: addSeconds(now, -olderVersionSeconds),
        ...known,
      })
      isMore ||= mayHaveMore(claimed, shares) || tenants.some((tenant) => (held[lane].get(tenant) ?? 0) >= lanes[lane].share)
      carried += await handOver(deps, db, claimed, now)
    }
    return { carried, isMore, next }
  })
}

/** Somebody filled what she was given. */
function mayHaveMore(claimed: readonly WaitingEntry[], shares: readonly Share<TenantId>[]): boolean {
  const counts = new Map<TenantId, number>()
  for (const { tenantId } of claimed) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1)
  return shares.some(({ tenant, most }) => counts.get(tenant) === most)
}

/** Whose turn it is, from where the last pass ended, once around. */
async function listTurns(db: AcrossDb, from: TenantId): Promise<{ readonly tenants: readonly TenantId[]; readonly next: TenantId }> {
  const ahead = await listWaitingTenantsAcrossTenants(db, { from, limit: tenantsPerPass + 1 })
  const around =
    ahead.length > tenantsPerPass || from === vendorTenantId
      ? []
      : await listWaitingTenantsAcrossTenants(db, { from: vendorTenantId, limit: tenantsPerPass + 1 - ahead.length })
  const turns = [...new Set([...ahead, ...around])]
  return { tenants: turns.slice(0, tenantsPerPass), next: turns[tenantsPerPass] ?? turns[1] ?? vendorTenantId }
}

async function handOver(deps: RelayDeps, db: AcrossDb, claimed: readonly WaitingEntry[], now: Instant): Promise<number> {
  const overdue = claimed.filter(({ isHandedOver, attempts }) => isHandedOver && attempts > 0)
  const held = new Set<WaitingEntry>()
  const over = new Set<WaitingEntry>()
  for (const entry of overdue)
    if (await isStillQueued(deps, entry)) held.add(entry)
    else if ((await writeRoundEnd(deps, db, { ...entry, attempt: entry.attempts, end: 'lost' })) !== 'at_once') over.add(entry)
  const dueAt = addSeconds(now, askAgainSeconds)
  if (held.size > 0) await lookAgainAcrossTenants(db, [...held], dueAt)
  const entries = claimed.filter((entry) => !held.has(entry) && !over.has(entry))
  if (entries.length === 0) return 0
  await withinLimit(deps.handOverLimitSeconds ?? handOverLimitSeconds, () => deps.queue.addBulk(entries.map(toJob)))
  await markRelayedAcrossTenants(db, entries, { now, dueAt })
  return entries.length
}

const isStillQueued = async ({ queue }: RelayDeps, entry: WaitingEntry): Promise<boolean> =>
  livingStates.has(await withinLimit(handOverLimitSeconds, () => queue.getJobState(jobIdOf(entry, entry.attempts))))

/** What waits, and what nobody tries any more. */
export async function measureOutbox({ database, metrics }: Pick<RelayDeps, 'database' | 'metrics'>): Promise<void> {
  const [waiting, dead] = await acrossTenants(database, async (db) => [
    await countUndoneAcrossTenants(db),
    await countDeadLettersAcrossTenants(db),
  ])
  const inAll = Object.values(dead).reduce((sum, count) => sum + count, 0)
  const ofEnds = Object.entries(dead).reduce((sum, [kind, count]) => sum + (tellsOfAnEnd(kind) ? count : 0), 0)
  metrics.set('drawbridge_outbox_waiting', waiting - inAll)
  metrics.set('drawbridge_dead_letters', ofEnds, { kind: 'revoke' })
  metrics.set('drawbridge_dead_letters', inAll - ofEnds, { kind: 'other' })
}

export type Relay = Wakeful & {
  /** A job ended in this process: there may be room again. */
  jobEnded(): void
}

/** Relays until stopped: when it is woken, every second, and as room comes. */
export function startRelay(deps: RelayDeps): Relay {
  let isStopped = false
  let isHeldBack = false
  let ended = 0
  let from: TenantId = vendorTenantId

  const carryAll = async (): Promise<void> => {
    ended = 0
    for (;;) {
      const pass = await relayOnce(deps, from)
      from = pass.next
      isHeldBack = pass.isMore
      if (isStopped || pass.carried === 0 || !pass.isMore) return
    }
  }
  const carrying = keepAwake(deps, { everyMs: relayPollMs, trouble: 'the outbox could not be relayed', run: carryAll })
  const measuring = keepAwake(deps, {
    everyMs: measureEveryMs,
    trouble: 'the outbox could not be measured',
    run: () => measureOutbox(deps),
  })
  return {
    wake: () => carrying.wake(),
    jobEnded: () => {
      ended += 1
      if (isHeldBack && ended >= endsPerLook) carrying.wake()
    },
    stop: async () => {
      isStopped = true
      await Promise.all([carrying.stop(), measuring.stop()])
    },
  }
}
