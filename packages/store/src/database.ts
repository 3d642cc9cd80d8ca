/**
 * The connections to PostgreSQL: three pools that enter three narrow roles, and Prisma on the first of them.
 *
 * The role is entered through the startup parameter, so that no statement can run before it and `RESET ROLE` leads back to it.
 * Values arrive as we use them: a `timestamptz` is an `Instant`, a `bigint` a number.
 */

import type { TenantId } from '@drawbridge/core/tenant/ids'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { createDatabaseTurns, type DatabaseTurns } from './database-turns.js'
import { PrismaClient } from './generated/client.js'
import { lockTimeoutMs } from './lock-waits.js'
import { inTurn } from './turns.js'

export type DatabaseOptions = {
  readonly url: string
  /** All connections that this process may hold, the listening one included. */
  readonly connectionBudget?: number
  readonly onError?: (error: Error) => void
  /** How long an answer is waited for beyond the limit that the server has for its statement. */
  readonly answerGraceMs?: number
  /** Asked of each new connection before anything else is; where it throws the connection is closed, and whoever wanted it is told. */
  readonly admit?: (client: pg.ClientBase) => Promise<void>
  /** In place of the limits of the roles. */
  readonly statementTimeoutMs?: number
  /** In place of `lockTimeoutMs`. */
  readonly lockTimeoutMs?: number
}

export type PrismaTransaction = Parameters<Parameters<PrismaClient['$transaction']>[0]>[0]

export type Database = {
  readonly url: string
  /** Role drawbridge_tenant: row-level security shows one tenant. */
  readonly tenantPool: pg.Pool
  /** Role drawbridge_hot: granted what the registered hot statements need. */
  readonly hotPool: pg.Pool
  /** Role drawbridge_across: sweeps, vendor lists, look-ups before the tenant is known. */
  readonly acrossPool: pg.Pool
  readonly turns: DatabaseTurns
  /** Prisma in one transaction that sees one tenant. For administration, not for anything that writes a barrier, audit row, code or token. */
  prisma<T>(tenant: TenantId, run: (client: PrismaTransaction) => Promise<T>): Promise<T>
  isReachable(): Promise<boolean>
  close(): Promise<void>
}

export const defaultConnectionBudget = 20
const smallestBudget = 4
const connectTimeoutMs = 5_000
const statementTimeoutMs = { drawbridge_tenant: 15_000, drawbridge_hot: 5_000, drawbridge_across: 60_000 } as const
/**
 * The server ends a statement that takes too long; but where the network has lost the connection without a word (a firewall that forgets, a host that is
 * gone), nobody answers at all, and TCP alone notices after a quarter of an hour. Until then each such connection would be one less of the budget.
 */
export const answerGraceMs = 5_000
/** Idle connections are looked after by the system, from then on. */
export const keepAliveAfterMs = 10_000
const idleTransactionTimeoutMs = 30_000
/** A new connection plans each of its statements anew, 3 to 8 ms for a large one: one that is asked for every minute or so keeps its plans. */
const keepIdleMs = 300_000

/**
 * How statements are planned, whatever the server is set to. Nothing that we ask runs long enough to be worth compiling (`jit`).
 *
 * Every hot statement looks rows up by key, so one plan serves all values (`plan_cache_mode`: planning costs ten times the execution),
 * and that plan stays right while a table grows: one that was made while a table had a page would read the whole of it (`enable_seqscan`).
 * So it is for what is asked across tenants: "is there one" is answered by the planner's average tenant, and one that has none costs all. And inside a
 * tenant, whose rows are never a whole table: there, as across tenants, the planner chooses for each kept statement whether one plan serves all values.
 */
const planning = '-c jit=off'
const byIndex = '-c enable_seqscan=off'
const hotPlanning = `-c plan_cache_mode=force_generic_plan ${byIndex}`
const planningOf = {
  drawbridge_tenant: `${planning} ${byIndex}`,
  drawbridge_hot: `${planning} ${hotPlanning}`,
  drawbridge_across: `${planning} ${byIndex}`,
} as const

