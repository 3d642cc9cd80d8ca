/** The streams of security events that connections hear: their credentials, whose turn it is to be polled, and how well they are. */
import type { Instant } from '@drawbridge/core/instant'
import { isKeepable } from '@drawbridge/core/keepable-text'
import type { SecurityEvent } from '@drawbridge/core/signals/security-event'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { given, keptStatement } from './kept-statements.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type StreamStatus = 'unknown' | 'enabled' | 'paused' | 'disabled'

export type StoredStream = {
  readonly delivery: 'push' | 'poll'
  readonly streamId: string | undefined
  readonly pollUrl: string | undefined
  readonly sealedCredential: Buffer | undefined
  readonly status: StreamStatus
  readonly statusReason: string | undefined
  readonly statusAt: Instant | undefined
  readonly verificationState: string | undefined
  readonly verificationAskedAt: Instant | undefined
  readonly verifiedAt: Instant | undefined
  readonly lastEventAt: Instant | undefined
  readonly lastEventIssuedAt: Instant | undefined
  readonly answeredAt: Instant | undefined
  readonly failures: number
  readonly failingSince: Instant | undefined
  readonly lastError: string | undefined
  readonly lastErrorAt: Instant | undefined
  readonly alarmedAt: Instant | undefined
  readonly silentSince: Instant | undefined
  readonly checkFailingSince: Instant | undefined
  readonly checkAlarmedAt: Instant | undefined
  readonly refusals: number
  readonly refusal: string | undefined
  readonly refusedAt: Instant | undefined
  readonly nextPollAt: Instant | undefined
  readonly nextCheckAt: Instant | undefined
  readonly createdAt: Instant
}

export type StreamRow = {
  readonly [Key in keyof StoredStream]: undefined extends StoredStream[Key] ? StoredStream[Key] | null : StoredStream[Key]
}

export const streamColumns = `delivery, stream_id AS "streamId", poll_url AS "pollUrl", sealed_credential AS "sealedCredential", status, status_reason AS "statusReason",
  status_at AS "statusAt", verification_state AS "verificationState", verification_asked_at AS "verificationAskedAt", verified_at AS "verifiedAt",
  last_event_at AS "lastEventAt", last_event_issued_at AS "lastEventIssuedAt", answered_at AS "answeredAt", failures, failing_since AS "failingSince",
  last_error AS "lastError", last_error_at AS "lastErrorAt", alarmed_at AS "alarmedAt", silent_since AS "silentSince", next_poll_at AS "nextPollAt", next_check_at AS "nextCheckAt",
  check_failing_since AS "checkFailingSince", check_alarmed_at AS "checkAlarmedAt", refusals, refusal, refused_at AS "refusedAt", created_at AS "createdAt"`

export const toStream = (row: StreamRow): StoredStream =>
  Object.fromEntries(Object.entries(row).map(([member, value]) => [member, value ?? undefined])) as StoredStream
const orNull = (at: Instant | undefined): Date | null => (at === undefined ? null : toTimestamp(at))

export async function findSignalStream(db: Db, tenant: TenantId, id: ConnectionId): Promise<StoredStream | undefined> {
  const { rows } = await db.query<StreamRow>(`SELECT ${streamColumns} FROM signal_streams WHERE tenant_id = $1 AND id = $2`, [tenant, id])
  return rows[0] && toStream(rows[0])
}

export type StreamDraft = Pick<StoredStream, 'delivery' | 'streamId' | 'pollUrl' | 'nextPollAt' | 'nextCheckAt'> & {
  readonly sealedCredential: Buffer
  readonly now: Instant
}

