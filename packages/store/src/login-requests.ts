/** Trips to the IdP. Each is used once, by the browser that started it, under the epochs it was started under. */
import type { Instant } from '@drawbridge/core/instant'
import type {
  AuthorizationRequestId,
  BrowserSessionId,
  ConnectionId,
  CredentialHash,
  IssuerId,
  LoginRequestId,
  SubjectId,
  TenantId,
} from '@drawbridge/core/tenant/ids'
import {
  type DecidedWrite,
  type GroundRow,
  groundColumns,
  type RequestToSave,
  saveParameters,
  saveRequestCtes,
  toDecidedWrite,
} from './authorization-requests.js'
import { hashOfId, type Replay } from './replays.js'
import { type HotDb, hotStatement, toTimestamp } from './transaction.js'

export type LoginRequestDraft = {
  readonly id: LoginRequestId
  readonly connectionId: ConnectionId
  readonly upstreamId: string
  readonly sealedState: Buffer
  readonly now: Instant
  readonly expiresAt: Instant
}

const insertStatement = hotStatement({
  name: 'insert_login_request',
  tenantParameter: 1,
  text: `WITH ${saveRequestCtes},
  trip AS (
    INSERT INTO login_requests (tenant_id, id, authorization_request_id, connection_id, purpose, browser_hash, upstream_id, sealed_state,
      tenant_epoch, connection_epoch, created_at, expires_at)
    SELECT $1, $18, saved.id, $19, 'login', $6, $20, $21, ground.tenant_epoch, connections.epoch, $22, $23 FROM saved, ground
    JOIN connections ON connections.tenant_id = $1 AND connections.id = $19 AND connections.disabled_at IS NULL
    RETURNING id)
  ${groundColumns('trip')}`,
})

/** The way out: the authorization request, saved at this step, and its trip to the IdP, in one statement. */
export async function insertLoginRequest(
  hot: HotDb,
  tenant: TenantId,
  request: RequestToSave,
  trip: LoginRequestDraft,
): Promise<DecidedWrite> {
  const { rows } = await hot.query<GroundRow>(insertStatement, [
    ...saveParameters(tenant, request),
    ...[trip.id, trip.connectionId, trip.upstreamId, trip.sealedState, toTimestamp(trip.now), toTimestamp(trip.expiresAt)],
  ])
  return toDecidedWrite(rows[0])
}

export type StoredLoginRequest = {
  readonly id: LoginRequestId
  readonly authorizationRequestId: AuthorizationRequestId
  readonly upstreamId: string
  readonly sealedState: Buffer
}

const findStatement = hotStatement({
  name: 'find_login_request',
  tenantParameter: 1,
  text: `SELECT id, authorization_request_id, upstream_id, sealed_state FROM login_requests
    WHERE tenant_id = $1 AND id = $2 AND connection_id = $3 AND browser_hash = $4 AND expires_at > $5 AND consumed_at IS NULL`,
})

/** What is expected of the answer. Only the browser that started the trip learns it; nothing is consumed yet. */
export async function findLoginRequest(
  hot: HotDb,
  tenant: TenantId,
  wanted: { readonly id: string; readonly connectionId: ConnectionId; readonly browserHash: CredentialHash; readonly now: Instant },
): Promise<StoredLoginRequest | undefined> {
  const { rows } = await hot.query<{
    id: LoginRequestId
    authorization_request_id: AuthorizationRequestId
    upstream_id: string
    sealed_state: Buffer
  }>(findStatement, [tenant, wanted.id, wanted.connectionId, wanted.browserHash, toTimestamp(wanted.now)])
  const row = rows[0]
  return (
    row && { id: row.id, authorizationRequestId: row.authorization_request_id, upstreamId: row.upstream_id, sealedState: row.sealed_state }
  )
}

/**
 * The statement in which a login is believed.
 *
 * It consumes the trip, enters the replay ids, creates or refreshes the subject and opens the browser session, or does none of the
 * last three. Each part depends on the rows of the one before, so two copies of one answer cannot both win: the second finds the trip
 * consumed (row lock) or an id taken (primary key). A deactivated subject, a tombstoned, inactive or ambiguous SCIM user, and evidence
 * older than a barrier get no session, and what such evidence says is not kept: an old answer must not bring old groups back. How and
 * when she signed in is no claim: it leaves `claims_version` alone. The SCIM link is made once, by the key the connection declared
 * (without one: externalId is the stable id), to exactly one living user of this connection. Where this connection's directory does not
 * know her, a tombstone or an inactive user of any other one refuses: who is switched off there does not come back through here.
 */
const isAfterSubjectBarrier =
  "date_trunc('second', $5::timestamptz) > date_trunc('second', COALESCE(subjects.barrier_at, 'epoch'::timestamptz))"
