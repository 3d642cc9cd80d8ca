/** Links with which a company's IT describes its IdP, each with the one draft that it may write. Only the hash of a link is here. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

/** Of one tenant, that somebody may still open or work with. */
export const mostLivingSetupLinks = 5

export type SetupLink = {
  readonly id: string
  readonly draftId: ConnectionId
  readonly note: string
  readonly createdAt: Instant
  readonly exchangedAt: Instant | undefined
  readonly revokedAt: Instant | undefined
  readonly expiresAt: Instant
}
type Row = {
  id: string
  draft_id: ConnectionId
  note: string
  created_at: Instant
  exchanged_at: Instant | null
  revoked_at: Instant | null
  expires_at: Instant
}
const from = `FROM setup_links AS l JOIN connection_drafts AS d ON d.tenant_id = l.tenant_id AND d.setup_link_id = l.id`
const columns = 'l.id, d.id AS draft_id, l.note, l.created_at, l.exchanged_at, l.revoked_at, l.expires_at'
const toLink = (row: Row): SetupLink => ({
  id: row.id,
  draftId: row.draft_id,
  note: row.note,
  createdAt: row.created_at,
  exchangedAt: row.exchanged_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined,
  expiresAt: row.expires_at,
})

export type NewSetupLink = {
  readonly id: string
  readonly draftId: ConnectionId
  readonly tokenHash: CredentialHash
  readonly note: string
  readonly now: Instant
  readonly expiresAt: Instant
}

/** Nothing is inserted where the tenant has as many living links as it may. */
export async function insertSetupLink(db: Db, tenant: TenantId, link: NewSetupLink): Promise<SetupLink | undefined> {
  await lockSetup(db, tenant)
  const now = toTimestamp(link.now)
  const expiresAt = toTimestamp(link.expiresAt)
  const { rowCount } = await db.query(
    `INSERT INTO setup_links (tenant_id, id, token_hash, note, created_at, expires_at) SELECT $1, $2, $3, $4, $5, $6
     WHERE (SELECT count(*) FROM setup_links WHERE tenant_id = $1 AND revoked_at IS NULL AND expires_at > $5) < $7`,
    [tenant, link.id, link.tokenHash, link.note, now, expiresAt, mostLivingSetupLinks],
  )
  if (rowCount === 0) return undefined
  await db.query(
    `INSERT INTO connection_drafts (tenant_id, id, setup_link_id, state, revision, created_at, changed_at, expires_at) VALUES ($1, $2, $3, 'empty', 0, $4, $4, $5)`,
    [tenant, link.draftId, link.id, now, expiresAt],
  )
  const { id, draftId, note } = link
  return { id, draftId, note, createdAt: link.now, expiresAt: link.expiresAt, exchangedAt: undefined, revokedAt: undefined }
}

/**
 * Until the end of the transaction nobody else makes a link or a connection of this tenant, by whatever way: a new connection raises the
 * tenant's configuration version in its own transaction, and waits for this row to do so.
 */
export async function lockSetup(db: Db, tenant: TenantId): Promise<void> {
  await db.query('SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE', [tenant])
}

/** Newest first. */
export async function listSetupLinks(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly SetupLink[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} ${from} WHERE l.tenant_id = $1 AND ($2::timestamptz IS NULL OR (l.created_at, l.id) < ($2, $3::uuid))
     ORDER BY l.created_at DESC, l.id DESC LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows.map(toLink)
}

export async function markSetupLinkRevoked(db: Db, tenant: TenantId, id: string, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE setup_links SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND expires_at > $3',
    [tenant, id, toTimestamp(now)],
  )
  return rowCount === 1
}

/** At most one caller wins: a link is exchanged once, while it lives. */
export async function exchangeSetupLink(
  db: Db,
  tenant: TenantId,
  exchange: { readonly tokenHash: CredentialHash; readonly sessionHash: CredentialHash; readonly now: Instant },
): Promise<SetupLink | undefined> {
  const { rows } = await db.query<{ id: string }>(
    `UPDATE setup_links SET session_hash = $3, exchanged_at = $4
     WHERE tenant_id = $1 AND token_hash = $2 AND exchanged_at IS NULL AND revoked_at IS NULL AND expires_at > $4 RETURNING id`,
    [tenant, exchange.tokenHash, exchange.sessionHash, toTimestamp(exchange.now)],
  )
  return rows[0] && (await findLivingSetupLink(db, tenant, exchange.sessionHash, exchange.now))
}

/** The living link that this cookie was given for. */
export async function findLivingSetupLink(
  db: Db,
  tenant: TenantId,
  sessionHash: CredentialHash,
  now: Instant,
): Promise<SetupLink | undefined> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} ${from} WHERE l.tenant_id = $1 AND l.session_hash = $2 AND l.revoked_at IS NULL AND l.expires_at > $3`,
    [tenant, sessionHash, toTimestamp(now)],
  )
  return rows[0] && toLink(rows[0])
}

/** Whether this is what it was sent with, whatever has become of it since. */
export async function isTokenOfSetupLink(
  db: Db,
  tenant: TenantId,
  { id, tokenHash }: { readonly id: string; readonly tokenHash: CredentialHash },
): Promise<boolean> {
  const { rowCount } = await db.query('SELECT 1 FROM setup_links WHERE tenant_id = $1 AND id = $2 AND token_hash = $3', [
    ...[tenant, id, tokenHash],
  ])
  return rowCount === 1
}

/** Whether it lives now, and until this transaction ends: a revocation comes before all of what the link does, or after it. */
export async function lockLivingSetupLink(db: Db, tenant: TenantId, id: string, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    'SELECT 1 FROM setup_links WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND expires_at > $3 FOR SHARE',
    [tenant, id, toTimestamp(now)],
  )
  return rowCount === 1
}
