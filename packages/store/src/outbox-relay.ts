/**
 * The relay's side of the outbox: what must be handed to the queue, whose turn it is, and what is done. The write side is with what makes
 * the work necessary.
 *
 * An entry is due (`due_at` has come: new, or its pause is over), or the queue holds it (`relayed_at` is set, `due_at` is when the relay wonders
 * what became of it), or it pauses (`relayed_at` is null, `due_at` is to come), or it is dead (`due_at` is beyond all time), or done.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Lane, Share } from '@drawbridge/core/outbox/share-out'
import { followKillEntry } from '@drawbridge/core/revocation/follow-kill'
import { settleDirectoryEntry, settleGrantsEntry } from '@drawbridge/core/revocation/settled-grants'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { given, type KeptStatement, keptStatement } from './kept-statements.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

export type WaitingEntry = {
  readonly tenantId: TenantId
  readonly id: number
  readonly kind: string
  readonly payload: unknown
  /** How often the queue was given it. */
  readonly attempts: number
  /** Of these, before it was last replayed. */
  readonly forgiven: number
  /** The queue was given it and has not said what became of it. */
  readonly isHandedOver: boolean
}
export type Claim = {
  readonly lane: Lane
  readonly shares: readonly Share<TenantId>[]
  readonly now: Instant
  /** A version without `due_at` handed it over; it counts as in the queue until then. */
  readonly relayedBefore: Instant
  /** Kinds that somebody here can carry out. Others are left to a relay that knows them, unless they were written before then and nobody has come. */
  readonly kinds: readonly string[]
  readonly unknownBefore: Instant
}

/** What does not tell of an end has lanes of its own behind what does. As the index `outbox_by_lane` has it. */
const laneOf = (row: string): string =>
  `(CASE ${row}kind WHEN '${settleGrantsEntry}' THEN 1 WHEN '${settleDirectoryEntry}' THEN 1 WHEN '${followKillEntry}' THEN 2 ELSE 0 END)`
const laneNumbers: Readonly<Record<Lane, number>> = { telling: 0, deciding: 1, following: 2 }
/** In the order of that index, so that no other serves: by it the first row of a tenant, or of what is due, is one step away. */
const inTurn = (row: string): string => `ORDER BY ${row}tenant_id, ${laneOf(row)}, ${row}due_at, ${row}id`

const handedOver = keptStatement(`SELECT tenant_id AS "tenantId", ${laneOf('')} AS lane, count(*) AS held
     FROM outbox WHERE done_at IS NULL AND relayed_at IS NOT NULL AND due_at > $1 GROUP BY 1, 2`)

/** What each tenant has in the queue, by lane. */
export async function countHandedOverAcrossTenants(
  db: AcrossDb,
  now: Instant,
): Promise<Readonly<Record<Lane, ReadonlyMap<TenantId, number>>>> {
  const { rows } = await db.query<{ tenantId: TenantId; lane: number; held: number }>(handedOver, [toTimestamp(now)])
  const of = (number: number) => new Map(rows.filter(({ lane }) => lane === number).map(({ tenantId, held }) => [tenantId, held]))
  return { telling: of(laneNumbers.telling), deciding: of(laneNumbers.deciding), following: of(laneNumbers.following) }
}

const waitingTenants = keptStatement(`WITH RECURSIVE turn (tenant_id) AS (
     (SELECT tenant_id FROM outbox WHERE done_at IS NULL AND tenant_id >= $1 ${inTurn('')} LIMIT 1)
     UNION ALL
     SELECT (SELECT o.tenant_id FROM outbox o WHERE o.done_at IS NULL AND o.tenant_id > turn.tenant_id ${inTurn('o.')} LIMIT 1)
       FROM turn WHERE turn.tenant_id IS NOT NULL
   )
   SELECT tenant_id AS "tenantId" FROM turn WHERE tenant_id IS NOT NULL LIMIT $2`)

/**
 * Tenants that have something undone, beginning with `from`, at most `limit`: one step of the index each, however much they have. Some of them may
 * have nothing that is due.
 */
export async function listWaitingTenantsAcrossTenants(
  db: AcrossDb,
  { from, limit }: { readonly from: TenantId; readonly limit: number },
): Promise<readonly TenantId[]> {
  const { rows } = await db.query<{ tenantId: TenantId }>(waitingTenants, [from, limit])
  return rows.map(({ tenantId }) => tenantId)
}

