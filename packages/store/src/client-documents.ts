/**
 * Clients that describe themselves, as their documents say it at each fetch.
 *
 * An approval holds for what the admin saw. The statement that writes another document takes the approval away, so no process ever serves the
 * new document with the old approval. What was granted lives on: the person agreed to that, or the admin did.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { registrationLimits } from '@drawbridge/core/oauth/client-registration'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { insertAuditEvent } from './audit-events.js'
import { type ClientDraft, type ClientRow, clientColumns, clientValues, insertClientText, toClient } from './clients.js'
import { isUngoverned, sayingTables } from './idle-clients.js'
import { type ApprovedDigests, digestsOf, lossOf, silence, tellLoss } from './lost-approvals.js'
import { type Db, toTimestamp } from './transaction.js'

/** What was approved holds for what the document says now. NULL: nothing was. */
const approvalHolds = `coalesce(($30::jsonb || coalesce(clients.approved_digests, $28::jsonb)) @> (EXCLUDED.document_digests - 'document'), false)`

const upsert = `${insertClientText({ columns: ', document_digests', values: ', $27::jsonb' })}
  ON CONFLICT (tenant_id, issuer_id, client_id) DO UPDATE SET name = EXCLUDED.name, redirect_uris = EXCLUDED.redirect_uris,
    grant_types = EXCLUDED.grant_types, token_endpoint_auth_method = EXCLUDED.token_endpoint_auth_method, jwks = EXCLUDED.jwks, jwks_uri = EXCLUDED.jwks_uri,
    application_type = EXCLUDED.application_type, document_expires_at = EXCLUDED.document_expires_at,
    document_withdrawn_at = NULL,
    backchannel_logout_uri = EXCLUDED.backchannel_logout_uri, backchannel_logout_session_required = EXCLUDED.backchannel_logout_session_required,
    post_logout_redirect_uris = EXCLUDED.post_logout_redirect_uris, require_pushed_requests = EXCLUDED.require_pushed_requests,
    dpop_bound_access_tokens = EXCLUDED.dpop_bound_access_tokens, sector_identifier = EXCLUDED.sector_identifier,
    logo_uri = EXCLUDED.logo_uri,
    document_digests = EXCLUDED.document_digests, unregistered_at = NULL,
    created_at = CASE WHEN clients.unregistered_at IS NULL THEN clients.created_at ELSE EXCLUDED.created_at END,
    pre_approved = clients.pre_approved AND ${approvalHolds},
    approved_digests = CASE WHEN clients.pre_approved THEN coalesce(clients.approved_digests, $28) END,
    approval_lost = CASE WHEN clients.pre_approved AND NOT ${approvalHolds} THEN $29::jsonb ELSE clients.approval_lost END
  WHERE clients.kind = 'metadata_document' RETURNING ${clientColumns}`

/** Whether the row says what the document says: `$4` to `$18`. Of an approval of anything else, whichever version of ours wrote it, the long way judges. */
const saysTheSame = `c.kind = 'metadata_document' AND c.unregistered_at IS NULL AND (NOT c.pre_approved OR c.approved_digests - 'document' = c.document_digests - 'document')
  AND (c.name, c.redirect_uris, c.grant_types, c.token_endpoint_auth_method, c.jwks, c.application_type, c.backchannel_logout_uri,
    c.backchannel_logout_session_required, c.post_logout_redirect_uris, c.jwks_uri, c.require_pushed_requests, c.dpop_bound_access_tokens,
    c.sector_identifier, c.logo_uri, c.document_digests)
  IS NOT DISTINCT FROM ($4::text, $5::text[], $6::text[], $7::text, $8::jsonb, $9::text, $10::text, $11::boolean, $12::text[], $13::text, $14::boolean,
    $15::boolean, $16::text, $17::text, $18::jsonb)`

const findSame = `SELECT ${clientColumns} FROM clients c WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND ${saysTheSame}`

/** Nothing else has changed since it was found: whoever changes the client draws another version. Nor was another writer faster. */
const renew = `UPDATE clients SET document_expires_at = $5, document_withdrawn_at = NULL WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND version = $4
    AND (document_expires_at IS NULL OR document_expires_at < $5) RETURNING ${clientColumns}`

/** How often the trail is told of one client: its publisher may take his document away and bring it back as often as he likes. */
export const withdrawalToldSeconds = 86_400

