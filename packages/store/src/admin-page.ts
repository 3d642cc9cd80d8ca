/** Pages of the admin's lists: where one ended, the next goes on, whatever is written meanwhile. */
import type { Instant } from '@drawbridge/core/instant'
import { toTimestamp } from './transaction.js'

/** The limit of every list of the admin API. */
export const mostPerPage = 200

/** Behind which row the page begins; absent: at the start. `limit` is a number of rows; whoever wants to know whether more follow asks for one more. */
export type Page<Position> = { readonly from?: Position | undefined; readonly limit: number }

/** A moment, and the id of a row of that moment: two rows of one moment have an order, so that none is skipped or shown twice. */
export type MomentPosition = { readonly at: Instant; readonly id: string }

/** Parameters of `(column, id) > ($n, $n+1)` and of the LIMIT behind them. */
export const momentParameters = ({ from, limit }: Page<MomentPosition>): readonly unknown[] => [
  from === undefined ? null : toTimestamp(from.at),
  from?.id ?? null,
  limit,
]
