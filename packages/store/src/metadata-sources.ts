/** Where the metadata of SAML connections comes from, when it is looked at next, and what was found. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type MetadataOutcome = 'never' | 'unchanged' | 'changed' | 'held' | 'failed'
export type WithdrawnCertificate = { readonly fingerprint: string; readonly at: Instant }

export type StoredMetadataSource = {
  /** Undefined: given by hand. */
  readonly url: string | undefined
  readonly pinnedCertificates: readonly string[]
  readonly etag: string | undefined
  readonly digest: string | undefined
  /** Fingerprint of the certificate that signed the document in use, where none is pinned. */
  readonly signedBy: string | undefined
  readonly outcome: MetadataOutcome
  readonly outcomeReason: string | undefined
  readonly fetchedAt: Instant | undefined
  readonly succeededAt: Instant | undefined
  readonly failures: number
  readonly heldDigest: string | undefined
  readonly heldChange: unknown
  readonly withdrawn: readonly WithdrawnCertificate[]
  readonly nextFetchAt: Instant | undefined
}

type Row = {
  url: string | null
  pinned_certificates: string[]
  etag: string | null
  digest: string | null
  signed_by: string | null
  outcome: MetadataOutcome
  outcome_reason: string | null
  fetched_at: Instant | null
  succeeded_at: Instant | null
  failures: number
  held_digest: string | null
  held_change: unknown
  withdrawn: WithdrawnCertificate[]
  next_fetch_at: Instant | null
}
const columns =
  'url, pinned_certificates, etag, digest, signed_by, outcome, outcome_reason, fetched_at, succeeded_at, failures, held_digest, held_change, withdrawn, next_fetch_at'

const toSource = (row: Row): StoredMetadataSource => ({
  url: row.url ?? undefined,
  pinnedCertificates: row.pinned_certificates,
  etag: row.etag ?? undefined,
  digest: row.digest ?? undefined,
  signedBy: row.signed_by ?? undefined,
  outcome: row.outcome,
  outcomeReason: row.outcome_reason ?? undefined,
  fetchedAt: row.fetched_at ?? undefined,
  succeededAt: row.succeeded_at ?? undefined,
  failures: row.failures,
  heldDigest: row.held_digest ?? undefined,
  heldChange: row.held_change ?? undefined,
  withdrawn: row.withdrawn,
  nextFetchAt: row.next_fetch_at ?? undefined,
})
const orNull = (at: Instant | undefined): Date | null => (at === undefined ? null : toTimestamp(at))

export type MetadataSourceDraft = {
  readonly url: string | undefined
  readonly pinnedCertificates: readonly string[]
  readonly etag: string | undefined
  readonly digest: string
  readonly signedBy?: string | undefined
  readonly withdrawn: readonly WithdrawnCertificate[]
  readonly nextFetchAt: Instant | undefined
  readonly now: Instant
}

/** What an admin has just applied: whatever was known of an earlier source of this connection is forgotten. */
export async function putMetadataSource(db: Db, tenant: TenantId, connection: ConnectionId, draft: MetadataSourceDraft): Promise<void> {
  await db.query(
    `INSERT INTO metadata_sources (tenant_id, connection_id, url, pinned_certificates, etag, digest, outcome, fetched_at, succeeded_at, withdrawn, next_fetch_at, created_at, signed_by)
     VALUES ($1, $2, $3, $4, $5, $6, 'changed', $9, $9, $7, $8, $9, $10)
     ON CONFLICT (tenant_id, connection_id) DO UPDATE SET url = excluded.url, pinned_certificates = excluded.pinned_certificates, etag = excluded.etag,
       digest = excluded.digest, outcome = excluded.outcome, outcome_reason = NULL, fetched_at = excluded.fetched_at, succeeded_at = excluded.succeeded_at,
       failures = 0, held_digest = NULL, held_change = NULL, withdrawn = excluded.withdrawn, next_fetch_at = excluded.next_fetch_at, signed_by = excluded.signed_by`,
    [
      ...[tenant, connection, draft.url ?? null, [...draft.pinnedCertificates], draft.etag ?? null, draft.digest],
      ...[JSON.stringify(draft.withdrawn), orNull(draft.nextFetchAt), toTimestamp(draft.now), draft.signedBy ?? null],
    ],
  )
}

export async function findMetadataSource(db: Db, tenant: TenantId, connection: ConnectionId): Promise<StoredMetadataSource | undefined> {
  const text = `SELECT ${columns} FROM metadata_sources WHERE tenant_id = $1 AND connection_id = $2`
  const { rows } = await db.query<Row>(text, [tenant, connection])
  return rows[0] && toSource(rows[0])
}