/** What was said first stands, and nothing is written where another process has read a good document since. */
const withdraw = `UPDATE clients SET document_withdrawn_at = coalesce(document_withdrawn_at, $5),
    withdrawal_told_at = CASE WHEN document_withdrawn_at IS NULL AND (withdrawal_told_at IS NULL OR withdrawal_told_at <= $6) THEN $5 ELSE withdrawal_told_at END
  WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND version = $4
    AND kind = 'metadata_document' AND (document_expires_at IS NULL OR document_expires_at <= $5)
  RETURNING ${clientColumns}, withdrawal_told_at IS NOT DISTINCT FROM $5 AS is_told`

/** `reason`: what the publisher said. */
type Withdrawal = { readonly now: Instant; readonly reason: string }

/**
 * Writes down that the publisher of its document says of it that it is gone, or none, and tells the trail, once a day at most. Undefined: the client has
 * changed since it was read.
 */
export async function markDocumentWithdrawn(db: Db, client: Client, { now, reason }: Withdrawal): Promise<Client | undefined> {
  const { tenantId, issuerId, id: clientId } = client
  const { rows } = await db.query<ClientRow & { is_told: boolean }>(withdraw, [
    ...[tenantId, issuerId, clientId, client.version, toTimestamp(now)],
    toTimestamp(addSeconds(now, -withdrawalToldSeconds)),
  ])
  if (rows[0]?.is_told) await insertAuditEvent(db, tenantId, { at: now, kind: 'client.document_withdrawn', issuerId, clientId, reason })
  return rows[0] && toClient(rows[0])
}

type Before = ClientRow & { approved_digests: ApprovedDigests | null }

/**
 * Writes what the document says now. The admin's ceiling and block, and the epoch, are never touched by it; her approval is taken away by a
 * document that says something else than the one she approved, which the trail and the tenant's contacts are told.
 *
 * `full`: the tenant has `most` living clients that describe themselves, and none of them makes room for one that it has not met.
 *
 * @spec OAuth CIMD §6 a changed document invalidates what was decided on the old one
 */
export async function upsertClientOfDocument(
  db: Db,
  tenant: TenantId,
  draft: ClientDraft,
  most: number = registrationLimits.metadataDocuments,
): Promise<Client | 'full' | undefined> {
  const same = await renewSame(db, tenant, draft)
  if (same) return same
  if (!(await hasRoom(db, tenant, draft, most))) return 'full'
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

/** For one that the tenant knows there always is; never more than `most` of them live, however many come at once. */
async function hasRoom(db: Db, tenant: TenantId, draft: ClientDraft, most: number): Promise<boolean> {
  const isKnown = async (): Promise<boolean> => {
    const { rows } = await db.query(
      'SELECT 1 FROM clients WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND unregistered_at IS NULL',
      [tenant, draft.issuerId, draft.id],
    )
    return rows.length > 0
  }
  if (await isKnown()) return true
  // Held until the transaction ends, so that of two that count at once one waits: and then perhaps finds what it came with.
  await db.query('SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE', [tenant])
  if (await isKnown()) return true
  const { rows } = await db.query<{ living: number }>(
    "SELECT count(*)::int AS living FROM clients WHERE tenant_id = $1 AND kind = 'metadata_document' AND unregistered_at IS NULL",
    [tenant],
  )
  if ((rows[0]?.living ?? 0) < most) return true
  return (await makeRoom(db, tenant, draft.now, 'unasked')) || makeRoom(db, tenant, draft.now, 'asked')
}

const nothingOf = (table: string): string =>
  `NOT EXISTS (SELECT 1 FROM ${table} r WHERE r.tenant_id = $1 AND r.issuer_id = c.issuer_id AND r.client_id = c.client_id)`

/**
 * What makes room is unknown from then on, until somebody brings it again; its row goes with its last sign-in. A grant saves it, which takes a person of
 * the tenant, and so does whatever a person or an admin said. A pending sign-in only has others go first: strangers can begin one.
 */
const roomText = (pending: string): string => `UPDATE clients SET unregistered_at = $2 WHERE tenant_id = $1 AND ctid = (
    SELECT c.ctid FROM clients c WHERE c.tenant_id = $1 AND c.kind = 'metadata_document' AND c.unregistered_at IS NULL AND ${isUngoverned}
      AND c.created_at < $2::timestamptz - make_interval(secs => ${registrationLimits.dynamicClientStaysSeconds})
      AND ${['grants', ...sayingTables].map(nothingOf).join(' AND ')}${pending} ORDER BY c.created_at LIMIT 1)`
const makesRoom = { unasked: roomText(` AND ${nothingOf('authorization_requests')}`), asked: roomText('') } as const

async function makeRoom(db: Db, tenant: TenantId, now: Instant, which: keyof typeof makesRoom): Promise<boolean> {
  const { rowCount } = await db.query(makesRoom[which], [tenant, toTimestamp(now)])
  return rowCount === 1
}
