/**
 * Devices that asked at the front issuer. Until a person says whose she is they wait in rows of the vendor's; then each becomes one tenant's, in one transaction,
 * and goes on in a row of that tenant. Its device code and its user code are kept there under other hashes, so no tenant finds what is another's.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Caller } from '@drawbridge/core/oauth/caller'
import type { DeviceCodeRefusal } from '@drawbridge/core/oauth/device-code'
import type { ClientId, CredentialHash, DeviceCodeId, IssuerId, TenantId, TenantSlug } from '@drawbridge/core/tenant/ids'
import { callerCte } from './caller.js'
import type { Database } from './database.js'
import { deviceCte, isEarly, polledCte } from './device-codes.js'
import { type Db, type HotDb, hotStatement, inTenantAndThen, toTimestamp } from './transaction.js'

const pollStatement = hotStatement({
  name: 'poll_device_at_front',
  tenantParameter: 1,
  text: `WITH ${callerCte({ issuer: '$4', client: '$5', version: '$6' })},
  ${deviceCte},
  ${polledCte(isEarly)}
  SELECT caller.is_current, EXISTS (SELECT 1 FROM device) AS is_known, (SELECT refusal FROM device) AS refusal,
    (SELECT became_tenant FROM device) AS became_tenant, (SELECT polled_early FROM polled) AS polled_early FROM caller`,
})

export type PollAtFront = {
  readonly caller: Caller
  readonly deviceCodeHash: CredentialHash
  readonly now: Instant
}

export type PolledAtFront =
  /** Whose it is: it is to be asked for there. */
  | { readonly kind: 'became'; readonly tenant: TenantSlug }
  | { readonly kind: 'refused'; readonly reason: DeviceCodeRefusal }
  | { readonly kind: 'client_changed' }

/** Answers the poll of a device that is nobody's yet, by the rules of `pollDeviceCode`, and says whose one is that has become somebody's. */
export async function pollDeviceAtFront(hot: HotDb, front: TenantId, { caller, deviceCodeHash, now }: PollAtFront): Promise<PolledAtFront> {
  type Row = {
    is_current: boolean
    is_known: boolean
    refusal: DeviceCodeRefusal | null
    became_tenant: TenantSlug | null
    polled_early: boolean | null
  }
  const { rows } = await hot.query<Row>(pollStatement, [
    ...[front, toTimestamp(now), deviceCodeHash, caller.issuerId, caller.clientId, caller.clientVersion],
  ])
  const row = rows[0]
  if (!row?.is_current) return { kind: 'client_changed' }
  if (!row.is_known) return { kind: 'refused', reason: 'device_code_unknown' }
  if (row.refusal !== null) return { kind: 'refused', reason: row.refusal }
  if (row.became_tenant !== null) return { kind: 'became', tenant: row.became_tenant }
  return { kind: 'refused', reason: row.polled_early ? 'device_polled_early' : 'device_pending' }
}

export type DeviceMove = {
  readonly id: DeviceCodeId
  readonly clientId: ClientId
  readonly front: { readonly id: TenantId; readonly issuerId: IssuerId }
  /** The tenant at the front. */
  readonly member: { readonly id: TenantId; readonly issuerId: IssuerId; readonly slug: TenantSlug }
  readonly hashAtTenant: (hash: CredentialHash) => CredentialHash
  readonly now: Instant
}

type MovedRow = {
  readonly device_code_hash: CredentialHash
  readonly user_code_hash: CredentialHash
  readonly request: unknown
  readonly asked_address: string | null
  readonly asked_country: string | null
  readonly interval_seconds: number
  readonly polled_at: Instant | null
  readonly created_at: Instant
  readonly expires_at: Instant
}

/**
 * A device becomes a tenant's, once: of any number of callers one gets `true`. Not one that was answered, is below a barrier or is over at the front, nor at a
 * tenant that lets no devices ask or does not serve its client.
 */
export async function moveDeviceToTenant(database: Database, move: DeviceMove): Promise<boolean> {
  try {
    const moved = await inTenantAndThen<MovedRow>(
      database,
      { tenant: move.front.id, run: (db) => endAtFront(db, move) },
      { tenant: move.member.id, run: (db, row) => beginAtTenant(db, move, row) },
    )
    return moved !== undefined
  } catch (cause) {
    if (cause instanceof NotAtTenant) return false
    throw cause
  }
}

/** Takes the end at the front back with it. */
class NotAtTenant extends Error {}

async function endAtFront(db: Db, { id, clientId, front, member, now }: DeviceMove): Promise<MovedRow | undefined> {
  const { rows } = await db.query<MovedRow>(
    `UPDATE device_codes d SET decided_at = $5, became_tenant = $6 FROM tenants t, clients cl
     WHERE d.tenant_id = $1 AND d.id = $2 AND d.issuer_id = $3 AND d.client_id = $4 AND d.decided_at IS NULL AND d.expires_at > $5
       AND t.id = $1 AND t.device_grant AND t.epoch = d.tenant_epoch
       AND cl.tenant_id = $1 AND cl.issuer_id = $3 AND cl.client_id = $4 AND cl.blocked_at IS NULL AND cl.epoch = d.client_epoch
     RETURNING d.device_code_hash, d.user_code_hash, d.request, d.asked_address, d.asked_country, d.interval_seconds, d.polled_at, d.created_at, d.expires_at`,
    [front.id, id, front.issuerId, clientId, toTimestamp(now), member.slug],
  )
  return rows[0]
}

async function beginAtTenant(db: Db, { id, clientId, member, hashAtTenant }: DeviceMove, row: MovedRow): Promise<void> {
  const { rowCount } = await db.query(
    `INSERT INTO device_codes (tenant_id, id, issuer_id, client_id, device_code_hash, user_code_hash, request, asked_address, asked_country, tenant_epoch,
       client_epoch, interval_seconds, polled_at, created_at, expires_at)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, t.epoch, cl.epoch, $10, $11, $12, $13 FROM tenants t, clients cl
     WHERE t.id = $1 AND t.device_grant AND t.suspended_at IS NULL
       AND cl.tenant_id = $1 AND cl.issuer_id = $3 AND cl.client_id = $4 AND cl.blocked_at IS NULL`,
    [
      ...[member.id, id, member.issuerId, clientId, hashAtTenant(row.device_code_hash), hashAtTenant(row.user_code_hash)],
      ...[JSON.stringify(row.request), row.asked_address, row.asked_country, row.interval_seconds],
      ...[row.polled_at === null ? null : toTimestamp(row.polled_at), toTimestamp(row.created_at), toTimestamp(row.expires_at)],
    ],
  )
  if (rowCount !== 1) throw new NotAtTenant('the device may not become this tenant\u2019s')
}
