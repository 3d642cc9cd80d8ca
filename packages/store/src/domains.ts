/**
 * E-mail domains. Any tenant may claim one; of all that do, one has it proven, by what its DNS says or by the vendor's word. Only a proven
 * one chooses a connection, verifies an address, links or owns anything.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { ProofState, ProofVerdict } from '@drawbridge/core/tenant/domain-proof'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Page } from './admin-page.js'
import type { Database } from './database.js'
import { type AcrossDb, acrossTenants, type Db, toTimestamp } from './transaction.js'

export type DomainProof = 'dns' | 'vouched'

export type StoredDomain = {
  readonly domain: string
  readonly connectionId: ConnectionId | undefined
  /** `undefined`: not proven. */
  readonly verifiedAt: Instant | undefined
  readonly proof: DomainProof | undefined
  /** `undefined`: of a claim that an earlier version stored; the first attempt at a proof draws one. */
  readonly challenge: string | undefined
  /** It was proven once and is no more. */
  readonly lapsedAt: Instant | undefined
  readonly checkedAt: Instant | undefined
  readonly failingSince: Instant | undefined
}

type Row = {
  domain: string
  connection_id: ConnectionId | null
  verified_at: Instant | null
  proof: DomainProof | null
  challenge: string | null
  lapsed_at: Instant | null
  checked_at: Instant | null
  failing_since: Instant | null
}

const columns = 'domain, connection_id, verified_at, proof, challenge, lapsed_at, checked_at, failing_since'
const toDomain = (row: Row): StoredDomain => ({
  domain: row.domain,
  connectionId: row.connection_id ?? undefined,
  verifiedAt: row.verified_at ?? undefined,
  proof: row.proof ?? undefined,
  challenge: row.challenge ?? undefined,
  lapsedAt: row.lapsed_at ?? undefined,
  checkedAt: row.checked_at ?? undefined,
  failingSince: row.failing_since ?? undefined,
})

export type DomainDraft = {
  /** As `core/tenant/domain-name` writes it. */
  readonly domain: string
  readonly connectionId?: ConnectionId | undefined
  readonly challenge?: string | undefined
  /** The vendor vouches for it. */
  readonly verifiedAt?: Instant | undefined
  /** By which a company's IT claims it; absent: an admin does. */
  readonly setupLinkId?: string | undefined
  readonly now: Instant
}

/** Fails on a domain that the tenant has, and on a proof where another tenant holds one: unique violations. */
export async function insertDomain(db: Db, tenant: TenantId, draft: DomainDraft): Promise<StoredDomain> {
  const { rows } = await db.query<Row>(
    `INSERT INTO domains (tenant_id, domain, connection_id, verified_at, proof, challenge, created_at, setup_link_id)
     VALUES ($1, $2, $3, $4, CASE WHEN $4::timestamptz IS NOT NULL THEN 'vouched' END, $5, $6, $7) RETURNING ${columns}`,
    [
      ...[tenant, draft.domain, draft.connectionId ?? null, draft.verifiedAt === undefined ? null : toTimestamp(draft.verifiedAt)],
      ...[draft.challenge ?? null, toTimestamp(draft.now), draft.setupLinkId ?? null],
    ],
  )
  return toDomain(rows[0] as Row)
}

/** By name. */
export async function listDomains(db: Db, tenant: TenantId, page: Page<string>): Promise<readonly StoredDomain[]> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM domains WHERE tenant_id = $1 AND domain > $2 ORDER BY domain LIMIT $3`, [
    tenant,
    page.from ?? '',
    page.limit,
  ])
  return rows.map(toDomain)
}

/** One link claims no more than this: each is looked up by us when its holder says so. */
export const mostDomainsOfSetupLink = 20

/** What was claimed by one set-up link, by name; nothing else that the tenant has. */
export async function listDomainsOfSetupLink(db: Db, tenant: TenantId, setupLinkId: string): Promise<readonly StoredDomain[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM domains WHERE tenant_id = $1 AND setup_link_id = $2 ORDER BY domain LIMIT $3`,
    [tenant, setupLinkId, mostDomainsOfSetupLink],
  )
  return rows.map(toDomain)
}

/** Whose proof of a domain holds, and where it leads; `connection` is absent where the domain names none. */
export type DomainOwner = {
  readonly tenant: { readonly id: TenantId; readonly slug: string; readonly name: string; readonly suspendedAt: Instant | undefined }
  readonly connection:
    | { readonly id: ConnectionId; readonly kind: 'saml' | 'oidc'; readonly name: string; readonly disabledAt: Instant | undefined }
    | undefined
}

