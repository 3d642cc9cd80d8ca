/**
 * What a statement of the hot path does where somebody else holds what it needs: the directory of a person while a large group is written, or what the
 * withdrawal of a resource with three hundred thousand grants has touched. On its connection it waits `lockTimeoutMs` at most; it has then done nothing, and
 * tries again in one of few places. While anybody of a tenant waits there, its statements together leave half of the pool to the others.
 */
import { busyFault, inTurn, type Turns } from './turns.js'

/** Longer than who holds something for one statement of the hot path ever does, or busy rows would bring people here. `lock_timeout` of its connections. */
export const lockTimeoutMs = 200
/** In a place, and before that for one: twice this is the longest that anybody waits, who then hears `tenant_busy`. */
export const lockPatienceMs = 2_000

/** SQLSTATE lock_not_available. */
const isLocked = (cause: unknown): boolean => (cause as { readonly code?: unknown } | undefined)?.code === '55P03'

export type LockTurns = {
  /** By tenant: which statement of the hot path may try for long, on a connection, to have what somebody holds. */
  readonly lockWaits: Turns
  /** By tenant: who has a connection of the hot pool next, where some of the tenant's wait so. */
  readonly hotShares: Turns
}

/** `run` is one statement, and a transaction by itself. Throws faults that `busyBy` knows, besides those of `run`. */
export async function yieldingToLocks<T>({ lockWaits, hotShares }: LockTurns, tenant: string, run: () => Promise<T>): Promise<T> {
  try {
    return await (lockWaits.hasAny(tenant) ? inTurn(hotShares, tenant, run) : run())
  } catch (cause) {
    if (!isLocked(cause)) throw cause
  }
  return inTurn(lockWaits, tenant, () => tryForLong(run))
}

async function tryForLong<T>(run: () => Promise<T>): Promise<T> {
  const until = performance.now() + lockPatienceMs
  for (;;) {
    try {
      return await run()
    } catch (cause) {
      if (!isLocked(cause)) throw cause
      if (performance.now() >= until) throw busyFault('tenant_busy')
    }
  }
}
