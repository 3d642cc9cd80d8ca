/** What only a lab can do: quotas of one tenant, and scheduled jobs at once. The database refuses quotas elsewhere. */
import type { Instant } from '@drawbridge/core/instant'
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

/** By the name of the limit. What is not named keeps its ordinary value. */
export type LabRateLimits = Readonly<Record<string, { readonly perSecond: number; readonly burst: number }>>

/** Null takes them away. Raises the configuration version, so that every broker hears of it. */
export async function setLabRateLimits(db: Db, tenant: TenantId, limits: LabRateLimits | null): Promise<void> {
  await db.query('UPDATE tenants SET lab_rate_limits = $2 WHERE id = $1', [tenant, limits === null ? null : JSON.stringify(limits)])
}

/** Asks the workers, through the outbox of the vendor, to run every scheduled job now. Answers the id of the request. */
export async function requestScheduledJobs(db: Db, now: Instant): Promise<number> {
  const { rows } = await db.query<{ id: string | number }>(
    `WITH entry AS (INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, 'run-scheduled', '{}', $2) RETURNING id)
     SELECT id, pg_notify('drawbridge_outbox', $1::text) FROM entry`,
    [vendorTenantId, toTimestamp(now)],
  )
  return Number(rows[0]?.id)
}

/** When the jobs of that request had run; null: not yet. Undefined: there is no such request, or it is long past. */
export async function findScheduledJobsRun(db: Db, id: number): Promise<{ readonly doneAt: Instant | null } | undefined> {
  const { rows } = await db.query<{ doneAt: Instant | null }>(
    `SELECT done_at AS "doneAt" FROM outbox WHERE tenant_id = $1 AND id = $2 AND kind = 'run-scheduled'`,
    [vendorTenantId, id],
  )
  return rows[0]
}
