/** Test logins: asked for by an admin, taken on by one browser, read until they expire. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { ConnectionId, CredentialHash, LoginRequestId, TenantId, TestLoginId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

export const testLoginLimits = {
  /** From the admin's request until the URL has to be opened. */
  urlSeconds: 600,
  /** From the admin's request until nobody can read it any more. */
  keptSeconds: 3600,
  /** Of one tenant at a time. */
  most: 50,
  /** Of one set-up link at a time. */
  mostOfSetupLink: 5,
} as const

export type TestLoginDraft = {
  readonly id: TestLoginId
  readonly connectionId: ConnectionId
  readonly tokenHash: CredentialHash
  readonly asked: unknown
  /** The admin key, or the set-up link, that asks. */
  readonly askedBy: string
  /** Of the asker at a time, where that is less than of the tenant. */
  readonly most?: number | undefined
  readonly now: Instant
}

/** False: the tenant, or the asker, has as many as it may have. */
export async function insertTestLogin(db: Db, tenant: TenantId, draft: TestLoginDraft): Promise<boolean> {
  // Whoever inserts waits for whoever does so too: the count is exact.
  await db.query('SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE', [tenant])
  const { rowCount } = await db.query(
    `INSERT INTO test_logins (tenant_id, id, connection_id, token_hash, asked, created_at, expires_at, asked_by) SELECT $1, $2, $3, $4, $5, $6, $7, $9
     WHERE (SELECT count(*) FROM test_logins WHERE tenant_id = $1 AND expires_at > $6) < $8
       AND (SELECT count(*) FROM test_logins WHERE tenant_id = $1 AND expires_at > $6 AND asked_by = $9) < $10`,
    [
      ...[tenant, draft.id, draft.connectionId, draft.tokenHash, JSON.stringify(draft.asked), toTimestamp(draft.now)],
      ...[toTimestamp(addSeconds(draft.now, testLoginLimits.keptSeconds)), testLoginLimits.most, draft.askedBy],
      draft.most ?? testLoginLimits.most,
    ],
  )
  return rowCount === 1
}

export type StoredTestLogin = {
  readonly id: TestLoginId
  readonly connectionId: ConnectionId
  readonly asked: unknown
  /** The set-up link that asked for it; `undefined`: an admin key did. */
  readonly setupLinkId: string | undefined
  readonly createdAt: Instant
  readonly expiresAt: Instant
  readonly redeemedAt: Instant | undefined
  readonly finishedAt: Instant | undefined
  readonly outcome: string | undefined
  readonly sealed: Buffer | undefined
}
type Row = {
  readonly id: TestLoginId
  readonly connection_id: ConnectionId
  readonly asked: unknown
  readonly setup_link_id: string | null
  readonly created_at: Instant
  readonly expires_at: Instant
  readonly redeemed_at: Instant | null
  readonly finished_at: Instant | null
  readonly outcome: string | null
  readonly sealed: Buffer | null
}
const columns = `id, connection_id, asked, created_at, expires_at, redeemed_at, finished_at, outcome, sealed,
  (SELECT l.id FROM setup_links AS l WHERE l.tenant_id = test_logins.tenant_id AND l.id = test_logins.asked_by) AS setup_link_id`
const toTestLogin = (row: Row): StoredTestLogin => ({
  id: row.id,
  connectionId: row.connection_id,
  asked: row.asked,
  setupLinkId: row.setup_link_id ?? undefined,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  redeemedAt: row.redeemed_at ?? undefined,
  finishedAt: row.finished_at ?? undefined,
  outcome: row.outcome ?? undefined,
  sealed: row.sealed ?? undefined,
})

/** For the trip of its browser. What an admin reads is `readTestLogin`. */
export async function findTestLogin(db: Db, tenant: TenantId, id: TestLoginId, now: Instant): Promise<StoredTestLogin | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM test_logins WHERE tenant_id = $1 AND id = $2 AND expires_at > $3`, [
    ...[tenant, id, toTimestamp(now)],
  ])
  return rows[0] && toTestLogin(rows[0])
}

/** For the one admin key, or set-up link, that asked for it; whoever holds another finds nothing, as of a test that there is not. */
export async function readTestLogin(
  db: Db,
  tenant: TenantId,
  { id, askedBy, now }: { readonly id: TestLoginId; readonly askedBy: string; readonly now: Instant },
): Promise<StoredTestLogin | undefined> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM test_logins WHERE tenant_id = $1 AND id = $2 AND expires_at > $3 AND asked_by = $4`,
    [tenant, id, toTimestamp(now), askedBy],
  )
  return rows[0] && toTestLogin(rows[0])
}

