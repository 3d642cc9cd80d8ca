/**
 * What event streams owe their receivers: handed to a poll, pushed by whoever holds the stream's lease, and what the receivers said.
 *
 * The notices of the resource, from the stream's position on, are the only queue. Events about the stream itself come before them. A stream whose
 * credential is dead pushes nothing. One worker pushes a stream at a time: every mark names the lease, and one that was taken away marks nothing.
 */
import type { Instant } from '@drawbridge/core/instant'
import { advance, eventStreamLimits } from '@drawbridge/core/signals/event-stream'
import { findSignedByCondemned } from './condemned-notices.js'
import type { EventStream, OwnEvent } from './event-streams.js'
import { keptStatement } from './kept-statements.js'
import type { DeprovisioningOfTenant } from './notice-receipts.js'
import { carried, eventTenant, firstOwedAt, hasLivingCredential, owed } from './owed-notices.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

/** `event`: what it tells; its receipts are its tenant's. */
export type OwedNotice = { readonly position: number; readonly jti: string; readonly token: string; readonly event: DeprovisioningOfTenant }
/** SQL: the event of the notice `n`. */
const eventOf = `jsonb_build_object('tenant', ${eventTenant}, 'id', n.event_id)`

export type ClaimedPush = Pick<EventStream, 'tenantId' | 'id' | 'resourceId' | 'issuerTenantId' | 'issuerId' | 'sealedAuthorization'> & {
  readonly endpointUrl: string
  readonly leaseId: string
}
export type PushClaim = {
  readonly leaseId: string
  readonly leaseUntil: Instant
  readonly now: Instant
  readonly limit: number
  /** Of the streams that carry one tenant's news, those under way counted. */
  readonly mostOfTenant: number
}

const claimedPushes = keptStatement(`WITH due AS MATERIALIZED (
     SELECT s.tenant_id, s.id, s.try_at, row_number() OVER (PARTITION BY s.issuer_tenant_id ORDER BY s.try_at NULLS FIRST, s.id)
       + (SELECT count(*) FROM event_streams b WHERE b.issuer_tenant_id = s.issuer_tenant_id AND b.lease_until > $3) AS nth
       FROM event_streams s
      WHERE s.method = 'push' AND (s.try_at IS NULL OR s.try_at <= $3) AND (s.lease_until IS NULL OR s.lease_until <= $3)
        AND ${hasLivingCredential('$3')}
        AND (s.own_events <> '[]' OR (s.status = 'enabled' AND ${firstOwedAt} IS NOT NULL))
   ), ready AS MATERIALIZED (
     SELECT s.tenant_id, s.id FROM due JOIN event_streams s ON s.tenant_id = due.tenant_id AND s.id = due.id
      WHERE due.nth <= $5 AND (s.lease_until IS NULL OR s.lease_until <= $3)
      ORDER BY due.nth, due.try_at NULLS FIRST, s.id LIMIT $4 FOR UPDATE OF s SKIP LOCKED
   )
   UPDATE event_streams s SET lease_id = $1, lease_until = $2 FROM ready WHERE s.tenant_id = ready.tenant_id AND s.id = ready.id
   RETURNING s.tenant_id AS "tenantId", s.id, s.resource_id AS "resourceId", s.issuer_tenant_id AS "issuerTenantId", s.issuer_id AS "issuerId",
     s.sealed_authorization AS "sealedAuthorization", s.endpoint_url AS "endpointUrl", s.lease_id AS "leaseId"`)

/**
 * Streams that have something to push and whose time to try has come: each is given to one caller, until its lease ends. Tenants take turns, and
 * none has more under way than its share, so that slow receivers of one hold up nobody else's.
 */
export async function claimPushesAcrossTenants(db: AcrossDb, claim: PushClaim): Promise<readonly ClaimedPush[]> {
  const { rows } = await db.query<ClaimedPush>(claimedPushes, [
    claim.leaseId,
    toTimestamp(claim.leaseUntil),
    toTimestamp(claim.now),
    claim.limit,
    claim.mostOfTenant,
  ])
  return rows
}

/** What a stream owes now. Not `enabled`: only what it says of itself. */
export type OwedEvents = { readonly own: readonly OwnEvent[]; readonly notices: readonly OwedNotice[] }

const ownedBy = 'tenant_id = $1 AND id = $2 AND lease_id = $3'

