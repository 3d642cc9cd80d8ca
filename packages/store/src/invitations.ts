/** People whom an admin expects. `complete-login` uses an invitation, once, in the statement that makes its subject. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

/** By the value of the connection's link key (without one: by the stable id), or by an address in a domain that the tenant has proven. */
export type InvitationName = 'link_key' | 'email'

export type Invitation = {
  readonly id: string
  readonly connectionId: ConnectionId
  readonly namedBy: InvitationName
  /** As it is compared. */
  readonly value: string
  readonly createdAt: Instant
  readonly expiresAt: Instant
  readonly usedAt: Instant | undefined
  readonly revokedAt: Instant | undefined
}

type Row = {
  id: string
  connection_id: ConnectionId
  named_by: InvitationName
  value: string
  created_at: Instant
  expires_at: Instant
  used_at: Instant | null
  revoked_at: Instant | null
}

const columns = 'id, connection_id, named_by, value, created_at, expires_at, used_at, revoked_at'
const toInvitation = (row: Row): Invitation => ({
  id: row.id,
  connectionId: row.connection_id,
  namedBy: row.named_by,
  value: row.value,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  usedAt: row.used_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined,
})

export type NewInvitation = Pick<Invitation, 'id' | 'connectionId' | 'namedBy' | 'value' | 'expiresAt'> & { readonly now: Instant }

export async function insertInvitation(db: Db, tenant: TenantId, invitation: NewInvitation): Promise<Invitation> {
  const { rows } = await db.query<Row>(
    `INSERT INTO invitations (tenant_id, id, connection_id, named_by, value, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
     RETURNING ${columns}`,
    [
      ...[tenant, invitation.id, invitation.connectionId, invitation.namedBy, invitation.value],
      ...[toTimestamp(invitation.now), toTimestamp(invitation.expiresAt)],
    ],
  )
  return toInvitation(rows[0] as Row)
}

/** Oldest first, with those that were used or taken back. */
export async function listInvitations(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly Invitation[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM invitations WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
     ORDER BY created_at, id LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows.map(toInvitation)
}

/** Answers whether one was taken back that nobody had used. */
export async function markInvitationRevoked(db: Db, tenant: TenantId, id: string, now: Instant): Promise<Invitation | undefined> {
  const { rows } = await db.query<Row>(
    `UPDATE invitations SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND used_at IS NULL RETURNING ${columns}`,
    [tenant, id, toTimestamp(now)],
  )
  return rows[0] && toInvitation(rows[0])
}
