/** Work of the outbox that is done piece by piece, so that none is long and one large tenant holds up no other. */
import type { Instant } from '@drawbridge/core/instant'
import { lastLookSeconds } from '@drawbridge/core/revocation/settled-grants'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

/** What comes after a piece. One that waits comes a last look's pause later. */
export type NextPiece<Payload> = { readonly payload: Payload; readonly waits: boolean }

/** Ends this piece of the work and begins the next at the end of the queue; of a piece that runs twice one run alone does it. `kind` is ours, never input. */
export async function endPiece<Payload>(
  db: Db,
  tenant: TenantId,
  entry: { readonly id: number; readonly kind: string },
  next: NextPiece<Payload> | undefined,
  now: Instant,
): Promise<void> {
  await db.query(
    `WITH done AS (UPDATE outbox SET done_at = $3 WHERE tenant_id = $1 AND id = $2 AND done_at IS NULL RETURNING id),
     queued AS (
       INSERT INTO outbox (tenant_id, kind, payload, created_at, relayed_at, due_at)
       SELECT $1, $6, $4::jsonb, $3, CASE WHEN $5 THEN $3::timestamptz END, CASE WHEN $5 THEN $3::timestamptz + interval '${lastLookSeconds} seconds' ELSE '-infinity' END FROM done WHERE $4::jsonb IS NOT NULL RETURNING id)
     SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM queued WHERE NOT $5`,
    [tenant, entry.id, toTimestamp(now), next === undefined ? null : JSON.stringify(next.payload), next?.waits ?? true, entry.kind],
  )
}

/** Leaves work for later, in the transaction that makes it necessary. `kind` is ours, never input. */
export async function leaveEntry(
  db: AcrossDb,
  tenant: TenantId,
  { kind, payload }: { readonly kind: string; readonly payload: unknown },
  now: Instant,
): Promise<void> {
  await db.query(
    `WITH entry AS (INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, $2, $3, $4) RETURNING id)
     SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM entry`,
    [tenant, kind, JSON.stringify(payload), toTimestamp(now)],
  )
}
