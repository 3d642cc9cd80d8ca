/** Traces of logins that failed, and how many failed: bounded per connection and hour, found by the code that the person was shown. */
import { type FailedOutcome, traceLimits } from '@drawbridge/core/identity/login-trace'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

export type StoredLoginTrace = {
  readonly id: string
  readonly code: string
  readonly connectionId: ConnectionId
  readonly at: Instant
  readonly outcome: FailedOutcome
  readonly reason: string
  readonly proven: boolean
  readonly sealed: Buffer
}

const hourMs = 3_600_000

/**
 * Counts the failure, and keeps its trace unless its hour has enough of them; answers whether it did. The row of the hour is locked by
 * whoever counts, so no number of callers at once keeps more than the limit. Of a reason no more counts against the hour than is kept of it:
 * what is sent a thousand times takes no place from the others.
 */
export async function keepLoginTrace(db: Db, tenant: TenantId, trace: StoredLoginTrace): Promise<boolean> {
  const { at, proven } = trace
  const hour = instant(Math.floor(at / hourMs) * hourMs)
  const { provenPerHour, provenPerReason, unprovenPerHour, unprovenPerReason, keptSeconds } = traceLimits
  const { rowCount } = await db.query(
    `WITH counted AS (
       INSERT INTO login_failures AS f (tenant_id, connection_id, hour, proven, failures, reasons, expires_at)
       VALUES ($1, $2, $3, $4, 1, jsonb_build_object($5::text, 1), $6)
       ON CONFLICT (tenant_id, connection_id, hour, proven) DO UPDATE SET failures = f.failures + 1,
         reasons = f.reasons || jsonb_build_object($5::text, COALESCE((f.reasons->>$5::text)::int, 0) + 1)
       RETURNING (reasons->>$5::text)::int AS of_reason,
         (SELECT sum(LEAST(of_each.failures::int, $13)) FROM jsonb_each_text(reasons) AS of_each (reason, failures)) AS sampled)
     INSERT INTO login_traces (tenant_id, id, code, connection_id, at, outcome, reason, proven, sealed, expires_at)
     SELECT $1, $7, $8, $2, $9, $10, $5, $4, $11, $6 FROM counted WHERE sampled <= $12 AND of_reason <= $13 ON CONFLICT DO NOTHING`,
    [
      ...[tenant, trace.connectionId, toTimestamp(hour), proven, trace.reason, toTimestamp(addSeconds(at, keptSeconds))],
      ...[trace.id, trace.code, toTimestamp(at), trace.outcome, trace.sealed],
      ...(proven ? [provenPerHour, provenPerReason] : [unprovenPerHour, unprovenPerReason]),
    ],
  )
  return rowCount === 1
}

type Row = Omit<StoredLoginTrace, 'connectionId'> & { readonly connection_id: ConnectionId }
const columns = 'id, code, connection_id, at, outcome, reason, proven, sealed'
const toTrace = ({ connection_id: connectionId, ...row }: Row): StoredLoginTrace => ({ ...row, connectionId })

export async function findLoginTrace(db: Db, tenant: TenantId, code: string, now: Instant): Promise<StoredLoginTrace | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM login_traces WHERE tenant_id = $1 AND code = $2 AND expires_at > $3`, [
    ...[tenant, code, toTimestamp(now)],
  ])
  return rows[0] && toTrace(rows[0])
}

export type LoginTraceFilter = {
  readonly connectionId?: string | undefined
  readonly outcome?: string | undefined
  readonly reason?: string | undefined
  readonly code?: string | undefined
}

/** Newest first. */
export async function listLoginTraces(
  db: Db,
  tenant: TenantId,
  { filter, now }: { readonly filter: LoginTraceFilter; readonly now: Instant },
  page: Page<MomentPosition>,
): Promise<readonly StoredLoginTrace[]> {
  const { connectionId = null, outcome = null, reason = null, code = null } = filter
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM login_traces WHERE tenant_id = $1 AND expires_at > $2 AND ($3::uuid IS NULL OR connection_id = $3)
       AND ($4::text IS NULL OR outcome = $4) AND ($5::text IS NULL OR reason = $5) AND ($6::text IS NULL OR code = $6)
       AND ($7::timestamptz IS NULL OR (at, id) < ($7, $8::uuid)) ORDER BY at DESC, id DESC LIMIT $9`,
    [tenant, toTimestamp(now), connectionId, outcome, reason, code, ...momentParameters(page)],
  )
  return rows.map(toTrace)
}

export type FailuresOfHour = {
  readonly connectionId: ConnectionId
  readonly hour: Instant
  /** Where the IdP was proven to have spoken, and where anybody may have. */
  readonly proven: number
  readonly unproven: number
  readonly reasons: Readonly<Record<string, number>>
}

type HourRow = Omit<FailuresOfHour, 'connectionId'> & { readonly connection_id: ConnectionId }

/** Newest hour first, within one by connection. */
export async function listLoginFailures(
  db: Db,
  tenant: TenantId,
  { connectionId, now }: { readonly connectionId: string | undefined; readonly now: Instant },
  page: Page<MomentPosition>,
): Promise<readonly FailuresOfHour[]> {
  const { rows } = await db.query<HourRow>(
    `SELECT connection_id, hour, COALESCE(sum(failures) FILTER (WHERE proven), 0)::int AS proven,
       COALESCE(sum(failures) FILTER (WHERE NOT proven), 0)::int AS unproven,
       (SELECT jsonb_object_agg(name, total) FROM (
          SELECT name, sum(n::int) AS total FROM login_failures AS each, jsonb_each_text(each.reasons) AS reason (name, n)
          WHERE each.tenant_id = $1 AND each.connection_id = f.connection_id AND each.hour = f.hour GROUP BY name) AS by_name) AS reasons
     FROM login_failures AS f WHERE tenant_id = $1 AND expires_at > $2 AND ($3::uuid IS NULL OR connection_id = $3)
       AND ($4::timestamptz IS NULL OR (hour, connection_id) < ($4, $5::uuid))
     GROUP BY connection_id, hour ORDER BY hour DESC, connection_id DESC LIMIT $6`,
    [tenant, toTimestamp(now), connectionId ?? null, ...momentParameters(page)],
  )
  return rows.map(({ connection_id, ...row }) => ({ ...row, connectionId: connection_id }))
}

export async function recordsFailedClaims(db: Db, tenant: TenantId): Promise<boolean> {
  const { rows } = await db.query<{ kept: boolean }>('SELECT records_failed_claims AS kept FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.kept ?? false
}

export async function markFailedClaimsRecorded(db: Db, tenant: TenantId, kept: boolean): Promise<void> {
  await db.query('UPDATE tenants SET records_failed_claims = $2 WHERE id = $1', [tenant, kept])
}
