/** Clients that registered at the front issuer, as tenants have them: copies, which the database keeps like the registration (migration 0095). */
import type { Instant } from '@drawbridge/core/instant'
import { registrationLimits } from '@drawbridge/core/oauth/client-registration'
import type { ClientId, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { livingTables } from './idle-clients.js'
import { type Db, toTimestamp } from './transaction.js'

/**
 * Gives the tenant its copy, once. Answers whether it has one: not of a client that the front does not know, or that is blocked or over there, and not one
 * that made room for others and is not swept yet.
 */
export async function adoptFrontClient(db: Db, tenant: TenantId, id: ClientId, now: Instant): Promise<boolean> {
  const { rows } = await db.query<{ adopted: boolean }>('SELECT adopt_front_client($1, $2, $3) AS adopted', [tenant, id, toTimestamp(now)])
  return rows[0]?.adopted ?? false
}

const nothingOf = (table: string): string =>
  `NOT EXISTS (SELECT 1 FROM ${table} r WHERE r.tenant_id = $1 AND r.issuer_id = $2 AND r.client_id = c.client_id)`
/** A pending sign-in only has others go first: strangers can begin one. */
const begun: readonly string[] = ['authorization_requests', 'pushed_requests']
const saved = livingTables.filter((table) => !begun.includes(table))
const isUnused = "c.tenant_id = $1 AND c.issuer_id = $2 AND c.kind = 'dynamic' AND c.last_used_at IS NULL AND c.unregistered_at IS NULL"

/** What makes room is unknown from then on, until it is swept and somebody brings it again. What an admin said of it stays. */
const makesRoom = `UPDATE clients SET unregistered_at = $3 WHERE tenant_id = $1 AND ctid = (
    SELECT c.ctid FROM clients c WHERE ${isUnused} AND NOT c.pre_approved AND c.blocked_at IS NULL AND coalesce(c.own_scope_ceiling, '{}') = '{}'
      AND c.own_access_token_ttl_seconds IS NULL AND coalesce(c.machine_access, '[]') = '[]'
      AND c.created_at < $3::timestamptz - make_interval(secs => ${registrationLimits.dynamicClientStaysSeconds}) AND ${saved.map(nothingOf).join(' AND ')}
    ORDER BY ${begun.map(nothingOf).join(' AND ')} DESC, c.created_at LIMIT 1)`

/**
 * Before a copy is made of a client that registered itself, for somebody who has proven nothing. `member`: the tenant's issuer at the front. Never more than
 * `most` that nobody uses, however many come at once; apart from what registered at the tenant itself. False: there is no room.
 */
export async function hasRoomForCopy(
  db: Db,
  tenant: TenantId,
  { member, now }: { readonly member: IssuerId; readonly now: Instant },
  most: number = registrationLimits.unusedCopies,
): Promise<boolean> {
  // Held until the transaction ends, so that of two that count at once one waits.
  await db.query('SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE', [tenant])
  const { rows } = await db.query<{ unused: number }>(`SELECT count(*)::int AS unused FROM clients c WHERE ${isUnused}`, [tenant, member])
  if ((rows[0]?.unused ?? 0) < most) return true
  return (await db.query(makesRoom, [tenant, member, toTimestamp(now)])).rowCount === 1
}
