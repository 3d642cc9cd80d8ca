/**
 * Finds the event streams that have something to push, and pushes them: woken when notices are written, with a look every second as the safety net.
 *
 * The design: what a stream owes follows from its position and the notices of its resource, so a lost wake-up costs a second and nothing else. A
 * stream is claimed for the length of a lease by one worker, which pushes it alone; others push beside it, a bounded number at once. A receiver
 * that fails is left until its next try is due, so that it holds up nobody else.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { type ClaimedPush, claimPushesAcrossTenants } from '@drawbridge/store/event-stream-delivery'
import { acrossTenants } from '@drawbridge/store/transaction'
import { leaseSeconds, type PushDeps, pushStream } from './push-stream.js'
import { keepAwake, type Wakeful } from './wakeful.js'

export const pushLookMs = 1000
/** Streams that one worker pushes at the same time. */
export const mostPushedAtOnce = 16
/** Of all streams that carry one tenant's news, whoever pushes them. */
export const mostPushedOfTenant = 4

/** Streams that are due, at most `limit`; each is this worker's alone until its lease ends. */
export function claimPushes(deps: PushDeps, limit: number): Promise<readonly ClaimedPush[]> {
  const now = deps.clock.now()
  const claim = { leaseId: deps.random.uuid(), leaseUntil: addSeconds(now, leaseSeconds), now, limit, mostOfTenant: mostPushedOfTenant }
  return acrossTenants(deps.database, (db) => claimPushesAcrossTenants(db, claim))
}

/** A fault of ours leaves the lease to run out. */
async function pushSafely(deps: PushDeps, push: ClaimedPush, isStopped: () => boolean): Promise<void> {
  try {
    await pushStream(deps, push, isStopped)
  } catch (error) {
    deps.log.error({ streamId: push.id, cause: error instanceof Error ? error.message : String(error) }, 'pushing a stream failed')
  }
}

/** Pushes until stopped. */
export function startPushing(deps: PushDeps): Wakeful {
  const running = new Set<Promise<void>>()
  let isStopped = false
  const begin = (push: ClaimedPush): void => {
    const pushing = pushSafely(deps, push, () => isStopped).then(() => {
      running.delete(pushing)
      // What was written while its last look was over has woken nobody: the stream was taken.
      looking.wake()
    })
    running.add(pushing)
  }
  const looking = keepAwake(deps, {
    everyMs: pushLookMs,
    trouble: 'event streams could not be looked at',
    run: async () => {
      const room = mostPushedAtOnce - running.size
      if (room > 0) for (const push of await claimPushes(deps, room)) begin(push)
    },
  })
  return {
    wake: () => looking.wake(),
    stop: async () => {
      isStopped = true
      await looking.stop()
      await Promise.all(running)
    },
  }
}
