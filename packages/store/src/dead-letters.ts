/**
 * Dead letters: guaranteed work that was given up after its last round, with the reason. They are kept until somebody replays them, and never
 * swept: `done_at` stays empty, so a barrier that is not told stays in every snapshot, and its tenant's guards are not told "nothing new".
 */
import type { AuditEventKind } from '@drawbridge/core/audit/audit-event'
import type { Instant } from '@drawbridge/core/instant'
import type { Page } from './admin-page.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

export type DeadLetter = {
  readonly id: number
  /** The slug. */
  readonly tenant: string
  readonly kind: string
  readonly createdAt: Instant
  readonly deadAt: Instant
  readonly reason: string
  readonly attempts: number
  /** Of a revocation: whose, and where its receipt is found. */
  readonly eventId: string | null
  readonly target: string | null
  readonly targetId: string | null
}

export type DeadLetterFilter = { readonly kind: string | undefined; readonly tenant: string | undefined }
export type Replay = { readonly which: { readonly id: number } | { readonly kind: string }; readonly now: Instant }

/** What is replayed in one statement; whoever replays a kind of which there is more does it again. */
export const mostReplayed = 10_000

const dead = 'o.dead_at IS NOT NULL AND o.done_at IS NULL'

/** Newest first. */
export async function listDeadLettersAcrossTenants(
  db: AcrossDb,
  { kind, tenant }: DeadLetterFilter,
  { from, limit }: Page<number>,
): Promise<readonly DeadLetter[]> {
  const { rows } = await db.query<DeadLetter>(
    `SELECT o.id, t.slug AS tenant, o.kind, o.created_at AS "createdAt", o.dead_at AS "deadAt", o.dead_reason AS reason, o.attempts,
       o.payload ->> 'eventId' AS "eventId", o.payload ->> 'target' AS target, o.payload ->> 'targetId' AS "targetId"
     FROM outbox o JOIN tenants t ON t.id = o.tenant_id
    WHERE ${dead} AND ($1::bigint IS NULL OR o.id < $1) AND ($2::text IS NULL OR o.kind = $2) AND ($3::text IS NULL OR t.slug = $3)
    ORDER BY o.id DESC LIMIT $4`,
    [from ?? null, kind ?? null, tenant ?? null, limit],
  )
  return rows
}

/** Per kind, for the alarm. */
export async function countDeadLettersAcrossTenants(db: AcrossDb): Promise<Readonly<Record<string, number>>> {
  const { rows } = await db.query<{ kind: string; count: number }>(
    `SELECT kind, count(*) AS count FROM outbox o WHERE ${dead} GROUP BY kind`,
  )
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]))
}

/** Who did it, for the trail of each tenant whose work is replayed. */
export type Replayer = {
  readonly kind: AuditEventKind
  readonly detail: Readonly<Record<string, unknown>>
  readonly reason: string
  readonly requestId: string | undefined
  readonly address: string | undefined
}

/** Due at once, with all its rounds before it; in the trail of each tenant, in the same statement. Answers how many. */
export async function replayDeadLettersAcrossTenants(db: AcrossDb, { which, now }: Replay, by: Replayer): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `WITH chosen AS (
       SELECT o.tenant_id, o.id FROM outbox o WHERE ${dead} AND ($2::bigint IS NULL OR o.id = $2) AND ($3::text IS NULL OR o.kind = $3)
        ORDER BY o.id LIMIT ${mostReplayed} FOR UPDATE),
     replayed AS (
       UPDATE outbox o SET dead_at = NULL, dead_reason = NULL, due_at = $1, relayed_at = NULL, attempts_forgiven = o.attempts
         FROM chosen WHERE o.tenant_id = chosen.tenant_id AND o.id = chosen.id RETURNING o.tenant_id, o.id, o.kind),
     told AS (
       INSERT INTO audit_events (tenant_id, at, kind, scopes, reason, detail, request_id, address)
       SELECT tenant_id, $1, $4, '{}', $5, $6::jsonb || jsonb_build_object('entryKind', kind, 'count', count(*), 'firstEntry', min(id)), $7, $8
         FROM replayed GROUP BY tenant_id, kind),
     woken AS (SELECT pg_notify('drawbridge_outbox', '') FROM replayed LIMIT 1)
     SELECT count(*), (SELECT count(*) FROM woken) AS woken FROM replayed`,
    [
      ...[toTimestamp(now), 'id' in which ? which.id : null, 'kind' in which ? which.kind : null],
      ...[by.kind, by.reason, JSON.stringify(by.detail), by.requestId ?? null, by.address ?? null],
    ],
  )
  return rows[0]?.count ?? 0
}
