/**
 * Whom a directory has not named since a restore: she was active in the copy, and may have left in what was lost. She stays out until her directory names
 * her or an admin lets her in, whatever is said of her connection.
 *
 * A connection counts the recoveries under it, and of a person it is kept after how many she was last named: a recovery writes no row of hers, however many
 * people there are. No time is compared: the copy may be of a machine whose clock went otherwise.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, ScimUserId, TenantId } from '@drawbridge/core/tenant/ids'
import { keptStatement } from './kept-statements.js'
import { type Db, toTimestamp } from './transaction.js'

/** Of `scim_users u` and its `connections c`. Whoever is not active stays out by that, and comes in by a word on it. */
export const isUnnamed = '(c.unnamed_since IS NOT NULL AND u.named_after < c.recoveries AND u.active AND u.deleted_at IS NULL)'

/** Of `scim_users u` alone, whether she is active or not. */
export const unnamedSince =
  '(SELECT c.unnamed_since FROM connections c WHERE c.tenant_id = u.tenant_id AND c.id = u.connection_id AND u.named_after < c.recoveries)'

/**
 * SQL over `subjects`: a restore keeps her out, as at a login (`complete-login-statement`). Her directory is awaited, or has not named her; the latter not where
 * `isNamedNow`, an SQL condition.
 */
export const isOutSinceRestore = (subject: string, isNamedNow = 'false'): string => `EXISTS (
     SELECT 1 FROM connections c LEFT JOIN scim_users u ON u.tenant_id = c.tenant_id AND u.id = ${subject}.scim_user_id
     WHERE c.tenant_id = ${subject}.tenant_id AND c.id = ${subject}.connection_id
       AND (c.resync_demanded_at IS NOT NULL AND (u.created_at >= c.resync_demanded_at) IS NOT TRUE OR NOT (${isNamedNow}) AND ${isUnnamed}))`

/** Of a connection of the tenant `$1`: what whoever is named now is named after. */
export const recoveriesOf = (connection: string): string =>
  `(SELECT c.recoveries FROM connections c WHERE c.tenant_id = $1 AND c.id = ${connection})`

/** From now on nobody of these directories is named. */
export async function unnameAll(db: Db, tenant: TenantId, connections: readonly ConnectionId[], now: Instant): Promise<void> {
  await db.query('UPDATE connections SET recoveries = recoveries + 1, unnamed_since = $3 WHERE tenant_id = $1 AND id = ANY ($2::uuid[])', [
    tenant,
    connections,
    toTimestamp(now),
  ])
}

const named = keptStatement(
  `UPDATE scim_users SET named_after = ${recoveriesOf('$2')} WHERE tenant_id = $1 AND connection_id = $2 AND id = $3`,
)

/** Once after a restore, for each: whoever reads the user sees whether it is to be done. */
export async function markNamed(
  db: Db,
  { tenant, connectionId }: { readonly tenant: TenantId; readonly connectionId: ConnectionId },
  id: ScimUserId,
): Promise<void> {
  await db.query(named, [tenant, connectionId, id])
}

/** In the order in which they were created. `first`: at most `mostUnnamedShown` of `count`. */
export type Unnamed = {
  readonly count: number
  readonly first: readonly { readonly id: string; readonly userName: string; readonly externalId: string | null }[]
}
export const mostUnnamedShown = 100

export async function findUnnamed(db: Db, tenant: TenantId, connection: ConnectionId): Promise<Unnamed> {
  const { rows } = await db.query<Unnamed['first'][number] & { readonly count: number }>(
    `SELECT u.id, u.user_name AS "userName", u.external_id AS "externalId", count(*) OVER ()::int AS count
       FROM connections c JOIN scim_users u ON u.tenant_id = c.tenant_id AND u.connection_id = c.id
      WHERE c.tenant_id = $1 AND c.id = $2 AND ${isUnnamed} ORDER BY u.created_at, u.id LIMIT $3`,
    [tenant, connection, mostUnnamedShown],
  )
  return { count: rows[0]?.count ?? 0, first: rows.map(({ count: _count, ...one }) => one) }
}

/** By the word of an admin who has looked: all whom the directory has, until the next restore. */
export async function letInUnnamed(db: Db, tenant: TenantId, connection: ConnectionId): Promise<void> {
  await db.query('UPDATE connections SET unnamed_since = NULL WHERE tenant_id = $1 AND id = $2', [tenant, connection])
}
