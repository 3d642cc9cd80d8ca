/** What happens between two statements of one request: a database that lets a test act just before a named hot statement is sent. */
import type { Database } from '@drawbridge/store/database'
import type pg from 'pg'

export type ARace = {
  /** The same database, for the broker's dependencies. */
  readonly database: Database
  /** Runs `act` before each of the next `times` statements of that name; the statement itself then runs as ever. */
  before(statement: string, act: () => Promise<unknown>, times?: number): void
}

export function aRace(database: Database): ARace {
  let waiting: { statement: string; act: () => Promise<unknown>; left: number } | undefined
  const acting = (client: pg.PoolClient) =>
    new Proxy(client, {
      get: (of, property) => {
        if (property !== 'query') return Reflect.get(of, property) as unknown
        return async (query: pg.QueryConfig) => {
          if (waiting !== undefined && waiting.statement === query.name && waiting.left > 0) {
            waiting.left -= 1
            await waiting.act()
          }
          return of.query(query)
        }
      },
    })
  const hotPool = new Proxy(database.hotPool, {
    get: (pool, property) => (property === 'connect' ? async () => acting(await pool.connect()) : (Reflect.get(pool, property) as unknown)),
  })
  return {
    database: { ...database, hotPool },
    before: (statement, act, times = 1) => {
      waiting = { statement, act, left: times }
    },
  }
}
