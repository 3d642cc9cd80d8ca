/**
 * What a tenant needs after the database lost commits: what was issued in the lost time must be dead, no key that was condemned in it may sign, and whoever
 * left in it must not come in.
 *
 * What an admin shut in it is open again, and nobody here knows what that was: `drawbridge recover` says what is to be done again, and since when.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import { announce } from './announcements.js'
import { insertAuditEvent } from './audit-events.js'
import { deprovision } from './deprovisioning.js'
import { type KeyReplacement, replaceSigningKeys } from './signing-keys.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'
import { unnameAll } from './unnamed-people.js'

/**
 * How far the epoch of a tenant jumps: beyond every barrier that can have been raised in the lost time. Below it is whatever was issued, and
 * above every barrier that a guard was told and the database has forgotten is whatever will be. An epoch is a 32-bit integer: enough for two
 * thousand recoveries.
 */
export const recoveryEpochJump = 1_000_000

export async function listTenantsAcrossTenants(db: AcrossDb): Promise<readonly TenantId[]> {
  const { rows } = await db.query<{ id: TenantId }>('SELECT id FROM tenants ORDER BY id')
  return rows.map(({ id }) => id)
}

export type Recovery = KeyReplacement & { readonly tenant: TenantId; readonly eventId: DeprovisioningEventId }
/** `lastKnownAt`: of the last request that left a trace in this copy; what was lost came after it. `keys`: how many were condemned. */
export type RecoveredTenant = {
  readonly connections: readonly ConnectionId[]
  readonly keys: number
  readonly hasSamlKeys: boolean
  readonly lastKnownAt: Instant | undefined
}

/**
 * The barrier of a recovery: sessions, codes, logins under way, grants and every token of the tenant end, and every key that signed them is condemned: one that
 * was in the lost time is believed by nobody again, and guards that heard so believe what is signed from now on. Connections with a directory let
 * nobody in until it has been synchronised anew, and afterwards nobody whom it has not named. Doing it again is harmless.
 */
export async function recoverTenant(db: Db, recovery: Recovery): Promise<RecoveredTenant> {
  const { tenant, eventId, now } = recovery
  const known = await findKnown(db, tenant)
  await db.query('UPDATE tenants SET epoch = epoch + $2 WHERE id = $1', [tenant, recoveryEpochJump])
  const reason = 'the database was restored, and what happened since the copy is lost'
  await deprovision(db, {
    tenant,
    eventId,
    source: 'recovery',
    target: 'tenant',
    targetId: tenant,
    reason,
    toldAt: undefined,
    now,
    requestId: undefined,
  })
  const keys = await replaceSigningKeys(db, tenant, recovery)
  for (const { issuerId, ...detail } of keys)
    await insertAuditEvent(db, tenant, { at: now, kind: 'signing_key.compromised', issuerId, reason, detail })
  const connections = await demandResync(db, { tenant, now }, reason)
  return { connections, keys: keys.length, ...known }
}

/** Of what this recovery writes nothing belongs to a request: the answer is the same where it has to be done again. */
async function findKnown(db: Db, tenant: TenantId): Promise<Pick<RecoveredTenant, 'hasSamlKeys' | 'lastKnownAt'>> {
  const { rows } = await db.query<{ at: Instant | null; saml: boolean }>(
    `SELECT (SELECT at FROM audit_events WHERE tenant_id = $1 AND request_id IS NOT NULL ORDER BY id DESC LIMIT 1) AS at,
       EXISTS (SELECT 1 FROM signing_keys WHERE tenant_id = $1 AND purpose = 'saml' AND state <> 'compromised') AS saml`,
    [tenant],
  )
  return { lastKnownAt: rows[0]?.at ?? undefined, hasSamlKeys: rows[0]?.saml ?? false }
}

/** Behind whoever is in the copy: the clock that made her may be ahead of this one, and only whom the directory creates from now on was created since. */
async function demandResync(db: Db, { tenant, now }: Pick<Recovery, 'tenant' | 'now'>, reason: string): Promise<readonly ConnectionId[]> {
  const { rows } = await db.query<{ id: ConnectionId; name: string }>(
    `UPDATE connections c SET resync_demanded_at = greatest($2, (SELECT max(u.created_at) + interval '1 millisecond' FROM scim_users u WHERE u.tenant_id = $1 AND u.connection_id = c.id))
      WHERE tenant_id = $1 AND EXISTS (SELECT 1 FROM scim_tokens t WHERE t.tenant_id = $1 AND t.connection_id = c.id
        UNION ALL SELECT 1 FROM scim_users u WHERE u.tenant_id = $1 AND u.connection_id = c.id)
     RETURNING id, name`,
    [tenant, toTimestamp(now)],
  )
  for (const { id: connectionId, name } of rows) {
    const event = { at: now, kind: 'connection.resync_demanded' as const, connectionId, reason }
    await insertAuditEvent(db, tenant, event)
    await announce(db, tenant, { at: now, kind: event.kind, about: name, by: undefined }, { connectionId })
  }
  const connections = rows.map(({ id }) => id)
  await unnameAll(db, tenant, connections, now)
  return connections
}

/** Whoever was not named stays out. Answers whether there is such a connection. */
export async function markDirectoryResynced(db: Db, tenant: TenantId, connection: ConnectionId): Promise<boolean> {
  const { rowCount } = await db.query('UPDATE connections SET resync_demanded_at = NULL WHERE tenant_id = $1 AND id = $2', [
    tenant,
    connection,
  ])
  return rowCount === 1
}
