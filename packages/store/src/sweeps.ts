/** Rows that time has ended, how long each kind is kept after that, and the statement that removes a bounded number of them. */
import type { Instant } from '@drawbridge/core/instant'
import { type AcrossDb, toTimestamp } from './transaction.js'

const hour = 3600
const day = 24 * hour

/** `over`: the column that says when a row's time was over, where that is not `expires_at`; one in which it is null is never removed. `inUse`: they come to life again; one that somebody holds is left for the next sweep, so that neither waits for the other. */
type Swept = { readonly key: readonly string[]; readonly keepSeconds: number; readonly over?: string; readonly inUse?: true }

/**
 * What is swept, in this order: whoever refers comes before what it refers to, so that hardly anything is left for the cascades.
 *
 * Nothing in here is usable after its expiry; what is kept beyond it is kept for what it can still tell. A code presented again is
 * recognised as a replay, and a refresh token as reused, until their time ends. A parked message tells nothing, and anybody can make us park
 * a large one: it goes at once. Grants are what an admin's receipts point at. The audit trail is in none of these and is never swept.
 */
export const sweptTables = {
  login_traces: { key: ['tenant_id', 'id'], keepSeconds: 0 },
  recorded_logins: { key: ['tenant_id', 'id'], keepSeconds: 0 },
  announcements: { key: ['tenant_id', 'id'], keepSeconds: 0 },
  deliveries: { key: ['tenant_id', 'id'], keepSeconds: 0 },
  login_failures: { key: ['tenant_id', 'connection_id', 'hour', 'proven'], keepSeconds: 0 },
  shared_limits: { key: ['key_hash'], keepSeconds: 0, inUse: true },
  parked_messages: { key: ['tenant_id', 'handle_hash'], keepSeconds: 0 },
  pushed_requests: { key: ['tenant_id', 'request_hash'], keepSeconds: 0 },
  idp_session_ends: { key: ['tenant_id', 'connection_id', 'name'], keepSeconds: hour },
  unmatched_signals: { key: ['tenant_id', 'id'], keepSeconds: 0 },
  replays: { key: ['tenant_id', 'connection_id', 'kind', 'id_hash'], keepSeconds: hour },
  connection_drafts: { key: ['tenant_id', 'id'], keepSeconds: day },
  policy_drafts: { key: ['tenant_id', 'id'], keepSeconds: 0 },
  setup_links: { key: ['tenant_id', 'id'], keepSeconds: 60 * day },
  login_requests: { key: ['tenant_id', 'id'], keepSeconds: day },
  // As long as its trip, by which a sign-out finds the session that came of it.
  factor_visits: { key: ['tenant_id', 'id'], keepSeconds: day },
  test_logins: { key: ['tenant_id', 'id'], keepSeconds: 0 },
  factor_codes: { key: ['tenant_id', 'id'], keepSeconds: day },
  factor_rounds: { key: ['tenant_id', 'authorization_request_id'], keepSeconds: 0 },
  authorization_requests: { key: ['tenant_id', 'id'], keepSeconds: day },
  user_code_guesses: { key: ['tenant_id', 'guesser'], keepSeconds: 0 },
  // Shorter than codes, because those of a client are counted.
  device_codes: { key: ['tenant_id', 'id'], keepSeconds: hour },
  authorization_codes: { key: ['tenant_id', 'code_hash'], keepSeconds: day },
  consents: { key: ['tenant_id', 'id'], keepSeconds: 0 },
  refresh_tokens: { key: ['tenant_id', 'token_hash'], keepSeconds: 7 * day },
  grants: { key: ['tenant_id', 'id'], keepSeconds: 30 * day },
  browser_sessions: { key: ['tenant_id', 'id'], keepSeconds: 30 * day },
  policy_sweeps: { key: ['tenant_id', 'version'], keepSeconds: 30 * day, over: 'settled_at' },
} as const satisfies Record<string, Swept>
export type SweptTable = keyof typeof sweptTables
export const sweptTableNames = Object.keys(sweptTables) as readonly SweptTable[]

/** Removes at most `limit` rows that expired before `before`, the oldest first; answers how many. The names are ours, never input. */
export async function deleteExpiredAcrossTenants(db: AcrossDb, table: SweptTable, before: Instant, limit: number): Promise<number> {
  const swept: Swept = sweptTables[table]
  const [key, over] = [swept.key.join(', '), swept.over ?? 'expires_at']
  const { rowCount } = await db.query(
    `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE ${over} < $1 ORDER BY ${over} LIMIT $2${swept.inUse ? ' FOR UPDATE SKIP LOCKED' : ''})`,
    [toTimestamp(before), limit],
  )
  return rowCount
}

/** Erases what at most `limit` sessions, whose time was over at `now`, had kept for a sign-out; answers how many. Whoever ends one earlier erases it then. */
export async function eraseLogoutHintsAcrossTenants(db: AcrossDb, now: Instant, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE browser_sessions SET sealed_logout_hint = NULL WHERE (tenant_id, id) IN (
       SELECT tenant_id, id FROM browser_sessions WHERE sealed_logout_hint IS NOT NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2)`,
    [toTimestamp(now), limit],
  )
  return rowCount
}
