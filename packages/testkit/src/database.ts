/**
 * A fresh, migrated database for one test file, cloned from a template in the throw-away cluster of `tools/test-setup.mjs`.
 *
 * The pools log in as the runtime role, never as the owner: what the roles forbid in production they forbid in tests.
 */
import { createDatabase, type Database } from '@drawbridge/store/database'
import pg from 'pg'

export type TestDatabase = {
  readonly database: Database
  /** The runtime role's URL. */
  readonly url: string
  /** The owner's URL, for tests of the schema itself. */
  readonly ownerUrl: string
  close(): Promise<void>
}

const testConnectionBudget = 12

export type TestDatabaseOptions = {
  /** Answers a commit when it is durable, as a production demands of its database, and says that it writes to the disk. */
  readonly waitsForCommits?: true
  /** On the hot path, too: for a test that holds a lock until it has seen who waits for it. */
  readonly waitsForLocks?: true
}

/** Call it in `beforeAll` and `close()` in `afterAll`. `DRAWBRIDGE_TEST_*` are set by the setup of the run, not by a person. */
export async function testDatabase({ waitsForCommits, waitsForLocks }: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const ownerTemplate = required('DRAWBRIDGE_TEST_OWNER_URL')
  const runtimeTemplate = required('DRAWBRIDGE_TEST_RUNTIME_URL')
  const name = `test_${process.pid}_${(made += 1)}_${Math.trunc(performance.now())}`
  // The other strategy writes every page of the template into the log of the server, too, for a recovery that nobody asks of this one.
  await asOwner(at(ownerTemplate, 'postgres'), `CREATE DATABASE "${name}" TEMPLATE drawbridge_template STRATEGY file_copy`)
  const url = at(runtimeTemplate, name)
  if (waitsForCommits) await sayDurable(at(ownerTemplate, name), url)
  const database = createDatabase({ url, connectionBudget: testConnectionBudget, ...(waitsForLocks && { lockTimeoutMs: 0 }) })
  return {
    database,
    url,
    ownerUrl: at(ownerTemplate, name),
    close: async () => {
      await database.close()
      await leave(at(ownerTemplate, name))
      await asOwner(at(ownerTemplate, 'postgres'), `DROP DATABASE "${name}" WITH (FORCE)`)
      await leave(at(ownerTemplate, 'postgres'))
    },
  }
}

let made = 0

/** Runs one statement as the owner, past row-level security: for arranging what the product itself could not write. */
export async function asOwner<Row = Record<string, unknown>>(
  ownerUrl: string,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<Row[]> {
  return (await ownersAt(ownerUrl).query(sql, [...parameters])).rows as Row[]
}

/** Proving a password costs more than most statements, so a few connections wait for the next one. None of them keeps a process alive. */
const idleOwnerMs = 1000
const owners = new Map<string, pg.Pool>()

async function leave(url: string): Promise<void> {
  const pool = owners.get(url)
  owners.delete(url)
  await pool?.end()
}

function ownersAt(url: string): pg.Pool {
  const known = owners.get(url)
  if (known !== undefined) return known
  const pool = new pg.Pool({ connectionString: url, max: 4, idleTimeoutMillis: idleOwnerMs, allowExitOnIdle: true })
  // A database that is dropped or stopped ends the connections that wait: the next statement opens another.
  pool.on('error', () => undefined)
  owners.set(url, pool)
  return pool
}

function at(url: string, name: string): string {
  const copy = new URL(url)
  copy.pathname = `/${name}`
  return copy.href
}

/**
 * Whether a server writes to the disk is one setting for all of its databases, and with it each of the tests' would take seconds to make. So this one says
 * what is not so, to the role of broker and worker alone.
 */
async function sayDurable(ownerUrl: string, url: string): Promise<void> {
  const [name, role] = [new URL(ownerUrl).pathname.slice(1), new URL(url).username]
  await asOwner(
    ownerUrl,
    `CREATE SCHEMA says_durable;
     CREATE FUNCTION says_durable.current_setting(text) RETURNS text LANGUAGE sql STABLE
       AS $$ SELECT CASE $1 WHEN 'fsync' THEN 'on' ELSE pg_catalog.current_setting($1) END $$;
     GRANT USAGE ON SCHEMA says_durable TO PUBLIC;
     ALTER DATABASE "${name}" SET synchronous_commit = on;
     ALTER ROLE "${role}" IN DATABASE "${name}" SET search_path = says_durable, pg_catalog, public`,
  )
}

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: run tests through vitest.config.mjs`)
  return value
}
