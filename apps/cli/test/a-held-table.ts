/** Keeps tables from everybody, so that a test can look at work which has begun and cannot end yet. */
import pg from 'pg'

export type HeldTables = {
  /** How many statements wait for them, or how many of those that begin so: jobs may wait, too. */
  waiting(beginning?: string): Promise<number>
  release(): Promise<void>
}

export async function holdTables(ownerUrl: string, tables: readonly string[]): Promise<HeldTables> {
  const client = new pg.Client({ connectionString: ownerUrl })
  client.on('error', () => undefined) // the server may go first, where a test has failed
  await client.connect()
  await client.query('BEGIN')
  await client.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE`)
  return {
    waiting: async (beginning = '') => {
      const { rows } = await client.query<{ n: number }>(
        `SELECT count(DISTINCT l.pid)::int AS n FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
          WHERE NOT l.granted AND l.relation = ANY ($1::regclass[]) AND starts_with(ltrim(a.query), $2)`,
        [tables, beginning],
      )
      return rows[0]?.n ?? 0
    },
    release: async () => {
      await client.query('COMMIT')
      await client.end()
    },
  }
}