export function createDatabase(options: DatabaseOptions): Database {
  const budget = options.connectionBudget ?? defaultConnectionBudget
  if (budget < smallestBudget) throw new Error(`the connection budget must be at least ${smallestBudget}, not ${budget}`)
  const across = Math.max(1, Math.floor(budget / 6))
  const hot = Math.max(1, Math.floor((budget - 1 - across) / 2))
  const state: { closing: Promise<void> | undefined } = { closing: undefined }
  // A server that goes down just after us ends connections that are ending anyway.
  const heard: DatabaseOptions = { ...options, onError: (error) => state.closing === undefined && options.onError?.(error) }
  const turns = createDatabaseTurns({ tenantPool: budget - 1 - across - hot, hotPool: hot, acrossPool: across, connectTimeoutMs })
  const tenantPool = openPool(heard, 'drawbridge_tenant', budget - 1 - across - hot)
  const hotPool = openPool(heard, 'drawbridge_hot', hot)
  const acrossPool = openPool(heard, 'drawbridge_across', across)
  const prisma = new PrismaClient({ adapter: new PrismaPg(tenantPool, { statementNameGenerator: statementNames() }) })
  return {
    url: options.url,
    tenantPool,
    hotPool,
    acrossPool,
    turns,
    prisma: (tenant, run) =>
      inTurn(turns.tenants, tenant, () =>
        prisma.$transaction(async (client) => {
          await client.$queryRaw`SELECT set_config('drawbridge.tenant_id', ${tenant}, true)`
          return run(client)
        }),
      ),
    isReachable: () => isReachable(hotPool),
    close: () => (state.closing ??= closeAll(prisma, [tenantPool, hotPool, acrossPool])),
  }
}

type Role = keyof typeof statementTimeoutMs

function openPool(options: DatabaseOptions, role: Role, max: number): pg.Pool {
  const { admit } = options
  const limitMs = options.statementTimeoutMs ?? statementTimeoutMs[role]
  // 0 is as long as the statement may take.
  const lockMs = role === 'drawbridge_hot' ? (options.lockTimeoutMs ?? lockTimeoutMs) : 0
  const pool = new pg.Pool({
    connectionString: options.url,
    max,
    application_name: role,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: limitMs + (options.answerGraceMs ?? answerGraceMs),
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveAfterMs,
    idleTimeoutMillis: keepIdleMs,
    types,
    // While this one runs the pool hears a connection that breaks; while its `verify` runs nobody does, and the process would end.
    // Its type does not say so, but what it promises is waited for.
    ...(admit !== undefined && { onConnect: admit as (client: pg.ClientBase) => void }),
    options: `-c role=${role} -c statement_timeout=${limitMs} -c lock_timeout=${lockMs} -c idle_in_transaction_session_timeout=${idleTransactionTimeoutMs} -c timezone=UTC ${planningOf[role]}`,
  })
  pool.on('connect', leaveFaultsToStatements)
  pool.on('error', (error) => options.onError?.(error))
  return pool
}

/**
 * A pool hears only of idle connections: one that breaks between two statements, or in the moment in which it is given out, would end the process. With this
 * the next statement meets the fault, where it can be answered.
 */
export function leaveFaultsToStatements(client: Pick<pg.ClientBase, 'on'>): void {
  client.on('error', () => undefined)
}

const timestamptz = pg.types.builtins.TIMESTAMPTZ
const parseTimestamp = pg.types.getTypeParser(timestamptz)

function parseBigint(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new Error('a bigint from the database is beyond 2^53')
  return value
}

/** Ours for plain `pg`; Prisma's adapter brings its own with every query. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (format === 'binary') return pg.types.getTypeParser(oid, 'binary')
    if (oid === timestamptz) return (text: string) => (parseTimestamp(text) as Date).getTime()
    if (oid === pg.types.builtins.INT8) return parseBigint
    return pg.types.getTypeParser(oid, 'text')
  }) as pg.CustomTypesConfig['getTypeParser'],
}

/** Without names every Prisma query is parsed and planned anew; the cap keeps odd queries from filling the server's memory. */
function statementNames() {
  const names = new Map<string, string>()
  const most = 500
  return (query: { sql: string }): string => {
    const known = names.get(query.sql)
    if (known !== undefined || names.size >= most) return known ?? '' // no name: prepared for this once
    const name = `p${names.size}`
    names.set(query.sql, name)
    return name
  }
}

async function isReachable(pool: pg.Pool): Promise<boolean> {
  try {
    await pool.query('SELECT 1')
    return true
  } catch {
    return false
  }
}

async function closeAll(prisma: PrismaClient, pools: readonly pg.Pool[]): Promise<void> {
  await prisma.$disconnect()
  await Promise.all(pools.map((pool) => pool.end()))
}
