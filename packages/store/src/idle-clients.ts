/** Clients that registered themselves, that nobody uses any more and that nothing refers to: gone, as if they had never come. */
import type { Instant } from '@drawbridge/core/instant'
import { registrationLimits } from '@drawbridge/core/oauth/client-registration'
import { type AcrossDb, toTimestamp } from './transaction.js'

const { askedClientSeconds, idleClientSeconds, unusedClientSeconds } = registrationLimits
const before = (seconds: number): string => `$1::timestamptz - make_interval(secs => ${seconds})`
const nothingOf = (table: string): string =>
  `NOT EXISTS (SELECT 1 FROM ${table} r WHERE r.tenant_id = c.tenant_id AND r.issuer_id = c.issuer_id AND r.client_id = c.client_id)`

/** Where somebody may be in the middle of something, or holds what came of it. What else refers to a client goes with it. */
export const livingTables = [
  'grants',
  'refresh_tokens',
  'authorization_codes',
  'authorization_requests',
  'device_codes',
  'pushed_requests',
] as const

/** A grant is kept for weeks after its end, so a client with one is never idle; an admin who approves one beforehand means it to be used. Not so a statement that approves: whoever has the software has it. One that waits for an admin is given the time. */
const isOver = `c.kind = 'dynamic' AND (
    c.unregistered_at IS NOT NULL
    OR coalesce(c.last_used_at, c.created_at) < ${before(idleClientSeconds)}
    OR (c.last_used_at IS NULL AND (NOT c.pre_approved OR c.software_statement IS NOT NULL) AND c.blocked_at IS NULL AND c.created_at < ${before(unusedClientSeconds)}
      AND (c.asked_at IS NULL OR c.asked_at < ${before(askedClientSeconds)})))
  AND ${livingTables.map(nothingOf).join(' AND ')}`

const lockText = `SELECT c.client_id FROM clients c WHERE ${isOver} ORDER BY c.created_at LIMIT $2 FOR UPDATE SKIP LOCKED`

/** The end of one that ended before was told then. */
const deleteText = `WITH gone AS (
    DELETE FROM clients c WHERE c.client_id = ANY($2) AND ${isOver} RETURNING tenant_id, issuer_id, client_id, last_used_at, unregistered_at),
  told AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, client_id, scopes, reason, detail)
    SELECT tenant_id, $1, 'client.registration_ended', issuer_id, client_id, '{}', CASE WHEN last_used_at IS NULL THEN 'never_used' ELSE 'idle' END, '{}'
    FROM gone WHERE unregistered_at IS NULL)
  SELECT client_id FROM gone`

/**
 * At most `limit`; answers how many. They are locked first and judged again by a statement that sees what was being opened for them meanwhile: so
 * whoever was faster keeps its client, and whoever comes later finds none.
 */
export async function deleteIdleClientsAcrossTenants(db: AcrossDb, now: Instant, limit: number): Promise<number> {
  const { rows } = await db.query<{ client_id: string }>(lockText, [toTimestamp(now), limit])
  if (rows.length === 0) return 0
  const { rowCount } = await db.query(deleteText, [toTimestamp(now), rows.map((row) => row.client_id)])
  return rowCount
}
