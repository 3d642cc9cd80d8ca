/** Messages that a cross-site POST left at the ACS. Sealed, found by a one-time handle, read once. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import { type HotDb, hotStatement, toTimestamp } from './transaction.js'

export type ParkedMessage = {
  readonly handleHash: CredentialHash
  readonly connectionId: ConnectionId
  readonly sealed: Buffer
  readonly expiresAt: Instant
}

const insertStatement = hotStatement({
  name: 'insert_parked_message',
  tenantParameter: 1,
  text: 'INSERT INTO parked_messages (tenant_id, handle_hash, connection_id, sealed, expires_at) VALUES ($1, $2, $3, $4, $5)',
})

export async function insertParkedMessage(hot: HotDb, tenant: TenantId, message: ParkedMessage): Promise<void> {
  await hot.query(insertStatement, [tenant, message.handleHash, message.connectionId, message.sealed, toTimestamp(message.expiresAt)])
}

const takeStatement = hotStatement({
  name: 'take_parked_message',
  tenantParameter: 1,
  text: 'DELETE FROM parked_messages WHERE tenant_id = $1 AND handle_hash = $2 AND connection_id = $3 AND expires_at > $4 RETURNING sealed',
})

/** At most one caller gets the message. */
export async function takeParkedMessage(
  hot: HotDb,
  tenant: TenantId,
  wanted: { readonly handleHash: CredentialHash; readonly connectionId: ConnectionId; readonly now: Instant },
): Promise<Buffer | undefined> {
  const { rows } = await hot.query<{ sealed: Buffer }>(takeStatement, [
    tenant,
    wanted.handleHash,
    wanted.connectionId,
    toTimestamp(wanted.now),
  ])
  return rows[0]?.sealed
}
