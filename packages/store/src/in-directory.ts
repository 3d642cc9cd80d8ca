/**
 * Changes of one directory. Each asks for the advisory lock of its connection, so it can wait for long: for a group of a hundred thousand people, or
 * for another process. It may not hold, meanwhile, what others need.
 */

import type { Database } from './database.js'
import type { Directory } from './scim-group-members.js'
import { type Db, inTenant } from './transaction.js'
import { inTurn } from './turns.js'

const keyOf = ({ tenant, connectionId }: Directory): string => `${tenant} ${connectionId}`

/** `inTenant` for a change of a directory: it takes a connection when its turn has come, and not before. */
export const inDirectory = <T>(database: Database, directory: Directory, run: (db: Db) => Promise<T>): Promise<T> =>
  inTurn(database.turns.directories, keyOf(directory), () => inTenant(database, directory.tenant, run))
