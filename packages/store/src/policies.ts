/**
 * Published versions of a tenant's policy, as their author wrote them. Versions are only ever added. Those of the vendor's own tenant are the
 * wall around all others: a trigger raises every tenant's version with it, so that whatever was decided before is decided again.
 */
import type { Instant } from '@drawbridge/core/instant'
import { parsePolicyDocument } from '@drawbridge/core/policy/document'
import type { LiveGrants } from '@drawbridge/core/revocation/settled-grants'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { Page } from './admin-page.js'
import { type Db, toTimestamp } from './transaction.js'

export type StoredPolicy = {
  readonly version: number
  readonly document: string
  /** Its test cases; empty: it has none. */
  readonly cases: string
  readonly author: string
  readonly note: string
  readonly publishedAt: Instant
}

type Row = { version: number; document: string; cases: string; author: string; note: string; published_at: Instant }

const columns = 'p.version, p.document, p.cases, p.author, p.note, p.published_at'
const toPolicy = (row: Row): StoredPolicy => ({
  version: row.version,
  document: row.document,
  cases: row.cases,
  author: row.author,
  note: row.note,
  publishedAt: row.published_at,
})

export type PolicyToPublish = {
  readonly document: string
  readonly cases?: string
  readonly author: string
  readonly note?: string
  readonly now: Instant
}

/**
 * Publishes the next version and answers its number. The tenant's row is locked by the update, so of two that publish at once each
 * gets its own number and the later one holds.
 */
export async function publishPolicy(db: Db, tenant: TenantId, policy: PolicyToPublish): Promise<number> {
  const { rows } = await db.query<{ policy_version: number }>(
    'UPDATE tenants SET policy_version = policy_version + 1, claim_changes = $2 WHERE id = $1 RETURNING policy_version',
    [tenant, claimChangesOf(policy.document)],
  )
  const version = rows[0]?.policy_version
  if (version === undefined) throw new Error('no such tenant')
  await db.query(
    'INSERT INTO policies (tenant_id, version, document, cases, author, note, published_at) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [...[tenant, version, policy.document, policy.cases ?? '', policy.author, policy.note ?? '', toTimestamp(policy.now)]],
  )
  return version
}

/** What the document says on it, beside the document: a change of the directory asks for it in its own transaction. */
function claimChangesOf(document: string): LiveGrants | null {
  const read = parsePolicyDocument(document)
  return (read.ok ? read.value.document.claimChanges : undefined) ?? null
}

/** The same, if `newest` is still the newest version (0: there is none); `undefined`: somebody else has published since. */
export async function publishPolicyAfter(db: Db, tenant: TenantId, newest: number, policy: PolicyToPublish): Promise<number | undefined> {
  await db.query('SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE', [tenant])
  return (await newestVersion(db, tenant)) === newest ? publishPolicy(db, tenant, policy) : undefined
}

/** When the version was published that has so many, itself among them, from it to the newest. `undefined`: there are not so many. */
export async function findPublicationBefore(db: Db, tenant: TenantId, count: number): Promise<Instant | undefined> {
  const { rows } = await db.query<{ published_at: Instant }>(
    'SELECT published_at FROM policies WHERE tenant_id = $1 ORDER BY version DESC OFFSET $2 LIMIT 1',
    [tenant, count - 1],
  )
  return rows[0]?.published_at
}

/** 0: none is published. */
export async function newestVersion(db: Db, tenant: TenantId): Promise<number> {
  const { rows } = await db.query<{ version: number }>(
    'SELECT COALESCE(max(version), 0)::int AS version FROM policies WHERE tenant_id = $1',
    [tenant],
  )
  return rows[0]?.version ?? 0
}

/** The newest version below another; 0: there is none. */
export async function versionBefore(db: Db, tenant: TenantId, version: number): Promise<number> {
  const { rows } = await db.query<{ version: number }>(
    'SELECT COALESCE(max(version), 0)::int AS version FROM policies WHERE tenant_id = $1 AND version < $2',
    [tenant, version],
  )
  return rows[0]?.version ?? 0
}

/** The policy that holds now, which is the newest; undefined means the safe default. Its version may be below the tenant's: see the wall. */
export async function findCurrentPolicy(db: Db, tenant: TenantId): Promise<StoredPolicy | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM policies AS p WHERE p.tenant_id = $1 ORDER BY p.version DESC LIMIT 1`, [
    tenant,
  ])
  return rows[0] && toPolicy(rows[0])
}

/** Newest first: versions below the position. */
export async function listPolicies(db: Db, tenant: TenantId, page: Page<number>): Promise<readonly StoredPolicy[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM policies AS p WHERE p.tenant_id = $1 AND ($2::bigint IS NULL OR p.version < $2) ORDER BY p.version DESC LIMIT $3`,
    [tenant, page.from ?? null, page.limit],
  )
  return rows.map(toPolicy)
}

export async function findPolicy(db: Db, tenant: TenantId, version: number): Promise<StoredPolicy | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM policies AS p WHERE p.tenant_id = $1 AND p.version = $2::bigint`, [
    tenant,
    version,
  ])
  return rows[0] && toPolicy(rows[0])
}
