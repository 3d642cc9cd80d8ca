/**
 * A fresh, migrated database for one test file, cloned from a template in the throw-away cluster of `tools/jest-setup.mjs`.
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

const testConnectionBudget = 8

/** `waitsForCommits`: answers a commit when it is durable, as a production demands of its database. */
export type TestDatabaseOptions = { readonly waitsForCommits?: true }

/** Call it in `beforeAll` and `close()` in `afterAll`. `DRAWBRIDGE_TEST_*` are set by the setup of the run, not by a person. */
export async function testDatabase({ waitsForCommits }: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const ownerTemplate = required('DRAWBRIDGE_TEST_OWNER_URL')
  const runtimeTemplate = required('DRAWBRIDGE_TEST_RUNTIME_URL')
  const name = `test_${process.pid}_${(made += 1)}_${Math.trunc(performance.now())}`
  await asOwner(at(ownerTemplate, 'postgres'), `CREATE DATABASE "${name}" TEMPLATE drawbridge_template`)
  if (waitsForCommits) await asOwner(at(ownerTemplate, 'postgres'), `ALTER DATABASE "${name}" SET synchronous_commit = on`)
  const url = at(runtimeTemplate, name)
  const database = createDatabase({ url, connectionBudget: testConnectionBudget })
  return {
    database,
    url,
    ownerUrl: at(ownerTemplate, name),
    close: async () => {
      await database.close()
      await asOwner(at(ownerTemplate, 'postgres'), `DROP DATABASE "${name}" WITH (FORCE)`)
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
  const client = new pg.Client({ connectionString: ownerUrl })
  await client.connect()
  try {
    return (await client.query(sql, [...parameters])).rows as Row[]
  } finally {
    await client.end()
  }
}

function at(url: string, name: string): string {
  const copy = new URL(url)
  copy.pathname = `/${name}`
  return copy.href
}

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: run tests through jest.config.mjs`)
  return value
}
