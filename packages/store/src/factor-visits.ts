/**
 * A person's look at her own second factors: begun in one browser, opened by the sign-in that was begun for it, and bound to the session of it.
 *
 * What is proved or asked in a visit belongs to that session of that browser. A proof counts while it is fresh and while the factor that gave
 * it is there, so that a factor taken away, or all of them in a reset, takes with it what it had proved.
 */
import { type EnrolmentProof, factorLimits } from '@drawbridge/core/factor/second-factor'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type {
  BrowserSessionId,
  ConnectionId,
  CredentialHash,
  FactorVisitId,
  IssuerId,
  LoginRequestId,
  SubjectId,
  TenantId,
} from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

export type VisitTrip = {
  readonly id: LoginRequestId
  readonly visitId: FactorVisitId
  readonly issuerId: IssuerId
  readonly connectionId: ConnectionId
  readonly browserHash: CredentialHash
  readonly upstreamId: string
  readonly sealedState: Buffer
  readonly now: Instant
  readonly expiresAt: Instant
}

/** The visit and its one trip to the IdP, which is told to ask her again. */
export async function insertFactorVisit(db: Db, tenant: TenantId, trip: VisitTrip): Promise<void> {
  const [now, expiresAt] = [toTimestamp(trip.now), toTimestamp(trip.expiresAt)]
  await db.query(
    'INSERT INTO factor_visits (tenant_id, id, issuer_id, browser_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)',
    [tenant, trip.visitId, trip.issuerId, trip.browserHash, now, expiresAt],
  )
  await db.query(
    `INSERT INTO login_requests (tenant_id, id, factor_visit_id, connection_id, purpose, browser_hash, upstream_id, sealed_state, tenant_epoch,
       connection_epoch, created_at, expires_at, fresh_demanded)
     SELECT $1, $2, $3, $4, 'enrol', $5, $6, $7, t.epoch, c.epoch, $8, $9, true
     FROM tenants t JOIN connections c ON c.tenant_id = t.id AND c.id = $4 AND c.disabled_at IS NULL WHERE t.id = $1`,
    [...[tenant, trip.id, trip.visitId, trip.connectionId, trip.browserHash, trip.upstreamId, trip.sealedState], ...[now, expiresAt]],
  )
}

/** When she was sent to the IdP. Undefined: this browser has begun no such visit, it was opened already, or it is over. */
export async function findBegunVisit(
  db: Db,
  tenant: TenantId,
  { id, browserHash, now }: { readonly id: FactorVisitId; readonly browserHash: CredentialHash; readonly now: Instant },
): Promise<Instant | undefined> {
  const { rows } = await db.query<{ created_at: Instant }>(
    'SELECT created_at FROM factor_visits WHERE tenant_id = $1 AND id = $2 AND browser_hash = $3 AND session_id IS NULL AND expires_at > $4',
    [tenant, id, browserHash, toTimestamp(now)],
  )
  return rows[0]?.created_at
}

/** Of any number of callers one opens it, with the session that the sign-in for it has just opened. */
export async function openFactorVisit(
  db: Db,
  tenant: TenantId,
  visit: {
    readonly id: FactorVisitId
    readonly browserHash: CredentialHash
    readonly sessionId: BrowserSessionId
    readonly subjectId: SubjectId
    readonly now: Instant
  },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE factor_visits SET session_id = $4, subject_id = $5, expires_at = $7
     WHERE tenant_id = $1 AND id = $2 AND browser_hash = $3 AND session_id IS NULL AND expires_at > $6`,
    [
      ...[tenant, visit.id, visit.browserHash, visit.sessionId, visit.subjectId, toTimestamp(visit.now)],
      toTimestamp(addSeconds(visit.now, factorLimits.visitSeconds)),
    ],
  )
  return rowCount === 1
}

export type AtVisit = {
  readonly id: FactorVisitId
  readonly issuerId: IssuerId
  readonly browserHash: CredentialHash
  readonly sessionId: BrowserSessionId
  readonly subjectId: SubjectId
  readonly now: Instant
}

/** The open visit `v`. `$1` tenant, `$2` visit, `$3` issuer, `$4` browser, `$5` session, `$6` person, `$7` now. */
const open =
  'v.tenant_id = $1 AND v.id = $2 AND v.issuer_id = $3 AND v.browser_hash = $4 AND v.session_id = $5 AND v.subject_id = $6 AND v.expires_at > $7'
const keyOf = (tenant: TenantId, at: AtVisit): readonly unknown[] => [
  ...[tenant, at.id, at.issuerId, at.browserHash, at.sessionId, at.subjectId, toTimestamp(at.now)],
]
/** `$8`: the earliest moment from which a proof still counts. */
const proved =
  'v.proved_at > $8 AND EXISTS (SELECT 1 FROM factors f WHERE f.tenant_id = $1 AND f.id = v.proved_by AND f.subject_id = v.subject_id)'
const freshFrom = (now: Instant) => toTimestamp(addSeconds(now, -factorLimits.visitProofSeconds))

export type FactorVisit = {
  /** The factor that she has shown in it, as long as that counts. */
  readonly provedBy: string | undefined
}

export async function findFactorVisit(db: Db, tenant: TenantId, at: AtVisit): Promise<FactorVisit | undefined> {
  const { rows } = await db.query<{ proved_by: string | null }>(
    `SELECT CASE WHEN ${proved} THEN v.proved_by END AS proved_by FROM factor_visits v WHERE ${open}`,
    [...keyOf(tenant, at), freshFrom(at.now)],
  )
  return rows[0] && { provedBy: rows[0].proved_by ?? undefined }
}

/** In a visit only a factor that she has permits another one. */
export const visitPermit = async (db: Db, tenant: TenantId, at: AtVisit): Promise<EnrolmentProof | undefined> =>
  (await findFactorVisit(db, tenant, at))?.provedBy === undefined ? undefined : 'factor'

/** In place of the one before. False: the visit is over. */
export async function writeVisitChallenge(db: Db, tenant: TenantId, at: AtVisit, challenge: Buffer): Promise<boolean> {
  const { rowCount } = await db.query(`UPDATE factor_visits v SET challenge = $8, challenged_at = $7 WHERE ${open}`, [
    ...keyOf(tenant, at),
    challenge,
  ])
  return rowCount === 1
}

/** Of any number of callers one gets the challenge, while it is fresh; nobody gets it twice. */
export async function takeVisitChallenge(db: Db, tenant: TenantId, at: AtVisit): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ challenge: Buffer }>(
    `WITH given AS (SELECT v.challenge FROM factor_visits v WHERE ${open} AND v.challenged_at > $8 FOR UPDATE)
     UPDATE factor_visits v SET challenge = NULL, challenged_at = NULL FROM given WHERE v.tenant_id = $1 AND v.id = $2 RETURNING given.challenge`,
    [...keyOf(tenant, at), toTimestamp(addSeconds(at.now, -factorLimits.challengeSeconds))],
  )
  return rows[0]?.challenge
}

/** False: the visit is over. */
export async function writeVisitProof(db: Db, tenant: TenantId, at: AtVisit, factorId: string): Promise<boolean> {
  const { rowCount } = await db.query(`UPDATE factor_visits v SET proved_by = $8, proved_at = $7 WHERE ${open}`, [
    ...keyOf(tenant, at),
    factorId,
  ])
  return rowCount === 1
}
