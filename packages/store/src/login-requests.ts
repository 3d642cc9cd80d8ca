/** Trips to the IdP. Each is used once, by the browser that started it, under the epochs it was started under. */
import type { Instant } from '@drawbridge/core/instant'
import type {
  AuthorizationRequestId,
  ConnectionId,
  CredentialHash,
  FactorVisitId,
  IssuerId,
  LoginRequestId,
  TenantId,
  TestLoginId,
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
import { type HotDb, hotStatement, judged, toTimestamp, unhurriedCte } from './transaction.js'

export type LoginRequestDraft = {
  readonly id: LoginRequestId
  readonly connectionId: ConnectionId
  readonly upstreamId: string
  readonly sealedState: Buffer
  /** The IdP is told to ask again, whatever session it has. */
  readonly freshDemanded: boolean
  readonly now: Instant
  readonly expiresAt: Instant
}

const insertStatement = hotStatement({
  name: 'insert_login_request',
  tenantParameter: 1,
  text: `WITH ${unhurriedCte}, ${saveRequestCtes},
  trip AS (
    INSERT INTO login_requests (tenant_id, id, authorization_request_id, connection_id, purpose, browser_hash, upstream_id, sealed_state,
      tenant_epoch, connection_epoch, created_at, expires_at, fresh_demanded)
    SELECT $1, $18, saved.id, $19, 'login', $6, $20, $21, ground.tenant_epoch, connections.epoch, $22, $23, $24 FROM unhurried, saved, ground
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
    trip.freshDemanded,
  ])
  return toDecidedWrite(rows[0])
}

export type StoredLoginRequest = {
  readonly id: LoginRequestId
  /** The test that it is the trip of; undefined: none. Fixed when it began. */
  readonly testLoginId: TestLoginId | undefined
  /** The person's look at her own factors that it was begun for. Fixed when it began. */
  readonly factorVisitId: FactorVisitId | undefined
  /** What the browser wants to get to, where that is an application. */
  readonly authorizationRequestId: AuthorizationRequestId | undefined
  /** The issuer at which that was asked for. */
  readonly issuerId: IssuerId | undefined
  readonly upstreamId: string
  readonly sealedState: Buffer
}

/** Of the trip `l`: open, to connection $2, begun by the browser $3, now $4. */
export const openTrip = `l.connection_id = $2 AND l.browser_hash = $3 AND ${judged('l.expires_at > $4')} AND l.consumed_at IS NULL`
export const tripColumns = `l.id, l.test_login_id, l.factor_visit_id, l.authorization_request_id, l.upstream_id, l.sealed_state,
  (SELECT r.issuer_id FROM authorization_requests r WHERE r.tenant_id = $1 AND r.id = l.authorization_request_id) AS issuer_id`
export type TripRow = {
  readonly id: LoginRequestId
  readonly test_login_id: TestLoginId | null
  readonly factor_visit_id: FactorVisitId | null
  readonly authorization_request_id: AuthorizationRequestId | null
  readonly issuer_id: IssuerId | null
  readonly upstream_id: string
  readonly sealed_state: Buffer
}
export const toTrip = (row: TripRow): StoredLoginRequest => ({
  id: row.id,
  testLoginId: row.test_login_id ?? undefined,
  factorVisitId: row.factor_visit_id ?? undefined,
  authorizationRequestId: row.authorization_request_id ?? undefined,
  issuerId: row.issuer_id ?? undefined,
  upstreamId: row.upstream_id,
  sealedState: row.sealed_state,
})

const findStatement = hotStatement({
  name: 'find_login_request',
  tenantParameter: 1,
  text: `SELECT ${tripColumns} FROM login_requests AS l WHERE l.tenant_id = $1 AND l.id = $5 AND ${openTrip}`,
})

/** What is expected of the answer. Only the browser that started the trip learns it; nothing is consumed yet. */
export async function findLoginRequest(
  hot: HotDb,
  tenant: TenantId,
  wanted: {
    readonly id: LoginRequestId
    readonly connectionId: ConnectionId
    readonly browserHash: CredentialHash
    readonly now: Instant
  },
): Promise<StoredLoginRequest | undefined> {
  const { rows } = await hot.query<TripRow>(findStatement, [
    ...[tenant, wanted.connectionId, wanted.browserHash, toTimestamp(wanted.now), wanted.id],
  ])
  return rows[0] && toTrip(rows[0])
}
