/**
 * The barrier of many grants at once: for what ends grants one by one because no epoch of their subject, client or connection may move.
 *
 * All of them are dead with the caller's commit, however many they are. Each is told by an event, a line of the trail and an outbox entry of its own, because a
 * guard knows grants and no sets of them; that is most of the work, so of very many it is left to entries of the outbox, written with the barrier: what they
 * hold is late news until then, and in every snapshot.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { DeprovisioningSource } from '@drawbridge/core/revocation/deprovisioning-event'
import { endedTogether, type TellEndedPayload, tellEndedEntry } from '@drawbridge/core/revocation/ended-grants'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { mayBeHeld } from './grants.js'
import { type Db, toTimestamp } from './transaction.js'

export type EndGrants = {
  /** A condition on `grants` and its parameters, `$6` and on. Ours, never input. */
  readonly which: { readonly sql: string; readonly parameters: readonly unknown[] }
  readonly source: DeprovisioningSource
  readonly reason: string
  readonly now: Instant
  readonly requestId: string | undefined
}

const told = ['id', 'epoch', 'issuer_id', 'subject_id', 'client_id', 'connection_id', 'gen_random_uuid() AS event_id'].join(', ')

/** Tells each row of `from`, which has the columns of `told`. `$1` tenant, `$2` when they ended, `$3` request, `$4` reason, `$5` source. */
const tellEach = (from: string): string => `told AS (
       INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
       SELECT $1, event_id, $5, 'grant', id::text, $4, $2, $2 FROM ${from}),
     audited AS (
       INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id)
       SELECT $1, $2, 'grant.deprovisioned', issuer_id, subject_id, client_id, connection_id, id, '{}', $4,
         jsonb_build_object('eventId', event_id, 'source', $5::text, 'matched', true, 'epoch', epoch), $3 FROM ${from}),
     queued AS (
       INSERT INTO outbox (tenant_id, kind, payload, created_at)
       SELECT $1, 'revoke', jsonb_build_object('eventId', event_id, 'target', 'grant', 'targetId', id, 'epoch', epoch), $2 FROM ${from})`

/** What one statement kills, and what it tells of: seconds at most, on a machine that has other things to do. */
const ofOneStatement = { killed: 50_000, told: endedTogether } as const

/**
 * Kills every living grant that is selected: raises its epoch, and lets every guard hear of it. Answers how many there were. All of them in the caller's
 * transaction: in one statement, or as many as it takes where they are very many, each within its time.
 */
export async function endGrants(
  db: Db,
  tenant: TenantId,
  { which, source, reason, now, requestId }: EndGrants,
  most: { readonly killed: number; readonly told: number } = ofOneStatement,
): Promise<number> {
  const parameters = [tenant, toTimestamp(now), requestId ?? null, reason, source, ...which.parameters]
  let ended = 0
  let after: string | undefined
  for (;;) {
    const { chosen, killed, last } = await endNext(db, endingText(which.sql, most, after), parameters)
    ended += killed
    // Of those that were chosen somebody may have ended one meanwhile: there may be more all the same.
    if (chosen < most.killed) return ended
    after = last ?? undefined
  }
}

type Ended = { readonly chosen: number; readonly killed: number; readonly last: string | null }
async function endNext(db: Db, text: string, parameters: readonly unknown[]): Promise<Ended> {
  const [row] = (await db.query<Ended>(text, parameters)).rows
  return row ?? { chosen: 0, killed: 0, last: null }
}

/** By their ids, so that whoever else holds several waits for nobody who waits for him, and none is looked at again that went before `after`, an id of ours. */
const endingText = (which: string, most: { readonly killed: number; readonly told: number }, after: string | undefined): string => {
  const isLiving = `revoked_at IS NULL AND ${mayBeHeld('grants', '$2')}`
  const isNext = after === undefined ? 'true' : `id > '${after}'::uuid`
  // OFFSET 0: found by what they have in common, and put into order then. For the order's sake everything of the tenant would be walked through.
  return `WITH chosen AS MATERIALIZED (
       SELECT id FROM (SELECT id FROM grants WHERE tenant_id = $1 AND ${isNext} AND ${which} AND ${isLiving} OFFSET 0) AS each ORDER BY id LIMIT ${most.killed}),
     locked AS MATERIALIZED (
       SELECT id FROM grants WHERE tenant_id = $1 AND id = ANY (ARRAY(SELECT id FROM chosen)) ORDER BY id FOR UPDATE),
     killed AS (
       UPDATE grants SET epoch = epoch + 1, revoked_at = $2, revoked_reason = $4
       WHERE tenant_id = $1 AND id = ANY (ARRAY(SELECT id FROM locked)) AND ${isLiving}
       RETURNING ${told}),
     few AS (SELECT * FROM killed WHERE (SELECT count(*) FROM killed) <= ${most.told}),
     ${tellEach('few')},
     many AS (SELECT id, epoch, (row_number() OVER () - 1) / ${most.told} AS part FROM killed WHERE (SELECT count(*) FROM killed) > ${most.told}),
     left_over AS (
       INSERT INTO outbox (tenant_id, kind, payload, created_at)
       SELECT $1, '${tellEndedEntry}', jsonb_build_object('grants', jsonb_agg(jsonb_build_object('grantId', id, 'epoch', epoch)),
         'source', $5::text, 'reason', $4::text, 'requestId', $3::text, 'at', $2::timestamptz), $2 FROM many GROUP BY part)
     SELECT count(*)::int AS killed, (SELECT count(*)::int FROM chosen) AS chosen, (SELECT id FROM chosen ORDER BY id DESC LIMIT 1) AS last,
       (SELECT pg_notify('drawbridge_outbox', $1::uuid::text) FROM killed LIMIT 1)::text AS notified FROM killed`
}

export type EndedEntry = TellEndedPayload & { readonly entry: number; readonly now: Instant }

/**
 * Tells of what one entry holds, as if it had been told when it ended, and marks it done: both or neither, and once. Answers how many it told of; 0: somebody did
 * before. Ended grants are kept for weeks, longer than any entry waits that is not a dead letter.
 */
export async function tellEndedGrants(
  db: Db,
  tenant: TenantId,
  { entry, grants, source, reason, requestId, at, now }: EndedEntry,
): Promise<number> {
  const { rows } = await db.query<{ told: number }>(
    `WITH done AS (UPDATE outbox SET done_at = $7 WHERE tenant_id = $1 AND id = $6 AND done_at IS NULL RETURNING id),
     ended AS (
       SELECT g.id, known.epoch, g.issuer_id, g.subject_id, g.client_id, g.connection_id, gen_random_uuid() AS event_id
         FROM done CROSS JOIN unnest($8::uuid[], $9::int[]) AS known (id, epoch) JOIN grants g ON g.tenant_id = $1 AND g.id = known.id),
     ${tellEach('ended')}
     SELECT count(*)::int AS told, (SELECT pg_notify('drawbridge_outbox', $1::uuid::text) FROM ended LIMIT 1)::text AS notified FROM ended`,
    [
      ...[tenant, at, requestId, reason, source, entry, toTimestamp(now)],
      ...[grants.map(({ grantId }) => grantId), grants.map(({ epoch }) => epoch)],
    ],
  )
  return rows[0]?.told ?? 0
}
