/**
 * Authorization requests that a browser is busy with, and the step at which it stands. Every change is guarded by the browser's cookie.
 *
 * A request is a value first: it gets its row at the first step from which the browser has to come back, whole, in the statement of that
 * step. What is answered at once never has one.
 */
import type { Instant } from '@drawbridge/core/instant'
import type {
  AuthorizationRequestId,
  BrowserSessionId,
  ClientId,
  ConnectionId,
  CredentialHash,
  IssuerId,
  Scope,
  SubjectId,
  TenantId,
  TenantSlug,
} from '@drawbridge/core/tenant/ids'
import { type HotDb, hotStatement, judged, toTimestamp } from './transaction.js'

/** `choose_tenant`: of the front issuer, which does not know yet whose it is. */
export type AuthorizationStep = 'choose_tenant' | 'choose_connection' | 'client_notice' | 'login' | 'second_factor' | 'consent' | 'answered'

export type OngoingRequest = {
  readonly id: AuthorizationRequestId
  readonly issuerId: IssuerId
  readonly clientId: ClientId
  /** As `core/oauth/pending-request` builds and parses it. */
  readonly request: unknown
  readonly step: AuthorizationStep
  readonly connectionId: ConnectionId | undefined
  readonly subjectId: SubjectId | undefined
  /** The session that this very request brought about. */
  readonly sessionId: BrowserSessionId | undefined
  readonly noticedAt: Instant | undefined
  readonly stepUps: number
  /** The scopes shown on the consent page. */
  readonly decision: unknown
  /** As when the request was accepted: a barrier since then ends it. */
  readonly clientEpoch: number
  readonly createdAt: Instant
  readonly expiresAt: Instant
  /** Whether it has its row: only then can it have been answered elsewhere. */
  readonly saved: boolean
}

export type OngoingRow = {
  id: AuthorizationRequestId
  issuer_id: IssuerId
  client_id: ClientId
  request: unknown
  step: AuthorizationStep
  connection_id: ConnectionId | null
  subject_id: SubjectId | null
  session_id: BrowserSessionId | null
  noticed_at: Instant | null
  step_ups: number
  decision: unknown
  client_epoch: number
  created_at: Instant
  expires_at: Instant
  client_version: number
}

const toOngoing = (row: OngoingRow): OngoingRequest => ({
  id: row.id,
  issuerId: row.issuer_id,
  clientId: row.client_id,
  request: row.request,
  step: row.step,
  connectionId: row.connection_id ?? undefined,
  subjectId: row.subject_id ?? undefined,
  sessionId: row.session_id ?? undefined,
  noticedAt: row.noticed_at ?? undefined,
  stepUps: row.step_ups,
  decision: row.decision ?? undefined,
  clientEpoch: row.client_epoch,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  saved: true,
})

/** Of the request `r`: neither answered nor below a barrier. */
export const alive = `r.answered_at IS NULL
  AND r.tenant_epoch = (SELECT epoch FROM tenants WHERE tenants.id = $1 AND suspended_at IS NULL)
  AND r.client_epoch = (SELECT epoch FROM clients WHERE clients.tenant_id = $1 AND clients.issuer_id = r.issuer_id
    AND clients.client_id = r.client_id AND clients.blocked_at IS NULL)`

/** Of the request `r`, with the version that its client has now. */
export const ongoingColumns = `r.id, r.issuer_id, r.client_id, r.request, r.step, r.connection_id, r.subject_id, r.session_id, r.noticed_at, r.step_ups,
  r.decision, r.client_epoch, r.created_at, r.expires_at,
  (SELECT version FROM clients WHERE clients.tenant_id = $1 AND clients.issuer_id = r.issuer_id AND clients.client_id = r.client_id) AS client_version`

const findStatement = hotStatement({
  name: 'find_authorization_request',
  tenantParameter: 1,
  text: `SELECT ${ongoingColumns}, (SELECT configuration_version FROM tenants WHERE tenants.id = $1) AS configuration_version
    FROM authorization_requests r WHERE r.tenant_id = $1 AND r.id = $2 AND r.browser_hash = $3 AND ${judged('r.expires_at > $4')} AND ${alive}`,
})

