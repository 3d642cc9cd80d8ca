/**
 * What all processes together have spent of a rate limit: leaky buckets in a table that is not logged. Each process tells what it has spent since
 * it last told, and is told the level that all have made; nobody waits for it.
 */
import { createHash } from 'node:crypto'
import type { Instant } from '@drawbridge/core/instant'
import { type AcrossDb, toTimestamp } from './transaction.js'

/**
 * `key`: the limit's name and whom it counts. `perSecond`: how much of it runs off. `at`: when the last of it was spent. `level`: what was left of
 * it then, had nothing been spent before: it may have been spent over a long time.
 */
export type SpentLimit = {
  readonly key: string
  readonly spent: number
  readonly level: number
  readonly perSecond: number
  readonly at: Instant
}

/** Of all processes, at that time. */
export type LimitLevel = { readonly key: string; readonly level: number; readonly at: Instant }

/** SQL: the clock was put back, or is another by so much: what its future holds would never run off. */
const isPutBack = `excluded.at < held.at - interval '1 minute'`

const hashOf = (key: string): Buffer => createHash('sha256').update(key, 'utf8').digest()

/** Rows are taken in the order of their keys, so that two processes that tell of the same ones wait for each other and never for ever. */
export async function shareSpentLimitsAcrossTenants(db: AcrossDb, spent: readonly SpentLimit[]): Promise<readonly LimitLevel[]> {
  const byHash = new Map(spent.map((each) => [hashOf(each.key).toString('hex'), each]))
  const told = [...byHash.values()]
  const { rows } = await db.query<{ hash: string; level: number; at: Instant }>(
    `INSERT INTO shared_limits AS held (key_hash, level, spent, per_second, at, expires_at)
     SELECT decode(told.hash, 'hex'), told.level, told.spent, told.per_second, told.at, told.at + make_interval(secs => told.level / told.per_second)
       FROM unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::timestamptz[]) AS told (hash, level, spent, per_second, at) ORDER BY told.hash
     ON CONFLICT (key_hash) DO UPDATE SET
       (level, spent, per_second, at, expires_at) = (
         SELECT now.level, excluded.spent, excluded.per_second, now.at, now.at + make_interval(secs => now.level / excluded.per_second)
           FROM (SELECT CASE WHEN ${isPutBack} THEN excluded.level ELSE greatest(excluded.level,
               held.level + excluded.spent - greatest(0, extract(epoch FROM excluded.at - held.at)) * excluded.per_second) END AS level,
             CASE WHEN ${isPutBack} THEN excluded.at ELSE greatest(held.at, excluded.at) END AS at) now)
     RETURNING encode(key_hash, 'hex') AS hash, level, at`,
    [
      [...byHash.keys()],
      told.map((each) => each.level),
      told.map((each) => each.spent),
      told.map((each) => each.perSecond),
      told.map((each) => toTimestamp(each.at)),
    ],
  )
  return rows.map(({ hash, level, at }) => ({ key: (byHash.get(hash) as SpentLimit).key, level, at }))
}
