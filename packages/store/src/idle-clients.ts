/**
 * Clients that registered or describe themselves, that nobody uses any more and that nothing refers to: gone, as if they had never come. One that
 * describes itself is fetched again when somebody brings it, so nothing is lost by its end, and nothing told.
 */
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

/** Where a person or an admin has said something of a client. Of one that registered itself they go with it; one that describes itself stays for them. */
export const sayingTables = ['consents', 'client_logos', 'scim_tokens'] as const

/** No admin has said anything of `c`, and no barrier was raised. */
export const isUngoverned = `NOT c.pre_approved AND c.approval_lost IS NULL AND c.blocked_at IS NULL AND c.barrier_at IS NULL AND c.epoch = 1
  AND c.scope_ceiling = '{}' AND coalesce(c.own_scope_ceiling, '{}') = '{}' AND c.access_token_ttl_seconds IS NULL AND c.own_access_token_ttl_seconds IS NULL`

const isNotAsked = `(c.asked_at IS NULL OR c.asked_at < ${before(askedClientSeconds)})`

/** A grant is kept for weeks after its end, so a client with one is never idle; an admin who approves one beforehand means it to be used. Not so a statement that approves: whoever has the software has it. One that waits for an admin is given the time. */
const isOverOfDynamic = `c.kind = 'dynamic' AND (
    c.unregistered_at IS NOT NULL
    OR coalesce(c.last_used_at, c.created_at) < ${before(idleClientSeconds)}
    OR (c.last_used_at IS NULL AND (NOT c.pre_approved OR c.software_statement IS NOT NULL) AND c.blocked_at IS NULL AND c.created_at < ${before(unusedClientSeconds)}
      AND ${isNotAsked}))
  AND ${livingTables.map(nothingOf).join(' AND ')}`

/** As soon as nothing of it is left: what it was granted, and when, its grants say for weeks. */
const isOverOfDocument = `c.kind = 'metadata_document' AND (
    c.unregistered_at IS NOT NULL
    OR (c.created_at < ${before(unusedClientSeconds)} AND ${isUngoverned} AND ${isNotAsked}))
  AND ${[...livingTables, ...sayingTables].map(nothingOf).join(' AND ')}`

const lockText = (isOver: string): string =>
  `SELECT c.ctid FROM clients c WHERE ${isOver} ORDER BY c.created_at LIMIT $2 FOR UPDATE SKIP LOCKED`

/** By its place, which stays as long as it is locked: one document is a client of many tenants. The end of one that ended before was told then. */
const deleteText = (isOver: string): string => `WITH gone AS (
    DELETE FROM clients c WHERE c.ctid = ANY($2::tid[]) AND ${isOver} RETURNING tenant_id, issuer_id, client_id, kind, last_used_at, unregistered_at),
  told AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, client_id, scopes, reason, detail)
    SELECT tenant_id, $1, 'client.registration_ended', issuer_id, client_id, '{}', CASE WHEN last_used_at IS NULL THEN 'never_used' ELSE 'idle' END, '{}'
    FROM gone WHERE unregistered_at IS NULL AND kind = 'dynamic')
  SELECT client_id FROM gone`

const ways = [isOverOfDynamic, isOverOfDocument].map((isOver) => ({ lock: lockText(isOver), delete: deleteText(isOver) }))

/**
 * At most `limit` of each kind; answers how many. They are locked first and judged again by a statement that sees what was being opened for them
 * meanwhile: so whoever was faster keeps its client, and whoever comes later finds none.
 */
export async function deleteIdleClientsAcrossTenants(db: AcrossDb, now: Instant, limit: number): Promise<number> {
  let removed = 0
  for (const way of ways) {
    const { rows } = await db.query<{ ctid: string }>(way.lock, [toTimestamp(now), limit])
    if (rows.length === 0) continue
    const { rowCount } = await db.query(way.delete, [toTimestamp(now), rows.map(({ ctid }) => ctid)])
    removed += rowCount
  }
  return removed
}