export type BrowserAtRequest = { readonly id: AuthorizationRequestId; readonly browserHash: CredentialHash; readonly now: Instant }
/** A request, and the versions of what a decision on it would have to stand on now. */
export type FoundRequest = { readonly ongoing: OngoingRequest; readonly present: DecidedOn }
type FoundRow = OngoingRow & { readonly configuration_version: number }

export const toFound = (row: FoundRow): FoundRequest => ({
  ongoing: toOngoing(row),
  present: { configurationVersion: row.configuration_version, clientVersion: row.client_version },
})

/** Only the browser that started it sees it, only until it is answered or expires, and never across a barrier. */
export async function findAuthorizationRequest(hot: HotDb, tenant: TenantId, at: BrowserAtRequest): Promise<FoundRequest | undefined> {
  const { rows } = await hot.query<FoundRow>(findStatement, [tenant, at.id, at.browserHash, toTimestamp(at.now)])
  return rows[0] && toFound(rows[0])
}

/** What came of a write that a decision stands behind. */
export type DecidedWrite =
  | { readonly kind: 'written' }
  /** Answered before, expired, or below a barrier: nothing can come of the request any more. */
  | { readonly kind: 'over' }
  | GroundMoved

/** What the decision stood on has changed: nothing is written, and it is to be taken again on the configuration of that version. */
export type GroundMoved = { readonly kind: 'ground_moved'; readonly configurationVersion: number }

/** The versions of what a process remembers and has decided on. */
export type DecidedOn = { readonly configurationVersion: number; readonly clientVersion: number }

export type GroundRow = { readonly on_ground: boolean; readonly written: boolean; readonly configuration_version: number }

export function toDecidedWrite(row: GroundRow | undefined): DecidedWrite {
  if (!row) return { kind: 'over' }
  if (!row.on_ground) return { kind: 'ground_moved', configurationVersion: row.configuration_version }
  return { kind: row.written ? 'written' : 'over' }
}

/**
 * The request with the step it now stands at, as CTEs: `saved` is it, inserted or moved on. Parameters $1 to $17.
 *
 * Only on the `ground` that the step was decided on: the configuration and the client of those versions. A new row takes the epochs of
 * this moment; an old one keeps its own and is moved only if they still hold. Steps are idempotent, so the last writer may win.
 */
export const saveRequestCtes = `
  ground AS (
    SELECT t.epoch AS tenant_epoch, cl.epoch AS client_epoch FROM tenants t
    JOIN clients cl ON cl.tenant_id = $1 AND cl.issuer_id = $3 AND cl.client_id = $4 AND cl.version = $17 AND cl.blocked_at IS NULL
    WHERE t.id = $1 AND t.suspended_at IS NULL AND t.configuration_version = $5),
  saved AS (
    INSERT INTO authorization_requests AS r (tenant_id, id, issuer_id, client_id, browser_hash, request, step, connection_id, noticed_at, step_ups, decision,
      session_id, subject_id, created_at, expires_at, tenant_epoch, client_epoch)
    SELECT $1, $2, $3, $4, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, ground.tenant_epoch, ground.client_epoch FROM ground
    ON CONFLICT (tenant_id, id) DO UPDATE SET step = EXCLUDED.step, connection_id = EXCLUDED.connection_id, noticed_at = EXCLUDED.noticed_at,
      step_ups = EXCLUDED.step_ups, decision = EXCLUDED.decision, session_id = EXCLUDED.session_id, subject_id = EXCLUDED.subject_id
    WHERE r.answered_at IS NULL AND r.browser_hash = EXCLUDED.browser_hash
      AND r.tenant_epoch = EXCLUDED.tenant_epoch AND r.client_epoch = EXCLUDED.client_epoch
    RETURNING id)`

/** What `saveRequestCtes` came to; `written` says which of the CTEs has to have a row. */
export const groundColumns = (written: string): string => `SELECT t.configuration_version, EXISTS (SELECT 1 FROM ground) AS on_ground,
    EXISTS (SELECT 1 FROM ${written}) AS written FROM tenants t WHERE t.id = $1`

const saveStatement = hotStatement({
  name: 'save_authorization_request',
  tenantParameter: 1,
  text: `WITH ${saveRequestCtes} ${groundColumns('saved')}`,
})

