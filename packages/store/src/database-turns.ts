/** How the connections of one process are shared: among tenants, and among those who wait for what another holds. */
import { createLockWaits, type LockWaits } from './lock-waits.js'
import { createTurns, type Turns } from './turns.js'

export type DatabaseTurns = {
  /** By tenant: who has a connection of the tenant pool next. */
  readonly tenants: Turns
  /** By connection: which change of a directory is next. It has its turn before it takes one of its tenant, and so waits without a connection. */
  readonly directories: Turns
  /** By tenant and statement: which one of the hot path tries, on a connection, to have what somebody holds. */
  readonly lockWaits: LockWaits
  /** By the owner of a resource server: who has the snapshot for its guards read next. Whoever waits does so without a connection. */
  readonly snapshots: Turns
}

/** Of what may be asked for one tenant: beyond it whoever asks hears at once that it is too much. */
export const mostWaitingPerTenant = 1_000
/** Of changes of one directory, each with its body in memory. */
export const mostWaitingPerDirectory = 100
/** Of openings that share a snapshot, of one owner of resource servers. */
export const mostWaitingForSnapshot = 1_000
/** One change works; the next has begun and waits behind it for the lock, so that no time is lost between the two. */
const changesAtOnce = 2
const changeWaitMs = 10_000
/** Shorter than a guard waits for its stream (`openTimeoutSeconds`), and one that is told to wait comes again. */
const snapshotWaitMs = 10_000

export type DatabasePlaces = {
  readonly tenantPool: number
  readonly hotPool: number
  readonly acrossPool: number
  readonly connectTimeoutMs: number
}

/**
 * A tenant has at most half of its pool, whatever waits for a lock at most a quarter of the hot one, and snapshots are read by half of what works across
 * tenants.
 */
export function createDatabaseTurns({ tenantPool, hotPool, acrossPool, connectTimeoutMs }: DatabasePlaces): DatabaseTurns {
  return {
    tenants: createTurns({
      ...{ places: tenantPool, share: Math.ceil(tenantPool / 2) },
      ...{ mostWaiting: mostWaitingPerTenant, waitMs: connectTimeoutMs, busy: 'tenant_busy' },
    }),
    directories: createTurns({
      ...{ places: Number.POSITIVE_INFINITY, share: changesAtOnce },
      ...{ mostWaiting: mostWaitingPerDirectory, waitMs: changeWaitMs, busy: 'directory_busy' },
    }),
    lockWaits: createLockWaits(Math.max(1, Math.floor(hotPool / 4))),
    snapshots: createTurns({
      ...{ places: halfOf(acrossPool), share: halfOf(acrossPool) },
      ...{ mostWaiting: mostWaitingForSnapshot, waitMs: snapshotWaitMs, busy: 'tenant_busy' },
    }),
  }
}

const halfOf = (pool: number): number => Math.max(1, Math.floor(pool / 2))
