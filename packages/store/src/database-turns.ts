/** How the connections of one process are shared: among tenants, and among those who wait for a directory. */
import { createTurns, type Turns } from './turns.js'

export type DatabaseTurns = {
  /** By tenant: who has a connection of the tenant pool next. */
  readonly tenants: Turns
  /** By connection: which change of a directory is next. It has its turn before it takes one of its tenant, and so waits without a connection. */
  readonly directories: Turns
  /** By connection: which statement of the hot path may wait, on its connection, for a directory that is just speaking. */
  readonly directoryWaits: Turns
}

/** Of what may be asked for one tenant: beyond it whoever asks hears at once that it is too much. */
export const mostWaitingPerTenant = 1_000
/** Of changes of one directory, each with its body in memory. */
export const mostWaitingPerDirectory = 100
/** Of logins and assertions that wait for one directory. */
export const mostWaitingForDirectory = 100
/** One change works; the next has begun and waits behind it for the lock, so that no time is lost between the two. */
const changesAtOnce = 2
const changeWaitMs = 10_000
const loginWaitMs = 2_000

export type DatabasePlaces = { readonly tenantPool: number; readonly hotPool: number; readonly connectTimeoutMs: number }

/** A tenant has at most half of its pool, and directories that speak keep at most a quarter of the hot one waiting. */
export function createDatabaseTurns({ tenantPool, hotPool, connectTimeoutMs }: DatabasePlaces): DatabaseTurns {
  return {
    tenants: createTurns({
      ...{ places: tenantPool, share: Math.ceil(tenantPool / 2) },
      ...{ mostWaiting: mostWaitingPerTenant, waitMs: connectTimeoutMs, busy: 'tenant_busy' },
    }),
    directories: createTurns({
      ...{ places: Number.POSITIVE_INFINITY, share: changesAtOnce },
      ...{ mostWaiting: mostWaitingPerDirectory, waitMs: changeWaitMs, busy: 'directory_busy' },
    }),
    directoryWaits: createTurns({
      ...{ places: Math.max(1, Math.floor(hotPool / 4)), share: 1 },
      ...{ mostWaiting: mostWaitingForDirectory, waitMs: loginWaitMs, busy: 'directory_busy' },
    }),
  }
}
