/**
 * What guards say at their polls and what they are handed, for all instances of one resource server that poll one issuer at the same time: the
 * number of statements is that of the rounds, not that of the instances.
 *
 * Streams are locked in the order of their ids, so that two brokers that hear the same ones wait for each other and never for ever.
 */
import type { Instant } from '@drawbridge/core/instant'
import { tellEndedEntry } from '@drawbridge/core/revocation/ended-grants'
import { lastLookSeconds, settleDirectoryEntry, settleGrantsEntry, tellSettledEntry } from '@drawbridge/core/revocation/settled-grants'
import { condemnedKeyEntry } from '@drawbridge/core/signals/signing-key-condemned'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { type KeptStatement, keptStatement } from './kept-statements.js'
import type { DeprovisioningOfTenant } from './notice-receipts.js'
import type { StreamIssuer, StreamsOf } from './notice-streams.js'
import type { StoredNotice } from './notices.js'
import { eventTenant } from './owed-notices.js'
import { type AcrossDb, isUuid, toTimestamp } from './transaction.js'

const livingStreams = keptStatement(`SELECT id FROM notice_streams
    WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND resource_id = $3 AND closed_at IS NULL AND heard_at >= $4
      AND issuer_tenant_id = $5 AND issuer_id = $6
    ORDER BY id FOR NO KEY UPDATE`)

/** Locks those that live, until the transaction ends. The others are unknown, closed, another resource's or issuer's, or not heard since `lapsedBefore`. */
export async function lockLivingStreams(
  db: AcrossDb,
  { resource, issuer }: StreamsOf,
  ids: readonly string[],
  lapsedBefore: Instant,
): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ id: string }>(livingStreams, [
    resource.tenantId,
    ids,
    resource.resourceId,
    toTimestamp(lapsedBefore),
    issuer.tenantId,
    issuer.id,
  ])
  return new Set(rows.map(({ id }) => id))
}

/** What one instance says about notices that it was sent: it has taken them, or cannot believe them and why. */
export type NoticeAnswers = {
  readonly streamId: string
  readonly taken: readonly string[]
  readonly refused: Readonly<Record<string, string>>
}

/** `refusals`: how many of each stream were news. `acknowledgedSeconds`: how long after its barrier an event was acknowledged here. `events`: those that may be dead everywhere by it. */
export type RecordedAnswers = {
  readonly refusals: ReadonlyMap<string, number>
  readonly acknowledgedSeconds: readonly number[]
  readonly events: readonly DeprovisioningOfTenant[]
}

/** Streams that a round of polls is about. They are locked. */
export type HeardStreams = StreamsOf & { readonly ids: readonly string[] }

/**
 * Records the answers, and moves each stream to the last position before which none is missing: all of them were heard now. A refused notice is not
 * acknowledged and does not come again: the instance has said that it never will take it (RFC 8936 §2.4).
 */
export async function recordNoticeAnswers(
  db: AcrossDb,
  streams: HeardStreams,
  answers: readonly NoticeAnswers[],
  now: Instant,
): Promise<RecordedAnswers> {
  const taken = answers.flatMap(({ streamId, taken }) => taken.filter(isUuid).map((jti) => ({ streamId, jti })))
  const refused = answers.flatMap(({ streamId, refused, taken }) =>
    Object.entries(refused)
      .filter(([jti]) => isUuid(jti) && !taken.includes(jti))
      .map(([jti, reason]) => ({ streamId, jti, reason })),
  )
  const acknowledged = taken.length === 0 ? [] : await recordTaken(db, streams, taken, now)
  const refusals = refused.length === 0 ? [] : await recordRefused(db, streams, refused, now)
  await moveStreams(db, streams, [...new Set([...taken, ...refused].map(({ streamId }) => streamId))], now)
  return {
    refusals: countEach(refusals),
    acknowledgedSeconds: acknowledged.map(({ seconds }) => seconds),
    events: acknowledged.map(({ tenant, id }) => ({ tenant, id })),
  }
}

type Taken = { readonly streamId: string; readonly jti: string }
type Refused = Taken & { readonly reason: string }

/**
 * SQL: what the streams were handed and have not answered. Nothing lies below the position of a stream, so its history is not read; `OFFSET 0` keeps the
 * planner on the keys.
 */
