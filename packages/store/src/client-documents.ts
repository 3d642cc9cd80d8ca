/**
 * Clients that describe themselves, as their documents say it at each fetch.
 *
 * An approval holds for what the admin saw. The statement that writes another document takes the approval away, so no process ever serves the
 * new document with the old approval. What was granted lives on: the person agreed to that, or the admin did.
 *
 * Documents are compared member by member, because versions of ours judge different ones. An approval that knows nothing of a member holds as
 * long as the document says nothing there: it is not lost because we judge more, and what nobody saw is not approved. Members that only a
 * later version judges are left to it.
 */
import { type ApprovalLost, type Client, type JudgedClient, type JudgedMember, judgedMembers } from '@drawbridge/core/oauth/client'
import { judgedTextsOf, silentClient } from '@drawbridge/core/oauth/judged-client'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import { announce } from './announcements.js'
import { insertAuditEvent } from './audit-events.js'
import { type ClientDraft, type ClientRow, clientColumns, clientValues, insertClientText, toClient } from './clients.js'
import type { Db } from './transaction.js'

/** One for each member, so that it can be said what changed, and `document` for all of them. */
type Digests = Readonly<Record<JudgedMember | 'document', string>>

function digestsOf(client: JudgedClient): Digests {
  const texts = judgedTextsOf(client)
  const members = Object.fromEntries(judgedMembers.map((member) => [member, sha256Base64url(texts[member])])) as Record<
    JudgedMember,
    string
  >
  return { ...members, document: sha256Base64url(JSON.stringify(judgedMembers.map((member) => texts[member]))) }
}

const { document: _, ...silence } = digestsOf(silentClient)

/** What was approved holds for what the document says now. NULL: nothing was. */
const approvalHolds = `coalesce(($26::jsonb || coalesce(clients.approved_digests, $24::jsonb)) @> (EXCLUDED.document_digests - 'document'), false)`

const upsert = `${insertClientText({ columns: ', document_digests', values: ', $23::jsonb' })}
  ON CONFLICT (tenant_id, issuer_id, client_id) DO UPDATE SET name = EXCLUDED.name, redirect_uris = EXCLUDED.redirect_uris,
    grant_types = EXCLUDED.grant_types, token_endpoint_auth_method = EXCLUDED.token_endpoint_auth_method, jwks = EXCLUDED.jwks, jwks_uri = EXCLUDED.jwks_uri,
    application_type = EXCLUDED.application_type, document_expires_at = EXCLUDED.document_expires_at,
    backchannel_logout_uri = EXCLUDED.backchannel_logout_uri, backchannel_logout_session_required = EXCLUDED.backchannel_logout_session_required,
    post_logout_redirect_uris = EXCLUDED.post_logout_redirect_uris, require_pushed_requests = EXCLUDED.require_pushed_requests,
    dpop_bound_access_tokens = EXCLUDED.dpop_bound_access_tokens, document_digests = EXCLUDED.document_digests,
    pre_approved = clients.pre_approved AND ${approvalHolds},
    approved_digests = CASE WHEN clients.pre_approved THEN coalesce(clients.approved_digests, $24) END,
    approval_lost = CASE WHEN clients.pre_approved AND NOT ${approvalHolds} THEN $25::jsonb ELSE clients.approval_lost END
  WHERE clients.kind = 'metadata_document' RETURNING ${clientColumns}`

/** As some version of ours wrote them. */
type ApprovedDigests = Readonly<Partial<Record<JudgedMember, string>>>

type Before = ClientRow & { approved_digests: ApprovedDigests | null }

/**
 * Writes what the document says now. The admin's ceiling and block, and the epoch, are never touched by it; her approval is taken away by a
 * document that says something else than the one she approved, which the trail and the tenant's contacts are told.
 *
 * @spec OAuth CIMD §6 a changed document invalidates what was decided on the old one
 */
export async function upsertClientOfDocument(db: Db, tenant: TenantId, draft: ClientDraft): Promise<Client | undefined> {
  // Locked, so that of two fetches at once one takes the approval away, and tells.
  const { rows: found } = await db.query<Before>(
    `SELECT ${clientColumns}, approved_digests FROM clients WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 FOR UPDATE`,
    [tenant, draft.issuerId, draft.id],
  )
  const before = found[0]?.pre_approved === true ? toClient(found[0]) : undefined
  // An approval of before there were digests holds for what stands in the row.
  const approved = before && (found[0]?.approved_digests ?? digestsOf(before))
  const digests = digestsOf(draft)
  const changed = approved === undefined ? [] : changedMembers(approved, digests)
  const lost = before && changed.length > 0 ? lostBy(before, changed, draft) : undefined
  const { rows } = await db.query<ClientRow>(upsert, [
    ...clientValues(tenant, draft),
    JSON.stringify(digests),
    approved === undefined ? null : JSON.stringify(approved),
    lost === undefined ? null : JSON.stringify(lost),
    JSON.stringify(silence),
  ])
  const client = rows[0] && toClient(rows[0])
  if (client && lost) await tell(db, tenant, client, lost)
  return client
}

const changedMembers = (approved: ApprovedDigests, digests: Digests): readonly JudgedMember[] =>
  judgedMembers.filter((member) => (approved[member] ?? silence[member]) !== digests[member])

const lostBy = (before: Client, changed: readonly JudgedMember[], { now }: ClientDraft): ApprovalLost => ({
  at: now,
  changed,
  before: {
    name: before.name,
    redirectUris: before.redirectUris,
    grantTypes: before.grantTypes,
    authMethod: before.authMethod,
    dpopBoundAccessTokens: before.dpopBoundAccessTokens,
    jwks: before.jwks,
    jwksUri: before.jwksUri,
    backchannelLogoutUri: before.backchannelLogoutUri,
    postLogoutRedirectUris: before.postLogoutRedirectUris,
  },
})

async function tell(db: Db, tenant: TenantId, { id, issuerId }: Client, { at, changed }: ApprovalLost): Promise<void> {
  const kind = 'client.approval_lost'
  await insertAuditEvent(db, tenant, { at, kind, issuerId, clientId: id, detail: { changed } })
  await announce(db, tenant, { at, kind, about: id, by: undefined })
}
