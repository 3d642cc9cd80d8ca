/** Somebody who does not exist, for a drill of taking access away: a subject that no sign-in can ever be. */
import type { Instant } from '@drawbridge/core/instant'
import { drillClientId, drillDomain, drillScope } from '@drawbridge/core/revocation/drill'
import type { Epochs } from '@drawbridge/core/revocation/epochs'
import type { ConnectionId, IssuerId, ScimUserId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

export type DrillSubject = {
  readonly id: SubjectId
  readonly connectionId: ConnectionId
  readonly stableId: string
  /** Whom the directory made for the drill; undefined: it is done without a directory. */
  readonly scimUserId: ScimUserId | undefined
  readonly claims: unknown
  readonly now: Instant
}

/** Under what her grant is opened. */
export type DrillGround = Omit<Epochs, 'client' | 'grant'> & { readonly claimsVersion: number; readonly directoryVersion: number }

type Row = { readonly tenant: number; readonly connection: number; readonly directory_version: number }

/**
 * `undefined`: nothing was written, because the connection is not there or switched off, or the user of the directory is not one that was made for
 * a drill: alive, in the domain of drills, and nobody's.
 */
export async function insertDrillSubject(db: Db, tenant: TenantId, subject: DrillSubject): Promise<DrillGround | undefined> {
  const { rows } = await db.query<Row>(
    `WITH made AS (
       INSERT INTO subjects (tenant_id, id, connection_id, stable_id, scim_user_id, claims, claims_at, created_at, last_login_at)
       SELECT $1, $2, cn.id, $4, $5, $6, $7, $7, $7 FROM connections cn WHERE cn.tenant_id = $1 AND cn.id = $3 AND cn.disabled_at IS NULL
         AND ($5::uuid IS NULL OR EXISTS (SELECT 1 FROM scim_users u WHERE u.tenant_id = $1 AND u.id = $5 AND u.connection_id = cn.id
           AND u.deleted_at IS NULL AND u.active AND u.user_name_key LIKE '%@' || $8
           AND NOT EXISTS (SELECT 1 FROM subjects s WHERE s.tenant_id = $1 AND s.scim_user_id = u.id)))
       RETURNING id)
     SELECT t.epoch AS tenant, cn.epoch AS connection, cn.directory_version FROM made, tenants t, connections cn
     WHERE t.id = $1 AND cn.tenant_id = $1 AND cn.id = $3`,
    [
      ...[tenant, subject.id, subject.connectionId, subject.stableId, subject.scimUserId, JSON.stringify(subject.claims)],
      ...[toTimestamp(subject.now), drillDomain],
    ],
  )
  const row = rows[0]
  return row && { tenant: row.tenant, connection: row.connection, subject: 1, claimsVersion: 1, directoryVersion: row.directory_version }
}

/** Once for each issuer. It can be blocked and killed like any other, and then there are no drills. */
export async function insertDrillClient(db: Db, tenant: TenantId, issuer: IssuerId, now: Instant): Promise<void> {
  await db.query(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, application_type,
       pre_approved, scope_ceiling, created_at)
     VALUES ($1, $2, $3, 'preregistered', 'Drills', '{}', '{authorization_code,refresh_token}', 'none', 'native', false, $5, $4)
     ON CONFLICT DO NOTHING`,
    [tenant, issuer, drillClientId, toTimestamp(now), [drillScope]],
  )
}
