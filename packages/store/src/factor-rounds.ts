/**
 * What an authorization request has been asked and shown of a second factor: a challenge, a permission to enrol, a proof.
 *
 * Each belongs to one request of one browser in one session, and is taken once. Another session of the same request finds nothing of it;
 * a proof dies with the request that it was given for, so it opens one grant.
 */
import { type EnrolmentProof, factorLimits } from '@drawbridge/core/factor/second-factor'
import type { OwnFactorProof } from '@drawbridge/core/identity/normalized-identity'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { AuthorizationRequestId, BrowserSessionId, CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import { alive } from './authorization-requests.js'
import { type Db, toTimestamp } from './transaction.js'

export type AtRound = {
  readonly requestId: AuthorizationRequestId
  readonly browserHash: CredentialHash
  readonly sessionId: BrowserSessionId
  readonly now: Instant
}

export type FactorRound = { readonly proof: OwnFactorProof | undefined; readonly permittedBy: EnrolmentProof | undefined }

/** What this session has for this request. */
export async function findFactorRound(
  db: Db,
  tenant: TenantId,
  { requestId, sessionId, now }: Omit<AtRound, 'browserHash'>,
): Promise<FactorRound> {
  const { rows } = await db.query<{ methods: string[]; proved_at: Instant | null; permitted_by: EnrolmentProof | null }>(
    `SELECT methods, proved_at, permitted_by FROM factor_rounds
     WHERE tenant_id = $1 AND authorization_request_id = $2 AND session_id = $3 AND expires_at > $4`,
    [tenant, requestId, sessionId, toTimestamp(now)],
  )
  const row = rows[0]
  const provedAt = row?.proved_at ?? undefined
  return {
    proof: row && provedAt !== undefined ? { methods: row.methods, provedAt } : undefined,
    permittedBy: row?.permitted_by ?? undefined,
  }
}

/** The request `r` of this browser, at this step and alive. `$1` tenant, `$2` request, `$3` browser, `$4` now. */
const ofBrowser = `r.tenant_id = $1 AND r.id = $2 AND r.browser_hash = $3 AND r.step = 'second_factor' AND r.expires_at > $4 AND ${alive}`

const writeText = `
  INSERT INTO factor_rounds AS f (tenant_id, authorization_request_id, session_id, challenge, challenged_at, permitted_by, methods, proved_at, factor_id, expires_at)
  SELECT $1, r.id, $5, $6, CASE WHEN $6::bytea IS NOT NULL THEN $4::timestamptz END, $7, $8, CASE WHEN $9::uuid IS NOT NULL THEN $4::timestamptz END, $9, r.expires_at
  FROM authorization_requests r WHERE ${ofBrowser}
  ON CONFLICT (tenant_id, authorization_request_id) DO UPDATE SET session_id = EXCLUDED.session_id,
    challenge = CASE WHEN EXCLUDED.challenge IS NOT NULL OR f.session_id <> EXCLUDED.session_id THEN EXCLUDED.challenge ELSE f.challenge END,
    challenged_at = CASE WHEN EXCLUDED.challenge IS NOT NULL OR f.session_id <> EXCLUDED.session_id THEN EXCLUDED.challenged_at ELSE f.challenged_at END,
    permitted_by = CASE WHEN EXCLUDED.permitted_by IS NOT NULL OR f.session_id <> EXCLUDED.session_id THEN EXCLUDED.permitted_by ELSE f.permitted_by END,
    methods = CASE WHEN EXCLUDED.factor_id IS NOT NULL OR f.session_id <> EXCLUDED.session_id THEN EXCLUDED.methods ELSE f.methods END,
    proved_at = CASE WHEN EXCLUDED.factor_id IS NOT NULL OR f.session_id <> EXCLUDED.session_id THEN EXCLUDED.proved_at ELSE f.proved_at END,
    factor_id = CASE WHEN EXCLUDED.factor_id IS NOT NULL OR f.session_id <> EXCLUDED.session_id THEN EXCLUDED.factor_id ELSE f.factor_id END`

export type RoundChange = {
  readonly challenge?: Buffer
  readonly permittedBy?: EnrolmentProof | undefined
  readonly proof?: { readonly methods: readonly string[]; readonly factorId: string }
}

/** Adds to what the session has for the request. False: the request is answered, over, or at another step, and nothing was written. */
export async function writeFactorRound(db: Db, tenant: TenantId, at: AtRound, change: RoundChange): Promise<boolean> {
  const { rowCount } = await db.query(writeText, [
    ...[tenant, at.requestId, at.browserHash, toTimestamp(at.now), at.sessionId, change.challenge ?? null, change.permittedBy ?? null],
    ...[change.proof?.methods ?? [], change.proof?.factorId ?? null],
  ])
  return rowCount === 1
}

/** A CTE that finds the round if `condition` holds for it, and lets nobody else have it. */
const roundCte = (columns: string, condition: string): string => `WITH given AS (
  SELECT ${columns} FROM factor_rounds f WHERE f.tenant_id = $1 AND f.authorization_request_id = $2 AND f.session_id = $5 AND ${condition}
    AND EXISTS (SELECT 1 FROM authorization_requests r WHERE ${ofBrowser}) FOR UPDATE)`

const keyOf = (tenant: TenantId, at: AtRound): readonly unknown[] => [
  ...[tenant, at.requestId, at.browserHash, toTimestamp(at.now), at.sessionId],
]

/** Of any number of callers one gets the challenge, while it is fresh; nobody gets it twice. */
export async function takeChallenge(db: Db, tenant: TenantId, at: AtRound): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ challenge: Buffer }>(
    `${roundCte('f.challenge', 'f.challenge IS NOT NULL AND f.challenged_at > $6')}
     UPDATE factor_rounds f SET challenge = NULL, challenged_at = NULL FROM given
     WHERE f.tenant_id = $1 AND f.authorization_request_id = $2 RETURNING given.challenge`,
    [...keyOf(tenant, at), toTimestamp(addSeconds(at.now, -factorLimits.challengeSeconds))],
  )
  return rows[0]?.challenge
}

/** Of any number of callers one gets the permission to enrol. */
export async function takePermit(db: Db, tenant: TenantId, at: AtRound): Promise<EnrolmentProof | undefined> {
  const { rows } = await db.query<{ permitted_by: EnrolmentProof }>(
    `${roundCte('f.permitted_by', 'f.permitted_by IS NOT NULL')}
     UPDATE factor_rounds f SET permitted_by = NULL FROM given
     WHERE f.tenant_id = $1 AND f.authorization_request_id = $2 RETURNING given.permitted_by`,
    keyOf(tenant, at),
  )
  return rows[0]?.permitted_by
}
