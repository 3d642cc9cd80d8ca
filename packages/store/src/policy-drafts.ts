/** Policies that are none yet. A draft need not compile; it is published only as it was seen, and only on top of the version that it was made from. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

export const policyDraftLimits = {
  /** Of one tenant at a time. */
  most: 20,
  /** After its last change. */
  keptSeconds: 90 * 24 * 3600,
} as const

export type DraftOfPolicy = {
  /** The version that it was made from; 0: there was none. */
  readonly baseVersion: number
  readonly document: string
  readonly cases: string
  readonly note: string
}
export type StoredPolicyDraft = DraftOfPolicy & {
  readonly id: string
  /** Whoever changed it last. */
  readonly author: string
  /** Raised by each change. */
  readonly revision: number
  readonly createdAt: Instant
  readonly changedAt: Instant
  readonly expiresAt: Instant
}

type Row = {
  id: string
  base_version: number
  document: string
  cases: string
  author: string
  note: string
  revision: number
  created_at: Instant
  changed_at: Instant
  expires_at: Instant
}
const columns = 'id, base_version, document, cases, author, note, revision, created_at, changed_at, expires_at'
const toDraft = (row: Row): StoredPolicyDraft => ({
  id: row.id,
  baseVersion: row.base_version,
  document: row.document,
  cases: row.cases,
  author: row.author,
  note: row.note,
  revision: row.revision,
  createdAt: row.created_at,
  changedAt: row.changed_at,
  expiresAt: row.expires_at,
})

type Saved = DraftOfPolicy & { readonly author: string; readonly now: Instant }

/** `undefined`: the tenant has as many as it may have. */
export async function insertPolicyDraft(
  db: Db,
  tenant: TenantId,
  { id, baseVersion, document, cases, note, author, now }: Saved & { readonly id: string },
): Promise<StoredPolicyDraft | undefined> {
  // Whoever inserts waits for whoever does so too: the count is exact.
  await db.query('SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE', [tenant])
  const { rows } = await db.query<Row>(
    `INSERT INTO policy_drafts (tenant_id, id, base_version, document, cases, author, note, revision, created_at, changed_at, expires_at)
     SELECT $1, $2, $3, $4, $5, $6, $7, 1, $8, $8, $9
     WHERE (SELECT count(*) FROM policy_drafts WHERE tenant_id = $1 AND expires_at > $8) < $10 RETURNING ${columns}`,
    [tenant, id, baseVersion, document, cases, author, note, toTimestamp(now), toTimestamp(endOf(now)), policyDraftLimits.most],
  )
  return rows[0] && toDraft(rows[0])
}

const endOf = (now: Instant): Instant => addSeconds(now, policyDraftLimits.keptSeconds)

/** Newest first. */
export async function listPolicyDrafts(
  db: Db,
  tenant: TenantId,
  now: Instant,
  page: Page<MomentPosition>,
): Promise<readonly StoredPolicyDraft[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM policy_drafts WHERE tenant_id = $1 AND expires_at > $5 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
     ORDER BY created_at DESC, id DESC LIMIT $4`,
    [tenant, ...momentParameters(page), toTimestamp(now)],
  )
  return rows.map(toDraft)
}

export async function findPolicyDraft(db: Db, tenant: TenantId, id: string, now: Instant): Promise<StoredPolicyDraft | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM policy_drafts WHERE tenant_id = $1 AND id = $2 AND expires_at > $3`, [
    ...[tenant, id, toTimestamp(now)],
  ])
  return rows[0] && toDraft(rows[0])
}

/** Writes over the revision that was seen; `undefined`: it is no longer that one, or no longer there. */
export async function changePolicyDraft(
  db: Db,
  tenant: TenantId,
  seen: { readonly id: string; readonly revision: number },
  { baseVersion, document, cases, note, author, now }: Saved,
): Promise<StoredPolicyDraft | undefined> {
  const { rows } = await db.query<Row>(
    `UPDATE policy_drafts SET base_version = $4, document = $5, cases = $6, note = $7, author = $8, changed_at = $9, expires_at = $10, revision = revision + 1
     WHERE tenant_id = $1 AND id = $2 AND revision = $3 AND expires_at > $9 RETURNING ${columns}`,
    [tenant, seen.id, seen.revision, baseVersion, document, cases, note, author, toTimestamp(now), toTimestamp(endOf(now))],
  )
  return rows[0] && toDraft(rows[0])
}

/** Whether it is still as it was seen; nobody changes it before this transaction ends. */
export async function lockPolicyDraft(
  db: Db,
  tenant: TenantId,
  { id, revision }: { readonly id: string; readonly revision: number },
): Promise<boolean> {
  const { rowCount } = await db.query('SELECT 1 FROM policy_drafts WHERE tenant_id = $1 AND id = $2 AND revision = $3 FOR UPDATE', [
    ...[tenant, id, revision],
  ])
  return rowCount === 1
}

/** Answers whether there was one. */
export async function removePolicyDraft(db: Db, tenant: TenantId, id: string): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM policy_drafts WHERE tenant_id = $1 AND id = $2', [tenant, id])
  return rowCount === 1
}
