/** Decisions on logins, recorded by the tenant's opt-in: sealed, for a named time, and the newest of each tenant alone. */

import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import { recordedLoginLimits } from '@drawbridge/core/policy/recorded-login'
import type { ClientId, ConnectionId, RecordedLoginId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

export type StoredLogin = {
  readonly id: RecordedLoginId
  readonly at: Instant
  readonly connectionId: ConnectionId
  readonly subjectId: SubjectId
  readonly clientId: ClientId
  readonly outcome: PolicyDecision['kind']
  readonly policyVersion: number
  readonly sealed: Buffer
}

/**
 * Keeps these logins, if the tenant still wants it, and of all of them no more than the limit; answers how many it kept.
 *
 * The row of the tenant is held meanwhile: whoever switches recording off waits for this, and deletes it with the rest; or is waited for,
 * and then nothing is kept. The same holds of each person, who may be deactivated meanwhile. What was decided later takes the place of what was decided on the same login before. Ids are given once.
 */
export async function keepRecordedLogins(db: Db, tenant: TenantId, logins: readonly StoredLogin[]): Promise<number> {
  const column = <K extends keyof StoredLogin>(name: K): readonly StoredLogin[K][] => logins.map((login) => login[name])
  const { rowCount } = await db.query(
    `WITH willing AS (SELECT id FROM tenants WHERE id = $1 AND records_logins FOR SHARE),
     present AS (
       SELECT id FROM subjects WHERE tenant_id = $1 AND id = ANY ($5::uuid[]) AND deactivated_at IS NULL ORDER BY id FOR SHARE)
     INSERT INTO recorded_logins AS kept (tenant_id, id, at, connection_id, subject_id, client_id, outcome, policy_version, sealed, expires_at)
     SELECT willing.id, login.* FROM willing,
       unnest($2::uuid[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::int[], $9::bytea[], $10::timestamptz[])
         AS login (id, at, connection_id, subject_id, client_id, outcome, policy_version, sealed, expires_at)
     WHERE login.subject_id IN (SELECT id FROM present)
     ON CONFLICT (tenant_id, id) DO UPDATE SET at = EXCLUDED.at, connection_id = EXCLUDED.connection_id, subject_id = EXCLUDED.subject_id,
       client_id = EXCLUDED.client_id, outcome = EXCLUDED.outcome, policy_version = EXCLUDED.policy_version, sealed = EXCLUDED.sealed,
       expires_at = EXCLUDED.expires_at
     WHERE kept.at <= EXCLUDED.at`,
    [
      ...[tenant, column('id'), column('at').map(toTimestamp), column('connectionId'), column('subjectId'), column('clientId')],
      ...[column('outcome'), column('policyVersion'), column('sealed')],
      column('at').map((at) => toTimestamp(addSeconds(at, recordedLoginLimits.keptSeconds))),
    ],
  )
  if (rowCount > 0) await deleteBeyondLimit(db, tenant)
  return rowCount
}

const deleteBeyondLimit = (db: Db, tenant: TenantId): Promise<unknown> =>
  db.query(
    `DELETE FROM recorded_logins WHERE tenant_id = $1 AND (at, id) <= (
       SELECT at, id FROM recorded_logins WHERE tenant_id = $1 ORDER BY at DESC, id DESC OFFSET $2 LIMIT 1)`,
    [tenant, recordedLoginLimits.perTenant],
  )

type Row = {
  readonly id: RecordedLoginId
  readonly at: Instant
  readonly connection_id: ConnectionId
  readonly subject_id: SubjectId
  readonly client_id: ClientId
  readonly outcome: PolicyDecision['kind']
  readonly policy_version: number
  readonly sealed: Buffer
}
const columns = 'id, at, connection_id, subject_id, client_id, outcome, policy_version, sealed'
const toLogin = ({ connection_id, subject_id, client_id, policy_version, ...row }: Row): StoredLogin => ({
  ...row,
  connectionId: connection_id,
  subjectId: subject_id,
  clientId: client_id,
  policyVersion: policy_version,
})

export async function findRecordedLogin(
  db: Db,
  tenant: TenantId,
  { id, now }: { readonly id: RecordedLoginId; readonly now: Instant },
): Promise<StoredLogin | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM recorded_logins WHERE tenant_id = $1 AND id = $2 AND expires_at > $3`, [
    ...[tenant, id, toTimestamp(now)],
  ])
  return rows[0] && toLogin(rows[0])
}

export type RecordedLoginFilter = {
  readonly connectionId?: string | undefined
  readonly subjectId?: string | undefined
  readonly clientId?: string | undefined
  readonly outcome?: string | undefined
}

/** Newest first. */
export async function listRecordedLogins(
  db: Db,
  tenant: TenantId,
  { filter = {}, now }: { readonly filter?: RecordedLoginFilter; readonly now: Instant },
  page: Page<MomentPosition>,
): Promise<readonly StoredLogin[]> {
  const { connectionId = null, subjectId = null, clientId = null, outcome = null } = filter
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM recorded_logins WHERE tenant_id = $1 AND expires_at > $2 AND ($3::uuid IS NULL OR connection_id = $3)
       AND ($4::uuid IS NULL OR subject_id = $4) AND ($5::text IS NULL OR client_id = $5) AND ($6::text IS NULL OR outcome = $6)
       AND ($7::timestamptz IS NULL OR (at, id) < ($7, $8::uuid)) ORDER BY at DESC, id DESC LIMIT $9`,
    [tenant, toTimestamp(now), connectionId, subjectId, clientId, outcome, ...momentParameters(page)],
  )
  return rows.map(toLogin)
}

export async function deleteRecordedLogin(db: Db, tenant: TenantId, id: RecordedLoginId): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM recorded_logins WHERE tenant_id = $1 AND id = $2', [tenant, id])
  return rowCount === 1
}

/** All of the tenant, or all of one person; answers how many. */
export async function deleteRecordedLogins(db: Db, tenant: TenantId, subjectId?: SubjectId): Promise<number> {
  const { rowCount } = await db.query('DELETE FROM recorded_logins WHERE tenant_id = $1 AND ($2::uuid IS NULL OR subject_id = $2)', [
    tenant,
    subjectId ?? null,
  ])
  return rowCount
}

export async function recordsLogins(db: Db, tenant: TenantId): Promise<boolean> {
  const { rows } = await db.query<{ records: boolean }>('SELECT records_logins AS records FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.records ?? false
}

/** Whoever switches it off has what was recorded deleted by it; answers how many logins that were. */
export async function markLoginsRecorded(db: Db, tenant: TenantId, records: boolean): Promise<number> {
  await db.query('UPDATE tenants SET records_logins = $2 WHERE id = $1', [tenant, records])
  return records ? 0 : deleteRecordedLogins(db, tenant)
}
