/** Authorization requests that a browser is busy with, and the step at which it stands. Every change is guarded by the browser's cookie. */
import type { Instant } from '@drawbridge/core/instant'
import type {
  AuthorizationRequestId,
  BrowserSessionId,
  ClientId,
  ConnectionId,
  CredentialHash,
  IssuerId,
  SubjectId,
  TenantId,
} from '@drawbridge/core/tenant/ids'
import { type HotDb, hotStatement, toTimestamp } from './transaction.js'

export type AuthorizationStep = 'choose_connection' | 'client_notice' | 'login' | 'consent' | 'answered'

export type StoredAuthorizationRequest = {
  readonly id: AuthorizationRequestId
  readonly issuerId: IssuerId
  readonly clientId: ClientId
  /** As `core/oauth/pending-request` builds and parses it. */
  readonly request: unknown
  readonly step: AuthorizationStep
  readonly connectionId: ConnectionId | undefined
  readonly subjectId: SubjectId | undefined
  readonly sessionId: BrowserSessionId | undefined
  readonly noticedAt: Instant | undefined
  readonly stepUps: number
  /** The scopes shown on the consent page. */
  readonly decision: unknown
  readonly tenantEpoch: number
  readonly clientEpoch: number
  readonly createdAt: Instant
  readonly expiresAt: Instant
}

type Row = {
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
  tenant_epoch: number
  client_epoch: number
  created_at: Instant
  expires_at: Instant
}

const columns = `id, issuer_id, client_id, request, step, connection_id, subject_id, session_id, noticed_at, step_ups, decision,
  tenant_epoch, client_epoch, created_at, expires_at`

const toRequest = (row: Row): StoredAuthorizationRequest => ({
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
  tenantEpoch: row.tenant_epoch,
  clientEpoch: row.client_epoch,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
})

const insertStatement = hotStatement({
  name: 'insert_authorization_request',
  tenantParameter: 1,
  text: `INSERT INTO authorization_requests (tenant_id, id, issuer_id, client_id, browser_hash, request, step, tenant_epoch, client_epoch, created_at, expires_at)
    SELECT $1, $2, $3, $4, $5, $6, 'login', tenants.epoch, clients.epoch, $7, $8 FROM tenants
    JOIN clients ON clients.tenant_id = tenants.id AND clients.issuer_id = $3 AND clients.client_id = $4
    WHERE tenants.id = $1 AND tenants.suspended_at IS NULL AND clients.blocked_at IS NULL RETURNING ${columns}`,
})

export type AuthorizationRequestDraft = {
  readonly id: AuthorizationRequestId
  readonly issuerId: IssuerId
  readonly clientId: ClientId
  readonly browserHash: CredentialHash
  readonly request: unknown
  readonly now: Instant
  readonly expiresAt: Instant
}

/** Written with the epochs of that moment; `undefined` if tenant or client may not be served any more. */
export async function insertAuthorizationRequest(
  hot: HotDb,
  tenant: TenantId,
  draft: AuthorizationRequestDraft,
): Promise<StoredAuthorizationRequest | undefined> {
  const { rows } = await hot.query<Row>(insertStatement, [
    tenant,
    draft.id,
    draft.issuerId,
    draft.clientId,
    draft.browserHash,
    JSON.stringify(draft.request),
    toTimestamp(draft.now),
    toTimestamp(draft.expiresAt),
  ])
  return rows[0] && toRequest(rows[0])
}

const alive = (table: string): string => `${table}.answered_at IS NULL
  AND ${table}.tenant_epoch = (SELECT epoch FROM tenants WHERE tenants.id = $1 AND suspended_at IS NULL)
  AND ${table}.client_epoch = (SELECT epoch FROM clients WHERE clients.tenant_id = $1 AND clients.issuer_id = ${table}.issuer_id
    AND clients.client_id = ${table}.client_id AND clients.blocked_at IS NULL)`

const findStatement = hotStatement({
  name: 'find_authorization_request',
  tenantParameter: 1,
  text: `SELECT ${columns} FROM authorization_requests WHERE tenant_id = $1 AND id = $2 AND browser_hash = $3 AND expires_at > $4
    AND ${alive('authorization_requests')}`,
})

export type BrowserAtRequest = { readonly id: AuthorizationRequestId; readonly browserHash: CredentialHash; readonly now: Instant }

/** Only the browser that started it sees it, only until it is answered or expires, and never across a barrier. */
export async function findAuthorizationRequest(
  hot: HotDb,
  tenant: TenantId,
  at: BrowserAtRequest,
): Promise<StoredAuthorizationRequest | undefined> {
  const { rows } = await hot.query<Row>(findStatement, [tenant, at.id, at.browserHash, toTimestamp(at.now)])
  return rows[0] && toRequest(rows[0])
}

const updateStatement = hotStatement({
  name: 'update_authorization_request',
  tenantParameter: 1,
  text: `UPDATE authorization_requests SET step = $3, connection_id = $4, noticed_at = $5, step_ups = $6, decision = $7, session_id = $8, subject_id = $9
    WHERE tenant_id = $1 AND id = $2 AND answered_at IS NULL`,
})

/** Moves the browser on. Steps are idempotent, so the last writer may win; answering is guarded apart. */
export async function updateAuthorizationRequest(hot: HotDb, tenant: TenantId, request: StoredAuthorizationRequest): Promise<boolean> {
  const { rowCount } = await hot.query(updateStatement, [
    tenant,
    request.id,
    request.step,
    request.connectionId ?? null,
    request.noticedAt === undefined ? null : toTimestamp(request.noticedAt),
    request.stepUps,
    request.decision === undefined ? null : JSON.stringify(request.decision),
    request.sessionId ?? null,
    request.subjectId ?? null,
  ])
  return rowCount === 1
}

const answerStatement = hotStatement({
  name: 'answer_authorization_request',
  tenantParameter: 1,
  text: `UPDATE authorization_requests SET step = 'answered', answered_at = $4 WHERE tenant_id = $1 AND id = $2 AND browser_hash = $3 AND expires_at > $4
    AND ${alive('authorization_requests')}`,
})

/** Of any number of callers exactly one gets `true`: only it may answer. */
export async function answerAuthorizationRequest(hot: HotDb, tenant: TenantId, at: BrowserAtRequest): Promise<boolean> {
  const { rowCount } = await hot.query(answerStatement, [tenant, at.id, at.browserHash, toTimestamp(at.now)])
  return rowCount === 1
}
