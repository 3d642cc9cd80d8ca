/**
 * Clients that registered themselves: how many a tenant has, what each says of itself by its registration token, and how a registration ends.
 *
 * A registration ends by its owner, by an admin, by making room for another, or by nobody using it. The first and the third leave the row, shut and
 * unknown to everybody, until nothing refers to it any more; its client_id never comes back.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { registrationLimits } from '@drawbridge/core/oauth/client-registration'
import { isLiving } from '@drawbridge/core/oauth/client-secret'
import type { StatedSoftware } from '@drawbridge/core/oauth/software-statement'
import type { ClientId, CredentialHash, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import type { WhichClient } from './admin-clients.js'
import { insertAuditEvent } from './audit-events.js'
import { type ClientDraft, type ClientRow, clientColumns, clientValues, insertClientText, toClient } from './clients.js'
import { type ApprovedDigests, digestsOf, lossOf, tellLoss } from './lost-approvals.js'
import { type Db, toTimestamp } from './transaction.js'

export type RegistrationDraft = Omit<ClientDraft, 'stated'> & {
  readonly registrationTokenHash: CredentialHash
  /** Undefined: it speaks for itself. */
  readonly software: StatedSoftware | undefined
}

const insertText = `${insertClientText({ columns: ', document_digests, registration_token_hash, software_statement, approved_digests', values: ', $27::jsonb, $28, $29::jsonb, CASE WHEN $12 THEN $27::jsonb END' })} RETURNING ${clientColumns}`

/**
 * Never more than `most` of an issuer live, however many register at once. Where there are so many, the oldest that nobody has used makes room, unless
 * it registered a moment ago. Undefined: there is no room.
 */
export async function insertDynamicClient(
  db: Db,
  tenant: TenantId,
  draft: RegistrationDraft,
  most: number = registrationLimits.dynamicClients,
): Promise<Client | undefined> {
  // Held until the transaction ends, so that of two that count at once one waits.
  await db.query('SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE', [tenant])
  if ((await countDynamicClients(db, tenant, draft.issuerId)) >= most && !(await makeRoom(db, tenant, draft))) return undefined
  const { rows } = await db.query<ClientRow>(insertText, [
    ...clientValues(tenant, draft),
    JSON.stringify(digestsOf(draft)),
    draft.registrationTokenHash,
    toJson(draft.software),
  ])
  return toClient(rows[0] as ClientRow)
}

const toJson = (software: StatedSoftware | undefined): string | null =>
  software === undefined ? null : JSON.stringify({ ...software, softwareId: software.softwareId ?? null })

/** A tenant's copies of clients of the front are no registrations of its own, and are counted apart (`front-clients`). */
async function countDynamicClients(db: Db, tenant: TenantId, issuer: IssuerId): Promise<number> {
  const { rows } = await db.query<{ living: number }>(
    "SELECT count(*)::int AS living FROM clients WHERE tenant_id = $1 AND issuer_id = $2 AND kind = 'dynamic' AND unregistered_at IS NULL",
    [tenant, issuer],
  )
  return rows[0]?.living ?? 0
}

/** What ends a registration here and now, whoever had an eye on the row: nobody can open it again. What was made for it dies by its barrier. */
const shut = `unregistered_at = $2, registration_token_hash = NULL, secret_hash = NULL, second_secret_hash = NULL, blocked_at = coalesce(blocked_at, $2)`

/**
 * A pending sign-in saves nobody, because strangers can begin one; nor does an approval by a statement, which they can copy. A grant does, which takes a
 * person of the tenant. Looked for once, by a scalar: `IN` is looked through for every client where the planner believes that there are hardly any.
 */
