/** Very many people whom an IdP has named and whom nobody knows, by one statement. */
import type { Instant } from '@drawbridge/core/instant'
import { asOwner } from './database.js'

export type ManyUnmatched = {
  readonly tenantId: string
  readonly connectionId: string
  /** Before the number of each. */
  readonly name: string
  readonly count: number
  readonly deactivates: boolean
  readonly at: Instant
}

export const manyUnmatchedSignals = (ownerUrl: string, { tenantId, connectionId, name, count, deactivates, at }: ManyUnmatched) =>
  asOwner(
    ownerUrl,
    `INSERT INTO unmatched_signals (tenant_id, id, connection_id, name, stable_id, reason, deactivates, said_at, expires_at)
     SELECT $1, gen_random_uuid(), $2, unmatched_name($3 || n), $3 || n, 'said', $4, $5::timestamptz + n * interval '1 ms', CASE WHEN NOT $4 THEN $5::timestamptz END
     FROM generate_series(1, $6::int) n`,
    [tenantId, connectionId, name, deactivates, new Date(at), count],
  )
