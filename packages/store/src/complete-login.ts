/**
 * The statement in which a login is believed, and its trip is over.
 *
 * It consumes the trip, enters the replay ids, judges, and where the verdict is `believed` creates or refreshes the subject, opens the
 * browser session in place of the one before and moves the authorization request on; or it does none of the last three. Each part
 * depends on the rows of the one before, so two copies of one answer cannot both win: the second finds the trip consumed (row lock) or an
 * id taken (primary key). The verdict stands on one snapshot; the subject is written only if her epoch has not moved since, and every
 * barrier moves it. A newcomer has no epoch yet: `hold_directory` waits for a directory that is speaking, and hears what it says of her.
 *
 * A deactivated subject, a tombstoned, inactive or ambiguous SCIM user, evidence older than a barrier and a sign-in older than a barrier
 * get no session, and what such evidence says is not kept: an old answer must not bring old groups back. How and when she signed in is
 * no claim: it leaves `claims_version` alone.
 *
 * The SCIM link is made once, by the key the connection declared (without one: externalId is the stable id), to exactly one living user of
 * this connection whom no other subject has. Where this connection's directory does not know her, a tombstone or an inactive user of any
 * other one refuses: who is switched off there does not come back through here. A deleted user stays hers: only an admin undoes that.
 */
import { freshLoginSkewSeconds } from '@drawbridge/core/identity/fresh-login'
import type { Instant } from '@drawbridge/core/instant'
import type {
  BrowserSessionId,
  ConnectionId,
  CredentialHash,
  IssuerId,
  LoginRequestId,
  SubjectId,
  TenantId,
} from '@drawbridge/core/tenant/ids'
import { alive, type FoundRequest, type OngoingRow, ongoingColumns, toFound } from './authorization-requests.js'
import type { LiveBrowserSession } from './browser-sessions.js'
import { hashOfId, type Replay } from './replays.js'
import { type HotDb, hotStatement, type Rows, toTimestamp } from './transaction.js'

const second = (at: string): string => `date_trunc('second', ${at}::timestamptz)`
const authenticatedAt = '$20'

/** Answers to what the directories say of her. */
const directoryState = `CASE
  WHEN (SELECT count(*) FROM scim WHERE living) > 1 OR EXISTS (SELECT 1 FROM scim WHERE living AND of_another) THEN 'ambiguous'
  WHEN EXISTS (SELECT 1 FROM scim WHERE living AND NOT active) THEN 'inactive'
  WHEN EXISTS (SELECT 1 FROM scim WHERE hers AND NOT living) THEN 'tombstone'
  WHEN EXISTS (SELECT 1 FROM scim WHERE living) THEN 'active'
  WHEN EXISTS (SELECT 1 FROM scim) THEN 'tombstone' ELSE 'none' END`

/** The last four lines are `judgeFreshness` of core; a test holds the two together. */
const verdictOf = `CASE
  WHEN (SELECT count(*) FROM entered) < cardinality($7::text[]) THEN 'login_replayed'
  WHEN directory.state NOT IN ('active', 'none') THEN 'directory_' || directory.state
  WHEN (SELECT deactivated_at FROM known) IS NOT NULL THEN 'subject_deactivated'
  WHEN ${second('$5')} <= ${second('barrier.at')} THEN 'evidence_below_barrier'
  WHEN barrier.at IS NULL OR ${second(authenticatedAt)} > ${second('barrier.at')} THEN 'believed'
  WHEN trip.demanded_at IS NULL OR ${second('trip.demanded_at')} <= ${second('barrier.at')} THEN 'fresh_login_required'
  WHEN ${authenticatedAt} >= trip.demanded_at - interval '${freshLoginSkewSeconds} seconds' THEN 'believed'
  ELSE 'login_not_fresh' END`

