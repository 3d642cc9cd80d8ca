/**
 * What a statement of the hot path does where somebody else holds what it needs: the directory of a person while a large group is written, or what the
 * withdrawal of a resource with three hundred thousand grants has touched. On its connection it waits `lockTimeoutMs` at most; it has then done nothing, and
 * tries again in one of few places, as long each time, those who wait in turn. While one of its kind waits so, no other of the tenant tries elsewhere.
 * Whoever gets through lets two of them go on without a place: where nothing is held any more all have gone after a few rounds, and where most still
 * meet the lock the few who do not let less than one go for each who does.
 */
import { busyFault, inTurn, type Turns } from './turns.js'

/** Longer than who holds something for one statement of the hot path ever does, or busy rows would bring people here. `lock_timeout` of its connections. */
export const lockTimeoutMs = 200
/** Beyond the first try. No try is begun later, and whoever has none hears `tenant_busy`. */
export const lockPatienceMs = 2_000

const letGoBySuccess = 2

/** Asks the database, unless nobody wants it any more when there is a connection for it. `undefined`: it did nothing, by that or by a lock. */
type Try<T> = (isWanted: () => boolean) => Promise<T | undefined>

/** `of` are those who may wait for the same. Throws faults that `busyBy` knows, besides those of the try. */
export async function yieldingToLocks<T extends object>(waits: Turns, of: string, attempt: Try<T>): Promise<T> {
  const until = performance.now() + lockPatienceMs
  const hasNobody = () => !waits.hasAny(of)
  let done = hasNobody() ? await attempt(hasNobody) : undefined
  while (done === undefined) {
    const left = until - performance.now()
    if (left <= 0) throw busyFault('tenant_busy')
    done = await inTurn(waits, of, () => attempt(() => true), left)
    if (done !== undefined) waits.letPass(of, letGoBySuccess)
  }
  return done
}