const claimStatement = (lane: number): string => `
  SELECT due.tenant_id AS "tenantId", due.id, due.kind, due.payload, due.attempts, due.attempts_forgiven AS forgiven, due.is_handed_over AS "isHandedOver"
    FROM ${given('$1::uuid[]', '$2::int[]')} AS shared (tenant_id, most) CROSS JOIN LATERAL (
      SELECT o.tenant_id, o.id, o.kind, o.payload, o.attempts, o.attempts_forgiven, o.relayed_at IS NOT NULL AS is_handed_over FROM outbox o
       WHERE o.tenant_id = shared.tenant_id AND o.done_at IS NULL AND ${laneOf('o.')} = ${lane} AND o.due_at <= $3
         AND (o.relayed_at IS NULL OR o.due_at > '-infinity' OR o.relayed_at < $4) AND (o.kind = ANY ($5::text[]) OR o.created_at < $6)
       ${inTurn('o.')} LIMIT shared.most FOR UPDATE SKIP LOCKED) due
   ORDER BY due.id`

const claimed: Readonly<Record<Lane, KeptStatement>> = {
  telling: keptStatement(claimStatement(laneNumbers.telling)),
  deciding: keptStatement(claimStatement(laneNumbers.deciding)),
  following: keptStatement(claimStatement(laneNumbers.following)),
}

/**
 * Locks what is due of each tenant, at most its share. Two relays never get the same entry at the same time; an entry whose relay dies before its
 * commit is simply claimed again.
 */
export async function claimOutboxAcrossTenants(
  db: AcrossDb,
  { lane, shares, now, relayedBefore, kinds, unknownBefore }: Claim,
): Promise<readonly WaitingEntry[]> {
  if (shares.length === 0) return []
  const { rows } = await db.query<WaitingEntry>(claimed[lane], [
    shares.map(({ tenant }) => tenant),
    shares.map(({ most }) => most),
    toTimestamp(now),
    toTimestamp(relayedBefore),
    kinds,
    toTimestamp(unknownBefore),
  ])
  return rows
}

export type Entries = readonly Pick<WaitingEntry, 'tenantId' | 'id'>[]
const keysOf = (entries: Entries) => [entries.map(({ tenantId }) => tenantId), entries.map(({ id }) => id)]

const markedRelayed = keptStatement(`UPDATE outbox SET relayed_at = $1, due_at = $2, attempts = attempts + 1
     FROM unnest($3::uuid[], $4::bigint[]) AS relayed (tenant_id, id)
    WHERE outbox.tenant_id = relayed.tenant_id AND outbox.id = relayed.id`)

/** The queue has them; `dueAt` is when the relay wonders what became of them. */
export async function markRelayedAcrossTenants(
  db: AcrossDb,
  entries: Entries,
  { now, dueAt }: { readonly now: Instant; readonly dueAt: Instant },
): Promise<void> {
  await db.query(markedRelayed, [toTimestamp(now), toTimestamp(dueAt), ...keysOf(entries)])
}

const lookedAgain = keptStatement(`UPDATE outbox SET due_at = $1 FROM unnest($2::uuid[], $3::bigint[]) AS held (tenant_id, id)
    WHERE outbox.tenant_id = held.tenant_id AND outbox.id = held.id`)

/** The queue still has them: the relay looks again then. */
export async function lookAgainAcrossTenants(db: AcrossDb, entries: Entries, dueAt: Instant): Promise<void> {
  await db.query(lookedAgain, [toTimestamp(dueAt), ...keysOf(entries)])
}

export type EndedRound = {
  readonly tenant: TenantId
  readonly id: number
  /** Which hand-over it was. What an older one has to say is not heard. */
  readonly attempt: number
  /** `dueAt`: the next round. `deadAt`: there is none. */
  readonly next: { readonly dueAt: Instant } | { readonly deadAt: Instant; readonly reason: string }
}

/** Nothing came of a round. True: it is as was said; false: it is done meanwhile, dead, or in another round. */
export async function endRound(db: AcrossDb, { tenant, id, attempt, next }: EndedRound): Promise<boolean> {
  const deadAt = 'deadAt' in next ? toTimestamp(next.deadAt) : null
  const { rowCount } = await db.query(
    `UPDATE outbox SET relayed_at = NULL, due_at = coalesce($4::timestamptz, 'infinity'), dead_at = $5, dead_reason = $6
      WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND done_at IS NULL AND dead_at IS NULL`,
    [tenant, id, attempt, 'dueAt' in next ? toTimestamp(next.dueAt) : null, deadAt, 'reason' in next ? next.reason : null],
  )
  return rowCount === 1
}

