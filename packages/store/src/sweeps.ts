/** Rows that time has ended, how long each kind is kept after that, and the statement that removes a bounded number of them. */
import type { Instant } from '@drawbridge/core/instant'
import { type AcrossDb, toTimestamp } from './transaction.js'

const hour = 3600
const day = 24 * hour

/** `over`: the column that says when a row's time was over, where that is not `expires_at`; one in which it is null is never removed. `inUse`: they come to life again; one that somebody holds is left for the next sweep, so that neither waits for the other. */
type Swept = { readonly keepSeconds: number; readonly over?: string; readonly inUse?: true }

/**
 * What is swept, in this order: whoever refers comes before what it refers to, so that hardly anything is left for the cascades.
 *
 * Nothing in here is usable after its expiry; what is kept beyond it is kept for what it can still tell. A code presented again is
 * recognised as a replay, and a refresh token as reused, until their time ends. A parked message tells nothing, and anybody can make us park
 * a large one: it goes at once. Grants are what an admin's receipts point at. The audit trail is in none of these: it ends only where its tenant chose so (`audit-retention.ts`).
 */
export const sweptTables = {
  login_traces: { keepSeconds: 0 },
  recorded_logins: { keepSeconds: 0 },
  announcements: { keepSeconds: 0 },
  deliveries: { keepSeconds: 0 },
  login_failures: { keepSeconds: 0 },
  shared_limits: { keepSeconds: 0, inUse: true },
  parked_messages: { keepSeconds: 0 },
  pushed_requests: { keepSeconds: 0 },
  idp_session_ends: { keepSeconds: hour },
  unmatched_signals: { keepSeconds: 0 },
  replays: { keepSeconds: hour },
  connection_drafts: { keepSeconds: day },
  policy_drafts: { keepSeconds: 0 },
  setup_links: { keepSeconds: 60 * day },
  login_requests: { keepSeconds: day },
  // As long as its trip, by which a sign-out finds the session that came of it.
  factor_visits: { keepSeconds: day },
  test_logins: { keepSeconds: 0 },
  factor_codes: { keepSeconds: day },
  factor_rounds: { keepSeconds: 0 },
  authorization_requests: { keepSeconds: day },
  user_code_guesses: { keepSeconds: 0 },
  // Shorter than codes, because those of a client are counted.
  device_codes: { keepSeconds: hour },
  authorization_codes: { keepSeconds: day },
  consents: { keepSeconds: 0 },
  refresh_tokens: { keepSeconds: 7 * day },
  grants: { keepSeconds: 30 * day },
  browser_sessions: { keepSeconds: 30 * day },
  policy_sweeps: { keepSeconds: 30 * day, over: 'settled_at' },
  // Longer than a notice that was written in the moment in which it closed is looked for. What it told goes with it; the receipts stay.
  notice_streams: { keepSeconds: 2 * day, over: 'closed_at' },
} as const satisfies Record<string, Swept>
export type SweptTable = keyof typeof sweptTables
export const sweptTableNames = Object.keys(sweptTables) as readonly SweptTable[]

/**
 * Removes at most `limit` rows that expired before `before`, the oldest first; answers how many. The names are ours, never input. Rows are named by
 * where they lie: an array is made once, while `IN` is looked through for every row where the planner believes that the table is nearly empty.
 */
export async function deleteExpiredAcrossTenants(db: AcrossDb, table: SweptTable, before: Instant, limit: number): Promise<number> {
  const swept: Swept = sweptTables[table]
  const over = swept.over ?? 'expires_at'
  const { rowCount } = await db.query(
    `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE ${over} < $1 ORDER BY ${over} LIMIT $2${swept.inUse ? ' FOR UPDATE SKIP LOCKED' : ''}))`,
    [toTimestamp(before), limit],
  )
  return rowCount
}

/** Erases what at most `limit` sessions, whose time was over at `now`, had kept for a sign-out; answers how many. Whoever ends one earlier erases it then. */
export async function eraseLogoutHintsAcrossTenants(db: AcrossDb, now: Instant, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE browser_sessions SET sealed_logout_hint = NULL WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM browser_sessions WHERE sealed_logout_hint IS NOT NULL AND expires_at <= $1 ORDER BY expires_at LIMIT $2))`,
    [toTimestamp(now), limit],
  )
  return rowCount
}
