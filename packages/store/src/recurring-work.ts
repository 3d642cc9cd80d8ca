/** Whoever says what recurs, in whichever process, says it alone. */
import type { Database } from './database.js'
import { acrossTenants } from './transaction.js'

/** Runs `run` once nobody else runs his, and has others wait until it is over. Nothing of any tenant is read or held. */
export function declareAloneAcrossTenants<T>(database: Database, run: () => Promise<T>): Promise<T> {
  return acrossTenants(database, async (db) => {
    await db.query("SELECT pg_advisory_xact_lock(hashtextextended('what recurs', 0))")
    return run()
  })
}
