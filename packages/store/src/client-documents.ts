/**
 * Clients that describe themselves, as their documents say it at each fetch.
 *
 * An approval holds for what the admin saw. The statement that writes another document takes the approval away, so no process ever serves the
 * new document with the old approval. What was granted lives on: the person agreed to that, or the admin did.
 */
import type { Client } from '@drawbridge/core/oauth/client'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type ClientDraft, type ClientRow, clientColumns, clientValues, insertClientText, toClient } from './clients.js'
import { type ApprovedDigests, digestsOf, lossOf, silence, tellLoss } from './lost-approvals.js'
import { type Db, toTimestamp } from './transaction.js'

/** What was approved holds for what the document says now. NULL: nothing was. */
const approvalHolds = `coalesce(($30::jsonb || coalesce(clients.approved_digests, $28::jsonb)) @> (EXCLUDED.document_digests - 'document'), false)`

const upsert = `${insertClientText({ columns: ', document_digests', values: ', $27::jsonb' })}
  ON CONFLICT (tenant_id, issuer_id, client_id) DO UPDATE SET name = EXCLUDED.name, redirect_uris = EXCLUDED.redirect_uris,
    grant_types = EXCLUDED.grant_types, token_endpoint_auth_method = EXCLUDED.token_endpoint_auth_method, jwks = EXCLUDED.jwks, jwks_uri = EXCLUDED.jwks_uri,
    application_type = EXCLUDED.application_type, document_expires_at = EXCLUDED.document_expires_at,
    backchannel_logout_uri = EXCLUDED.backchannel_logout_uri, backchannel_logout_session_required = EXCLUDED.backchannel_logout_session_required,
    post_logout_redirect_uris = EXCLUDED.post_logout_redirect_uris, require_pushed_requests = EXCLUDED.require_pushed_requests,
    dpop_bound_access_tokens = EXCLUDED.dpop_bound_access_tokens, sector_identifier = EXCLUDED.sector_identifier,
    logo_uri = EXCLUDED.logo_uri,
    document_digests = EXCLUDED.document_digests,
    pre_approved = clients.pre_approved AND ${approvalHolds},
    approved_digests = CASE WHEN clients.pre_approved THEN coalesce(clients.approved_digests, $28) END,
    approval_lost = CASE WHEN clients.pre_approved AND NOT ${approvalHolds} THEN $29::jsonb ELSE clients.approval_lost END
  WHERE clients.kind = 'metadata_document' RETURNING ${clientColumns}`

/** Whether the row says what the document says: `$4` to `$18`. Of an approval of anything else, whichever version of ours wrote it, the long way judges. */
const saysTheSame = `c.kind = 'metadata_document' AND (NOT c.pre_approved OR c.approved_digests - 'document' = c.document_digests - 'document')
  AND (c.name, c.redirect_uris, c.grant_types, c.token_endpoint_auth_method, c.jwks, c.application_type, c.backchannel_logout_uri,
    c.backchannel_logout_session_required, c.post_logout_redirect_uris, c.jwks_uri, c.require_pushed_requests, c.dpop_bound_access_tokens,
    c.sector_identifier, c.logo_uri, c.document_digests)
  IS NOT DISTINCT FROM ($4::text, $5::text[], $6::text[], $7::text, $8::jsonb, $9::text, $10::text, $11::boolean, $12::text[], $13::text, $14::boolean,
    $15::boolean, $16::text, $17::text, $18::jsonb)`

const findSame = `SELECT ${clientColumns} FROM clients c WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND ${saysTheSame}`

/** Nothing else has changed since it was found: whoever changes the client draws another version. Nor was another writer faster. */
const renew = `UPDATE clients SET document_expires_at = $5 WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND version = $4
    AND (document_expires_at IS NULL OR document_expires_at < $5) RETURNING ${clientColumns}`

type Before = ClientRow & { approved_digests: ApprovedDigests | null }

/**
 * Writes what the document says now. The admin's ceiling and block, and the epoch, are never touched by it; her approval is taken away by a
 * document that says something else than the one she approved, which the trail and the tenant's contacts are told.
 *
 * @spec OAuth CIMD §6 a changed document invalidates what was decided on the old one
 */
export async function upsertClientOfDocument(db: Db, tenant: TenantId, draft: ClientDraft): Promise<Client | undefined> {
  const same = await renewSame(db, tenant, draft)
  if (same) return same
  // Locked, so that of two fetches at once one takes the approval away, and tells.
  const { rows: found } = await db.query<Before>(
    `SELECT ${clientColumns}, approved_digests FROM clients WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 FOR UPDATE`,
    [tenant, draft.issuerId, draft.id],
  )
  const before = found[0]?.pre_approved === true ? toClient(found[0]) : undefined
  // An approval of before there were digests holds for what stands in the row.
  const approved = before && (found[0]?.approved_digests ?? digestsOf(before))
  const digests = digestsOf(draft)
  const lost = before && approved && lossOf(before, approved, { digests, at: draft.now })
  const { rows } = await db.query<ClientRow>(upsert, [
    ...clientValues(tenant, draft),
    JSON.stringify(digests),
    approved === undefined ? null : JSON.stringify(approved),
    lost === undefined ? null : JSON.stringify(lost),
    JSON.stringify(silence),
  ])
  const client = rows[0] && toClient(rows[0])
  if (client && lost) await tellLoss(db, tenant, client, lost)
  return client
}

/** A document that says what it said only lasts longer, and nothing is written where somebody else wrote that a moment ago. Undefined: it says something else. */
async function renewSame(db: Db, tenant: TenantId, draft: ClientDraft): Promise<Client | undefined> {
  const name = [tenant, draft.issuerId, draft.id]
  const find = async (): Promise<Client | undefined> => {
    const { rows } = await db.query<ClientRow>(findSame, [...name, ...saidBy(draft)])
    return rows[0] && toClient(rows[0])
  }
  const isGood = (client: Client): boolean => (client.documentExpiresAt ?? 0) > draft.now
  const found = await find()
  if (!found || isGood(found)) return found
  const expiresAt = draft.documentExpiresAt === undefined ? null : toTimestamp(draft.documentExpiresAt)
  const renewed = await db.query<ClientRow>(renew, [...name, found.version, expiresAt])
  if (renewed.rows[0]) return toClient(renewed.rows[0])
  const again = await find()
  return again && isGood(again) ? again : undefined
}

const saidBy = (draft: ClientDraft): readonly unknown[] => [
  ...[draft.name, draft.redirectUris, draft.grantTypes, draft.authMethod, draft.jwks === undefined ? null : JSON.stringify(draft.jwks)],
  ...[draft.applicationType, draft.backchannelLogoutUri ?? null, draft.backchannelLogoutSessionRequired ?? false],
  ...[draft.postLogoutRedirectUris, draft.jwksUri ?? null, draft.requirePushedAuthorizationRequests ?? false],
  ...[draft.dpopBoundAccessTokens ?? false, draft.sectorIdentifier ?? null, draft.logoUri ?? null, JSON.stringify(digestsOf(draft))],
]
