/**
 * Whom a directory has not named since a restore: she was active in the copy, and may have left in what was lost. She stays out until her directory names
 * her or an admin lets her in, whatever is said of her connection.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, ScimUserId, TenantId } from '@drawbridge/core/tenant/ids'
import { keptStatement } from './kept-statements.js'
import { type Db, toTimestamp } from './transaction.js'

/** Whoever is not active stays out by that, and comes in by a word on it. */
export async function markUnnamed(db: Db, tenant: TenantId, connections: readonly ConnectionId[], now: Instant): Promise<void> {
  await db.query(
    'UPDATE scim_users SET unnamed_since = $3 WHERE tenant_id = $1 AND connection_id = ANY ($2::uuid[]) AND active AND deleted_at IS NULL',
    [tenant, connections, toTimestamp(now)],
  )
}

const named = keptStatement('UPDATE scim_users SET unnamed_since = NULL WHERE tenant_id = $1 AND connection_id = $2 AND id = $3')

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
    `SELECT id, user_name AS "userName", external_id AS "externalId", count(*) OVER ()::int AS count FROM scim_users
      WHERE tenant_id = $1 AND connection_id = $2 AND unnamed_since IS NOT NULL AND active AND deleted_at IS NULL ORDER BY created_at, id LIMIT $3`,
    [tenant, connection, mostUnnamedShown],
  )
  return { count: rows[0]?.count ?? 0, first: rows.map(({ count: _count, ...one }) => one) }
}

/** By the word of an admin who has looked. */
export async function letInUnnamed(db: Db, tenant: TenantId, connection: ConnectionId): Promise<void> {
  await db.query('UPDATE scim_users SET unnamed_since = NULL WHERE tenant_id = $1 AND connection_id = $2 AND unnamed_since IS NOT NULL', [
    tenant,
    connection,
  ])
}