/** What an admin has set up takes the place of what was there; what was heard by it until then is still shown. */
export async function putSignalStream(db: Db, tenant: TenantId, id: ConnectionId, draft: StreamDraft): Promise<void> {
  await db.query(
    `INSERT INTO signal_streams (tenant_id, id, delivery, stream_id, poll_url, sealed_credential, next_poll_at, next_check_at, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (tenant_id, id) DO UPDATE SET delivery = excluded.delivery, stream_id = excluded.stream_id, poll_url = excluded.poll_url,
       sealed_credential = excluded.sealed_credential, next_poll_at = excluded.next_poll_at, next_check_at = excluded.next_check_at, status = 'unknown',
       status_reason = NULL, status_at = NULL, verification_state = NULL, verification_asked_at = NULL, failures = 0, failing_since = NULL,
       last_error = NULL, last_error_at = NULL, alarmed_at = NULL, silent_since = NULL, refusals = 0, refusal = NULL, refused_at = NULL,
       refusal_alarmed_at = NULL, check_failing_since = NULL, check_alarmed_at = NULL, lease = NULL, lease_until = NULL`,
    [
      ...[tenant, id, draft.delivery, draft.streamId ?? null, draft.pollUrl ?? null, draft.sealedCredential],
      ...[orNull(draft.nextPollAt), orNull(draft.nextCheckAt), toTimestamp(draft.now)],
    ],
  )
  await db.query('DELETE FROM signal_refusals WHERE tenant_id = $1 AND connection_id = $2', [tenant, id])
}

/** From then on nothing is polled, and the credential is gone. Answers whether there was one. */
export async function deleteSignalStream(db: Db, tenant: TenantId, id: ConnectionId): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM signal_streams WHERE tenant_id = $1 AND id = $2', [tenant, id])
  return rowCount === 1
}

export type NotedEvent = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly way: StoredStream['delivery']
  readonly issuedAt: Instant
  /** An event about the stream itself. */
  readonly ofStream: SecurityEvent | undefined
  readonly now: Instant
}

const longestText = 200
const short = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' && isKeepable(value) ? value.slice(0, longestText) : null
const idOf = (subject: unknown): unknown => (typeof subject === 'object' && subject !== null && 'id' in subject ? subject.id : undefined)
const statuses: readonly unknown[] = ['enabled', 'paused', 'disabled']

/**
 * An event was accepted. One that verifies the stream counts as that if it carries what we asked it to, or answers nobody; one that says how
 * the stream is counts if it is of this stream.
 *
 * @spec SSF 1.0 §8.1.4 verification, §8.1.5 stream updated
 */
export async function noteEvent(db: Db, { tenant, connectionId, way, issuedAt, ofStream, now }: NotedEvent): Promise<void> {
  const { type = '', event = {}, subject } = ofStream ?? {}
  const status = type.endsWith('/stream-updated') && statuses.includes(event['status']) ? event['status'] : null
  await db.query(
    `INSERT INTO signal_streams AS s (tenant_id, id, delivery, last_event_at, last_event_issued_at, verified_at, status, status_reason, status_at, created_at)
     VALUES ($1, $2, $3, $4, $5, CASE WHEN $6 AND $7::text IS NULL THEN $4::timestamptz END, coalesce($8, 'unknown'), CASE WHEN $8 IS NOT NULL THEN $9 END,
       CASE WHEN $8 IS NOT NULL THEN $4::timestamptz END, $4)
     ON CONFLICT (tenant_id, id) DO UPDATE SET last_event_at = GREATEST(s.last_event_at, excluded.last_event_at),
       last_event_issued_at = CASE WHEN s.last_event_at > excluded.last_event_at THEN s.last_event_issued_at ELSE excluded.last_event_issued_at END,
       verified_at = CASE WHEN $6 AND ($7::text IS NULL OR $7 = s.verification_state) THEN excluded.last_event_at ELSE s.verified_at END,
       verification_state = CASE WHEN $6 AND $7 = s.verification_state THEN NULL ELSE s.verification_state END,
       status = CASE WHEN $8 IS NOT NULL AND (s.stream_id IS NULL OR $10::text IS NULL OR s.stream_id = $10) THEN $8 ELSE s.status END,
       status_reason = CASE WHEN $8 IS NOT NULL AND (s.stream_id IS NULL OR $10::text IS NULL OR s.stream_id = $10) THEN $9 ELSE s.status_reason END,
       status_at = CASE WHEN $8 IS NOT NULL AND (s.stream_id IS NULL OR $10::text IS NULL OR s.stream_id = $10) THEN excluded.last_event_at ELSE s.status_at END`,
    [
      ...[tenant, connectionId, way, toTimestamp(now), toTimestamp(issuedAt)],
      ...[type.endsWith('/verification'), short(event['state']), status, short(event['reason']), short(idOf(subject))],
    ],
  )
}