async function makeRoom(db: Db, tenant: TenantId, { issuerId, now }: Pick<RegistrationDraft, 'issuerId' | 'now'>): Promise<boolean> {
  const { rows } = await db.query<{ client_id: ClientId; issuer_id: IssuerId }>(
    `UPDATE clients SET ${shut}, epoch = epoch + 1, barrier_at = GREATEST(barrier_at, $2)
     WHERE tenant_id = $1 AND ctid = (
       SELECT c.ctid FROM clients c
       WHERE c.tenant_id = $1 AND c.issuer_id = $3 AND c.kind = 'dynamic' AND c.unregistered_at IS NULL AND c.last_used_at IS NULL AND (NOT c.pre_approved OR c.software_statement IS NOT NULL)
         AND c.created_at < $2::timestamptz - make_interval(secs => ${registrationLimits.dynamicClientStaysSeconds})
         AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.tenant_id = $1 AND g.issuer_id = c.issuer_id AND g.client_id = c.client_id)
       ORDER BY c.created_at LIMIT 1)
     RETURNING client_id, issuer_id`,
    [tenant, toTimestamp(now), issuerId],
  )
  const gone = rows[0]
  if (!gone) return false
  const event = { at: now, kind: 'client.registration_ended', reason: 'room_needed' } as const
  await insertAuditEvent(db, tenant, { ...event, issuerId: gone.issuer_id, clientId: gone.client_id })
  return true
}

export type Registration = {
  readonly client: Client
  readonly tokenHash: CredentialHash
  /** By what it registered. Undefined: it speaks for itself. */
  readonly software: StatedSoftware | undefined
}

type RegistrationRow = ClientRow & {
  registration_token_hash: CredentialHash
  approved_digests: ApprovedDigests | null
  statement_text: string | null
}

const findText = `SELECT ${clientColumns}, registration_token_hash, approved_digests, software_statement->>'text' AS statement_text FROM clients
  WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND kind = 'dynamic' AND unregistered_at IS NULL AND registration_token_hash IS NOT NULL`

/** Only of a client that registered itself and may manage that. */
export async function findRegistration(db: Db, tenant: TenantId, { issuerId, id }: WhichClient): Promise<Registration | undefined> {
  const { rows } = await db.query<RegistrationRow>(findText, [tenant, issuerId, id])
  return rows[0] && toRegistration(rows[0])
}

function toRegistration(row: RegistrationRow): Registration {
  const client = toClient(row)
  const { stated } = client
  const software = stated === undefined || row.statement_text === null ? undefined : { ...stated, text: row.statement_text }
  return { client, tokenHash: row.registration_token_hash, software }
}

/** The secret that the client named stays as it is, until its end; a new one takes the place of all. */
const ofTheKept = (member: string) =>
  `CASE WHEN $8 = secret_hash THEN secret_${member} WHEN $8 = second_secret_hash THEN second_secret_${member} END`
const secretSaid = `secret_hash = $8, secret_created_at = CASE WHEN $8 IN (secret_hash, second_secret_hash) THEN ${ofTheKept('created_at')} WHEN $8 IS NOT NULL THEN $25 END,
    secret_expires_at = ${ofTheKept('expires_at')}, secret_used_at = ${ofTheKept('used_at')},
    second_secret_hash = NULL, second_secret_created_at = NULL, second_secret_expires_at = NULL, second_secret_used_at = NULL`

const updateText = `UPDATE clients SET name = $4, redirect_uris = $5, grant_types = $6, token_endpoint_auth_method = $7, jwks = $9::jsonb, ${secretSaid},
    jwks_uri = $10, application_type = $11, backchannel_logout_uri = $12, backchannel_logout_session_required = $13, post_logout_redirect_uris = $14,
    require_pushed_requests = $15, dpop_bound_access_tokens = $16, certificate_name = $17::jsonb, sector_identifier = $18, sector_identifier_uri = $19,
    logo_uri = $20, document_digests = $21::jsonb, registration_token_hash = $22, pre_approved = pre_approved AND $23::jsonb IS NULL,
    approved_digests = CASE WHEN $23::jsonb IS NULL THEN approved_digests END, approval_lost = coalesce($23::jsonb, approval_lost), software_statement = $24::jsonb
  WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 RETURNING ${clientColumns}`