/** From then on nothing is fetched; what is configured stays. Answers whether there was one. */
export async function deleteMetadataSource(db: Db, tenant: TenantId, connection: ConnectionId): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM metadata_sources WHERE tenant_id = $1 AND connection_id = $2', [tenant, connection])
  return rowCount === 1
}

/** An admin has written the configuration by hand: what she trusts is withdrawn no more, and the next answer is compared whole, even if it is the same. */
export async function forgetMetadataEtag(db: Db, tenant: TenantId, connection: ConnectionId): Promise<void> {
  await db.query("UPDATE metadata_sources SET etag = NULL, withdrawn = '[]' WHERE tenant_id = $1 AND connection_id = $2", [
    tenant,
    connection,
  ])
}

/** An admin wants it now. Answers whether there is an address to ask. */
export async function demandMetadata(db: Db, tenant: TenantId, connection: ConnectionId, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE metadata_sources SET next_fetch_at = $3, etag = NULL WHERE tenant_id = $1 AND connection_id = $2 AND url IS NOT NULL',
    [tenant, connection, toTimestamp(now)],
  )
  return rowCount === 1
}

/**
 * A signature did not verify, so the metadata may be newer than what we hold. At most one of these counts until `askedBefore` has passed,
 * however many signatures are forged: the condition is in the statement.
 */
export async function askForMetadata(
  db: Db,
  tenant: TenantId,
  connection: ConnectionId,
  { now, askedBefore }: { readonly now: Instant; readonly askedBefore: Instant },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE metadata_sources SET asked_at = $3, next_fetch_at = least(next_fetch_at, $3)
     WHERE tenant_id = $1 AND connection_id = $2 AND url IS NOT NULL AND (asked_at IS NULL OR asked_at < $4) AND (fetched_at IS NULL OR fetched_at < $4)`,
    [tenant, connection, toTimestamp(now), toTimestamp(askedBefore)],
  )
  return rowCount === 1
}

export type DueMetadata = { readonly tenantId: TenantId; readonly connectionId: ConnectionId }

/**
 * Takes what is due, the longest waiting first, and puts it off until `leaseUntil`: two workers never fetch the same, and what a worker
 * leaves behind when it dies comes up again by itself.
 */
export async function claimDueMetadataAcrossTenants(
  db: AcrossDb,
  { now, limit, leaseUntil }: { readonly now: Instant; readonly limit: number; readonly leaseUntil: Instant },
): Promise<readonly DueMetadata[]> {
  const { rows } = await db.query<{ tenant_id: TenantId; connection_id: ConnectionId }>(
    `UPDATE metadata_sources SET next_fetch_at = $3 WHERE (tenant_id, connection_id) IN (
       SELECT tenant_id, connection_id FROM metadata_sources WHERE next_fetch_at <= $1 ORDER BY next_fetch_at LIMIT $2 FOR UPDATE SKIP LOCKED)
     RETURNING tenant_id, connection_id`,
    [toTimestamp(now), limit, toTimestamp(leaseUntil)],
  )
  return rows.map((row) => ({ tenantId: row.tenant_id, connectionId: row.connection_id }))
}

export type MetadataNote = {
  readonly outcome: Exclude<MetadataOutcome, 'never'>
  readonly outcomeReason?: string | undefined
  /** Of the document that is in use from now on; left out: the one before still is. */
  readonly used?: { readonly digest: string; readonly etag: string | undefined; readonly signedBy: string | undefined } | undefined
  readonly held?: { readonly digest: string; readonly change: unknown } | undefined
  readonly withdrawn: readonly WithdrawnCertificate[]
  readonly failures: number
  readonly nextFetchAt: Instant | undefined
  readonly now: Instant
}

/** Writes what a look at the source found. */
export async function noteMetadata(db: Db, tenant: TenantId, connection: ConnectionId, note: MetadataNote): Promise<void> {
  await db.query(
    `UPDATE metadata_sources SET outcome = $3, outcome_reason = $4, fetched_at = $5, succeeded_at = CASE WHEN $3 IN ('unchanged', 'changed') THEN $5 ELSE succeeded_at END,
       digest = coalesce($6, digest), etag = CASE WHEN $6::text IS NULL THEN etag ELSE $7 END, held_digest = $8, held_change = $9, withdrawn = $10, failures = $11, next_fetch_at = $12,
       signed_by = CASE WHEN $6::text IS NULL THEN signed_by ELSE $13 END
     WHERE tenant_id = $1 AND connection_id = $2`,
    [
      ...[tenant, connection, note.outcome, note.outcomeReason ?? null, toTimestamp(note.now)],
      ...[note.used?.digest ?? null, note.used?.etag ?? null],
      ...[note.held?.digest ?? null, note.held?.change === undefined ? null : JSON.stringify(note.held.change)],
      ...[JSON.stringify(note.withdrawn), note.failures, orNull(note.nextFetchAt), note.used?.signedBy ?? null],
    ],
  )
}