/**
 * How many of its rounds count: those since it was last replayed. Undefined: it is done, or there is none. Locked, for a job may fail before the relay that
 * handed it over has committed: unread then, the end of its round would be nobody's, until the entry is handed over once more.
 */
export async function findForgiven(db: AcrossDb, tenant: TenantId, id: number): Promise<number | undefined> {
  const { rows } = await db.query<{ forgiven: number }>(
    'SELECT attempts_forgiven AS forgiven FROM outbox WHERE tenant_id = $1 AND id = $2 AND done_at IS NULL AND dead_at IS NULL FOR UPDATE',
    [tenant, id],
  )
  return rows[0]?.forgiven
}

const undoneEntry = keptStatement('SELECT 1 FROM outbox WHERE tenant_id = $1 AND id = $2 AND done_at IS NULL FOR UPDATE')

/** True for exactly one transaction that commits: a second run of the same job waits for the first and then finds it done. */
export async function lockUndoneEntry(db: AcrossDb, tenant: TenantId, id: number): Promise<boolean> {
  const { rowCount } = await db.query(undoneEntry, [tenant, id])
  return rowCount === 1
}

/** Nobody has failed at it: it is new, or in the queue for the first time. */
const isUntried = 'done_at IS NULL AND (attempts = 0 AND relayed_at IS NULL OR attempts = 1 AND relayed_at IS NOT NULL)'

const untriedEntries = keptStatement(`WITH near AS MATERIALIZED (
     SELECT id, kind FROM outbox WHERE tenant_id = $1 AND relayed_at IS NOT NULL AND ${isUntried}
     UNION ALL
     (SELECT o.id, o.kind FROM outbox o WHERE o.tenant_id = $1 AND o.done_at IS NULL AND ${laneOf('o.')} = 0 AND o.due_at <= $2 ${inTurn('o.')} LIMIT $3)
   ), oldest AS MATERIALIZED (SELECT DISTINCT id FROM near WHERE kind = $4 ORDER BY id LIMIT $3)
   SELECT id, payload FROM outbox WHERE tenant_id = $1 AND id = ANY (ARRAY(SELECT id FROM oldest)) AND kind = $4 AND ${isUntried}
    ORDER BY id FOR UPDATE SKIP LOCKED`)

/**
 * Locks what of this kind nobody has failed at and nobody has locked, the oldest first, at most `limit`: of what the queue has of this tenant, and of the
 * next that wait behind it. What the queue has is older, so whoever takes these leaves nothing behind that comes before.
 */
export async function lockUntried(
  db: AcrossDb,
  tenant: TenantId,
  { kind, now, limit }: { readonly kind: string; readonly now: Instant; readonly limit: number },
): Promise<readonly Pick<WaitingEntry, 'id' | 'payload'>[]> {
  const { rows } = await db.query<Pick<WaitingEntry, 'id' | 'payload'>>(untriedEntries, [tenant, toTimestamp(now), limit, kind])
  return rows
}

const markedAllDone = keptStatement('UPDATE outbox SET done_at = $3 WHERE tenant_id = $1 AND id = ANY ($2::bigint[])')

/** Belongs into the handler's own transaction, so that the work and the marks commit together. */
export async function markAllDone(db: AcrossDb, tenant: TenantId, ids: readonly number[], now: Instant): Promise<void> {
  await db.query(markedAllDone, [tenant, ids, toTimestamp(now)])
}

const markedDone = keptStatement('UPDATE outbox SET done_at = $3 WHERE tenant_id = $1 AND id = $2')

/** Belongs into the handler's own transaction, so that the work and the mark commit together. */
export async function markDone(db: AcrossDb, tenant: TenantId, id: number, now: Instant): Promise<void> {
  await db.query(markedDone, [tenant, id, toTimestamp(now)])
}

const undoneCount = keptStatement('SELECT count(*) AS count FROM outbox WHERE done_at IS NULL')

export async function countUndoneAcrossTenants(db: AcrossDb): Promise<number> {
  const { rows } = await db.query<{ count: number }>(undoneCount)
  return rows[0]?.count ?? 0
}

/** Only what is done is ever swept. */
export async function deleteDoneAcrossTenants(db: AcrossDb, doneBefore: Instant, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    'DELETE FROM outbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM outbox WHERE done_at < $1 ORDER BY done_at LIMIT $2))',
    [toTimestamp(doneBefore), limit],
  )
  return rowCount
}
