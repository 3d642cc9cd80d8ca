/**
 * The streams of guard instances: opened with a snapshot and the position at which the stream goes on, so that nothing lies between.
 * Each belongs to the issuer at which it was opened, and holds nothing of any other.
 *
 * The job that revokes locks the resource's row before it writes. Opening takes the same lock in share mode first and reads the
 * revocations after it: whatever committed earlier is in the snapshot, whatever commits later gets a higher position.
 */
import type { Instant } from '@drawbridge/core/instant'
import { settleDirectoryEntry, tellSettledEntry } from '@drawbridge/core/revocation/settled-grants'
import { condemnedKeyEntry } from '@drawbridge/core/signals/signing-key-condemned'
import type { CredentialHash, IssuerId, ResourceId, ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import { markEventsDead } from './notice-receipts.js'
import type { StoredNotice } from './notices.js'
import type { RevocationTarget } from './revocations.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

/** A guard polls at least every 25 s; one that is silent for this long has stopped, and must take a new snapshot. */
export const streamLapseSeconds = 90

export type ProvenResource = { readonly tenantId: TenantId; readonly resourceId: ResourceId; readonly identifier: ResourceIdentifier }
export type SnapshotEntry = {
  readonly issuer: string
  readonly target: RevocationTarget
  readonly targetId: string
  readonly epoch: number
}
/** `condemnedKeys`: ids of the issuer's keys that nobody may believe any more, whatever a cache still holds. */
export type OpenedStream = {
  readonly position: number
  readonly snapshot: readonly SnapshotEntry[]
  readonly condemnedKeys: readonly string[]
}
export type StreamIssuer = { readonly tenantId: TenantId; readonly id: IssuerId }
export type StreamKey = { readonly id: string; readonly resource: ProvenResource; readonly issuer: StreamIssuer }
export type NewStream = StreamKey & { readonly instance: string; readonly now: Instant }

/**
 * The resource of a credential, as seen from one tenant's issuer: a resource that all tenants share belongs to the vendor, so the look-up
 * crosses tenants and asks instead whether this tenant's issuer may mint for it, or could until lately: who is told that its tokens are dead
 * must not be turned away for the reason that killed them.
 */
export async function findResourceCredentialAcrossTenants(
  db: AcrossDb,
  asked: { readonly issuerTenant: TenantId; readonly credentialId: string; readonly now: Instant },
): Promise<(ProvenResource & { readonly secretHash: CredentialHash }) | undefined> {
  const { rows } = await db.query<ProvenResource & { readonly secretHash: CredentialHash }>(
    `SELECT r.tenant_id AS "tenantId", r.id AS "resourceId", r.identifier, c.secret_hash AS "secretHash"
       FROM resource_credentials c JOIN resources r ON r.tenant_id = c.tenant_id AND r.id = c.resource_id
      WHERE c.id = $2 AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > $3)
        AND (EXISTS (SELECT 1 FROM resource_issuers i
                      WHERE i.tenant_id = r.tenant_id AND i.resource_id = r.id AND i.issuer_tenant_id = $1)
          OR EXISTS (SELECT 1 FROM grants g
                      WHERE g.tenant_id = $1 AND g.resource_tenant_id = r.tenant_id AND g.resource_id = r.id AND g.expires_at > $3))`,
    [asked.issuerTenant, asked.credentialId, toTimestamp(asked.now)],
  )
  return rows[0]
}

/** Opens a stream. The snapshot holds barriers that the worker has not swept yet as well. It names no earlier stream of the instance closed: two issuers may each serve one to the same instance. */
export async function openStreamAcrossTenants(db: AcrossDb, stream: NewStream): Promise<OpenedStream> {
  const { tenantId, resourceId } = stream.resource
  const locked = await db.query<{ position: number }>(
    'SELECT notice_position AS position FROM resources WHERE tenant_id = $1 AND id = $2 FOR SHARE',
    [tenantId, resourceId],
  )
  const position = locked.rows[0]?.position ?? 0
  const snapshot = await listBarriers(db, stream.issuer, stream.now)
  const condemnedKeys = await listCondemnedKeys(db, stream.issuer)
  await db.query(
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, acknowledged, opened_at, heard_at, issuer_tenant_id, issuer_id)
     VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)`,
    [tenantId, stream.id, resourceId, stream.instance, position, toTimestamp(stream.now), stream.issuer.tenantId, stream.issuer.id],
  )
  return { position, snapshot, condemnedKeys }
}

async function listBarriers(db: AcrossDb, issuer: StreamIssuer, now: Instant): Promise<readonly SnapshotEntry[]> {
  const { rows } = await db.query<SnapshotEntry>(
    `SELECT i.url AS issuer, v.target, v.target_id AS "targetId", max(v.epoch) AS epoch
       FROM (SELECT target, target_id, epoch FROM revocations WHERE tenant_id = $1 AND issuer_id = $2 AND expires_at > $3
             UNION ALL SELECT payload ->> 'target', payload ->> 'targetId', (payload ->> 'epoch')::int
               FROM outbox WHERE tenant_id = $1 AND done_at IS NULL AND kind = 'revoke'
             UNION ALL SELECT 'grant', changed ->> 'grantId', (changed ->> 'epoch')::int
               FROM outbox, jsonb_array_elements(payload -> 'grants') AS changed
              WHERE tenant_id = $1 AND done_at IS NULL AND kind = '${tellSettledEntry}') v
       JOIN issuers i ON i.tenant_id = $1 AND i.id = $2
      GROUP BY i.url, v.target, v.target_id`,
    [issuer.tenantId, issuer.id, toTimestamp(now)],
  )
  return rows
}

/** All that there ever were: a thief of a key may sign with it at any time. */
async function listCondemnedKeys(db: AcrossDb, issuer: StreamIssuer): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM signing_keys WHERE tenant_id = $1 AND issuer_id = $2 AND state = 'compromised' AND purpose IN ('tokens', 'notices') ORDER BY id`,
    [issuer.tenantId, issuer.id],
  )
  return rows.map(({ id }) => id)
}

