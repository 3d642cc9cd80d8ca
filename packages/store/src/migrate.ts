/**
 * Applies prisma/migrations at start, recorded exactly as `prisma migrate deploy` records them (same table, checksum and advisory
 * lock), so that either may follow the other. Needs the owner's URL.
 *
 * The book-keeping columns are the one place where SQL reads the server's clock: they are Prisma's, and no rule looks at them.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

/** The key that Prisma Migrate itself takes: whoever holds it changes a database alone. */
export const advisoryLock = 72707369
const migrationsDirectory = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url))

const table = `CREATE TABLE IF NOT EXISTS _prisma_migrations (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL,
  finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`

type AppliedMigration = { readonly migration_name: string; readonly checksum: string; readonly finished_at: Date | null }

/** Creates the database if it is missing, then applies what is missing. Answers the names applied. Safe to run from many processes at once. */
export async function migrateDatabase(ownerUrl: string, directory = migrationsDirectory): Promise<readonly string[]> {
  await ensureDatabase(ownerUrl)
  return withClient(ownerUrl, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [advisoryLock])
    await client.query(table)
    const known = await client.query<AppliedMigration>(
      'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL',
    )
    const failed = known.rows.find((row) => row.finished_at === null)
    if (failed) throw new Error(`migration ${failed.migration_name} failed before: mend it and mark it with "prisma migrate resolve"`)
    const applied: string[] = []
    for (const name of migrationNames(directory)) if (await applyOne(client, directory, name, known.rows)) applied.push(name)
    return applied
  })
}

/** Names of migrations on disk that this database has not had. */
export async function pendingMigrations(url: string, directory = migrationsDirectory): Promise<readonly string[]> {
  return withClient(url, async (client) => {
    const exists = await client.query<{ found: boolean }>(`SELECT to_regclass('_prisma_migrations') IS NOT NULL AS found`)
    if (exists.rows[0]?.found !== true) return migrationNames(directory)
    const rows = await client.query<{ migration_name: string }>(
      'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL',
    )
    const done = new Set(rows.rows.map((row) => row.migration_name))
    return migrationNames(directory).filter((name) => !done.has(name))
  })
}

/**
 * Makes the login role of broker and worker, which owns nothing and may only become the three narrow roles, and answers its URL.
 * The password is set anew each time, so that a rotation is a restart.
 */
export async function ensureRuntimeRole(ownerUrl: string, role: { readonly name: string; readonly password: string }): Promise<string> {
  await unlessOvertaken(ownerUrl, async (client) => {
    const name = pg.escapeIdentifier(role.name)
    await client.query('SELECT pg_advisory_lock($1)', [advisoryLock])
    const exists = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role.name])
    const verb = exists.rowCount === 0 ? 'CREATE' : 'ALTER'
    await client.query(
      `${verb} ROLE ${name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOBYPASSRLS PASSWORD ${pg.escapeLiteral(role.password)}`,
    )
    await client.query(`GRANT drawbridge_tenant, drawbridge_hot, drawbridge_across TO ${name}`)
  })
  const url = new URL(ownerUrl)
  url.username = role.name
  url.password = role.password
  return url.href
}

/** Roles are of the whole server and the lock is of one database: where another database's start changes them too, PostgreSQL gives one of both up. */
const mostTries = 10

async function unlessOvertaken(url: string, run: (client: pg.Client) => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await withClient(url, run)
    } catch (error) {
      if (tries === mostTries || !isOvertaken(error)) throw error
    }
  }
}

/** It has been made, or is being changed, at this moment by the other. */
const isOvertaken = (error: unknown): boolean =>
  ['23505', '42710'].includes(String((error as { code?: unknown }).code)) || String(error).includes('tuple concurrently updated')

const migrationNames = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => existsSync(join(directory, name, 'migration.sql')))
    .sort()

async function applyOne(client: pg.Client, directory: string, name: string, known: readonly AppliedMigration[]): Promise<boolean> {
  const sql = readFileSync(join(directory, name, 'migration.sql'))
  const checksum = createHash('sha256').update(sql).digest('hex')
  const done = known.find((row) => row.migration_name === name)
  if (done && done.checksum !== checksum) throw new Error(`migration ${name} was edited after it was applied`)
  if (done) return false
  const record = 'INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, logs) VALUES ($1, $2, $3, now(), $4)'
  const id = randomUUID()
  // Migration and record commit together: a process killed in between leaves neither, and the next one begins this migration anew.
  await client.query('BEGIN')
  try {
    await client.query(record, [id, checksum, name, null])
    await client.query(sql.toString('utf8'))
    await client.query('UPDATE _prisma_migrations SET finished_at = clock_timestamp(), applied_steps_count = 1 WHERE id = $1', [id])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    await client.query(record, [id, checksum, name, String(error)])
    throw new Error(`migration ${name} failed: ${String(error)}`, { cause: error })
  }
  return true
}

async function ensureDatabase(ownerUrl: string): Promise<void> {
  const url = new URL(ownerUrl)
  const name = decodeURIComponent(url.pathname.slice(1))
  url.pathname = '/postgres'
  try {
    await withClient(ownerUrl, async () => undefined)
  } catch (error) {
    if ((error as { code?: string }).code !== '3D000') throw error
    await withClient(url.href, async (client) => {
      // Another process may make it in this moment; both codes say so.
      await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`).catch((cause: { code?: string }) => {
        if (cause.code !== '42P04' && cause.code !== '23505') throw cause
      })
    })
  }
}

async function withClient<T>(url: string, run: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await run(client)
  } finally {
    await client.end()
  }
}
