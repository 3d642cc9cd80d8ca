/** Counts what the product asks of PostgreSQL, from pg_stat_statements: exact, whatever else the machine does. */
import pg from 'pg'

export type StatementCount = {
  readonly text: string
  readonly calls: number
  /** How many rows it brought or changed, over all calls. */
  readonly rows: number
  /** It changes rows: INSERT, UPDATE, DELETE, alone or inside a WITH. */
  readonly writes: boolean
}

export type StatementCounter = {
  /** Runs something and answers the statements that the product's roles ran meanwhile, in this database. */
  during(run: () => Promise<unknown>): Promise<readonly StatementCount[]>
  /** What autovacuum does within a minute of every load; a round of ours is over before it comes. */
  analyze(): Promise<void>
  close(): Promise<void>
}

/** The roles that the product's pools enter; the counter itself and whoever arranges a measurement use another. */
const productRoles = ['drawbridge_tenant', 'drawbridge_hot', 'drawbridge_across']

const read = `SELECT s.queryid::text AS id, s.userid::text AS role, s.query AS text, s.calls::int AS calls, s.rows::int AS rows
  FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid JOIN pg_database d ON d.oid = s.dbid
  WHERE d.datname = current_database() AND s.toplevel AND r.rolname = ANY ($1)`

type CountRow = { id: string; role: string; text: string; calls: number; rows: number }

/** `ownerUrl`: the server must have been started with `shared_preload_libraries = pg_stat_statements`. */
export async function createStatementCounter(ownerUrl: string): Promise<StatementCounter> {
  const client = new pg.Client({ connectionString: ownerUrl })
  await client.connect()
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements')
  const snapshot = async () => (await client.query<CountRow>(read, [productRoles])).rows
  return {
    during: async (run) => {
      const before = new Map((await snapshot()).map((row) => [`${row.role} ${row.id}`, row]))
      await run()
      return (await snapshot())
        .map(({ id, role, text, calls, rows }) => {
          const { calls: callsBefore, rows: rowsBefore } = before.get(`${role} ${id}`) ?? { calls: 0, rows: 0 }
          return { text, calls: calls - callsBefore, rows: rows - rowsBefore, writes: isWriting(text) }
        })
        .filter(({ calls }) => calls > 0)
    },
    analyze: async () => void (await client.query('ANALYZE')),
    close: () => client.end(),
  }
}

const isWriting = (text: string): boolean => /\b(INSERT\s+INTO|UPDATE\s+\w+(\s+\w+)?\s+SET|DELETE\s+FROM)\b/i.test(text)

export const callsOf = (counts: readonly StatementCount[]): number => counts.reduce((sum, { calls }) => sum + calls, 0)
export const rowsOf = (counts: readonly StatementCount[]): number => counts.reduce((sum, { rows }) => sum + rows, 0)
export const writingCallsOf = (counts: readonly StatementCount[]): number => callsOf(counts.filter(({ writes }) => writes))

/** For a server that is not ours. */
export const uncounted: StatementCounter = {
  analyze: async () => undefined,
  during: async (run) => {
    await run()
    return []
  },
  close: async () => undefined,
}
