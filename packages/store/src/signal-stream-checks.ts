/** Whether the streams of security events still work: asked of the transmitter, and answered, or not, by the stream itself. */
import type { Instant } from '@drawbridge/core/instant'
import { isKeepable } from '@drawbridge/core/keepable-text'
import type { StreamTrouble } from '@drawbridge/core/signals/stream-trouble'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type StoredStream, type StreamRow, streamColumns, toStream } from './signal-streams.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type DueCheck = { readonly tenantId: TenantId; readonly connectionId: ConnectionId }
type Claim = { readonly now: Instant; readonly limit: number; readonly putOffUntil: Instant }

/** Takes what is due and puts it off: no two workers ask the same transmitter, and what a dead one took comes up again. */
export async function claimDueChecksAcrossTenants(db: AcrossDb, { now, limit, putOffUntil }: Claim): Promise<readonly DueCheck[]> {
  const { rows } = await db.query<{ tenant_id: TenantId; id: ConnectionId }>(
    `UPDATE signal_streams SET next_check_at = $3 WHERE (tenant_id, id) IN (
       SELECT tenant_id, id FROM signal_streams WHERE next_check_at <= $1 ORDER BY next_check_at LIMIT $2 FOR UPDATE SKIP LOCKED)
     RETURNING tenant_id, id`,
    [toTimestamp(now), limit, toTimestamp(putOffUntil)],
  )
  return rows.map((row) => ({ tenantId: row.tenant_id, connectionId: row.id }))
}

/** The same, and nobody else changes it before this transaction ends. */
export async function lockSignalStream(db: Db, tenant: TenantId, id: ConnectionId): Promise<StoredStream | undefined> {
  const text = `SELECT ${streamColumns} FROM signal_streams WHERE tenant_id = $1 AND id = $2 FOR UPDATE`
  const { rows } = await db.query<StreamRow>(text, [tenant, id])
  return rows[0] && toStream(rows[0])
}

type Asked = { readonly state: string; readonly now: Instant; readonly nextCheckAt: Instant }

/** Before the transmitter is asked: its answer may be here sooner than its reply. */
export async function awaitVerification(db: Db, tenant: TenantId, id: ConnectionId, { state, now, nextCheckAt }: Asked): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE signal_streams SET verification_state = $3, verification_asked_at = $4, next_check_at = $5 WHERE tenant_id = $1 AND id = $2',
    [tenant, id, state, toTimestamp(now), toTimestamp(nextCheckAt)],
  )
  return rowCount === 1
}

export async function putOffCheck(db: Db, tenant: TenantId, id: ConnectionId, nextCheckAt: Instant): Promise<void> {
  await db.query('UPDATE signal_streams SET next_check_at = $3 WHERE tenant_id = $1 AND id = $2', [tenant, id, toTimestamp(nextCheckAt)])
}

/** Null: it speaks again. */
export async function markSilent(db: Db, tenant: TenantId, id: ConnectionId, since: Instant | undefined): Promise<void> {
  await db.query('UPDATE signal_streams SET silent_since = $3 WHERE tenant_id = $1 AND id = $2', [
    tenant,
    id,
    since === undefined ? null : toTimestamp(since),
  ])
}

export type CheckNote =
  | { readonly kind: 'status'; readonly status: StoredStream['status']; readonly reason: string | undefined; readonly now: Instant }
  | { readonly kind: 'trouble'; readonly trouble: StreamTrouble; readonly now: Instant }

const longestReason = 200

/**
 * What the transmitter answered to a question about the stream, or that it did not. A verification that it did not take is awaited no more. Of a stream
 * that is fetched this is apart from how its polls go, which would otherwise take it back each time.
 */
export async function noteCheck(db: Db, tenant: TenantId, id: ConnectionId, note: CheckNote): Promise<void> {
  if (note.kind === 'trouble') {
    const text = `UPDATE signal_streams SET last_error = $3, last_error_at = $4, verification_state = NULL, verification_asked_at = NULL,
         failing_since = CASE WHEN delivery = 'poll' THEN failing_since ELSE coalesce(failing_since, $4) END,
         check_failing_since = CASE WHEN delivery = 'poll' THEN coalesce(check_failing_since, $4) END
       WHERE tenant_id = $1 AND id = $2`
    await db.query(text, [tenant, id, note.trouble, toTimestamp(note.now)])
    return
  }
  const reason = note.reason !== undefined && isKeepable(note.reason) ? note.reason.slice(0, longestReason) : null
  await db.query(
    'UPDATE signal_streams SET status = $3, status_reason = $4, status_at = $5, answered_at = $5 WHERE tenant_id = $1 AND id = $2',
    [tenant, id, note.status, reason, toTimestamp(note.now)],
  )
}

/** Nobody waits for the last verification any more. */
export async function forgetVerification(db: Db, tenant: TenantId, id: ConnectionId, nextCheckAt: Instant): Promise<void> {
  const text = 'UPDATE signal_streams SET verification_state = NULL, next_check_at = $3 WHERE tenant_id = $1 AND id = $2'
  await db.query(text, [tenant, id, toTimestamp(nextCheckAt)])
}

/** Since when the transmitter takes no question about the stream, and whether somebody was told so. */
export const failingChecksOf = (stream: StoredStream): Pick<StoredStream, 'failingSince' | 'alarmedAt'> =>
  stream.delivery === 'poll' ? { failingSince: stream.checkFailingSince, alarmedAt: stream.checkAlarmedAt } : stream

/** Somebody was told so. */
export async function markAlarmed(db: Db, tenant: TenantId, id: ConnectionId, at: Instant): Promise<void> {
  const text = `UPDATE signal_streams SET alarmed_at = CASE WHEN delivery = 'poll' THEN alarmed_at ELSE $3::timestamptz END,
      check_alarmed_at = CASE WHEN delivery = 'poll' THEN $3::timestamptz END
    WHERE tenant_id = $1 AND id = $2`
  await db.query(text, [tenant, id, toTimestamp(at)])
}

/** The transmitter took every question. */
export async function markTaken(db: Db, tenant: TenantId, id: ConnectionId): Promise<void> {
  const text = `UPDATE signal_streams SET failing_since = CASE WHEN delivery = 'poll' THEN failing_since END, alarmed_at = CASE WHEN delivery = 'poll' THEN alarmed_at END,
      check_failing_since = NULL, check_alarmed_at = NULL
    WHERE tenant_id = $1 AND id = $2`
  await db.query(text, [tenant, id])
}
