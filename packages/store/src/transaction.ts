/**
 * The only ways to run SQL: inside one tenant, as a registered hot statement, or across tenants by name.
 *
 * Nobody else makes a `Db`, so a function that takes one runs in a transaction whose role and tenant are already set.
 */
import type { Brand } from '@drawbridge/core/brand'
import type { Instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type pg from 'pg'
import type { Database } from './database.js'
import type { KeptStatement } from './kept-statements.js'
import { inTurn } from './turns.js'

export type Rows<Row> = { readonly rows: readonly Row[]; readonly rowCount: number }

/** Text is planned when it is asked; of a kept statement the connection keeps the plan. */
type Queries = { query<Row>(statement: string | KeptStatement, parameters?: readonly unknown[]): Promise<Rows<Row>> }

/** One connection in one transaction that sees one tenant. */
export type Db = Brand<Queries, 'Db'>
/** One connection in one transaction that sees all tenants. */
export type AcrossDb = Brand<Queries, 'AcrossDb'>
/** Runs registered hot statements, each its own transaction. */
export type HotDb = Brand<{ query<Row>(statement: HotStatement, parameters: readonly unknown[]): Promise<Rows<Row>> }, 'HotDb'>

/** A prepared statement of a hot path. Its first parameter is the tenant, and every tenant table in it is held to that. */
export type HotStatement = {
  readonly name: string
  readonly text: string
  readonly tenantParameter: 1
  /** Tables that it may read in another tenant (the vendor's shared resources), with the reason. */
  readonly readsElsewhere?: Readonly<Record<string, string>>
}

/**
 * A CTE for a hot statement whose rows may be lost: name `unhurried` in the part that writes, and the commit does not wait for the disk.
 *
 * For what only carries a person towards a login that is not yet believed. A crash within the following half second may forget it, and
 * then she starts again. Nobody gains by that: what consumes, believes, opens, revokes or records waits as it always did, and brings
 * everything before it to the disk, because the log is written in order.
 */
export const unhurriedCte = `unhurried AS (SELECT set_config('synchronous_commit', 'off', true))`

/**
 * A condition that judges the row which others find: never the way to it. Without this, "not yet expired" had the planner read all that has
 * not expired, through the index that is there for the sweep, as long as it had seen the table nearly empty.
 */
export const judged = (condition: string): string => `(${condition}) IS TRUE`

const registered = new Map<string, HotStatement>()

/** Registers a statement, so that the generated cross-tenant test covers it. */
export function hotStatement(statement: HotStatement): HotStatement {
  if (registered.has(statement.name)) throw new Error(`two hot statements are called ${statement.name}`)
  registered.set(statement.name, statement)
  return statement
}

export const hotStatements = (): readonly HotStatement[] => [...registered.values()]

/** How an instant is passed to a `timestamptz` parameter. */
export const toTimestamp = (at: Instant): Date => new Date(at)

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** As we write them; PostgreSQL would fail at a parameter that is none. */
export const isUuid = (text: string): boolean => uuid.test(text)

/** SQL: this text as a uuid, NULL where it is none. An id is found by it in an index, where `id::text = …` reads every row of the tenant. */
export const asUuid = (text: string): string => `CASE WHEN ${text}::text ~ '${uuid.source}' THEN (${text}::text)::uuid END`

/**
 * Runs `run` in one transaction under row-level security: it commits whole or not at all, and sees and writes rows of `tenant` only.
 *
 * A tenant that has its share of the connections waits for one of its own. Never call it inside another of the same tenant: each would wait for the other.
 */
export function inTenant<T>(database: Database, tenant: TenantId, run: (db: Db) => Promise<T>): Promise<T> {
  const begin = `BEGIN; ${entering(tenant)}` // one round trip
  return inTurn(database.turns.tenants, tenant, () => transaction(database.tenantPool, begin, (client) => run(queriesOf(client) as Db)))
}

/** What happens in one tenant of a transaction that goes through two. */
export type InTenant<Given, T> = { readonly tenant: TenantId; readonly run: (db: Db, given: Given) => Promise<T> }

/**
 * One transaction in two tenants, one after the other: for what one of them decides and the other bears, such as the end of a share, which
 * must not be half done. Row-level security shows the first, and then the second and no longer the first. `undefined` from the first: no more happens.
 */
export function inTenantAndThen<T>(
  database: Database,
  first: InTenant<undefined, T | undefined>,
  second: InTenant<T, void>,
): Promise<T | undefined> {
  const run = async (client: pg.PoolClient): Promise<T | undefined> => {
    const db = queriesOf(client) as Db
    const value = await first.run(db, undefined)
    if (value === undefined) return undefined
    await client.query(entering(second.tenant))
    await second.run(db, value)
    return value
  }
  const begin = `BEGIN; ${entering(first.tenant)}`
  return inTurn(database.turns.tenants, first.tenant, () => transaction(database.tenantPool, begin, run))
}

function entering(tenant: TenantId): string {
  if (!uuid.test(tenant)) throw new Error('a tenant id is a UUID') // and therefore safe in a statement
  return `SELECT set_config('drawbridge.tenant_id', '${tenant}', true)`
}

/** Runs `run` in one transaction that sees all tenants. Callers' names end in `AcrossTenants`. */
export function acrossTenants<T>(database: Database, run: (db: AcrossDb) => Promise<T>): Promise<T> {
  return transaction(database.acrossPool, 'BEGIN', (client) => run(queriesOf(client) as AcrossDb))
}

/**
 * The same for what is one statement, and so a transaction by itself: one way to the database instead of three. A second statement throws: it would
 * not be held together with the first.
 */
export function acrossTenantsInOneStatement<T>(database: Database, run: (db: AcrossDb) => Promise<T>): Promise<T> {
  let isUsed = false
  const query = async <Row>(statement: string | KeptStatement, parameters: readonly unknown[] = []): Promise<Rows<Row>> => {
    if (isUsed) throw new Error('one statement was promised')
    isUsed = true
    const result = await database.acrossPool.query(toQuery(statement, parameters))
    return { rows: result.rows as Row[], rowCount: result.rowCount ?? 0 }
  }
  return run({ query } as Queries as AcrossDb)
}

/**
 * Whether the schema refused a statement for what somebody removed while it was already running: a client, a connection, the right to mint
 * (`minter_held`). It has then done nothing; run once more, it sees that it is gone, and says so in its own terms.
 */
function isOvertaken(cause: unknown): boolean {
  const { code, constraint } = cause as { readonly code?: unknown; readonly constraint?: unknown }
  return code === '23503' || constraint === 'minter_held'
}

export function onHotPath(database: Database): HotDb {
  const hot = {
    query: async <Row>(statement: HotStatement, parameters: readonly unknown[]): Promise<Rows<Row>> => {
      const asked = { name: statement.name, text: statement.text, values: [...parameters] }
      const run = () =>
        database.turns.lockWaits(`${String(parameters[0])} ${statement.name}`, (isWanted) =>
          askUnlessHeld(database.hotPool, asked, isWanted),
        )
      const result = await run().catch((cause: unknown) => (isOvertaken(cause) ? run() : Promise.reject(cause)))
      return { rows: result.rows as Row[], rowCount: result.rowCount ?? 0 }
    },
  }
  return hot as HotDb
}

/** A statement that is its own transaction. `undefined`: it was not asked, or has met a lock and done nothing. */
async function askUnlessHeld(pool: pg.Pool, asked: pg.QueryConfig, isWanted: () => boolean): Promise<pg.QueryResult | undefined> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    return isWanted() ? await client.query(asked) : undefined
  } catch (error) {
    if (isLocked(error)) return undefined
    broken = isRefusal(error) ? undefined : toError(error)
    throw error
  } finally {
    client.release(broken)
  }
}

