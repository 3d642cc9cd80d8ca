/** Messages that a cross-site POST left at the ACS. Sealed, found by a one-time handle, read once, by the browser whose login they answer. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, CredentialHash, LoginRequestId, TenantId } from '@drawbridge/core/tenant/ids'
import { openTrip, type StoredLoginRequest, type TripRow, toTrip, tripColumns } from './login-requests.js'
import { type HotDb, hotStatement, judged, toTimestamp } from './transaction.js'

export type ParkedMessage = {
  readonly handleHash: CredentialHash
  readonly connectionId: ConnectionId
  /** The login that the message says it answers. Whoever knows of one can write it there. */
  readonly loginRequestId: LoginRequestId
  readonly sealed: Buffer
  readonly expiresAt: Instant
}

/**
 * As many messages rest in the name of one login; a further one takes the place of the oldest. So whoever learns the name of somebody's login can fill
 * no disk, and cannot lock the genuine answer out: it is the newest when it comes, and taken up at once.
 */
export const parkedLimits = { messagesOfLogin: 5 } as const

const insertStatement = hotStatement({
  name: 'insert_parked_message',
  tenantParameter: 1,
  text: `WITH answered AS (
    SELECT l.id, c.id AS connection_id FROM login_requests AS l JOIN connections AS c ON c.tenant_id = $1 AND c.id = l.connection_id
    WHERE l.tenant_id = $1 AND l.id = $4 AND l.connection_id = $3 AND l.consumed_at IS NULL AND ${judged('l.expires_at > $7')}
      AND (c.disabled_at IS NULL OR l.purpose = 'test')
  ), crowded AS (
    DELETE FROM parked_messages AS m WHERE m.tenant_id = $1 AND m.handle_hash IN (
      SELECT p.handle_hash FROM answered JOIN parked_messages AS p ON p.tenant_id = $1 AND p.login_request_id = answered.id
      ORDER BY p.expires_at DESC, p.handle_hash OFFSET ${parkedLimits.messagesOfLogin - 1} FOR UPDATE OF p SKIP LOCKED)
  )
  INSERT INTO parked_messages (tenant_id, handle_hash, connection_id, login_request_id, sealed, expires_at)
    SELECT $1, $2, answered.connection_id, answered.id, $5, $6 FROM answered`,
})

/** False: the message names no open login of this connection; or the connection is switched off, and this answers no test of it. */
export async function insertParkedMessage(
  hot: HotDb,
  tenant: TenantId,
  message: ParkedMessage & { readonly now: Instant },
): Promise<boolean> {
  const { handleHash, connectionId, loginRequestId, sealed, expiresAt, now } = message
  const { rowCount } = await hot.query(insertStatement, [
    ...[tenant, handleHash, connectionId, loginRequestId, sealed, toTimestamp(expiresAt), toTimestamp(now)],
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