const unanswered = `open AS MATERIALIZED (
       SELECT d.stream_id, d.position, n.jti, n.event_id, n.event_tenant_id FROM notice_streams s
         CROSS JOIN LATERAL (
           SELECT d.stream_id, d.position FROM notice_deliveries d
            WHERE d.tenant_id = $1 AND d.stream_id = s.id AND d.position > s.acknowledged AND d.acknowledged_at IS NULL AND d.refused_at IS NULL OFFSET 0) d
         CROSS JOIN LATERAL (
           SELECT n.jti, n.event_id, ${eventTenant} AS event_tenant_id FROM notices n
            WHERE n.tenant_id = $1 AND n.resource_id = $2 AND n.position = d.position OFFSET 0) n
        WHERE s.tenant_id = $1 AND s.id = ANY ($4::uuid[])
     )`
const ofUnanswered = 'd.tenant_id = $1 AND d.stream_id = open.stream_id AND d.position = open.position'

const recordedTaken =
  keptStatement(`WITH said AS (SELECT * FROM unnest($4::uuid[], $5::uuid[]) AS said (stream_id, jti)), ${unanswered}, answered AS (
     UPDATE notice_deliveries d SET acknowledged_at = $3 FROM open JOIN said ON said.stream_id = open.stream_id AND said.jti = open.jti
      WHERE ${ofUnanswered} RETURNING open.stream_id, open.event_id, open.event_tenant_id
   )
   UPDATE notice_receipts r SET acknowledged_at = $3 FROM answered, deprovisioning_events e
    WHERE r.tenant_id = answered.event_tenant_id AND r.event_id = answered.event_id AND r.stream_id = answered.stream_id AND r.acknowledged_at IS NULL
      AND e.tenant_id = r.tenant_id AND e.id = r.event_id
   RETURNING r.tenant_id AS tenant, r.event_id AS id, extract(epoch FROM $3 - e.barrier_at)::float8 AS seconds`)

async function recordTaken(db: AcrossDb, { resource }: HeardStreams, taken: readonly Taken[], now: Instant) {
  const { rows } = await db.query<DeprovisioningOfTenant & { readonly seconds: number }>(recordedTaken, [
    ...[resource.tenantId, resource.resourceId, toTimestamp(now), taken.map(({ streamId }) => streamId)],
    taken.map(({ jti }) => jti),
  ])
  return rows
}

const recordedRefusals =
  keptStatement(`WITH said AS (SELECT * FROM unnest($4::uuid[], $5::uuid[], $6::text[]) AS said (stream_id, jti, reason)), ${unanswered}, answered AS (
     UPDATE notice_deliveries d SET refused_at = $3, refusal = said.reason
       FROM open JOIN said ON said.stream_id = open.stream_id AND said.jti = open.jti
      WHERE ${ofUnanswered} RETURNING open.stream_id, open.event_id, open.event_tenant_id, said.reason
   ), receipts AS (
     UPDATE notice_receipts r SET refused_at = $3, refusal = answered.reason FROM answered
      WHERE r.tenant_id = answered.event_tenant_id AND r.event_id = answered.event_id AND r.stream_id = answered.stream_id
   ) SELECT stream_id AS id FROM answered`)

/** Answers the stream of each that was news. */
async function recordRefused(db: AcrossDb, { resource }: HeardStreams, refused: readonly Refused[], now: Instant) {
  const { rows } = await db.query<{ id: string }>(recordedRefusals, [
    ...[resource.tenantId, resource.resourceId, toTimestamp(now), refused.map(({ streamId }) => streamId)],
    ...[refused.map(({ jti }) => jti), refused.map(({ reason }) => reason)],
  ])
  return rows.map(({ id }) => id)
}

/**
 * Closes streams of instances that have said that they end and believe nothing from here on. They are waited for no longer: their receipts say so as
 * they would after a silence. Answers which events they were awaited of.
 */
export async function closeStreams(
  db: AcrossDb,
  { resource }: StreamsOf,
  ids: readonly string[],
  now: Instant,
): Promise<readonly DeprovisioningOfTenant[]> {
  const { rows } = await db.query<DeprovisioningOfTenant>(
    `WITH closed AS (UPDATE notice_streams SET closed_at = $3 WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND closed_at IS NULL RETURNING id)
     UPDATE notice_receipts r SET lapsed_at = $3 FROM closed
      WHERE r.stream_id = closed.id AND r.acknowledged_at IS NULL AND r.lapsed_at IS NULL RETURNING r.tenant_id AS tenant, r.event_id AS id`,
    [resource.tenantId, ids, toTimestamp(now)],
  )
  return rows
}

