/**
 * What signals of IdPs said of people who were not here. It is no silent success: it is an alarm, and it holds for whoever comes under that id
 * later. Evidence from before it is refused, and whom it deactivated stays out until an admin says otherwise. security.md §3
 */
import type { EmailAddress } from '@drawbridge/core/identity/email-address'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

export const unmatchedSignalLimits = {
  /**
   * Of what only says how new a sign-in has to be: longer than any session at an IdP lives that she could come by. What keeps somebody out is kept for
   * as long at least, and for ever while there is room.
   */
  keepSeconds: 400 * 86_400,
  /**
   * Of one connection: more people than any company loses in those days. Each has room of its own, so that none fills that of the others. Exceeded by as
   * many as come in the very moment in which the last place is taken.
   */
  ofConnection: 50_000,
  /** Go at once, where there is no room for one more. */
  givingWay: 100,
  /** Lifted by one call. */
  liftedAtOnce: 10_000,
} as const

export type UnmatchedSignal = {
  readonly id: string
  readonly connectionId: ConnectionId
  readonly stableId: string
  readonly reason: string
  readonly deactivates: boolean
  readonly saidAt: Instant
}

/** An address as a name beside ids; logins make the same of theirs (`namesOfHers`, `hold_signals`). */
export const heldAddress = ({ key }: EmailAddress): string => `mailto:${key}`

/**
 * Until the end of this transaction nobody's login under this id is written; one that is being written is waited for. Taken before anybody is
 * looked for: a first login is seen, or sees what is said here (`hold_signals`).
 */
export async function holdSignalled(db: Db, tenant: TenantId, connectionId: ConnectionId, stableId: string): Promise<void> {
  await db.query('SELECT pg_advisory_xact_lock(signal_lock($1, $2, $3))', [tenant, connectionId, stableId])
}

/**
 * The later word counts, and one that keeps her out is not taken back by one that does not. False: there is no room and nothing that may give way, and
 * nothing was written; whoever says it must not be told that it was kept.
 */
export async function keepUnmatchedSignal(db: Db, tenant: TenantId, signal: UnmatchedSignal): Promise<boolean> {
  const { id, connectionId, stableId, reason, deactivates, saidAt } = signal
  if (!(await hasRoom(db, tenant, signal)) && !(await makeRoom(db, tenant, signal))) return false
  const until = toTimestamp(addSeconds(saidAt, unmatchedSignalLimits.keepSeconds))
  await db.query(
    `INSERT INTO unmatched_signals AS u (tenant_id, id, connection_id, name, stable_id, reason, deactivates, said_at, expires_at)
     VALUES ($1, $2, $3, unmatched_name($4), $4, $5, $6, $7, CASE WHEN $6 THEN NULL ELSE $8::timestamptz END)
     ON CONFLICT (tenant_id, connection_id, name) DO UPDATE SET said_at = GREATEST(u.said_at, excluded.said_at), said_nth = excluded.said_nth,
       reason = CASE WHEN u.deactivates AND NOT excluded.deactivates THEN u.reason ELSE excluded.reason END,
       deactivates = u.deactivates OR excluded.deactivates,
       expires_at = CASE WHEN u.deactivates OR excluded.deactivates THEN NULL ELSE GREATEST(u.expires_at, excluded.expires_at) END`,
    [tenant, id, connectionId, stableId, reason, deactivates, toTimestamp(saidAt), until],
  )
  return true
}

/** Who is named already needs none. Two rows are read, however many are kept; nothing is locked by it. */
async function hasRoom(db: Db, tenant: TenantId, { connectionId, stableId }: UnmatchedSignal): Promise<boolean> {
  const { rows } = await db.query<{ has_room: boolean }>(
    `SELECT coalesce((SELECT kept FROM unmatched_signal_counts WHERE tenant_id = $1 AND connection_id = $2), 0) < $4
       OR EXISTS (SELECT 1 FROM unmatched_signals WHERE tenant_id = $1 AND connection_id = $2 AND name = unmatched_name($3)) AS has_room`,
    [tenant, connectionId, stableId, unmatchedSignalLimits.ofConnection],
  )
  return rows[0]?.has_room === true
}

/** What may give way, in this order: what only asks for a newer sign-in; then whom it has kept out for long enough. `$3`: since when that is. */
const mayGiveWay = ['NOT deactivates AND $3::timestamptz IS NOT NULL', 'deactivates AND said_at < $3'] as const

/**
 * Of this connection, the oldest first. Of each the trail knows for ever. What somebody else has in hand is passed over: nobody waits here, and two who
 * make room at once make it twice. By the places of the rows, which are locked: by their ids PostgreSQL read the whole table where it knew nothing of it.
 */
async function makeRoom(db: Db, tenant: TenantId, { connectionId, saidAt }: UnmatchedSignal): Promise<boolean> {
  const since = toTimestamp(addSeconds(saidAt, -unmatchedSignalLimits.keepSeconds))
  for (const which of mayGiveWay) {
    const { rowCount } = await db.query(
      `DELETE FROM unmatched_signals WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
         SELECT ctid FROM unmatched_signals WHERE tenant_id = $1 AND connection_id = $2 AND ${which} ORDER BY said_at, id LIMIT $4 FOR UPDATE SKIP LOCKED))`,
      [tenant, connectionId, since, unmatchedSignalLimits.givingWay],
    )
    if (rowCount > 0) return true
  }
  return false
}

const lifted = (which: string): string => `UPDATE unmatched_signals SET deactivates = false, expires_at = $3
  WHERE tenant_id = $1 AND deactivates AND ${which} RETURNING connection_id`

/** Lets her come; evidence from before what was said stays refused. `undefined`: there is none that keeps anybody out. */
export async function liftUnmatchedSignal(db: Db, tenant: TenantId, id: string, now: Instant): Promise<ConnectionId | undefined> {
  const until = toTimestamp(addSeconds(now, unmatchedSignalLimits.keepSeconds))
  const { rows } = await db.query<{ connection_id: ConnectionId }>(lifted('id = $2'), [tenant, id, until])
  return rows[0]?.connection_id
}

/** `before`: only what was said before then. */
export type LiftAll = { readonly connectionId: ConnectionId; readonly before: Instant | undefined; readonly now: Instant }

/**
 * The same of everybody whom a connection keeps out, the oldest first, and of so many at once: what is left is lifted by the next call. In one order, so
 * that two who lift wait for each other and never for ever.
 */
export async function liftUnmatchedOfConnection(
  db: Db,
  tenant: TenantId,
  { connectionId, before, now }: LiftAll,
): Promise<{ readonly lifted: number; readonly isMore: boolean }> {
  const kept = `tenant_id = $1 AND connection_id = $2 AND deactivates AND ($3::timestamptz IS NULL OR said_at < $3)`
  const which = [tenant, connectionId, before === undefined ? null : toTimestamp(before)]
  const { rowCount } = await db.query(
    `UPDATE unmatched_signals SET deactivates = false, expires_at = $4 WHERE tenant_id = $1 AND id = ANY (ARRAY(
       SELECT id FROM unmatched_signals WHERE ${kept} ORDER BY said_at, id LIMIT $5 FOR UPDATE))`,
    [...which, toTimestamp(addSeconds(now, unmatchedSignalLimits.keepSeconds)), unmatchedSignalLimits.liftedAtOnce],
  )
  const { rows } = await db.query<{ is_more: boolean }>(`SELECT EXISTS (SELECT 1 FROM unmatched_signals WHERE ${kept}) AS is_more`, which)
  return { lifted: rowCount, isMore: rows[0]?.is_more === true }
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