export type RequestToSave = {
  readonly ongoing: OngoingRequest
  readonly browserHash: CredentialHash
  readonly decidedOn: DecidedOn
}

/** Moves the browser on to the step that the request now stands at. */
export async function saveAuthorizationRequest(hot: HotDb, tenant: TenantId, request: RequestToSave): Promise<DecidedWrite> {
  const { rows } = await hot.query<GroundRow>(saveStatement, saveParameters(tenant, request))
  return toDecidedWrite(rows[0])
}

export const saveParameters = (tenant: TenantId, { ongoing, browserHash, decidedOn }: RequestToSave): readonly unknown[] => [
  ...[tenant, ongoing.id, ongoing.issuerId, ongoing.clientId, decidedOn.configurationVersion, browserHash, JSON.stringify(ongoing.request)],
  ...[ongoing.step, ongoing.connectionId, ongoing.noticedAt === undefined ? null : toTimestamp(ongoing.noticedAt), ongoing.stepUps],
  ...[ongoing.decision === undefined ? null : JSON.stringify(ongoing.decision), ongoing.sessionId, ongoing.subjectId],
  ...[toTimestamp(ongoing.createdAt), toTimestamp(ongoing.expiresAt), decidedOn.clientVersion],
]

/** The device that waits for the answer; null: the client is told by the browser. */
const deviceOfRequest = `(request->>'deviceCodeId')::uuid`

const declineStatement = hotStatement({
  name: 'decline_authorization_request',
  tenantParameter: 1,
  text: `WITH answered AS (
    UPDATE authorization_requests r SET step = 'answered', answered_at = $4
    WHERE r.tenant_id = $1 AND r.id = $2 AND r.browser_hash = $3 AND ${judged('r.expires_at > $4')} AND ${alive}
    RETURNING issuer_id, subject_id, client_id, connection_id, ${deviceOfRequest} AS device_code_id),
  told AS (UPDATE device_codes SET decided_at = $4 FROM answered
    WHERE device_codes.tenant_id = $1 AND device_codes.id = answered.device_code_id AND device_codes.decided_at IS NULL),
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, scopes, reason, detail, request_id, address)
    SELECT $1, $4, $5, issuer_id, subject_id, client_id, connection_id, $6, $9, '{}', $7, $8 FROM answered)
  SELECT EXISTS (SELECT 1 FROM answered) AS answered`,
})

export type DeclinedRequest = BrowserAtRequest & {
  readonly kind: 'notice_declined' | 'consent_denied' | 'login_refused'
  /** Of the line in the trail, where the kind is not all that is to be said. */
  readonly reason?: string
  /** What was asked for, or shown. */
  readonly scopes: readonly Scope[]
  readonly requestId: string
  readonly address: string
}

export type RequestAtFront = Omit<DeclinedRequest, 'kind' | 'reason'> & {
  /** The tenant whose it is from here on. */
  readonly becomes: TenantSlug
}

/** A request at the front becomes a tenant's, at most once: whoever gets `true` goes on with it there. */
export const endRequestAtFront = (hot: HotDb, front: TenantId, { becomes, ...request }: RequestAtFront): Promise<boolean> =>
  endRequest(hot, front, { ...request, kind: 'tenant_chosen', reason: becomes })

/** A person's no, or her IdP's, with its line in the audit trail; a device that waits for the answer hears it. Of any number of callers exactly one gets `true`: only it may answer. */
export const declineAuthorizationRequest = (hot: HotDb, tenant: TenantId, declined: DeclinedRequest): Promise<boolean> =>
  endRequest(hot, tenant, declined)

type Ended = Omit<DeclinedRequest, 'kind'> & { readonly kind: DeclinedRequest['kind'] | 'tenant_chosen' }

async function endRequest(hot: HotDb, tenant: TenantId, declined: Ended): Promise<boolean> {
  const { rows } = await hot.query<{ answered: boolean }>(declineStatement, [
    ...[tenant, declined.id, declined.browserHash, toTimestamp(declined.now), declined.kind, declined.scopes],
    ...[declined.requestId, declined.address, declined.reason ?? declined.kind],
  ])
  return rows[0]?.answered ?? false
}
