/**
 * How long the trail of a tenant is kept, and how it ends: the oldest first, a bounded number at once, with a line that says what was ended. Only lines whose time
 * is over by the tenant's choice can be deleted at all: a trigger compares each.
 */
import type { AuditClass, AuditRetention } from '@drawbridge/core/audit/audit-retention'
import { auditChoiceWaitsSeconds, everydayAuditKinds, keptAuditKinds } from '@drawbridge/core/audit/audit-retention'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { keptStatement } from './kept-statements.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

const day = 86_400

export async function findAuditRetention(db: Db, tenant: TenantId): Promise<AuditRetention> {
  const { rows } = await db.query<{ everyday_days: number | null; other_days: number | null }>(
    'SELECT everyday_days, other_days FROM audit_retention WHERE tenant_id = $1',
    [tenant],
  )
  return { everydayDays: rows[0]?.everyday_days ?? null, otherDays: rows[0]?.other_days ?? null }
}

/** What was chosen before counts no more, and the wait begins anew. */
export async function markAuditRetention(
  db: Db,
  tenant: TenantId,
  { everydayDays, otherDays }: AuditRetention,
  now: Instant,
): Promise<void> {
  await db.query(
    `INSERT INTO audit_retention (tenant_id, everyday_days, other_days, chosen_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id) DO UPDATE SET everyday_days = excluded.everyday_days, other_days = excluded.other_days, chosen_at = excluded.chosen_at`,
    [tenant, everydayDays, otherDays, toTimestamp(now)],
  )
}

/** One class of a tenant's lines whose time is over before then. */
export type AuditEnd = { readonly tenantId: TenantId; readonly kept: AuditClass; readonly days: number; readonly before: Instant }

/**
 * The trigger that guards the trail goes by the database's clock: a line that is over only by ours takes all others of its batch back with it, at every turn.
 */
export const auditClockMarginSeconds = 300

/** Of tenants that chose so, long enough ago. */
export async function listAuditEndsAcrossTenants(db: AcrossDb, now: Instant): Promise<readonly AuditEnd[]> {
  const { rows } = await db.query<{ tenant_id: TenantId; everyday_days: number | null; other_days: number | null }>(
    `SELECT tenant_id, everyday_days, other_days FROM audit_retention
      WHERE chosen_at <= $1 AND (everyday_days IS NOT NULL OR other_days IS NOT NULL) ORDER BY tenant_id`,
    [toTimestamp(addSeconds(now, -auditChoiceWaitsSeconds))],
  )
  const endsOf = (tenantId: TenantId, kept: AuditClass, days: number | null): readonly AuditEnd[] =>
    days === null ? [] : [{ tenantId, kept, days, before: addSeconds(now, -days * day - auditClockMarginSeconds) }]
  return rows.flatMap((row) => [
    ...endsOf(row.tenant_id, 'everyday', row.everyday_days),
    ...endsOf(row.tenant_id, 'others', row.other_days),
  ])
}

/** `at`, `id`, `days`: columns of the class. Whoever chose anew meanwhile, or waits again, has nothing ended. */
const ended = (column: 'everyday' | 'other') =>
  keptStatement(`WITH held AS MATERIALIZED (
     SELECT ${column}_at AS at, ${column}_id AS id FROM audit_retention WHERE tenant_id = $1 AND ${column}_days = $6 AND chosen_at <= $7 FOR NO KEY UPDATE SKIP LOCKED
   ), looked AS MATERIALIZED (
     SELECT e.id, e.at, e.kind FROM held JOIN audit_events e ON e.tenant_id = $1 AND e.at >= held.at AND (e.at, e.id) > (held.at, held.id)
      WHERE e.at < $2 ORDER BY e.at, e.id LIMIT $3
   ), gone AS (
     DELETE FROM audit_events e USING looked WHERE e.tenant_id = $1 AND e.id = looked.id AND (looked.kind = ANY ($4)) = $5 AND looked.kind <> ALL ($8)
     RETURNING e.id, e.at, e.kind
   ), moved AS (
     UPDATE audit_retention SET ${column}_at = last.at, ${column}_id = last.id
       FROM (SELECT at, id FROM looked ORDER BY at DESC, id DESC LIMIT 1) last WHERE tenant_id = $1
   ), told AS (
     INSERT INTO audit_events (tenant_id, at, kind, scopes, detail)
     SELECT $1, $9, 'audit_events.ended', '{}', jsonb_build_object('kept', $10::text, 'days', $6::int, 'count', sum(n), 'kinds', jsonb_object_agg(kind, n),
         'from', to_char(min(since) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'to', to_char(max(until) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
         'firstId', min(first), 'lastId', max(last))
       FROM (SELECT kind, count(*) AS n, min(at) AS since, max(at) AS until, min(id) AS first, max(id) AS last FROM gone GROUP BY kind) counted
     HAVING count(*) > 0
   )
   SELECT (SELECT count(*) FROM looked)::int AS looked, (SELECT count(*) FROM gone)::int AS ended`)
const endedOf = { everyday: ended('everyday'), others: ended('other') } as const satisfies Record<AuditClass, unknown>

/** Looks at the next `limit` old lines and ends those of the class. `looked` below the limit: there are no more. */
export async function endAuditEventsAcrossTenants(
  db: AcrossDb,
  { tenantId, kept, days, before }: AuditEnd,
  { now, limit }: { readonly now: Instant; readonly limit: number },
): Promise<{ readonly looked: number; readonly ended: number }> {
  const { rows } = await db.query<{ looked: number; ended: number }>(endedOf[kept], [
    ...[tenantId, toTimestamp(before), limit, [...everydayAuditKinds], kept === 'everyday', days],
    ...[toTimestamp(addSeconds(now, -auditChoiceWaitsSeconds)), [...keptAuditKinds], toTimestamp(now), kept],
  ])
  return rows[0] ?? { looked: 0, ended: 0 }
}
