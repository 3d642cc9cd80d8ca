/** Clients, one row per issuer at which they are known. Blocking and approval are the admin's; everything else is the client's own word. */

import type { Instant } from '@drawbridge/core/instant'
import type { ApprovalLost, Client, ClientAuthMethod, ClientKind } from '@drawbridge/core/oauth/client'
import { certificateNameFromJson } from '@drawbridge/core/oauth/client-certificate'
import { machineAccessFromJson } from '@drawbridge/core/oauth/machine-access'
import type { ClientId, CredentialHash, IssuerId, Scope, TenantId } from '@drawbridge/core/tenant/ids'
import type { Page } from './admin-page.js'
import { type ClientSecretRow, clientSecretColumns, toSecrets } from './client-secrets.js'
import { type Db, type HotDb, hotStatement, toTimestamp } from './transaction.js'

export type ClientRow = ClientSecretRow & {
  tenant_id: TenantId
  issuer_id: IssuerId
  client_id: ClientId
  kind: ClientKind
  name: string
  redirect_uris: string[]
  grant_types: string[]
  token_endpoint_auth_method: ClientAuthMethod
  jwks: unknown
  application_type: 'native' | 'web'
  pre_approved: boolean
  scope_ceiling: Scope[]
  access_token_ttl_seconds: number | null
  epoch: number
  blocked_at: Instant | null
  document_expires_at: Instant | null
  document_withdrawn_at: Instant | null
  version: number
  backchannel_logout_uri: string | null
  backchannel_logout_session_required: boolean
  post_logout_redirect_uris: string[]
  require_pushed_requests: boolean
  jwks_uri: string | null
  document_digest: string | null
  approval_lost: ApprovalLost | null
  last_used_at: Instant | null
  dpop_bound_access_tokens: boolean
  certificate_name: unknown
  sector_identifier: string | null
  sector_identifier_uri: string | null
  stated: { readonly issuer: string; readonly softwareId: string | null } | null
  logo_uri: string | null
  machine_access: unknown
  approved_at_front: boolean
  own_blocked_at: Instant | null
  blocked_at_front: Instant | null
}

export const clientColumns = `tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, jwks,
  application_type, pre_approved, scope_ceiling, access_token_ttl_seconds, epoch, blocked_at, document_expires_at, document_withdrawn_at, version,
  backchannel_logout_uri, backchannel_logout_session_required, post_logout_redirect_uris, require_pushed_requests,
  jwks_uri, document_digests->>'document' AS document_digest, approval_lost, last_used_at, dpop_bound_access_tokens, certificate_name, sector_identifier, sector_identifier_uri,
  logo_uri, machine_access, approved_at_front, own_blocked_at, blocked_at_front, software_statement - 'text' AS stated, ${clientSecretColumns}`

export const toClient = (row: ClientRow): Client => ({
  tenantId: row.tenant_id,
  issuerId: row.issuer_id,
  id: row.client_id,
  kind: row.kind,
  name: row.name,
  redirectUris: row.redirect_uris,
  grantTypes: row.grant_types,
  authMethod: row.token_endpoint_auth_method,
  secrets: toSecrets(row),
  jwks: row.jwks ?? undefined,
  applicationType: row.application_type,
  preApproved: row.pre_approved,
  scopeCeiling: row.scope_ceiling,
  accessTokenTtlSeconds: row.access_token_ttl_seconds ?? undefined,
  epoch: row.epoch,
  blockedAt: row.blocked_at ?? undefined,
  documentExpiresAt: row.document_expires_at ?? undefined,
  documentWithdrawnAt: row.document_withdrawn_at ?? undefined,
  version: row.version,
  backchannelLogoutUri: row.backchannel_logout_uri ?? undefined,
  backchannelLogoutSessionRequired: row.backchannel_logout_session_required,
  postLogoutRedirectUris: row.post_logout_redirect_uris,
  requirePushedAuthorizationRequests: row.require_pushed_requests,
  jwksUri: row.jwks_uri ?? undefined,
  documentDigest: row.document_digest ?? undefined,
  approvalLost: row.approval_lost ?? undefined,
  lastUsedAt: row.last_used_at ?? undefined,
  dpopBoundAccessTokens: row.dpop_bound_access_tokens,
  certificateName: certificateNameFromJson(row.certificate_name),
  sectorIdentifier: row.sector_identifier ?? undefined,
  sectorIdentifierUri: row.sector_identifier_uri ?? undefined,
  stated: row.stated === null ? undefined : { issuer: row.stated.issuer, softwareId: row.stated.softwareId ?? undefined },
  logoUri: row.logo_uri ?? undefined,
  machineAccess: machineAccessFromJson(row.machine_access),
  approvedAtFront: row.approved_at_front,
  ownBlockedAt: row.own_blocked_at ?? undefined,
  blockedAtFront: row.blocked_at_front ?? undefined,
})

const findStatement = hotStatement({
  name: 'find_client',
  tenantParameter: 1,
  text: `SELECT ${clientColumns} FROM clients WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND unregistered_at IS NULL`,
})

/** A client of one issuer is unknown at every other, and one whose registration ended everywhere. */
export async function findClient(hot: HotDb, tenant: TenantId, issuer: IssuerId, client: string): Promise<Client | undefined> {
  const { rows } = await hot.query<ClientRow>(findStatement, [tenant, issuer, client])
  return rows[0] && toClient(rows[0])
}

export type ClientDraft = Omit<
  Client,
  | 'tenantId'
  | 'epoch'
  | 'version'
  | 'blockedAt'
  | 'ownBlockedAt'
  | 'blockedAtFront'
  | 'documentExpiresAt'
  | 'documentWithdrawnAt'
  | 'secrets'