const completeStatement = hotStatement({
  name: 'complete_login',
  tenantParameter: 1,
  text: `WITH trip AS (
    UPDATE login_requests SET consumed_at = $6 WHERE tenant_id = $1 AND id = $2 AND connection_id = $3 AND browser_hash = $4 AND consumed_at IS NULL
      AND expires_at > $6
      AND tenant_epoch = (SELECT epoch FROM tenants WHERE id = $1 AND suspended_at IS NULL)
      AND connection_epoch = (SELECT epoch FROM connections WHERE tenant_id = $1 AND id = $3 AND disabled_at IS NULL)
    RETURNING authorization_request_id, tenant_epoch, connection_epoch, CASE WHEN fresh_demanded THEN created_at END AS demanded_at
  ), entered AS (
    INSERT INTO replays (tenant_id, connection_id, kind, id_hash, expires_at)
    SELECT $1, $3, kind, id_hash, $9 FROM trip CROSS JOIN UNNEST($7::text[], $8::bytea[]) AS given (kind, id_hash)
    ON CONFLICT DO NOTHING RETURNING 1
  ), known AS (
    SELECT id, scim_user_id, epoch, deactivated_at, barrier_at FROM subjects WHERE tenant_id = $1 AND connection_id = $3 AND stable_id = $11
  ), barrier AS (
    SELECT GREATEST(t.barrier_at, c.barrier_at, (SELECT barrier_at FROM known)) AS at
    FROM tenants t JOIN connections c ON c.tenant_id = $1 AND c.id = $3 WHERE t.id = $1
  ), scim AS (
    SELECT u.id, u.active, u.deleted_at IS NULL AND u.connection_id = $3 AS living, u.id = (SELECT scim_user_id FROM known) AS hers,
      EXISTS (SELECT 1 FROM subjects other WHERE other.tenant_id = $1 AND other.scim_user_id = u.id
        AND NOT (other.connection_id = $3 AND other.stable_id = $11)) AS of_another
    FROM scim_users u WHERE u.tenant_id = $1 AND (u.connection_id = $3 OR u.deleted_at IS NOT NULL OR NOT u.active)
      AND (u.id = (SELECT scim_user_id FROM known) OR ($13::text = 'userName' AND u.user_name_key = $14)
        OR ($13::text = 'externalId' AND u.external_id = $14) OR ($13::text IS NULL AND u.external_id = $11))
  ), directory AS (
    SELECT ${directoryState} AS state, (SELECT id FROM scim WHERE living AND active LIMIT 1) AS scim_user_id
  ), verdict AS (
    SELECT trip.*, directory.scim_user_id, ${verdictOf} AS outcome FROM trip, barrier, directory
  ), held AS MATERIALIZED (
    SELECT 1 FROM verdict WHERE outcome = 'believed' AND hold_directory($1, $3, scim_user_id, $13, $14, $11)
  ), person AS (
    INSERT INTO subjects (tenant_id, id, connection_id, stable_id, scim_user_id, claims, claims_at, created_at, last_login_at)
    SELECT $1, $10, $3, $11, scim_user_id, $12, $6, $6, $6 FROM verdict WHERE EXISTS (SELECT 1 FROM held)
    ON CONFLICT (tenant_id, connection_id, stable_id) DO UPDATE SET
      claims = EXCLUDED.claims, claims_at = EXCLUDED.claims_at, last_login_at = EXCLUDED.last_login_at,
      claims_version = subjects.claims_version + CASE WHEN subjects.claims - '{authentication,idpSession,sessionExpiresAt}'::text[]
        = EXCLUDED.claims - '{authentication,idpSession,sessionExpiresAt}'::text[] THEN 0 ELSE 1 END,
      scim_user_id = COALESCE(subjects.scim_user_id, EXCLUDED.scim_user_id)
    WHERE subjects.epoch = COALESCE((SELECT epoch FROM known), 1) AND subjects.deactivated_at IS NULL
    RETURNING id, epoch, claims_version
  ), session AS (
    INSERT INTO browser_sessions (tenant_id, id, issuer_id, handle_hash, subject_id, connection_id, tenant_epoch, connection_epoch, subject_epoch,
      acr, amr, authenticated_at, idp_session, created_at, expires_at)
    SELECT $1, $15, $16, $17, person.id, $3, verdict.tenant_epoch, verdict.connection_epoch, person.epoch, $18, $19, ${authenticatedAt}, $21, $6, $22
    FROM verdict, person
    RETURNING id, subject_id, tenant_epoch, connection_epoch, subject_epoch
  ), replaced AS (
    UPDATE browser_sessions b SET ended_at = $6 FROM session WHERE b.tenant_id = $1 AND b.handle_hash = $25 AND b.ended_at IS NULL
  ), moved AS (
    UPDATE authorization_requests r SET session_id = (SELECT id FROM session), subject_id = (SELECT id FROM person), step = 'login' FROM verdict
    WHERE r.tenant_id = $1 AND r.id = verdict.authorization_request_id AND r.browser_hash = $4 AND r.expires_at > $6 AND ${alive}
      AND (verdict.outcome = 'fresh_login_required' OR EXISTS (SELECT 1 FROM session))
    RETURNING ${ongoingColumns}
  ), final AS (
    SELECT verdict.authorization_request_id, CASE WHEN outcome = 'believed' AND NOT EXISTS (SELECT 1 FROM session) THEN 'evidence_below_barrier'
      ELSE outcome END AS outcome FROM verdict
  ), audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, scopes, reason, detail, request_id, address)
    SELECT $1, $6, CASE WHEN outcome = 'believed' THEN 'login_completed' ELSE 'login_refused' END, $16,
      COALESCE((SELECT id FROM person), (SELECT id FROM known)), asked.client_id, $3,
      ARRAY(SELECT jsonb_array_elements_text(asked.request->'scopes')), NULLIF(outcome, 'believed'), '{}', $23, $24
    FROM final LEFT JOIN authorization_requests asked ON asked.tenant_id = $1 AND asked.id = final.authorization_request_id
  )
  SELECT final.outcome, moved.*, t.configuration_version, t.policy_version, session.id AS opened_id, session.subject_id AS opened_for,
    session.tenant_epoch, session.connection_epoch, session.subject_epoch, person.claims_version
  FROM tenants t LEFT JOIN final ON true LEFT JOIN moved ON true LEFT JOIN session ON true LEFT JOIN person ON true WHERE t.id = $1`,
})

