/** Messages that a cross-site POST left at the ACS. Sealed, found by a one-time handle, read once, by the browser whose login they answer. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, CredentialHash, LoginRequestId, TenantId } from '@drawbridge/core/tenant/ids'
import { openTrip, type StoredLoginRequest, type TripRow, toTrip, tripColumns } from './login-requests.js'
import { type HotDb, hotStatement, judged, toTimestamp } from './transaction.js'

export type ParkedMessage = {
  readonly handleHash: CredentialHash
  readonly connectionId: ConnectionId
  /** The login that the message says it answers. Anybody can write anything there. */
  readonly loginRequestId: LoginRequestId
  readonly sealed: Buffer
  readonly expiresAt: Instant
}

const insertStatement = hotStatement({
  name: 'insert_parked_message',
  tenantParameter: 1,
  text: `INSERT INTO parked_messages (tenant_id, handle_hash, connection_id, login_request_id, sealed, expires_at)
    SELECT $1, $2, c.id, $4, $5, $6 FROM connections AS c WHERE c.tenant_id = $1 AND c.id = $3 AND (c.disabled_at IS NULL OR EXISTS (
      SELECT 1 FROM login_requests AS l WHERE l.tenant_id = $1 AND l.id = $4 AND l.connection_id = $3 AND l.purpose = 'test' AND l.consumed_at IS NULL))`,
})

/** False: the connection is switched off, and this answers no test of it; or it has been removed. */
export async function insertParkedMessage(hot: HotDb, tenant: TenantId, message: ParkedMessage): Promise<boolean> {
  const { rowCount } = await hot.query(insertStatement, [
    ...[tenant, message.handleHash, message.connectionId, message.loginRequestId, message.sealed, toTimestamp(message.expiresAt)],
  ])
  return rowCount === 1
}

const takeStatement = hotStatement({
  name: 'take_parked_message',
  tenantParameter: 1,
  text: `DELETE FROM parked_messages AS m USING login_requests AS l
    WHERE m.tenant_id = $1 AND m.connection_id = $2 AND m.handle_hash = $5 AND ${judged('m.expires_at > $4')}
      AND l.tenant_id = $1 AND l.id = m.login_request_id AND ${openTrip}
    RETURNING m.sealed, ${tripColumns}`,
})

export type TakenMessage = { readonly sealed: Buffer; readonly trip: StoredLoginRequest }

/**
 * The message and the open login that it says it answers. At most one caller gets them, and only the browser that began that login:
 * in another one the message stays, and the login is left alone by whatever a stranger has parked in its name.
 */
export async function takeParkedMessage(
  hot: HotDb,
  tenant: TenantId,
  wanted: {
    readonly handleHash: CredentialHash
    readonly connectionId: ConnectionId
    readonly browserHash: CredentialHash
    readonly now: Instant
  },
): Promise<TakenMessage | undefined> {
  const { rows } = await hot.query<TripRow & { sealed: Buffer }>(takeStatement, [
    ...[tenant, wanted.connectionId, wanted.browserHash, toTimestamp(wanted.now), wanted.handleHash],
  ])
  return rows[0] && { sealed: rows[0].sealed, trip: toTrip(rows[0]) }
}