> & {
  /** Its first secret. */
  readonly secretHash: CredentialHash | undefined
  readonly documentExpiresAt?: Instant | undefined
  readonly now: Instant
}

const insertColumns = `tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, jwks,
  application_type, pre_approved, scope_ceiling, access_token_ttl_seconds, document_expires_at, created_at,
  backchannel_logout_uri, backchannel_logout_session_required, post_logout_redirect_uris, jwks_uri, require_pushed_requests,
  dpop_bound_access_tokens, certificate_name, sector_identifier, sector_identifier_uri, logo_uri, secret_created_at`

/** `$1` to `$26` are the values; whoever adds columns adds theirs behind. */
export const insertClientText = (more: { readonly columns: string; readonly values: string } = { columns: '', values: '' }): string =>
  `INSERT INTO clients (${insertColumns}${more.columns})
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, CASE WHEN $9::bytea IS NOT NULL THEN $16::timestamptz END${more.values})`

export const clientValues = (tenant: TenantId, draft: ClientDraft): readonly unknown[] => [
  tenant,
  draft.issuerId,
  draft.id,
  draft.kind,
  draft.name,
  draft.redirectUris,
  draft.grantTypes,
  draft.authMethod,
  draft.secretHash ?? null,
  draft.jwks === undefined ? null : JSON.stringify(draft.jwks),
  draft.applicationType,
  draft.preApproved,
  draft.scopeCeiling,
  draft.accessTokenTtlSeconds ?? null,
  draft.documentExpiresAt === undefined ? null : toTimestamp(draft.documentExpiresAt),
  toTimestamp(draft.now),
  draft.backchannelLogoutUri ?? null,
  draft.backchannelLogoutSessionRequired ?? false,
  draft.postLogoutRedirectUris,
  draft.jwksUri ?? null,
  draft.requirePushedAuthorizationRequests ?? false,
  draft.dpopBoundAccessTokens ?? false,
  draft.certificateName === undefined ? null : JSON.stringify(draft.certificateName),
  draft.sectorIdentifier ?? null,
  draft.sectorIdentifierUri ?? null,
  draft.logoUri ?? null,
]

/** Fails on a client_id that this issuer already knows: unique violation. */
export async function insertClient(db: Db, tenant: TenantId, draft: ClientDraft): Promise<Client> {
  const { rows } = await db.query<ClientRow>(`${insertClientText()} RETURNING ${clientColumns}`, clientValues(tenant, draft))
  return toClient(rows[0] as ClientRow)
}

/** Those of one issuer, by client_id. */
export async function listClients(db: Db, tenant: TenantId, issuer: IssuerId, page: Page<string>): Promise<readonly Client[]> {
  const { rows } = await db.query<ClientRow>(
    `SELECT ${clientColumns} FROM clients WHERE tenant_id = $1 AND issuer_id = $4 AND client_id > $2 AND unregistered_at IS NULL ORDER BY client_id LIMIT $3`,
    [tenant, page.from ?? '', page.limit, issuer],
  )
  return rows.map(toClient)
}

/** What the admin says; what is left out stays as it is, also where somebody else is changing it at this moment. */
export type ClientGovernance = {
  readonly preApproved?: boolean | undefined
  /** Only if its document still is the one that the admin saw. */
  readonly documentDigest?: string | undefined
  readonly scopeCeiling?: readonly Scope[] | undefined
  /** `null`: no limit of its own. */
  readonly accessTokenTtlSeconds?: number | null | undefined
  readonly blocked?: boolean | undefined
}

/**
 * The admin's say, in one statement: a kill that commits meanwhile is not undone. Blocking refuses what is new; what was issued dies by a deprovisioning.
 *
 * Of a client of the front a tenant allows less than the vendor and never more: what counts is what both allow, and that is answered (migrations 0111 and 0162).
 */
export async function updateClientGovernance(
  db: Db,
  tenant: TenantId,
  client: { readonly issuerId: IssuerId; readonly id: ClientId },
  say: ClientGovernance,
  now: Instant,
): Promise<Client | undefined> {
  const { rows } = await db.query<ClientRow>(
    `UPDATE clients SET pre_approved = coalesce($4::boolean, pre_approved), scope_ceiling = coalesce($5::text[], scope_ceiling),
       own_scope_ceiling = coalesce($5, own_scope_ceiling),
       access_token_ttl_seconds = CASE WHEN $6::boolean THEN $7::int ELSE access_token_ttl_seconds END,
       own_access_token_ttl_seconds = CASE WHEN $6 THEN $7 ELSE own_access_token_ttl_seconds END,
       approved_digests = CASE WHEN $4::boolean THEN document_digests WHEN NOT $4 THEN NULL ELSE approved_digests END,
       approval_lost = CASE WHEN $4::boolean IS NULL THEN approval_lost END,
       blocked_at = CASE WHEN $8::boolean THEN coalesce(blocked_at, $9) WHEN NOT $8 THEN NULL ELSE blocked_at END,
       own_blocked_at = CASE WHEN $8 THEN coalesce(own_blocked_at, $9) WHEN NOT $8 THEN NULL ELSE own_blocked_at END
     WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND unregistered_at IS NULL
       AND ($10::text IS NULL OR document_digests->>'document' = $10) RETURNING ${clientColumns}`,
    [
      tenant,
      client.issuerId,
      client.id,
      say.preApproved ?? null,
      say.scopeCeiling ?? null,
      say.accessTokenTtlSeconds !== undefined,
      say.accessTokenTtlSeconds ?? null,
      say.blocked ?? null,
      toTimestamp(now),
      say.documentDigest ?? null,
    ],
  )
  return rows[0] && toClient(rows[0])
}
