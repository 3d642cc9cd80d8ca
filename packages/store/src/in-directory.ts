/**
 * Changes of one directory, and what waits for them. Both ask for the advisory lock of its connection, so both can wait for long: for a group of a
 * hundred thousand people, or for another process. Neither may hold, meanwhile, what others need.
 */

import type { Database } from './database.js'
import type { Directory } from './scim-group-members.js'
import { type Db, type HotDb, inTenant } from './transaction.js'
import { busyFault, inTurn } from './turns.js'

const keyOf = ({ tenant, connectionId }: Directory): string => `${tenant} ${connectionId}`

/** `inTenant` for a change of a directory: it takes a connection when its turn has come, and not before. */
export const inDirectory = <T>(database: Database, directory: Directory, run: (db: Db) => Promise<T>): Promise<T> =>
  inTurn(database.turns.directories, keyOf(directory), () => inTenant(database, directory.tenant, run))

/** SQLSTATE lock_not_available. On the hot path `hold_directory` alone gives up a lock. */
const isLocked = (cause: unknown): boolean => (cause as { readonly code?: unknown } | undefined)?.code === '55P03'

/**
 * Runs a statement that holds a directory. The first time it does not wait; where the directory is speaking it has then done nothing, and runs once
 * more in one of few places where it may wait. Beyond them, and after that, it is `directory_busy`.
 */
export async function holdingDirectory<T>(hot: HotDb, directory: Directory, run: (mayWait: boolean) => Promise<T>): Promise<T> {
  try {
    return await run(false)
  } catch (cause) {
    if (!isLocked(cause)) throw cause
  }
  try {
    return await inTurn(hot.directoryWaits, keyOf(directory), () => run(true))
  } catch (cause) {
    throw isLocked(cause) ? busyFault('directory_busy') : cause
  }
}
