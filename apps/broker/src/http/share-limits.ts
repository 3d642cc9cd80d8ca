/** Tells the other processes what this one has spent of the rate limits, and hears what all have; beside every request, in none of them. */
import { shareSpentLimitsAcrossTenants } from '@drawbridge/store/shared-limits'
import { acrossTenantsInOneStatement } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { RateLimiter } from './rate-limit.js'

/** In milliseconds: for so long another process may not have heard. */
export const shareEveryMs = 500
/** Limits told in one statement; the rest is told in the next. */
const mostTold = 1000

type SharingDeps = Pick<BrokerDeps, 'database' | 'log'>

/** One round. While the database does not answer this process goes on by its own count, and tells of it later. */
export async function shareLimits({ database, log }: SharingDeps, limiter: RateLimiter): Promise<void> {
  const spent = limiter.takeUntold(mostTold)
  if (spent.length === 0) return
  try {
    limiter.learn(await acrossTenantsInOneStatement(database, (db) => shareSpentLimitsAcrossTenants(db, spent)))
  } catch (cause) {
    limiter.putBack(spent)
    log.warn(
      { cause: cause instanceof Error ? cause.message : String(cause) },
      'rate limits could not be shared: each process counts for itself',
    )
  }
}

export type Sharing = { stop(): Promise<void> }

/** Until it is stopped; never two rounds at once. */
export function keepSharing(deps: SharingDeps, limiter: RateLimiter): Sharing {
  let round: Promise<void> | undefined
  const timer = setInterval(() => {
    round ??= shareLimits(deps, limiter).finally(() => {
      round = undefined
    })
  }, shareEveryMs).unref()
  return {
    stop: async () => {
      clearInterval(timer)
      await round
    },
  }
}
