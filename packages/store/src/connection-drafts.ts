/** Connections that are none yet: written by a set-up link, made one by activation. No login reads this table. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import type { ConnectionKind } from './connections.js'
import type { MetadataSourceDraft } from './metadata-sources.js'
import { type Db, toTimestamp } from './transaction.js'

/** A link's holder may say it again so often: each time is a line of the trail, which nobody sweeps. */
export const mostRevisionsOfDraft = 200

export type DraftState = 'empty' | 'draft' | 'waiting' | 'activated' | 'declined'
export type DraftSource = Pick<MetadataSourceDraft, 'url' | 'pinnedCertificates' | 'etag' | 'digest' | 'signedBy'> & {
  /** In which the IdP says that it names people. Absent: an earlier version stored the draft. */
  readonly nameIdFormats?: readonly string[]
}

/** What the company's IT said. */
export type DraftContent = {
  readonly kind: ConnectionKind
  readonly name: string
  readonly configuration: unknown
  readonly source: DraftSource | undefined
  readonly sealedSecret: Buffer | undefined
}

export type StoredDraft = {
  readonly id: ConnectionId
  readonly setupLinkId: string
  readonly state: DraftState
  /** Absent: nothing has been said yet. */
  readonly content: DraftContent | undefined
  /** Raised by each change: whoever decides says which one she saw. */
  readonly revision: number
  readonly createdAt: Instant
  readonly changedAt: Instant
  readonly decidedAt: Instant | undefined
}

type Row = {
  id: ConnectionId
  setup_link_id: string
  state: DraftState
  kind: ConnectionKind | null
  name: string | null
  configuration: unknown
  source: DraftSource | null
  sealed_secret: Buffer | null
  revision: number
  created_at: Instant
  changed_at: Instant
  decided_at: Instant | null
}
const columns = 'id, setup_link_id, state, kind, name, configuration, source, sealed_secret, revision, created_at, changed_at, decided_at'

function toDraft(row: Row): StoredDraft {
  const { kind, name, configuration } = row
  const said = { source: row.source ?? undefined, sealedSecret: row.sealed_secret ?? undefined }
  return {
    id: row.id,
    setupLinkId: row.setup_link_id,
    state: row.state,
    content: kind === null ? undefined : { kind, name: name ?? '', configuration, ...said },
    revision: row.revision,
    createdAt: row.created_at,
    changedAt: row.changed_at,
    decidedAt: row.decided_at ?? undefined,
  }
}

export async function findDraft(db: Db, tenant: TenantId, id: ConnectionId): Promise<StoredDraft | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM connection_drafts WHERE tenant_id = $1 AND id = $2`, [tenant, id])
  return rows[0] && toDraft(rows[0])
}

/** One whose time is not over; nobody else changes it before this transaction ends. */
export async function lockDraft(db: Db, tenant: TenantId, id: ConnectionId, now: Instant): Promise<StoredDraft | undefined> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM connection_drafts WHERE tenant_id = $1 AND id = $2 AND expires_at > $3 FOR UPDATE`,
    [tenant, id, toTimestamp(now)],
  )
  return rows[0] && toDraft(rows[0])
}

/** Answers whether it was written: what waits for the vendor, or is decided, stays as it was seen, and so does what was said too often. */
export async function writeDraft(db: Db, tenant: TenantId, id: ConnectionId, content: DraftContent, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE connection_drafts SET state = 'draft', kind = $3, name = $4, configuration = $5, source = $6, sealed_secret = $7, changed_at = $8, revision = revision + 1
     WHERE tenant_id = $1 AND id = $2 AND state IN ('empty', 'draft') AND revision < $9`,
    [
      ...[tenant, id, content.kind, content.name, JSON.stringify(content.configuration)],
      ...[content.source === undefined ? null : JSON.stringify(content.source), content.sealedSecret ?? null, toTimestamp(now)],
      mostRevisionsOfDraft,
    ],
  )
  return rowCount === 1
}

/** A decided draft keeps no secret. `expiresAt`: how long it is shown. */
export async function markDraft(
  db: Db,
  tenant: TenantId,
  id: ConnectionId,
  mark: { readonly state: 'waiting' | 'activated' | 'declined'; readonly now: Instant; readonly expiresAt: Instant },
): Promise<void> {
  await db.query(
    `UPDATE connection_drafts SET state = $3, decided_at = CASE WHEN $3 = 'waiting' THEN NULL ELSE $4::timestamptz END, expires_at = $5,
       sealed_secret = CASE WHEN $3 = 'waiting' THEN sealed_secret END WHERE tenant_id = $1 AND id = $2`,
    [tenant, id, mark.state, toTimestamp(mark.now), toTimestamp(mark.expiresAt)],
  )
}

/** Newest first; those in which nothing has been said are none yet. */
export async function listDrafts(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly StoredDraft[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM connection_drafts WHERE tenant_id = $1 AND state <> 'empty' AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
     ORDER BY created_at DESC, id DESC LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows.map(toDraft)
}
