/** One session as the owner of the database, for schema work that brings its own SQL (the queue's). Never used while serving. */
import pg from 'pg'

export type OwnerSession = {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  /** A name, quoted so that it can be part of a statement. */
  quoteName(name: string): string
}

export async function asDatabaseOwner<T>(ownerUrl: string, run: (session: OwnerSession) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: ownerUrl })
  await client.connect()
  try {
    return await run({ query: (text, values) => client.query(text, values ?? []), quoteName: (name) => client.escapeIdentifier(name) })
  } finally {
    await client.end()
  }
}
