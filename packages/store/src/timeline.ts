/**
 * Whether the database still stands on the history that this installation knows.
 *
 * A restore from a dump has another system identifier, a recovery to a point in time and the promotion of a standby another timeline. Each may
 * have lost a barrier that was already answered for. What it cannot see: a copy of the files of a stopped server put back in place.
 */
import type pg from 'pg'
import type { Database } from './database.js'
import { type AcrossDb, acrossTenants } from './transaction.js'

export type History = { readonly cluster: string; readonly timeline: number }

/**
 * `isDurable`: a commit is written, and at the standbys that PostgreSQL waits for, before it is answered. `reachesDisk`: what is written has left the caches
 * of the system by then (`fsync`); else a power cut takes the last minute with it, and may leave a database that contradicts itself.
 */
export type Standing = {
  readonly history: History
  readonly known: History | undefined
  readonly isDurable: boolean
  readonly reachesDisk: boolean
  readonly waitsForStandby: boolean
}

type Row = {
  cluster: string
  timeline: number
  known_cluster: string | null
  known_timeline: number | null
  commits: string
  flushes: string
  standbys: string
}

/** The timeline is that of the log being written now: after a promotion the control file still tells the old one for a while. */
const historyColumns = `(SELECT system_identifier::text FROM pg_control_system()) AS cluster,
         ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline`

export const isSameHistory = (one: History, other: History): boolean => one.cluster === other.cluster && one.timeline === other.timeline

/** On which history this one connection stands. Throws where the server is no primary. */
export async function findHistory(client: pg.ClientBase): Promise<History> {
  const { rows } = await client.query<History>(`SELECT ${historyColumns}`)
  return rows[0] as History
}

export function findStanding(database: Database): Promise<Standing> {
  return acrossTenants(database, async (db) => {
    const { rows } = await db.query<Row>(
      `SELECT ${historyColumns},
         (SELECT database_cluster FROM installation) AS known_cluster, (SELECT database_timeline FROM installation) AS known_timeline,
         current_setting('synchronous_commit') AS commits, current_setting('fsync') AS flushes, current_setting('synchronous_standby_names') AS standbys`,
    )
    const row = rows[0] as Row
    return {
      history: { cluster: row.cluster, timeline: row.timeline },
      known:
        row.known_cluster === null || row.known_timeline === null
          ? undefined
          : { cluster: row.known_cluster, timeline: row.known_timeline },
      isDurable: row.commits === 'on' || row.commits === 'remote_apply' || row.commits === 'remote_write',
      reachesDisk: row.flushes === 'on',
      waitsForStandby: row.standbys !== '' && (row.commits === 'on' || row.commits === 'remote_apply'),
    }
  })
}

/** From here on this is the history that processes are held to. */
export async function recordHistory(db: AcrossDb, { cluster, timeline }: History): Promise<void> {
  await db.query('UPDATE installation SET database_cluster = $1, database_timeline = $2 WHERE id = 1', [cluster, timeline])
}