/** Undefined: the lease is no longer ours, or the credential has died. */
export async function findOwedEvents(
  db: AcrossDb,
  { tenantId, id, leaseId }: ClaimedPush,
  { limit, now }: { readonly limit: number; readonly now: Instant },
): Promise<OwedEvents | undefined> {
  const { rows } = await db.query<{ own: readonly OwnEvent[]; notices: readonly OwedNotice[] }>(
    `SELECT s.own_events AS own, coalesce((SELECT jsonb_agg(to_jsonb(o) ORDER BY o.position) FROM (
         SELECT n.position, n.jti::text AS jti, n.token, ${eventOf} AS event FROM notices n
          WHERE ${owed} AND s.status = 'enabled' ORDER BY n.position LIMIT $4) o), '[]') AS notices
       FROM event_streams s WHERE s.tenant_id = $1 AND s.id = $2 AND s.lease_id = $3 AND ${hasLivingCredential('$5')}`,
    [tenantId, id, leaseId, limit, toTimestamp(now)],
  )
  return rows[0]
}

/** `acknowledgedSeconds`: how long after its barrier an event was acknowledged here. `events`: those that may be dead everywhere by it (`markEventsDead`). */
export type Answered = { readonly acknowledgedSeconds: readonly number[]; readonly events: readonly DeprovisioningOfTenant[] }

/** The receiver took it, or refused it for good. Undefined: the lease is no longer ours, and nothing was recorded. */
export async function markPushAnswered(
  db: AcrossDb,
  push: ClaimedPush,
  answer: { readonly notice: OwedNotice; readonly refusal: string | undefined; readonly now: Instant; readonly leaseUntil: Instant },
): Promise<Answered | undefined> {
  const { notice, refusal, now } = answer
  const { rowCount } = await db.query(
    `UPDATE event_streams SET position = greatest(position, $4), delivered_to = greatest(delivered_to, $4),
       answered = ARRAY(SELECT a FROM unnest(answered) a WHERE a > $4), failures = 0, disbelieved = 0, try_at = NULL, heard_at = $5, lease_until = $6,
       trouble = $7, refusals = refusals + CASE WHEN $7::text IS NULL THEN 0 ELSE 1 END
      WHERE ${ownedBy}`,
    [
      ...[push.tenantId, push.id, push.leaseId, notice.position, toTimestamp(now), toTimestamp(answer.leaseUntil)],
      refusal === undefined ? null : `refused: ${refusal}`,
    ],
  )
  if (rowCount === 0) return undefined
  const { event } = notice
  return settleReceipts(
    db,
    push.id,
    refusal === undefined ? { taken: [event], refused: [], now } : { taken: [], refused: [{ ...event, code: refusal }], now },
  )
}