/** Keeps the stream alive; false when it is unknown, closed, another resource's or issuer's, or has not been heard since `lapsedBefore`. */
export async function hearStream(db: AcrossDb, stream: StreamKey, now: Instant, lapsedBefore: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE notice_streams SET heard_at = $4
      WHERE tenant_id = $1 AND id = $2 AND resource_id = $3 AND closed_at IS NULL AND heard_at >= $5
        AND issuer_tenant_id = $6 AND issuer_id = $7`,
    [
      stream.resource.tenantId,
      stream.id,
      stream.resource.resourceId,
      toTimestamp(now),
      toTimestamp(lapsedBefore),
      stream.issuer.tenantId,
      stream.issuer.id,
    ],
  )
  return rowCount === 1
}

/** What an instance says about notices that it was sent: it has taken them, or cannot believe them and why. */
export type NoticeAnswers = { readonly taken: readonly string[]; readonly refused: Readonly<Record<string, string>> }

/** `refusals`: how many were news. The rest tells how long after its barrier an event was acknowledged here, and was dead everywhere. */
export type RecordedAnswers = {
  readonly refusals: number
  readonly acknowledgedSeconds: readonly number[]
  readonly deadSeconds: readonly number[]
}

/**
 * Records the answers, then moves the stream to the last position before which none is missing. A refused notice is not acknowledged and does
 * not come again: the instance has said that it never will take it (RFC 8936 §2.4).
 */
export async function recordNoticeAnswers(db: AcrossDb, stream: StreamKey, answers: NoticeAnswers, now: Instant): Promise<RecordedAnswers> {
  const refused = Object.entries(answers.refused)
  if (answers.taken.length === 0 && refused.length === 0) return { refusals: 0, acknowledgedSeconds: [], deadSeconds: [] }
  const { tenantId, resourceId } = stream.resource
  const unanswered = `notice_deliveries.tenant_id = $1 AND notice_deliveries.stream_id = $2 AND notice_deliveries.acknowledged_at IS NULL
        AND notice_deliveries.refused_at IS NULL AND notices.tenant_id = $1 AND notices.resource_id = $3 AND notices.position = notice_deliveries.position`
  const parameters = [tenantId, stream.id, resourceId, toTimestamp(now), stream.issuer.tenantId]
  const acknowledged = await db.query<{ eventId: string; seconds: number }>(
    `WITH answered AS (
       UPDATE notice_deliveries SET acknowledged_at = $4 FROM notices WHERE ${unanswered} AND notices.jti::text = ANY ($6::text[]) RETURNING notices.event_id
     )
     UPDATE notice_receipts r SET acknowledged_at = $4 FROM answered, deprovisioning_events e
      WHERE r.tenant_id = $5 AND r.event_id = answered.event_id AND r.stream_id = $2 AND r.acknowledged_at IS NULL AND e.tenant_id = $5 AND e.id = r.event_id
     RETURNING r.event_id AS "eventId", extract(epoch FROM $4 - e.barrier_at)::float8 AS seconds`,
    [...parameters, answers.taken],
  )
  const refusals = refused.length === 0 ? 0 : await recordRefusals(db, { unanswered, parameters }, refused)
  await db.query(
    `UPDATE notice_streams SET acknowledged = greatest(acknowledged, coalesce(
       (SELECT min(position) - 1 FROM notice_deliveries WHERE tenant_id = $1 AND stream_id = $2 AND acknowledged_at IS NULL AND refused_at IS NULL),
       (SELECT max(position) FROM notice_deliveries WHERE tenant_id = $1 AND stream_id = $2), 0))
     WHERE tenant_id = $1 AND id = $2`,
    [tenantId, stream.id],
  )
  const events = acknowledged.rows.map(({ eventId }) => eventId)
  return {
    refusals,
    acknowledgedSeconds: acknowledged.rows.map(({ seconds }) => seconds),
    deadSeconds: events.length === 0 ? [] : await markEventsDead(db, { tenant: stream.issuer.tenantId, ids: events }),
  }
}

type Unanswered = { readonly unanswered: string; readonly parameters: readonly unknown[] }

async function recordRefusals(db: AcrossDb, { unanswered, parameters }: Unanswered, refused: readonly [string, string][]): Promise<number> {
  const { rowCount } = await db.query(
    `WITH answered AS (
       UPDATE notice_deliveries SET refused_at = $4, refusal = said.reason
         FROM notices, unnest($6::text[], $7::text[]) AS said (jti, reason) WHERE ${unanswered} AND notices.jti::text = said.jti
       RETURNING notices.event_id, said.reason
     ), receipts AS (
       UPDATE notice_receipts r SET refused_at = $4, refusal = answered.reason FROM answered
        WHERE r.tenant_id = $5 AND r.event_id = answered.event_id AND r.stream_id = $2
     ) SELECT 1 FROM answered`,
    [...parameters, refused.map(([jti]) => jti), refused.map(([, reason]) => reason)],
  )
  return rowCount
}

/**
 * SQL: whether something that the issuer must tell has waited for the worker since a moment, or a policy or a directory's change that was to take
 * effect at once has got no further since then: then there is more to hear than the table of notices holds, and an empty answer is no sign that
 * nothing was revoked. A dead letter waits as everything else does. The last look of a directory's change waits by intent, with everything settled
 * before it.
 */
const lateNews = ({ tenant, before }: { readonly tenant: string; readonly before: string }): string => `EXISTS (
  SELECT 1 FROM outbox WHERE tenant_id = ${tenant} AND done_at IS NULL AND kind IN ('revoke', '${condemnedKeyEntry}', '${tellSettledEntry}') AND created_at < ${before}
  UNION ALL SELECT 1 FROM outbox WHERE tenant_id = ${tenant} AND done_at IS NULL AND kind = '${settleDirectoryEntry}' AND created_at < ${before}
    AND payload ->> 'isLastLook' IS DISTINCT FROM 'true'
  UNION ALL SELECT 1 FROM policy_sweeps WHERE tenant_id = ${tenant} AND settled_at IS NULL AND progressed_at < ${before})`

export async function hasLateNews(db: AcrossDb, issuer: StreamIssuer, before: Instant): Promise<boolean> {
  const { rows } = await db.query<{ isLate: boolean }>(`SELECT ${lateNews({ tenant: '$1', before: '$2' })} AS "isLate"`, [
    issuer.tenantId,
    toTimestamp(before),
  ])
  return rows[0]?.isLate === true
}

export type TakenNotices = { readonly notices: readonly StoredNotice[] /** `hasLateNews` */; readonly isLate: boolean }
export type Taking = { readonly now: Instant; readonly limit: number; readonly lateBefore: Instant }

/** What the instance has not answered, oldest first. What was delivered but not acknowledged comes again: RFC 8936 §2.4. */
export async function takeNotices(db: AcrossDb, stream: StreamKey, { now, limit, lateBefore }: Taking): Promise<TakenNotices> {
  const { rows } = await db.query<{ readonly isLate: boolean; readonly position: number | null } & Omit<StoredNotice, 'position'>>(
    `WITH taken AS (
       SELECT n.position, n.jti::text AS jti, n.token, n.event_id FROM notice_streams s
         JOIN notices n ON n.tenant_id = s.tenant_id AND n.resource_id = s.resource_id AND n.position > s.acknowledged
         LEFT JOIN notice_deliveries d ON d.tenant_id = s.tenant_id AND d.stream_id = s.id AND d.position = n.position
        WHERE s.tenant_id = $1 AND s.id = $2 AND d.acknowledged_at IS NULL AND d.refused_at IS NULL
          AND (n.issuer_id IS NULL OR (n.issuer_tenant_id = s.issuer_tenant_id AND n.issuer_id = s.issuer_id))
        ORDER BY n.position LIMIT $5
     ), recorded AS (
       INSERT INTO notice_deliveries (tenant_id, stream_id, resource_id, position, delivered_at)
       SELECT $1, $2, $3, position, $4 FROM taken ON CONFLICT DO NOTHING
     ), notified AS (
       UPDATE notice_receipts r SET notified_at = $4 FROM taken
        WHERE r.tenant_id = $6 AND r.event_id = taken.event_id AND r.stream_id = $2 AND r.notified_at IS NULL
     )
     SELECT late.is_late AS "isLate", position, jti, token FROM (SELECT ${lateNews({ tenant: '$6', before: '$7' })} AS is_late) late
       LEFT JOIN taken ON true ORDER BY position`,
    [
      ...[stream.resource.tenantId, stream.id, stream.resource.resourceId, toTimestamp(now), limit, stream.issuer.tenantId],
      toTimestamp(lateBefore),
    ],
  )
  const notices = rows.flatMap(({ position, jti, token }) => (position === null ? [] : [{ position, jti, token }]))
  return { notices, isLate: rows[0]?.isLate === true }
}

/** Streams that have stopped listening are closed: "dead everywhere" waits only for those that live, and their receipts say so. */
export async function closeLapsedStreamsAcrossTenants(db: AcrossDb, now: Instant, lapsedBefore: Instant): Promise<number> {
  const { rowCount } = await db.query(
    `WITH closed AS (UPDATE notice_streams SET closed_at = $1 WHERE closed_at IS NULL AND heard_at < $2 RETURNING id),
     lapsed AS (
       UPDATE notice_receipts SET lapsed_at = $1 FROM closed
        WHERE notice_receipts.stream_id = closed.id AND acknowledged_at IS NULL AND lapsed_at IS NULL
     ) SELECT 1 FROM closed`,
    [toTimestamp(now), toTimestamp(lapsedBefore)],
  )
  return rowCount
}