const movedStreams =
  keptStatement(`UPDATE notice_streams s SET heard_at = $3, acknowledged = CASE WHEN s.id = ANY ($4::uuid[]) THEN greatest(s.acknowledged, coalesce(
     (SELECT min(d.position) - 1 FROM notice_deliveries d
       WHERE d.tenant_id = $1 AND d.stream_id = s.id AND d.position > s.acknowledged AND d.acknowledged_at IS NULL AND d.refused_at IS NULL),
     (SELECT max(d.position) FROM notice_deliveries d WHERE d.tenant_id = $1 AND d.stream_id = s.id), 0)) ELSE s.acknowledged END
   WHERE s.tenant_id = $1 AND s.id = ANY ($2::uuid[])`)

async function moveStreams(db: AcrossDb, { resource, ids }: HeardStreams, answering: readonly string[], now: Instant): Promise<void> {
  await db.query(movedStreams, [resource.tenantId, ids, toTimestamp(now), answering])
}

function countEach(ids: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}

/** At the front, so many tenants are named. Where there are more, whoever is told takes it for all of them. */
export const mostLateNamed = 100

/**
 * SQL: of which tenants something that the issuer must tell has waited for the worker since a moment, or a policy or a directory's change that was to take
 * effect at once has got no further since then: of them there is more to hear than the table of notices holds, and an empty answer is no sign that
 * nothing was revoked. An array of their short names, at most one more than may be named. The front tells for all of its members; what is the vendor's
 * there, a condemned key, concerns them all. A dead letter waits as everything else does, and so does whoever should have been ended since by a date that her
 * directory named. A last look waits by intent, with nearly everything settled
 * before it; one that is not done when it should be is late as well.
 */
const lateNews = (isOfAll: boolean, { tenant, before }: { readonly tenant: string; readonly before: string }): string => {
  const lateOf = (isTold: (row: string) => string): string => `
  SELECT o.tenant_id FROM outbox o WHERE ${isTold('o')} AND o.done_at IS NULL AND o.kind IN ('revoke', '${condemnedKeyEntry}', '${tellSettledEntry}', '${tellEndedEntry}') AND o.created_at < ${before}
  UNION ALL SELECT o.tenant_id FROM outbox o WHERE ${isTold('o')} AND o.done_at IS NULL AND o.kind = '${settleDirectoryEntry}' AND o.created_at < ${before}
    AND o.payload ->> 'isLastLook' IS DISTINCT FROM 'true'
  UNION ALL SELECT o.tenant_id FROM outbox o WHERE ${isTold('o')} AND o.done_at IS NULL AND o.kind IN ('${settleDirectoryEntry}', '${settleGrantsEntry}')
    AND o.payload ->> 'isLastLook' = 'true' AND o.created_at < ${before}::timestamptz - interval '${lastLookSeconds} seconds'
  UNION ALL SELECT p.tenant_id FROM policy_sweeps p WHERE ${isTold('p')} AND p.settled_at IS NULL AND p.progressed_at < ${before}
  UNION ALL SELECT s.tenant_id FROM subjects s WHERE ${isTold('s')} AND s.deactivates_at < ${before} AND s.ended_for IS DISTINCT FROM s.deactivates_at`
  const ofAll = `(SELECT coalesce(jsonb_agg(slug), '[]') FROM (SELECT t.slug FROM tenants t WHERE t.id IN (
    ${lateOf((row) => `(${row}.tenant_id = ${tenant} OR EXISTS (SELECT 1 FROM issuers m WHERE m.tenant_id = ${row}.tenant_id AND m.kind = 'front_member'))`)})
    LIMIT ${mostLateNamed + 1}) named)`
  const ofOne = `(SELECT coalesce(jsonb_agg(t.slug), '[]') FROM tenants t WHERE t.id = ${tenant} AND EXISTS (${lateOf((row) => `${row}.tenant_id = ${tenant}`)}))`
  return isOfAll ? ofAll : ofOne
}

export async function listLateTenants(db: AcrossDb, issuer: StreamIssuer, before: Instant): Promise<readonly string[]> {
  const { rows } = await db.query<Pick<TakenRow, 'late'>>(
    `SELECT ${lateNews(issuer.tenantId === vendorTenantId, { tenant: '$1', before: '$2' })} AS late`,
    [issuer.tenantId, toTimestamp(before)],
  )
  return rows[0]?.late ?? []
}