export type HeldStream = {
  readonly tenantId: TenantId
  readonly connectionId: ConnectionId
  readonly lease: string
  /** Its tenant has no more turns than this: others of its streams may wait for one. */
  readonly isLastOfShare: boolean
}
export type StreamClaim = {
  readonly now: Instant
  readonly limit: number
  /** Those under way counted, whoever has them. */
  readonly mostOfTenant: number
  readonly lease: string
  readonly leaseUntil: Instant
}

const claimedStreams = keptStatement(`WITH due AS MATERIALIZED (
     SELECT s.tenant_id, s.id, s.next_poll_at, (row_number() OVER (PARTITION BY s.tenant_id ORDER BY s.next_poll_at, s.id)
       + (SELECT count(*) FROM signal_streams b WHERE b.tenant_id = s.tenant_id AND b.lease_until > $1))::int AS nth
       FROM signal_streams s WHERE s.next_poll_at <= $1 AND (s.lease_until <= $1) IS NOT FALSE
   ), ready AS MATERIALIZED (
     SELECT s.tenant_id, s.id, due.nth FROM due JOIN signal_streams s ON s.tenant_id = due.tenant_id AND s.id = due.id
      WHERE due.nth <= $3 AND (s.lease_until <= $1) IS NOT FALSE
      ORDER BY due.nth, due.next_poll_at, s.id LIMIT $2 FOR UPDATE OF s SKIP LOCKED
   )
   UPDATE signal_streams s SET lease = $4, lease_until = $5 FROM ready WHERE s.tenant_id = ready.tenant_id AND s.id = ready.id
   RETURNING s.tenant_id, s.id, ready.nth`)

/**
 * Takes what is due: until the lease ends nobody else polls it, and what a dead worker held comes up again by itself. Tenants take turns, the longest
 * waiting stream of each first, and none has more under way than its share, so that slow transmitters of one hold up nobody else's.
 */
export async function claimDueStreamsAcrossTenants(db: AcrossDb, claim: StreamClaim): Promise<readonly HeldStream[]> {
  const { rows } = await db.query<{ tenant_id: TenantId; id: ConnectionId; nth: number }>(claimedStreams, [
    toTimestamp(claim.now),
    claim.limit,
    claim.mostOfTenant,
    claim.lease,
    toTimestamp(claim.leaseUntil),
  ])
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    connectionId: row.id,
    lease: claim.lease,
    isLastOfShare: row.nth >= claim.mostOfTenant,
  }))
}

/** Keeps the turn for one more request, and answers with the stream as it now is. `undefined`: the turn is somebody else's, or the stream is gone. */
export async function renewStreamLease(db: Db, held: HeldStream, until: Instant): Promise<StoredStream | undefined> {
  const { rows } = await db.query<StreamRow>(
    `UPDATE signal_streams SET lease_until = $4 WHERE tenant_id = $1 AND id = $2 AND lease = $3 AND next_poll_at IS NOT NULL RETURNING ${streamColumns}`,
    [held.tenantId, held.connectionId, held.lease, toTimestamp(until)],
  )
  return rows[0] && toStream(rows[0])
}