const updateValues = (tenant: TenantId, draft: RegistrationDraft): readonly unknown[] => [
  ...[tenant, draft.issuerId, draft.id, draft.name, draft.redirectUris, draft.grantTypes, draft.authMethod, draft.secretHash ?? null],
  ...[draft.jwks === undefined ? null : JSON.stringify(draft.jwks), draft.jwksUri ?? null, draft.applicationType],
  ...[draft.backchannelLogoutUri ?? null, draft.backchannelLogoutSessionRequired ?? false, draft.postLogoutRedirectUris],
  draft.requirePushedAuthorizationRequests ?? false,
  draft.dpopBoundAccessTokens ?? false,
  draft.certificateName === undefined ? null : JSON.stringify(draft.certificateName),
  draft.sectorIdentifier ?? null,
  draft.sectorIdentifierUri ?? null,
  draft.logoUri ?? null,
]

export type Replacement = {
  /** By which the client proved that the registration is its own. */
  readonly token: CredentialHash
  /** Of its secrets the one that it goes on with; `undefined`: it gets another, or needs none. */
  readonly kept: CredentialHash | undefined
  readonly draft: RegistrationDraft
}

/**
 * Everything that the client says of itself, said anew by whoever holds its token, which dies by it. What the admin says of it stays, but for an approval
 * of something else. `token_gone`: it is not the token any more, so of two that come with the same one nothing is left of the other. `secret_gone`: what
 * was to be kept has been withdrawn, or has lapsed, since it was looked at.
 */
export async function replaceRegistration(
  db: Db,
  tenant: TenantId,
  { token, kept, draft }: Replacement,
): Promise<{ readonly before: Client; readonly client: Client } | 'token_gone' | 'secret_gone'> {
  const { rows: found } = await db.query<RegistrationRow>(
    `${findText} AND registration_token_hash = $4 AND blocked_at IS NULL FOR UPDATE`,
    [...[tenant, draft.issuerId, draft.id], token],
  )
  if (!found[0]) return 'token_gone'
  const before = toClient(found[0])
  if (kept && !before.secrets.some((secret) => secret.hash.equals(kept) && isLiving(secret, draft.now))) return 'secret_gone'
  const digests = digestsOf(draft)
  const lost = before.preApproved ? lossOf(before, found[0].approved_digests ?? digestsOf(before), { digests, at: draft.now }) : undefined
  const { rows } = await db.query<ClientRow>(updateText, [
    ...updateValues(tenant, draft),
    JSON.stringify(digests),
    draft.registrationTokenHash,
    lost === undefined ? null : JSON.stringify(lost),
    toJson(draft.software),
    toTimestamp(draft.now),
  ])
  const client = toClient(rows[0] as ClientRow)
  if (lost) await tellLoss(db, tenant, client, lost)
  return { before, client }
}

/** Shuts it for ever. Whoever calls it raises the barrier in the same transaction (`deprovisioning`), so that whoever holds its tokens is told: once. */
export async function markUnregistered(
  db: Db,
  tenant: TenantId,
  { issuerId, id }: WhichClient,
  { token, now }: { readonly token: CredentialHash; readonly now: Instant },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE clients SET ${shut} WHERE tenant_id = $1 AND issuer_id = $3 AND client_id = $4 AND unregistered_at IS NULL AND registration_token_hash = $5`,
    [tenant, toTimestamp(now), issuerId, id, token],
  )
  return rowCount === 1
}

/** How exact `last_used_at` is: a client that refreshes every few minutes must not write its row as often. */
export const useRecordedEverySeconds = 86_400

/** It got a token. Its version stays, so nothing that is being decided about it is disturbed. */
export async function markClientUsed(db: Db, tenant: TenantId, { issuerId, id }: WhichClient, now: Instant): Promise<void> {
  await db.query(
    `UPDATE clients SET last_used_at = $4 WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND kind = 'dynamic'
       AND (last_used_at IS NULL OR last_used_at <= $4::timestamptz - make_interval(secs => ${useRecordedEverySeconds}))`,
    [tenant, issuerId, id, toTimestamp(now)],
  )
}
