/** What an admin does to a registered client beside governing it: corrects it, gives it a new secret, removes one that nobody used. */
import type { Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import type { ClientId, CredentialHash, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { type ClientRow, clientColumns, toClient } from './clients.js'
import { type Db, toTimestamp } from './transaction.js'

export type WhichClient = { readonly issuerId: IssuerId; readonly id: ClientId }

/** As it is, and as nobody else changes it before this transaction ends. */
export async function holdClient(db: Db, tenant: TenantId, which: WhichClient): Promise<Client | undefined> {
  const { rows } = await db.query<ClientRow>(
    `SELECT ${clientColumns} FROM clients WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND unregistered_at IS NULL FOR UPDATE`,
    [tenant, which.issuerId, which.id],
  )
  return rows[0] && toClient(rows[0])
}

export type RegistrationChange = {
  readonly name?: string | undefined
  readonly redirectUris?: readonly string[] | undefined
  /** Null: it hears of no logouts any more. */
  readonly backchannelLogoutUri?: string | null | undefined
  readonly backchannelLogoutSessionRequired?: boolean | undefined
  readonly postLogoutRedirectUris?: readonly string[] | undefined
  readonly dpopBoundAccessTokens?: boolean | undefined
  readonly requirePushedAuthorizationRequests?: boolean | undefined
}

/** What is left out stays. Only of a client that an admin registered: the others speak for themselves. Answers whether there was one. */
export async function updateRegistration(db: Db, tenant: TenantId, which: WhichClient, change: RegistrationChange): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE clients SET name = coalesce($4, name), redirect_uris = coalesce($5::text[], redirect_uris),
       backchannel_logout_uri = CASE WHEN $6::boolean THEN $7::text ELSE backchannel_logout_uri END,
       backchannel_logout_session_required = coalesce($8::boolean, backchannel_logout_session_required),
       post_logout_redirect_uris = coalesce($9::text[], post_logout_redirect_uris),
       require_pushed_requests = coalesce($10::boolean, require_pushed_requests),
       dpop_bound_access_tokens = coalesce($11::boolean, dpop_bound_access_tokens)
     WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND kind = 'preregistered'`,
    [
      ...[tenant, which.issuerId, which.id, change.name ?? null, change.redirectUris ?? null],
      ...[change.backchannelLogoutUri !== undefined, change.backchannelLogoutUri ?? null, change.backchannelLogoutSessionRequired ?? null],
      ...[change.postLogoutRedirectUris ?? null, change.requirePushedAuthorizationRequests ?? null, change.dpopBoundAccessTokens ?? null],
    ],
  )
  return rowCount === 1
}

/** What there was of secrets is worth nothing from this commit on. Only of a client that has one. Answers whether there was one. */
export async function replaceClientSecret(
  db: Db,
  tenant: TenantId,
  which: WhichClient,
  { hash, now }: { readonly hash: CredentialHash; readonly now: Instant },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE clients SET secret_hash = $4, secret_created_at = $5, secret_expires_at = NULL, secret_used_at = NULL,
       second_secret_hash = NULL, second_secret_created_at = NULL, second_secret_expires_at = NULL, second_secret_used_at = NULL
     WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND secret_hash IS NOT NULL`,
    [tenant, which.issuerId, which.id, hash, toTimestamp(now)],
  )
  return rowCount === 1
}

/** Removes a client that nothing refers to; the schema refuses one that anything was ever granted to. Answers whether there was one. */
export async function deleteClient(db: Db, tenant: TenantId, which: WhichClient): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM clients WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3', [
    tenant,
    which.issuerId,
    which.id,
  ])
  return rowCount === 1
}