const codeOf = (cause: unknown): unknown => (cause as { readonly code?: unknown } | undefined)?.code

/** SQLSTATE lock_not_available. */
const isLocked = (cause: unknown): boolean => codeOf(cause) === '55P03'

/** SQLSTATE class 23: what the rows say no to. The connection is as good as before; after any other fault another may be better. */
const isRefusal = (cause: unknown): boolean => String(codeOf(cause)).startsWith('23')

const toQuery = (statement: string | KeptStatement, parameters: readonly unknown[]): pg.QueryConfig =>
  typeof statement === 'string' ? { text: statement, values: [...parameters] } : { ...statement, values: [...parameters] }

function queriesOf(client: pg.PoolClient): Queries {
  return {
    query: async <Row>(statement: string | KeptStatement, parameters: readonly unknown[] = []): Promise<Rows<Row>> => {
      const result = await client.query(toQuery(statement, parameters))
      return { rows: result.rows as Row[], rowCount: result.rowCount ?? 0 }
    },
  }
}

/** It waits for nobody: a pooled connection that does not answer it was forgotten by the network, and is found out here. */
const beginMs = 5_000

async function transaction<T>(pool: pg.Pool, begin: string, run: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query({ text: begin, query_timeout: beginMs } as pg.QueryConfig)
    const value = await run(client)
    await client.query('COMMIT')
    return value
  } catch (error) {
    broken = isUnanswered(error) || isOutdated(error) ? error : await rollBack(client)
    throw error
  } finally {
    client.release(broken)
  }
}

/** pg says it without a code: the answer did not come in time. What was sent may have happened, and the connection answers nothing any more. */
const isUnanswered = (error: unknown): error is Error => error instanceof Error && error.message === 'Query read timeout'

/** A migration gave the result of a kept statement another type: this connection would refuse it for ever, a new one plans it anew. */
const isOutdated = (error: unknown): error is Error =>
  error instanceof Error && (error as { routine?: unknown }).routine === 'RevalidateCachedQuery'

const toError = (cause: unknown): Error => (cause instanceof Error ? cause : new Error(String(cause)))

/** Answers the fault that makes this connection unfit for the pool, if there is one. */
async function rollBack(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK')
    return undefined
  } catch (error) {
    return toError(error)
  }
}
