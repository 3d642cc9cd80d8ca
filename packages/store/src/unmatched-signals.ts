/**
 * What signals of IdPs said of people who were not here. It is no silent success: it is an alarm, and it holds for whoever comes under that id
 * later. Evidence from before it is refused, and whom it deactivated stays out until an admin, or her directory, says otherwise. security.md §3
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { ConnectionId, ScimUserId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

export const unmatchedSignalLimits = {
  /**
   * Of what only says how new a sign-in has to be: longer than any session at an IdP lives that she could come by. What keeps somebody out is kept for
   * as long at least, and for ever while there is room.
   */
  keepSeconds: 400 * 86_400,
  /** Of all connections of a tenant: more people than any company loses in those days. */
  ofTenant: 50_000,
  /** Go at once, where there is no room for one more. */
  givingWay: 100,
} as const

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

/**
 * The later word counts, and one that keeps her out is not taken back by one that does not. False: there is no room and nothing that may give way, so
 * that nothing was kept; whoever says it must not be told that it was.
 */
export async function keepUnmatchedSignal(db: Db, tenant: TenantId, signal: UnmatchedSignal): Promise<boolean> {
  const { id, connectionId, stableId, reason, deactivates, saidAt } = signal
  const until = toTimestamp(addSeconds(saidAt, unmatchedSignalLimits.keepSeconds))
  const { rows } = await db.query<{ is_new: boolean }>(
    `INSERT INTO unmatched_signals AS u (tenant_id, id, connection_id, name, stable_id, reason, deactivates, said_at, expires_at)
     VALUES ($1, $2, $3, unmatched_name($4), $4, $5, $6, $7, CASE WHEN $6 THEN NULL ELSE $8::timestamptz END)
     ON CONFLICT (tenant_id, connection_id, name) DO UPDATE SET said_at = GREATEST(u.said_at, excluded.said_at),
       reason = CASE WHEN u.deactivates AND NOT excluded.deactivates THEN u.reason ELSE excluded.reason END,
       deactivates = u.deactivates OR excluded.deactivates,
       expires_at = CASE WHEN u.deactivates OR excluded.deactivates THEN NULL ELSE GREATEST(u.expires_at, excluded.expires_at) END
     RETURNING u.id = $2 AS is_new`,
    [tenant, id, connectionId, stableId, reason, deactivates, toTimestamp(saidAt), until],
  )
  if (rows[0]?.is_new !== true || (await hasRoom(db, tenant)) || (await makeRoom(db, tenant, signal))) return true
  await db.query('DELETE FROM unmatched_signals WHERE tenant_id = $1 AND id = $2', [tenant, id])
  return false
}

async function hasRoom(db: Db, tenant: TenantId): Promise<boolean> {
  const text = 'SELECT count(*)::int AS count FROM (SELECT 1 FROM unmatched_signals WHERE tenant_id = $1 LIMIT $2) AS kept'
  const { rows } = await db.query<{ count: number }>(text, [tenant, unmatchedSignalLimits.ofTenant + 1])
  return (rows[0]?.count ?? 0) <= unmatchedSignalLimits.ofTenant
}

/** What only asks for a newer sign-in, the oldest first; then whom it has kept out for longest, and for long enough. Of each the trail knows for ever. */
async function makeRoom(db: Db, tenant: TenantId, { id, saidAt }: UnmatchedSignal): Promise<boolean> {
  const { rowCount } = await db.query(
    `DELETE FROM unmatched_signals WHERE tenant_id = $1 AND id IN (
       SELECT id FROM unmatched_signals WHERE tenant_id = $1 AND id <> $2 AND (NOT deactivates OR said_at < $3)
       ORDER BY deactivates, said_at, id LIMIT $4)`,
    [tenant, id, toTimestamp(addSeconds(saidAt, -unmatchedSignalLimits.keepSeconds)), unmatchedSignalLimits.givingWay],
  )
  return rowCount > 0
}

const lifted = (which: string): string => `UPDATE unmatched_signals SET deactivates = false, expires_at = $3
  WHERE tenant_id = $1 AND deactivates AND ${which} RETURNING connection_id`

/** Lets her come; evidence from before what was said stays refused. `undefined`: there is none that keeps anybody out. */
export async function liftUnmatchedSignal(db: Db, tenant: TenantId, id: string, now: Instant): Promise<ConnectionId | undefined> {
  const until = toTimestamp(addSeconds(now, unmatchedSignalLimits.keepSeconds))
  const { rows } = await db.query<{ connection_id: ConnectionId }>(lifted('id = $2'), [tenant, id, until])
  return rows[0]?.connection_id
}

/** Her directory has switched her on again: of its own connection, by the id that it gave her. */
export async function liftUnmatchedOfUser(db: Db, tenant: TenantId, user: ScimUserId, now: Instant): Promise<void> {
  const ofUser =
    '(connection_id, name) IN (SELECT u.connection_id, unmatched_name(u.external_id) FROM scim_users u WHERE u.tenant_id = $1 AND u.id = $2)'
  await db.query(lifted(ofUser), [tenant, user, toTimestamp(addSeconds(now, unmatchedSignalLimits.keepSeconds))])
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