export type LoginToComplete = {
  readonly id: LoginRequestId
  readonly issuerId: IssuerId
  readonly connectionId: ConnectionId
  readonly browserHash: CredentialHash
  /** When the IdP made the evidence: anything at or before a barrier is refused. */
  readonly issuedAt: Instant
  readonly now: Instant
  readonly replays: readonly Pick<Replay, 'kind' | 'id'>[]
  readonly replayableUntil: Instant
  readonly subject: { readonly id: SubjectId; readonly stableId: string; readonly claims: unknown }
  readonly scimLink: { readonly by: 'userName' | 'externalId'; readonly value: string } | undefined
  readonly session: {
    readonly id: BrowserSessionId
    readonly handleHash: CredentialHash
    readonly acr: string | undefined
    readonly amr: readonly string[]
    readonly authenticatedAt: Instant | undefined
    readonly idpSession: unknown
    readonly expiresAt: Instant
  }
  /** The session that this browser had before: it ends, so whoever knew its handle has nothing. */
  readonly previousHandleHash: CredentialHash | undefined
  readonly requestId: string
  readonly address: string
}

export type LoginRefusal =
  | 'login_replayed'
  | 'evidence_below_barrier'
  | 'login_not_fresh'
  | 'subject_deactivated'
  | 'subject_not_provisioned'

/** `request`: what the browser was on its way for, as it now stands; undefined if it is over. */
export type CompletedLogin =
  | { readonly kind: 'believed'; readonly session: LiveBrowserSession; readonly request: FoundRequest | undefined }
  | { readonly kind: 'fresh_login_required'; readonly request: FoundRequest | undefined }
  | { readonly kind: 'refused'; readonly reason: LoginRefusal }

type Outcome = 'believed' | 'fresh_login_required' | Exclude<LoginRefusal, 'subject_not_provisioned'> | DirectoryRefusal
type DirectoryRefusal = 'directory_ambiguous' | 'directory_inactive' | 'directory_tombstone'
type OpenedRow = {
  readonly opened_id: BrowserSessionId
  readonly opened_for: SubjectId
  readonly tenant_epoch: number
  readonly connection_epoch: number
  readonly subject_epoch: number
  readonly claims_version: number
}
type Row = Partial<OngoingRow> & OpenedRow & { outcome: Outcome | null; configuration_version: number; policy_version: number }