const keptLeases = keptStatement(`WITH mine AS MATERIALIZED (
     SELECT s.tenant_id, s.id FROM ${given('$1::uuid[]', '$2::uuid[]', '$3::uuid[]')} AS held (tenant_id, id, lease)
       JOIN signal_streams s ON s.tenant_id = held.tenant_id AND s.id = held.id AND s.lease = held.lease FOR UPDATE OF s SKIP LOCKED)
   UPDATE signal_streams s SET lease_until = $4 FROM mine WHERE s.tenant_id = mine.tenant_id AND s.id = mine.id`)

/** Keeps all turns of one worker. One that has become somebody else's stays his, and one that somebody holds is kept the next time: it keeps no other waiting. */
export async function keepStreamLeasesAcrossTenants(db: AcrossDb, held: readonly HeldStream[], until: Instant): Promise<void> {
  const [tenants, streams, leases] = [
    held.map(({ tenantId }) => tenantId),
    held.map(({ connectionId }) => connectionId),
    held.map(({ lease }) => lease),
  ]
  await db.query(keptLeases, [tenants, streams, leases, toTimestamp(until)])
}

/** Gives the turn back, and says nothing of how it went. */
export async function releaseStream(db: Db, held: HeldStream, nextPollAt: Instant): Promise<void> {
  await db.query(
    'UPDATE signal_streams SET lease = NULL, lease_until = NULL, next_poll_at = $4 WHERE tenant_id = $1 AND id = $2 AND lease = $3 AND next_poll_at IS NOT NULL',
    [held.tenantId, held.connectionId, held.lease, toTimestamp(nextPollAt)],
  )
}

export type PollNote =
  | { readonly outcome: 'answered'; readonly nextPollAt: Instant; readonly now: Instant }
  | {
      /** `held`: the transmitter answered, and some of its events wait: no failure of its, though one that is told when it lasts. */
      readonly outcome: 'failed' | 'held'
      readonly error: string
      readonly nextPollAt: Instant
      readonly now: Instant
      readonly alarmBefore: Instant
    }

/** What a turn came to, which ends with it. `alarmed`: somebody is to be told now; `recovered`: and now of the opposite. */
export type NotedPoll = 'noted' | 'alarmed' | 'recovered' | 'overtaken'

export async function notePoll(db: Db, held: HeldStream, note: PollNote): Promise<NotedPoll> {
  const { rows } = await db.query<Pick<StreamRow, 'alarmedAt' | 'failingSince'>>(
    `SELECT alarmed_at AS "alarmedAt", failing_since AS "failingSince" FROM signal_streams WHERE tenant_id = $1 AND id = $2 AND lease = $3 FOR UPDATE`,
    [held.tenantId, held.connectionId, held.lease],
  )
  const before = rows[0]
  if (before === undefined) return 'overtaken'
  const isOk = note.outcome === 'answered'
  const alarms = note.outcome !== 'answered' && before.alarmedAt === null && (before.failingSince ?? note.now) <= note.alarmBefore
  await db.query(
    `UPDATE signal_streams SET lease = NULL, lease_until = NULL, next_poll_at = $3, answered_at = CASE WHEN $8 THEN $5 ELSE answered_at END,
       failures = CASE WHEN $8 THEN 0 ELSE failures + 1 END, failing_since = CASE WHEN $4 THEN NULL ELSE coalesce(failing_since, $5) END,
       last_error = CASE WHEN $4 THEN last_error ELSE $6 END, last_error_at = CASE WHEN $4 THEN last_error_at ELSE $5 END,
       alarmed_at = CASE WHEN $4 THEN NULL WHEN $7 THEN $5 ELSE alarmed_at END
     WHERE tenant_id = $1 AND id = $2`,
    [
      ...[held.tenantId, held.connectionId, toTimestamp(note.nextPollAt), isOk, toTimestamp(note.now)],
      ...[note.outcome === 'answered' ? null : note.error, alarms, note.outcome !== 'failed'],
    ],
  )
  if (isOk) return before.alarmedAt === null ? 'noted' : 'recovered'
  return alarms ? 'alarmed' : 'noted'
}