type OwnerRow = {
  tenant_id: TenantId
  slug: string
  tenant_name: string
  suspended_at: Instant | null
  connection_id: ConnectionId | null
  kind: 'saml' | 'oidc'
  connection_name: string
  disabled_at: Instant | null
}

/** For the vendor: of all tenants that claim a domain, the one that has it proven. `undefined`: nobody has. */
export async function findDomainOwnerAcrossTenants(database: Database, domain: string): Promise<DomainOwner | undefined> {
  const text = `SELECT d.tenant_id, t.slug, t.name AS tenant_name, t.suspended_at, d.connection_id, c.kind, c.name AS connection_name, c.disabled_at
    FROM domains AS d JOIN tenants AS t ON t.id = d.tenant_id
      LEFT JOIN connections AS c ON c.tenant_id = d.tenant_id AND c.id = d.connection_id
    WHERE d.domain = $1 AND d.verified_at IS NOT NULL`
  const { rows } = await acrossTenants(database, (db) => db.query<OwnerRow>(text, [domain]))
  const [row] = rows
  if (row === undefined) return undefined
  const { tenant_id: id, slug, tenant_name: name, connection_id: connectionId } = row
  const connection = { kind: row.kind, name: row.connection_name, disabledAt: row.disabled_at ?? undefined }
  return {
    tenant: { id, slug, name, suspendedAt: row.suspended_at ?? undefined },
    connection: connectionId === null ? undefined : { id: connectionId, ...connection },
  }
}