const isBelieved = `subjects.deactivated_at IS NULL AND ${isAfterSubjectBarrier}`
const completeStatement = hotStatement({
  name: 'complete_login',
  tenantParameter: 1,
  text: `WITH trip AS (
    UPDATE login_requests SET consumed_at = $6 WHERE tenant_id = $1 AND id = $2 AND connection_id = $3 AND browser_hash = $4 AND consumed_at IS NULL
      AND expires_at > $6
      AND tenant_epoch = (SELECT epoch FROM tenants WHERE id = $1 AND suspended_at IS NULL)
      AND connection_epoch = (SELECT epoch FROM connections WHERE tenant_id = $1 AND id = $3 AND disabled_at IS NULL)
    RETURNING authorization_request_id, tenant_epoch, connection_epoch
  ), entered AS (
    INSERT INTO replays (tenant_id, connection_id, kind, id_hash, expires_at)
    SELECT $1, $3, kind, id_hash, $9 FROM trip CROSS JOIN UNNEST($7::text[], $8::bytea[]) AS given (kind, id_hash)
    ON CONFLICT DO NOTHING RETURNING 1
  ), fresh AS (
    SELECT trip.*, date_trunc('second', $5::timestamptz) > date_trunc('second', GREATEST(tenants.barrier_at, connections.barrier_at, 'epoch'::timestamptz)) AS after_barrier
    FROM trip JOIN tenants ON tenants.id = $1 JOIN connections ON connections.tenant_id = $1 AND connections.id = $3
    WHERE (SELECT count(*) FROM entered) = cardinality($7::text[])
  ), known AS (
    SELECT id, scim_user_id FROM subjects WHERE tenant_id = $1 AND connection_id = $3 AND stable_id = $11
  ), scim AS (
    SELECT id, active, deleted_at IS NULL AND connection_id = $3 AS living FROM scim_users
    WHERE tenant_id = $1 AND (connection_id = $3 OR deleted_at IS NOT NULL OR NOT active) AND (id = (SELECT scim_user_id FROM known)
      OR ($13::text = 'userName' AND user_name_key = $14) OR ($13::text = 'externalId' AND external_id = $14)
      OR ($13::text IS NULL AND external_id = $11))
  ), directory AS (
    SELECT CASE WHEN (SELECT count(*) FROM scim WHERE living) > 1 THEN 'ambiguous'
      WHEN EXISTS (SELECT 1 FROM scim WHERE living AND NOT active) THEN 'inactive'
      WHEN EXISTS (SELECT 1 FROM scim WHERE living) THEN 'active'
      WHEN EXISTS (SELECT 1 FROM scim) THEN 'tombstone' ELSE 'none' END AS state,
      (SELECT id FROM scim WHERE living AND active LIMIT 1) AS scim_user_id
  ), person AS (
    INSERT INTO subjects (tenant_id, id, connection_id, stable_id, scim_user_id, claims, claims_at, created_at, last_login_at)
    SELECT $1, $10, $3, $11, directory.scim_user_id, $12, $6, $6, $6 FROM fresh, directory
    WHERE fresh.after_barrier AND directory.state IN ('active', 'none')
    ON CONFLICT (tenant_id, connection_id, stable_id) DO UPDATE SET
      claims = CASE WHEN ${isBelieved} THEN EXCLUDED.claims ELSE subjects.claims END,
      claims_at = CASE WHEN ${isBelieved} THEN EXCLUDED.claims_at ELSE subjects.claims_at END,
      last_login_at = CASE WHEN ${isBelieved} THEN EXCLUDED.last_login_at ELSE subjects.last_login_at END,
      claims_version = subjects.claims_version + CASE WHEN NOT (${isBelieved}) OR subjects.claims - '{authentication,idpSession,sessionExpiresAt}'::text[]
        = EXCLUDED.claims - '{authentication,idpSession,sessionExpiresAt}'::text[] THEN 0 ELSE 1 END,
      scim_user_id = COALESCE(subjects.scim_user_id, CASE WHEN ${isBelieved} THEN EXCLUDED.scim_user_id END)
    RETURNING id, epoch, deactivated_at, ${isAfterSubjectBarrier} AS after_barrier
  ), session AS (
    INSERT INTO browser_sessions (tenant_id, id, issuer_id, handle_hash, subject_id, connection_id, tenant_epoch, connection_epoch, subject_epoch,
      acr, amr, authenticated_at, idp_session, created_at, expires_at)
    SELECT $1, $15, $16, $17, person.id, $3, fresh.tenant_epoch, fresh.connection_epoch, person.epoch, $18, $19, $20, $21, $6, $22 FROM fresh, person
    WHERE person.deactivated_at IS NULL AND person.after_barrier
    RETURNING id
  ), moved AS (
    UPDATE authorization_requests SET session_id = session.id, subject_id = person.id, step = 'login' FROM session, person, fresh
    WHERE authorization_requests.tenant_id = $1 AND authorization_requests.id = fresh.authorization_request_id RETURNING 1
  ), audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, scopes, reason, detail, request_id, address)
    SELECT $1, $6, CASE WHEN EXISTS (SELECT 1 FROM session) THEN 'login_completed' ELSE 'login_refused' END, $16,
      COALESCE((SELECT id FROM person), (SELECT id FROM known)), asked.client_id, $3,
      ARRAY(SELECT jsonb_array_elements_text(asked.request->'scopes')),
      CASE WHEN NOT EXISTS (SELECT 1 FROM fresh) THEN 'login_replayed' WHEN EXISTS (SELECT 1 FROM person WHERE deactivated_at IS NOT NULL) THEN 'subject_deactivated'
        WHEN EXISTS (SELECT 1 FROM session) THEN NULL
        WHEN (SELECT state FROM directory) NOT IN ('active', 'none') THEN (SELECT 'directory_' || state FROM directory) ELSE 'evidence_below_barrier' END,
      '{}', $23, $24 FROM trip LEFT JOIN authorization_requests asked ON asked.tenant_id = $1 AND asked.id = trip.authorization_request_id RETURNING 1
  )
  SELECT (SELECT count(*) FROM trip)::int AS trips, (SELECT count(*) FROM fresh)::int AS believed, (SELECT after_barrier FROM fresh) AS after_barrier,
    (SELECT state FROM directory) AS directory, (SELECT deactivated_at IS NOT NULL FROM person) AS deactivated, (SELECT id FROM session) AS session_id,
    (SELECT id FROM person) AS subject_id`,
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
  readonly requestId: string
  readonly address: string
}

export type CompletedLogin =
  | { readonly kind: 'believed'; readonly subjectId: SubjectId; readonly sessionId: BrowserSessionId }
  | {
      readonly kind: 'refused'
      readonly reason: 'login_replayed' | 'evidence_below_barrier' | 'subject_deactivated' | 'subject_not_provisioned'
    }

type Outcome = {
  trips: number
  believed: number
  after_barrier: boolean | null
  directory: 'ambiguous' | 'inactive' | 'active' | 'tombstone' | 'none'
  deactivated: boolean | null
  session_id: BrowserSessionId | null
  subject_id: SubjectId | null
}

/** Of any number of callers with the same answer at most one is believed. */
export async function completeLogin(hot: HotDb, tenant: TenantId, login: LoginToComplete): Promise<CompletedLogin> {
  const { rows } = await hot.query<Outcome>(completeStatement, parametersOf(tenant, login))
  const row = rows[0] as Outcome
  if (row.session_id && row.subject_id) return { kind: 'believed', sessionId: row.session_id, subjectId: row.subject_id }
  return { kind: 'refused', reason: reasonOf(row) }
}

function reasonOf(row: Outcome): Extract<CompletedLogin, { kind: 'refused' }>['reason'] {
  if (row.trips === 0 || row.believed === 0) return 'login_replayed'
  if (row.after_barrier === false) return 'evidence_below_barrier'
  if (row.deactivated || row.directory === 'inactive' || row.directory === 'tombstone') return 'subject_deactivated'
  return row.directory === 'ambiguous' ? 'subject_not_provisioned' : 'evidence_below_barrier'
}

/** Lowered here as `scim-users` lowers what it stores: what PostgreSQL takes for a letter depends on the locale of its cluster. */
const keyOfLink = (link: LoginToComplete['scimLink']): string | null =>
  link === undefined ? null : link.by === 'userName' ? link.value.toLowerCase() : link.value

const parametersOf = (tenant: TenantId, login: LoginToComplete): readonly unknown[] => [
  tenant,
  login.id,
  login.connectionId,
  login.browserHash,
  toTimestamp(login.issuedAt),
  toTimestamp(login.now),
  login.replays.map((replay) => replay.kind),
  login.replays.map((replay) => hashOfId(replay.id)),
  toTimestamp(login.replayableUntil),
  login.subject.id,
  login.subject.stableId,
  JSON.stringify(login.subject.claims),
  login.scimLink?.by ?? null,
  keyOfLink(login.scimLink),
  login.session.id,
  login.issuerId,
  login.session.handleHash,
  login.session.acr ?? null,
  login.session.amr,
  login.session.authenticatedAt === undefined ? null : toTimestamp(login.session.authenticatedAt),
  JSON.stringify(login.session.idpSession),
  toTimestamp(login.session.expiresAt),
  login.requestId,
  login.address,
]
