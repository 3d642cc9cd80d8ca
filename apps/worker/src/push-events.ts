/**
 * Finds the event streams that have something to push, and pushes them: woken when notices are written, with a look every second as the safety net.
 *
 * The design: what a stream owes follows from its position and the notices of its resource, so a lost wake-up costs a second and nothing else. A
 * stream is claimed for the length of a lease by one worker, which pushes it alone; others push beside it, a bounded number at once. A receiver
 * that fails is left until its next try is due, so that it holds up nobody else.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { listen } from '@drawbridge/store/changes'
import { type ClaimedPush, claimPushesAcrossTenants } from '@drawbridge/store/event-stream-delivery'
import { acrossTenants } from '@drawbridge/store/transaction'
import { leaseSeconds, type PushDeps, pushStream } from './push-stream.js'

export const pushLookMs = 1000
/** Streams that one worker pushes at the same time. */
export const mostPushedAtOnce = 16
/** Of all streams that carry one tenant's news, whoever pushes them. */
export const mostPushedOfTenant = 4

export type Pushing = { isListening(): boolean; stop(): Promise<void> }

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
export async function startPushing(deps: PushDeps): Promise<Pushing> {
  const running = new Set<Promise<void>>()
  let isStopped = false
  let isListening = false
  let isWanted = false
  let looking: Promise<void> | undefined

  const begin = (push: ClaimedPush): void => {
    const pushing = pushSafely(deps, push, () => isStopped).then(() => {
      running.delete(pushing)
      // What was written while its last look was over has woken nobody: the stream was taken.
      wake()
    })
    running.add(pushing)
  }
  const look = async (): Promise<void> => {
    while (isWanted && !isStopped) {
      isWanted = false
      const room = mostPushedAtOnce - running.size
      if (room === 0) break
      try {
        for (const push of await claimPushes(deps, room)) begin(push)
      } catch (error) {
        deps.log.warn({ cause: error instanceof Error ? error.message : String(error) }, 'event streams could not be looked at')
      }
    }
    looking = undefined
  }
  const wake = (): void => {
    isWanted = true
    if (!isStopped) looking ??= look()
  }
  const listening = await listen(deps.database, {
    channels: ['drawbridge_notices'],
    onChange: wake,
    onGap: () => {
      isListening = true
      wake()
    },
    onError: () => {
      isListening = false
    },
  })
  const timer = setInterval(wake, pushLookMs)
  wake()
  return {
    isListening: () => isListening,
    stop: async () => {
      isStopped = true
      clearInterval(timer)
      await listening.close()
      await looking
      await Promise.all(running)
    },
  }
}