/** `late`: see `lateNews`. */
export type TakenNotices = { readonly notices: readonly StoredNotice[]; readonly late: readonly string[] }
export type Taking = { readonly now: Instant; readonly lateBefore: Instant }
/** What a poll wants. Two of the same stream are handed as many as either. */
export type Wanted = { readonly streamId: string; readonly limit: number }

type TakenRow = {
  readonly late: readonly string[]
  readonly notices: readonly StoredNotice[]
  readonly streams: Readonly<Record<string, readonly number[]>>
}

const takenNotices = (isOfAll: boolean): KeptStatement =>
  keptStatement(
    `WITH open AS MATERIALIZED (
       SELECT s.id, s.acknowledged, wanted.most FROM unnest($3::uuid[], $4::int[]) AS wanted (id, most)
         JOIN notice_streams s ON s.tenant_id = $1 AND s.id = wanted.id AND s.resource_id = $2 AND s.issuer_tenant_id = $6 AND s.issuer_id = $7
          AND s.closed_at IS NULL
     ), taken AS (
       SELECT s.id AS stream_id, n.position, n.jti, n.token, n.event_id, n.event_tenant_id FROM open s
         CROSS JOIN LATERAL (
           SELECT n.position, n.jti, n.token, n.event_id, ${eventTenant} AS event_tenant_id FROM notices n
             LEFT JOIN notice_deliveries d ON d.tenant_id = $1 AND d.stream_id = s.id AND d.position = n.position AND d.position > s.acknowledged
            WHERE n.tenant_id = $1 AND n.resource_id = $2 AND n.position > s.acknowledged AND d.acknowledged_at IS NULL AND d.refused_at IS NULL
              AND (n.issuer_id IS NULL OR (n.issuer_tenant_id = $6 AND n.issuer_id = $7))
            ORDER BY n.position LIMIT s.most) n
     ), recorded AS (
       INSERT INTO notice_deliveries (tenant_id, stream_id, resource_id, position, delivered_at)
       SELECT $1, stream_id, $2, position, $5 FROM taken ON CONFLICT DO NOTHING
     ), notified AS (
       UPDATE notice_receipts r SET notified_at = $5 FROM taken
        WHERE r.tenant_id = taken.event_tenant_id AND r.event_id = taken.event_id AND r.stream_id = taken.stream_id AND r.notified_at IS NULL
     )
     SELECT ${lateNews(isOfAll, { tenant: '$6', before: '$8' })} AS late,
       coalesce((SELECT jsonb_agg(jsonb_build_object('position', position, 'jti', jti, 'token', token))
         FROM (SELECT DISTINCT ON (position) position, jti, token FROM taken ORDER BY position) texts), '[]') AS notices,
       coalesce((SELECT jsonb_object_agg(stream_id, positions)
         FROM (SELECT open.id AS stream_id, coalesce(jsonb_agg(taken.position ORDER BY taken.position) FILTER (WHERE taken.position IS NOT NULL), '[]') AS positions
           FROM open LEFT JOIN taken ON taken.stream_id = open.id GROUP BY open.id) each), '{}') AS streams`,
  )
const taken = takenNotices(false)
const takenAtFront = takenNotices(true)

/**
 * What each instance has not answered, oldest first; undefined for one whose stream has closed since it asked: it must not take that for silence. What was delivered but not acknowledged comes again: RFC 8936 §2.4. The text of a notice is read
 * once, however many instances are handed it.
 */
export async function takeNotices(
  db: AcrossDb,
  { resource, issuer }: StreamsOf,
  wanted: readonly Wanted[],
  { now, lateBefore }: Taking,
): Promise<(streamId: string) => TakenNotices | undefined> {
  const limits = new Map<string, number>()
  for (const { streamId, limit } of wanted) limits.set(streamId, Math.max(limit, limits.get(streamId) ?? 0))
  const { rows } = await db.query<TakenRow>(issuer.tenantId === vendorTenantId ? takenAtFront : taken, [
    ...[resource.tenantId, resource.resourceId, [...limits.keys()], [...limits.values()]],
    ...[toTimestamp(now), issuer.tenantId, issuer.id, toTimestamp(lateBefore)],
  ])
  const { late, notices, streams } = rows[0] as TakenRow
  const byPosition = new Map(notices.map((notice) => [notice.position, notice]))
  return (streamId) => {
    const positions = streams[streamId]
    return positions && { late, notices: positions.map((position) => byPosition.get(position) as StoredNotice) }
  }
}
