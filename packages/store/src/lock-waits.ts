/**
 * What a statement of the hot path does where somebody else holds what it needs: the directory of a person while a large group is written, or what the
 * withdrawal of a resource with three hundred thousand grants has touched. On its connection it waits `lockTimeoutMs` at most; it has then done nothing, and
 * tries again in one of few places, as long each time, those who wait in turn. Until none of its kind has met the lock for a while, none tries elsewhere.
 *
 * Whoever gets through lets two of those go on without a place who have not met the lock themselves. While it is still met these are few at once, in all;
 * when it is not any more, all have gone after a few rounds, however many come meanwhile.
 */
import { busyBy, busyFault, createTurns, type Leave } from './turns.js'

/** Longer than who holds something for one statement of the hot path ever does, or busy rows would bring people here. `lock_timeout` of its connections. */
export const lockTimeoutMs = 200
/** Beyond the first try. No try is begun later, and whoever has none hears `tenant_busy`. */
export const lockPatienceMs = 2_000
/** So long after it was met last a lock is taken to be held. */
export const lockMemoryMs = 1_000
/** Of one kind. Whoever comes then is refused at once. */
export const mostWaitingForLocks = 100
const letGoBySuccess = 2

/** Asks the database, unless nobody wants it any more when there is a connection for it. `undefined`: it did nothing, by that or by a lock. */
export type Try<T> = (isWanted: () => boolean) => Promise<T | undefined>

/** Runs what is one statement and a transaction by itself. `of` are those who may wait for the same. Throws a fault that `busyBy` knows, besides its own. */
export type LockWaits = <T extends object>(of: string, attempt: Try<T>) => Promise<T>

export function createLockWaits(places: number, now: () => number = () => performance.now()): LockWaits {
  const turns = createTurns({ places, share: 1, mostWaiting: mostWaitingForLocks, waitMs: lockPatienceMs, busy: 'tenant_busy' })
  /** When each kind met a lock last; who met one last stands last. */
  const met = new Map<string, number>()
  let passing = 0

  function noteMet(of: string): void {
    met.delete(of)
    met.set(of, now())
    for (const [one, at] of met) {
      if (at > now() - lockMemoryMs) return
      met.delete(one)
    }
  }
  const isMet = (of: string): boolean => (met.get(of) ?? Number.NEGATIVE_INFINITY) > now() - lockMemoryMs
  const isFree = (of: string): boolean => !isMet(of) && !turns.hasAny(of)

  function letPass(of: string): void {
    const most = isMet(of) ? Math.min(letGoBySuccess, Math.max(0, places - passing)) : letGoBySuccess
    passing += turns.letPass(of, most, () => {
      passing -= 1
    })
  }

  async function takeTurn(of: string, atMostMs: number, mayPass: boolean): Promise<Leave> {
    try {
      return await turns.take(of, { atMostMs, mayPass })
    } catch (cause) {
      throw busyBy(cause) === undefined ? cause : busyFault('tenant_busy')
    }
  }

  return async (of, attempt) => {
    const until = now() + lockPatienceMs
    let hasMet = false
    const tryOnce = async (isWanted: () => boolean) => {
      let isAsked = false
      const done = await attempt(() => (isAsked = isWanted()))
      if (done === undefined && isAsked) {
        hasMet = true
        noteMet(of)
      }
      return done
    }
    let done = isFree(of) ? await tryOnce(() => isFree(of)) : undefined
    while (done === undefined) {
      const left = until - now()
      if (left <= 0) throw busyFault('tenant_busy')
      const leave = await takeTurn(of, left, !hasMet)
      try {
        done = await tryOnce(() => true)
      } finally {
        leave()
      }
      if (done !== undefined) letPass(of)
    }
    return done
  }
}
