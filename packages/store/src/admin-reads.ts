/** What an admin looks through: grants, revocation receipts and alarms. Reads only, each with a limit. */
import type { Instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { hasDeadAncestor } from './grants.js'
import { type Db, toTimestamp } from './transaction.js'

export type ListedGrant = {
  readonly id: string
  readonly clientId: string
  readonly subjectId: string | null
  readonly connectionId: string | null
  readonly audience: string
  readonly scopes: readonly string[]
  readonly accessTokenSeconds: number
  /** null: it has no refresh token. */
  readonly refreshTokenSeconds: number | null
  /** As `WonCeilings`; what an earlier version wrote has another shape. */
  readonly ceilings: unknown
  readonly createdAt: Instant
  readonly expiresAt: Instant
  readonly revokedAt: Instant | null
  readonly revokedReason: string | null
  /** The grant whose token was exchanged for it; null: it was opened for the client itself. */
  readonly exchangedFrom: string | null
  /** Address of whoever opened it; null: nobody knows, or the trail does not any more. */
  readonly openedFrom: string | null
  /** Thumbprint of the key that its family is bound to, and by which it is known again; null: of none. */
  readonly boundToKey: string | null
  /** Not revoked, not expired, and under no barrier: what the token endpoints would say of it now. */
  readonly living: boolean
}

export type GrantFilter = {
  readonly subjectId?: string | undefined
  readonly clientId?: string | undefined
  readonly now: Instant
}

/** The line of the trail that the opening statement wrote, at the same instant. */
const openedFrom =
  '(SELECT e.address FROM audit_events e WHERE e.tenant_id = g.tenant_id AND e.at = g.created_at AND e.grant_id = g.id ORDER BY e.id LIMIT 1)'

const boundToKey =
  '(SELECT r.dpop_jkt FROM refresh_tokens r WHERE r.tenant_id = g.tenant_id AND r.grant_id = g.id ORDER BY r.created_at DESC LIMIT 1)'

/** Newest first. */
export async function listGrants(
  db: Db,
  tenant: TenantId,
  filter: GrantFilter,
  page: Page<MomentPosition>,
): Promise<readonly ListedGrant[]> {
  const { rows } = await db.query<ListedGrant>(
    `SELECT g.id, g.client_id AS "clientId", g.subject_id AS "subjectId", g.connection_id AS "connectionId", g.audience, g.scopes,
       g.access_token_ttl_seconds AS "accessTokenSeconds", g.refresh_ttl_seconds AS "refreshTokenSeconds", g.ceilings,
       g.created_at AS "createdAt", g.expires_at AS "expiresAt", g.revoked_at AS "revokedAt", g.revoked_reason AS "revokedReason",
       (g.revoked_at IS NULL AND g.expires_at > $2 AND t.suspended_at IS NULL AND g.tenant_epoch >= t.epoch
         AND c.blocked_at IS NULL AND g.client_epoch >= c.epoch
         AND n.disabled_at IS NULL AND g.connection_epoch >= COALESCE(n.epoch, 0)
         AND s.deactivated_at IS NULL AND (s.deactivates_at <= $2) IS NOT TRUE AND g.subject_epoch >= COALESCE(s.epoch, 0)
         AND NOT ${hasDeadAncestor('n')}) AS living, g.ancestors[1] AS "exchangedFrom", ${openedFrom} AS "openedFrom", ${boundToKey} AS "boundToKey"
     FROM grants g JOIN tenants t ON t.id = g.tenant_id
     JOIN clients c ON c.tenant_id = g.tenant_id AND c.issuer_id = g.issuer_id AND c.client_id = g.client_id
     LEFT JOIN connections n ON n.tenant_id = g.tenant_id AND n.id = g.connection_id
     LEFT JOIN subjects s ON s.tenant_id = g.tenant_id AND s.id = g.subject_id
     WHERE g.tenant_id = $1 AND ($3::uuid IS NULL OR g.subject_id = $3) AND ($4::text IS NULL OR g.client_id = $4)
       AND ($5::timestamptz IS NULL OR (g.created_at, g.id) < ($5, $6::uuid))
     ORDER BY g.created_at DESC, g.id DESC LIMIT $7`,
    [tenant, toTimestamp(filter.now), filter.subjectId ?? null, filter.clientId ?? null, ...momentParameters(page)],
  )
  return rows
}

export type ListedSubject = {
  readonly id: string
  readonly connectionId: string
  readonly stableId: string
  readonly scimUserId: string | null
  readonly epoch: number
  readonly deactivatedAt: Instant | null
  readonly deactivatedBy: readonly string[]
  readonly lastLoginAt: Instant
}

/** By last login, newest first; `stableId` finds one person exactly. */
export async function listSubjects(
  db: Db,
  tenant: TenantId,
  stableId: string | undefined,
  page: Page<MomentPosition>,
): Promise<readonly ListedSubject[]> {
  const { rows } = await db.query<ListedSubject>(
    `SELECT id, connection_id AS "connectionId", stable_id AS "stableId", scim_user_id AS "scimUserId", epoch, deactivated_at AS "deactivatedAt",
       CASE WHEN deactivated_at IS NULL THEN '{}' ELSE deactivated_by END AS "deactivatedBy",
       last_login_at AS "lastLoginAt"
     FROM subjects WHERE tenant_id = $1 AND ($2::text IS NULL OR stable_id = $2)
       AND ($3::timestamptz IS NULL OR (last_login_at, id) < ($3, $4::uuid))
     ORDER BY last_login_at DESC, id DESC LIMIT $5`,
    [tenant, stableId ?? null, ...momentParameters(page)],
  )
  return rows
}
