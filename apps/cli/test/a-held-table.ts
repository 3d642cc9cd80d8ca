/** Keeps tables from everybody, so that a test can look at work which has begun and cannot end yet. */
import pg from 'pg'

export type HeldTables = {
  /** How many statements wait for them, or how many of one role: what crosses tenants in the background may wait, too. */
  waiting(role?: 'drawbridge_tenant' | 'drawbridge_hot'): Promise<number>
  release(): Promise<void>
}

export async function holdTables(ownerUrl: string, tables: readonly string[]): Promise<HeldTables> {
  const client = new pg.Client({ connectionString: ownerUrl })
  client.on('error', () => undefined) // the server may go first, where a test has failed
  await client.connect()
  await client.query('BEGIN')
  await client.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE`)
  return {
    waiting: async (role) => {
      const { rows } = await client.query<{ n: number }>(
        `SELECT count(DISTINCT l.pid)::int AS n FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
          WHERE NOT l.granted AND l.relation = ANY ($1::regclass[]) AND ($2::text IS NULL OR a.application_name = $2)`,
        [tables, role ?? null],
      )
      return rows[0]?.n ?? 0
    },
    release: async () => {
      await client.query('COMMIT')
      await client.end()
    },
  }
}