/** Of any number of callers with the same answer at most one is believed. */
export async function completeLogin(hot: HotDb, tenant: TenantId, login: LoginToComplete): Promise<CompletedLogin> {
  const { rows } = await completeOnce(hot, parametersOf(tenant, login))
  const row = rows[0]
  if (!row?.outcome) return { kind: 'refused', reason: 'login_replayed' }
  const { outcome } = row
  if (outcome === 'believed') return { kind: 'believed', session: toSession(row, login), request: requestOf(row) }
  return outcome === 'fresh_login_required'
    ? { kind: outcome, request: requestOf(row) }
    : { kind: 'refused', reason: publicReasons[outcome] }
}

/** What the audit trail tells apart and the person need not. */
const publicReasons: Readonly<Record<Exclude<Outcome, 'believed' | 'fresh_login_required'>, LoginRefusal>> = {
  login_replayed: 'login_replayed',
  evidence_below_barrier: 'evidence_below_barrier',
  login_not_fresh: 'login_not_fresh',
  subject_deactivated: 'subject_deactivated',
  directory_inactive: 'subject_deactivated',
  directory_tombstone: 'subject_deactivated',
  directory_ambiguous: 'subject_not_provisioned',
}

const uniqueLink = 'subjects_tenant_id_scim_user_id_key'

/**
 * Two people whom the directory knows as one may arrive in the same moment, each seeing the SCIM user free. The unique index lets one of
 * them have it and throws the other's statement out whole; run again, it sees whose the SCIM user is, and refuses.
 */
async function completeOnce(hot: HotDb, parameters: readonly unknown[]): Promise<Rows<Row>> {
  try {
    return await hot.query<Row>(completeStatement, parameters)
  } catch (error) {
    if ((error as { constraint?: unknown }).constraint !== uniqueLink) throw error
    return hot.query<Row>(completeStatement, parameters)
  }
}

const requestOf = (row: Row): FoundRequest | undefined =>
  row.id === undefined || row.id === null ? undefined : toFound(row as Row & OngoingRow)

/** Live by its making: the same statement saw every epoch, and tenant, connection, subject and SCIM user in good standing. */
const toSession = (row: Row, { session, subject, connectionId, now }: LoginToComplete): LiveBrowserSession => ({
  id: row.opened_id,
  subjectId: row.opened_for,
  connectionId,
  epochs: { tenant: row.tenant_epoch, connection: row.connection_epoch, subject: row.subject_epoch },
  acr: session.acr,
  amr: session.amr,
  authenticatedAt: session.authenticatedAt,
  createdAt: now,
  expiresAt: session.expiresAt,
  claims: subject.claims,
  claimsVersion: row.claims_version,
  policyVersion: row.policy_version,
  configurationVersion: row.configuration_version,
})

/** Lowered here as `scim-users` lowers what it stores: what PostgreSQL takes for a letter depends on the locale of its cluster. */
const keyOfLink = (link: LoginToComplete['scimLink']): string | null =>
  link === undefined ? null : link.by === 'userName' ? link.value.toLowerCase() : link.value

const parametersOf = (tenant: TenantId, login: LoginToComplete): readonly unknown[] => [
  ...[tenant, login.id, login.connectionId, login.browserHash, toTimestamp(login.issuedAt), toTimestamp(login.now)],
  ...[login.replays.map((replay) => replay.kind), login.replays.map((replay) => hashOfId(replay.id)), toTimestamp(login.replayableUntil)],
  ...[login.subject.id, login.subject.stableId, JSON.stringify(login.subject.claims), login.scimLink?.by, keyOfLink(login.scimLink)],
  ...[login.session.id, login.issuerId, login.session.handleHash, login.session.acr, login.session.amr],
  login.session.authenticatedAt === undefined ? null : toTimestamp(login.session.authenticatedAt),
  ...[JSON.stringify(login.session.idpSession), toTimestamp(login.session.expiresAt), login.requestId, login.address],
  login.previousHandleHash,
]