/** Whether a host is a proven domain of the tenant, or lies below one. */
export async function isUnderProvenDomain(db: Db, tenant: TenantId, host: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT 1 FROM domains WHERE tenant_id = $1 AND verified_at IS NOT NULL AND ($2 = domain OR right($2, length(domain) + 1) = '.' || domain) LIMIT 1`,
    [tenant, host],
  )
  return rowCount > 0
}

/** `null`: of no connection, or proven no more. What is left out stays. */
export type DomainChange = {
  readonly connectionId?: ConnectionId | null | undefined
  readonly verifiedAt?: Instant | null | undefined
  readonly now: Instant
}

/**
 * Binds a domain of the tenant to another of its connections, or notes the vendor's word for it, or that it holds no more. A first proof
 * keeps its time; what was proven and is no more has lapsed.
 */
export async function updateDomain(db: Db, tenant: TenantId, domain: string, change: DomainChange): Promise<StoredDomain | undefined> {
  const { rows } = await db.query<Row>(
    `UPDATE domains SET connection_id = CASE WHEN $3::boolean THEN $4::uuid ELSE connection_id END,
       verified_at = CASE WHEN NOT $5::boolean THEN verified_at WHEN $6::timestamptz IS NULL THEN NULL ELSE coalesce(verified_at, $6) END,
       proof = CASE WHEN NOT $5::boolean THEN proof WHEN $6::timestamptz IS NOT NULL THEN 'vouched' END,
       lapsed_at = CASE WHEN NOT $5::boolean THEN lapsed_at WHEN $6::timestamptz IS NOT NULL THEN NULL WHEN verified_at IS NOT NULL THEN $7 ELSE lapsed_at END,
       next_check_at = CASE WHEN $5::boolean THEN NULL ELSE next_check_at END,
       failing_since = CASE WHEN $5::boolean THEN NULL ELSE failing_since END, failed_checks = CASE WHEN $5::boolean THEN 0 ELSE failed_checks END
     WHERE tenant_id = $1 AND domain = $2 RETURNING ${columns}`,
    [
      ...[tenant, domain, change.connectionId !== undefined, change.connectionId ?? null, change.verifiedAt !== undefined],
      ...[change.verifiedAt == null ? null : toTimestamp(change.verifiedAt), toTimestamp(change.now)],
    ],
  )
  await outdateAddresses(db, tenant, domain)
  return rows[0] && toDomain(rows[0])
}

/** The domain with its challenge; `spare` becomes it where there is none yet. */
export async function challengeDomain(db: Db, tenant: TenantId, domain: string, spare: string): Promise<StoredDomain | undefined> {
  const { rows } = await db.query<Row>(
    `UPDATE domains SET challenge = coalesce(challenge, $3) WHERE tenant_id = $1 AND domain = $2 RETURNING ${columns}`,
    [tenant, domain, spare],
  )
  return rows[0] && toDomain(rows[0])
}

/** What the DNS was seen to say. Without `challenge` as it was then, the claim is another one and nothing is proven. */
export type SeenProof = { readonly domain: string; readonly challenge: string; readonly now: Instant; readonly nextCheckAt: Instant }

/** Fails where another tenant holds a proof: unique violation. Answers whether the claim still stood. */
export async function markDomainProven(db: Db, tenant: TenantId, seen: SeenProof): Promise<StoredDomain | undefined> {
  const { rows } = await db.query<Row>(
    `UPDATE domains SET verified_at = coalesce(verified_at, $4), proof = 'dns', lapsed_at = NULL, checked_at = $4, next_check_at = $5,
       failing_since = NULL, failed_checks = 0
     WHERE tenant_id = $1 AND domain = $2 AND challenge = $3 RETURNING ${columns}`,
    [tenant, seen.domain, seen.challenge, toTimestamp(seen.now), toTimestamp(seen.nextCheckAt)],
  )
  await outdateAddresses(db, tenant, seen.domain)
  return rows[0] && toDomain(rows[0])
}

export type DueDomain = ProofState & { readonly tenantId: TenantId; readonly domain: string; readonly challenge: string }

/** Proofs that are to be looked at again, at most `limit`. Of any number of callers one gets each; it is due again at `again` if nobody says otherwise. */
export async function takeDueDomainsAcrossTenants(
  db: AcrossDb,
  now: Instant,
  again: Instant,
  limit: number,
): Promise<readonly DueDomain[]> {
  const { rows } = await db.query<Row & { tenant_id: TenantId; failed_checks: number }>(
    `UPDATE domains SET next_check_at = $2 WHERE (tenant_id, domain) IN (
       SELECT tenant_id, domain FROM domains WHERE next_check_at <= $1 AND proof = 'dns' AND challenge IS NOT NULL
       ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED)
     RETURNING tenant_id, domain, challenge, failing_since, failed_checks`,
    [toTimestamp(now), toTimestamp(again), limit],
  )
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    domain: row.domain,
    challenge: row.challenge ?? '',
    failingSince: row.failing_since ?? undefined,
    failedChecks: row.failed_checks,
  }))
}

/** Notes what a look came to; a lapse takes the proof away. Answers whether the proof was still the one that was looked at. */
export async function markDomainChecked(db: Db, due: DueDomain, verdict: ProofVerdict, now: Instant): Promise<boolean> {
  const lapse = verdict.news === 'lapsed' ? 'verified_at = NULL, proof = NULL, lapsed_at = $6,' : ''
  const { rowCount } = await db.query(
    `UPDATE domains SET ${lapse} checked_at = $6, failing_since = $4, failed_checks = $5, next_check_at = $7
     WHERE tenant_id = $1 AND domain = $2 AND challenge = $3 AND proof = 'dns' AND failed_checks = $8`,
    [
      ...[due.tenantId, due.domain, due.challenge, verdict.failingSince === undefined ? null : toTimestamp(verdict.failingSince)],
      ...[
        verdict.failedChecks,
        toTimestamp(now),
        verdict.nextCheckAt === undefined ? null : toTimestamp(verdict.nextCheckAt),
        due.failedChecks,
      ],
    ],
  )
  if (rowCount === 1 && lapse !== '') await outdateAddresses(db, due.tenantId, due.domain)
  return rowCount === 1
}

/** From then on whoever proves the domain may own it. Subjects never move with it. Answers whether the tenant had it. */
export async function deleteDomain(db: Db, tenant: TenantId, domain: string): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM domains WHERE tenant_id = $1 AND domain = $2', [tenant, domain])
  if (rowCount === 1) await outdateAddresses(db, tenant, domain)
  return rowCount === 1
}

/**
 * Whether an address is verified is part of what a grant was decided on, so whoever has one in this domain is decided on anew at her next
 * refresh. Addresses are kept as the IdP wrote them: where the domain has letters beyond ASCII, everybody with an address is.
 */
async function outdateAddresses(db: Db, tenant: TenantId, domain: string): Promise<void> {
  await db.query(
    `UPDATE subjects SET claims_version = claims_version + 1 WHERE tenant_id = $1 AND EXISTS (
       SELECT 1 FROM jsonb_array_elements(CASE WHEN jsonb_typeof(claims -> 'claims') = 'array' THEN claims -> 'claims' ELSE '[]' END) AS claim
       WHERE claim ->> 0 = 'email' AND ($2 LIKE '%xn--%' OR right(lower(claim ->> 1), length($2) + 1) = '@' || $2))`,
    [tenant, domain],
  )
}