/** The same of an event about the stream itself. False: the lease is no longer ours. */
export async function markOwnEventAnswered(
  db: AcrossDb,
  push: ClaimedPush,
  answer: { readonly jti: string; readonly refusal: string | undefined; readonly now: Instant },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE event_streams SET ${withoutOwn('$4::text[]')}, failures = 0, disbelieved = 0, try_at = NULL, heard_at = $5, trouble = $6 WHERE ${ownedBy}`,
    [
      ...[push.tenantId, push.id, push.leaseId, [answer.jti], toTimestamp(answer.now)],
      answer.refusal === undefined ? null : `refused: ${answer.refusal}`,
    ],
  )
  return rowCount === 1
}

const withoutOwn = (jtis: string): string =>
  `own_events = coalesce((SELECT jsonb_agg(e) FROM jsonb_array_elements(own_events) e WHERE NOT e ->> 'jti' = ANY (${jtis})), '[]')`

export type PushFailure = { readonly trouble: string; readonly isRefusal: boolean; readonly tryAt: (failures: number) => Instant }

/** Nothing came of it: it is tried again. Answers how often in a row it came to nothing, and how often it was disbelieved. */
export async function markPushFailed(
  db: AcrossDb,
  { tenantId, id, leaseId }: ClaimedPush,
  { trouble, isRefusal, tryAt }: PushFailure,
): Promise<{ readonly failures: number; readonly disbelieved: number } | undefined> {
  const { rows } = await db.query<{ failures: number; disbelieved: number }>(
    `UPDATE event_streams SET failures = failures + 1, disbelieved = disbelieved + $4, trouble = $5 WHERE ${ownedBy} RETURNING failures, disbelieved`,
    [tenantId, id, leaseId, isRefusal ? 1 : 0, trouble],
  )
  const [failed] = rows
  if (failed === undefined) return undefined
  await db.query(`UPDATE event_streams SET try_at = $4 WHERE ${ownedBy}`, [tenantId, id, leaseId, toTimestamp(tryAt(failed.failures))])
  return failed
}

/** Whoever comes next may push it; with `behind`, after those who have waited longer. */
export async function releasePush(db: AcrossDb, { tenantId, id, leaseId }: ClaimedPush, behind?: Instant): Promise<void> {
  await db.query(`UPDATE event_streams SET lease_id = NULL, lease_until = NULL, try_at = coalesce(try_at, $4) WHERE ${ownedBy}`, [
    ...[tenantId, id, leaseId, behind === undefined ? null : toTimestamp(behind)],
  ])
}

type Said = {
  readonly taken: readonly DeprovisioningOfTenant[]
  readonly refused: readonly (DeprovisioningOfTenant & { readonly code: string })[]
  readonly now: Instant
}

/** SQL: receipts of the stream `$1` whose keys are those of `$3` and `$4`, found by the index on them, which a join alone is not, as long as little is known of the table. */
const ofThese = 'r.stream_id = $1 AND r.tenant_id = ANY ($3::uuid[]) AND r.event_id = ANY ($4::uuid[])'
const keysOf = (events: readonly DeprovisioningOfTenant[]) => [events.map(({ tenant }) => tenant), events.map(({ id }) => id)]

/** A stream of the front carries what happened in many tenants, each of which owns its receipts. */
async function settleReceipts(db: AcrossDb, streamId: string, { taken, refused, now }: Said): Promise<Answered> {
  const of = [streamId, toTimestamp(now)]
  const acknowledged = await db.query<DeprovisioningOfTenant & { readonly seconds: number }>(
    `UPDATE notice_receipts r SET notified_at = coalesce(r.notified_at, $2), acknowledged_at = $2, paused_at = NULL
       FROM deprovisioning_events e
      WHERE ${ofThese} AND r.acknowledged_at IS NULL AND e.tenant_id = r.tenant_id AND e.id = r.event_id AND e.tenant_id = ANY ($3) AND e.id = ANY ($4)
     RETURNING r.tenant_id AS tenant, r.event_id AS id, extract(epoch FROM $2 - e.barrier_at)::float8 AS seconds`,
    [...of, ...keysOf(taken)],
  )
  if (refused.length > 0)
    await db.query(
      `UPDATE notice_receipts r SET notified_at = coalesce(r.notified_at, $2), refused_at = $2, refusal = said.code
         FROM unnest($3::uuid[], $4::uuid[], $5::text[]) AS said (tenant_id, id, code)
        WHERE ${ofThese} AND r.tenant_id = said.tenant_id AND r.event_id = said.id AND r.acknowledged_at IS NULL AND r.refused_at IS NULL`,
      [...of, ...keysOf(refused), refused.map(({ code }) => code)],
    )
  return {
    acknowledgedSeconds: acknowledged.rows.map(({ seconds }) => seconds),
    events: acknowledged.rows.map(({ tenant, id }) => ({ tenant, id })),
  }
}

type Standing = {
  readonly position: number
  readonly deliveredTo: number
  readonly answered: readonly number[]
  readonly own: readonly OwnEvent[]
}

export type PollAnswers = { readonly taken: readonly string[]; readonly refused: Readonly<Record<string, string>> }

/** What a poll says of what it was handed before. The stream must be locked. Only what was handed out can be answered. */
export async function recordPollAnswers(
  db: AcrossDb,
  stream: EventStream,
  said: PollAnswers,
  now: Instant,
): Promise<Answered & { readonly refusals: number }> {
  const standing = await readStanding(db, stream)
  const { rows } = await db.query<Omit<OwedNotice, 'token'> & { readonly isOpen: boolean }>(
    `SELECT n.position, n.jti::text AS jti, ${eventOf} AS event, NOT n.position = ANY (s.answered) AS "isOpen" FROM event_streams s JOIN notices n ON ${carried}
      WHERE s.tenant_id = $1 AND s.id = $2 AND n.position <= s.delivered_to ORDER BY n.position`,
    [stream.tenantId, stream.id],
  )
  const taken = new Set(said.taken)
  const open = rows.filter(({ isOpen }) => isOpen)
  const refused = await withoutCondemned(
    db,
    stream,
    open.filter(({ jti }) => !taken.has(jti) && Object.hasOwn(said.refused, jti)),
  )
  const news = [...open.filter(({ jti }) => taken.has(jti)), ...refused]
  const own = standing.own.filter(({ jti }) => taken.has(jti) || Object.hasOwn(said.refused, jti)).map(({ jti }) => jti)
  const progress = advance(
    standing,
    rows.map(({ position }) => position),
    new Set(news.map(({ position }) => position)),
  )
  await db.query(
    `UPDATE event_streams SET position = $3, answered = $4::bigint[], refusals = refusals + $5, ${withoutOwn('$6::text[]')} WHERE tenant_id = $1 AND id = $2`,
    [stream.tenantId, stream.id, progress.position, progress.answered, refused.length, own],
  )
  const answered = await settleReceipts(db, stream.id, {
    taken: news.filter((each) => !refused.includes(each)).map(({ event }) => event),
    refused: refused.map(({ event, jti }) => ({ ...event, code: said.refused[jti] ?? '' })),
    now,
  })
  return { ...answered, refusals: refused.length }
}

/** What a condemned key had signed is not refused: it comes again, signed by another. */
async function withoutCondemned<Row extends { readonly position: number }>(
  db: AcrossDb,
  { tenantId, resourceId, issuerTenantId, issuerId }: EventStream,
  refused: readonly Row[],
): Promise<readonly Row[]> {
  if (refused.length === 0) return refused
  const { rows } = await db.query<{ position: number; token: string }>(
    'SELECT position, token FROM notices WHERE tenant_id = $1 AND resource_id = $2 AND position = ANY ($3::bigint[])',
    [tenantId, resourceId, refused.map(({ position }) => position)],
  )
  const issuer = { tenant: issuerTenantId, id: issuerId }
  const condemned = await findSignedByCondemned(
    db,
    issuer,
    rows.map(({ token }) => token),
  )
  const spared = new Set(rows.filter(({ token }) => condemned.has(token)).map(({ position }) => position))
  return refused.filter(({ position }) => !spared.has(position))
}

async function readStanding(db: AcrossDb, { tenantId, id }: EventStream): Promise<Standing> {
  const { rows } = await db.query<Standing>(
    'SELECT position, delivered_to AS "deliveredTo", to_jsonb(answered) AS answered, own_events AS own FROM event_streams WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
    [tenantId, id],
  )
  return rows[0] ?? { position: 0, deliveredTo: 0, answered: [], own: [] }
}

export type Polled = { readonly sets: readonly { readonly jti: string; readonly token: string }[]; readonly notices: number }

/** What a poll is handed, oldest first; what it was handed before and has not answered comes again. */
export async function takeForPoll(db: AcrossDb, stream: EventStream, now: Instant, limit: number): Promise<Polled> {
  const standing = await readStanding(db, stream)
  const own = standing.own.slice(0, limit)
  const room = Math.min(limit - own.length, Math.max(1, eventStreamLimits.answeredAhead - standing.answered.length))
  const { rows } = await db.query<OwedNotice>(
    `SELECT n.position, n.jti::text AS jti, n.token, ${eventOf} AS event FROM event_streams s JOIN notices n ON ${owed}
      WHERE s.tenant_id = $1 AND s.id = $2 AND s.status = 'enabled' ORDER BY n.position LIMIT $3`,
    [stream.tenantId, stream.id, Math.min(room, limit - own.length)],
  )
  const last = rows.at(-1)
  if (last !== undefined) {
    await db.query('UPDATE event_streams SET delivered_to = greatest(delivered_to, $3) WHERE tenant_id = $1 AND id = $2', [
      stream.tenantId,
      stream.id,
      last.position,
    ])
    await db.query(`UPDATE notice_receipts r SET notified_at = $2 WHERE ${ofThese} AND r.notified_at IS NULL`, [
      stream.id,
      toTimestamp(now),
      ...keysOf(rows.map(({ event }) => event)),
    ])
  }
  return { sets: [...own, ...rows].map(({ jti, token }) => ({ jti, token })), notices: rows.length }
}
