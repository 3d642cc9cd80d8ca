/**
 * What signals of IdPs said of people who were not here. It is no silent success: it is an alarm, and it holds for whoever comes under that id
 * later. Evidence from before it is refused, and whom it deactivated stays out until an admin, or her directory, says otherwise. security.md §3
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { ConnectionId, ScimUserId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

/** Of what only says how new a sign-in has to be: longer than any session at an IdP lives that she could come by. */
export const keepUnmatchedSeconds = 400 * 86_400

export type UnmatchedSignal = {
  readonly id: string
  readonly connectionId: ConnectionId
  readonly stableId: string
  readonly reason: string
  readonly deactivates: boolean
  readonly saidAt: Instant
}

/**
 * Until the end of this transaction nobody's login under this id is written; one that is being written is waited for. Taken before anybody is
 * looked for: a first login is seen, or sees what is said here (`hold_signals`).
 */
export async function holdSignalled(db: Db, tenant: TenantId, connectionId: ConnectionId, stableId: string): Promise<void> {
  await db.query('SELECT pg_advisory_xact_lock(signal_lock($1, $2, $3))', [tenant, connectionId, stableId])
}

/** The later word counts, and one that keeps her out is not taken back by one that does not. */
export async function keepUnmatchedSignal(db: Db, tenant: TenantId, signal: UnmatchedSignal): Promise<void> {
  const { id, connectionId, stableId, reason, deactivates, saidAt } = signal
  await db.query(
    `INSERT INTO unmatched_signals AS u (tenant_id, id, connection_id, name, stable_id, reason, deactivates, said_at, expires_at)
     VALUES ($1, $2, $3, unmatched_name($4), $4, $5, $6, $7, CASE WHEN $6 THEN NULL ELSE $8::timestamptz END)
     ON CONFLICT (tenant_id, connection_id, name) DO UPDATE SET said_at = GREATEST(u.said_at, excluded.said_at),
       reason = CASE WHEN u.deactivates AND NOT excluded.deactivates THEN u.reason ELSE excluded.reason END,
       deactivates = u.deactivates OR excluded.deactivates,
       expires_at = CASE WHEN u.deactivates OR excluded.deactivates THEN NULL ELSE GREATEST(u.expires_at, excluded.expires_at) END`,
    [tenant, id, connectionId, stableId, reason, deactivates, toTimestamp(saidAt), toTimestamp(addSeconds(saidAt, keepUnmatchedSeconds))],
  )
}

const lifted = (which: string): string => `UPDATE unmatched_signals SET deactivates = false, expires_at = $3
  WHERE tenant_id = $1 AND deactivates AND ${which} RETURNING connection_id`

/** Lets her come; evidence from before what was said stays refused. `undefined`: there is none that keeps anybody out. */
export async function liftUnmatchedSignal(db: Db, tenant: TenantId, id: string, now: Instant): Promise<ConnectionId | undefined> {
  const until = toTimestamp(addSeconds(now, keepUnmatchedSeconds))
  const { rows } = await db.query<{ connection_id: ConnectionId }>(lifted('id = $2'), [tenant, id, until])
  return rows[0]?.connection_id
}

/** Her directory has switched her on again: of its own connection, by the id that it gave her. */
export async function liftUnmatchedOfUser(db: Db, tenant: TenantId, user: ScimUserId, now: Instant): Promise<void> {
  const ofUser =
    '(connection_id, name) IN (SELECT u.connection_id, unmatched_name(u.external_id) FROM scim_users u WHERE u.tenant_id = $1 AND u.id = $2)'
  await db.query(lifted(ofUser), [tenant, user, toTimestamp(addSeconds(now, keepUnmatchedSeconds))])
}

type Row = {
  readonly id: string
  readonly connection_id: ConnectionId
  readonly stable_id: string
  readonly reason: string
  readonly deactivates: boolean
  readonly said_at: Instant
}

/** Newest first. */
export async function listUnmatchedSignals(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly UnmatchedSignal[]> {
  const { rows } = await db.query<Row>(
    `SELECT id, connection_id, stable_id, reason, deactivates, said_at FROM unmatched_signals
     WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (said_at, id) < ($2, $3::uuid)) ORDER BY said_at DESC, id DESC LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows.map((row) => ({
    ...{ id: row.id, connectionId: row.connection_id, stableId: row.stable_id, reason: row.reason },
    ...{ deactivates: row.deactivates, saidAt: row.said_at },
  }))
}