/** Of one asker, the newest first. */
export async function listTestLogins(db: Db, tenant: TenantId, askedBy: string, now: Instant): Promise<readonly StoredTestLogin[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM test_logins WHERE tenant_id = $1 AND asked_by = $2 AND expires_at > $3 ORDER BY created_at DESC, id LIMIT $4`,
    [tenant, askedBy, toTimestamp(now), testLoginLimits.most],
  )
  return rows.map(toTestLogin)
}

/** Waiting for the browser that opens its URL: nobody has, and there is time. */
const waiting = 'redeemed_at IS NULL AND expires_at > $3 AND created_at > $4'
const waitingSince = (now: Instant): readonly unknown[] => [toTimestamp(now), toTimestamp(addSeconds(now, -testLoginLimits.urlSeconds))]

export async function findWaitingTestLogin(
  db: Db,
  tenant: TenantId,
  tokenHash: CredentialHash,
  now: Instant,
): Promise<StoredTestLogin | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM test_logins WHERE tenant_id = $1 AND token_hash = $2 AND ${waiting}`, [
    ...[tenant, tokenHash, ...waitingSince(now)],
  ])
  return rows[0] && toTestLogin(rows[0])
}

/** Of any number of browsers with the URL exactly one gets `true`. */
export async function redeemTestLogin(db: Db, tenant: TenantId, tokenHash: CredentialHash, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query(`UPDATE test_logins SET redeemed_at = $3 WHERE tenant_id = $1 AND token_hash = $2 AND ${waiting}`, [
    ...[tenant, tokenHash, ...waitingSince(now)],
  ])
  return rowCount === 1
}

export type TestTrip = {
  readonly id: LoginRequestId
  readonly testLoginId: TestLoginId
  readonly connectionId: ConnectionId
  readonly browserHash: CredentialHash
  readonly upstreamId: string
  readonly sealedState: Buffer
  readonly freshDemanded: boolean
  readonly now: Instant
  readonly expiresAt: Instant
}

/** The trip of a test to the IdP. It names no authorization request, so no statement of a login can go on with it. */
export async function insertTestTrip(db: Db, tenant: TenantId, trip: TestTrip): Promise<void> {
  await db.query(
    `INSERT INTO login_requests (tenant_id, id, test_login_id, connection_id, purpose, browser_hash, upstream_id, sealed_state, tenant_epoch,
       connection_epoch, created_at, expires_at, fresh_demanded)
     SELECT $1, $2, $3, $4, 'test', $5, $6, $7, t.epoch, c.epoch, $8, $9, $10 FROM tenants t JOIN connections c ON c.tenant_id = t.id AND c.id = $4 WHERE t.id = $1`,
    [
      ...[tenant, trip.id, trip.testLoginId, trip.connectionId, trip.browserHash, trip.upstreamId, trip.sealedState],
      ...[toTimestamp(trip.now), toTimestamp(trip.expiresAt), trip.freshDemanded],
    ],
  )
}

export type TestResult = {
  readonly id: TestLoginId
  readonly outcome: string
  readonly sealed: Buffer
  /** False: an answer was refused that consumed nothing; the right one may still come. */
  readonly isFinal: boolean
  readonly now: Instant
}

/** What was found first and is final stays. */
export async function saveTestResult(db: Db, tenant: TenantId, result: TestResult): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE test_logins SET outcome = $3, sealed = $4, finished_at = CASE WHEN $5 THEN $6::timestamptz END
     WHERE tenant_id = $1 AND id = $2 AND finished_at IS NULL AND expires_at > $6`,
    [tenant, result.id, result.outcome, result.sealed, result.isFinal, toTimestamp(result.now)],
  )
  return rowCount === 1
}
