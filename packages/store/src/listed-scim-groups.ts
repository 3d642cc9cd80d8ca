/** What an admin sees of the groups that directories sent, and of whom they hold. Reads only, a page at a time: a group may have a hundred thousand members. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, ScimGroupId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { memberDisplay } from './scim-group-members.js'
import { type Db, isUuid } from './transaction.js'

export type ListedScimGroup = {
  readonly id: ScimGroupId
  readonly connectionId: ConnectionId
  readonly displayName: string
  readonly externalId: string | null
  /** People and groups. */
  readonly memberCount: number
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

export type ScimGroupFilter = {
  readonly displayName?: string | undefined
  readonly externalId?: string | undefined
  /** Those that hold this user, or this group, itself. */
  readonly memberId?: string | undefined
}

/** Living ones, newest first. */
export async function listScimGroups(
  db: Db,
  tenant: TenantId,
  { displayName, externalId, memberId }: ScimGroupFilter,
  page: Page<MomentPosition>,
): Promise<readonly ListedScimGroup[]> {
  const { rows } = await db.query<ListedScimGroup>(
    `SELECT g.id, g.connection_id AS "connectionId", g.display_name AS "displayName", g.external_id AS "externalId", g.member_count AS "memberCount",
       g.created_at AS "createdAt", g.updated_at AS "updatedAt"
     FROM scim_groups g WHERE g.tenant_id = $1 AND g.deleted_at IS NULL
       AND ($2::text IS NULL OR g.display_name_key = $2) AND ($3::text IS NULL OR g.external_id = $3)
       AND ($4::uuid IS NULL OR EXISTS (SELECT 1 FROM scim_group_members m
         WHERE m.tenant_id = $1 AND m.group_id = g.id AND m.member_id = $4 AND m.generation = g.generation))
       AND ($5::timestamptz IS NULL OR (g.created_at, g.id) < ($5, $6::uuid))
     ORDER BY g.created_at DESC, g.id DESC LIMIT $7`,
    [tenant, displayName?.toLowerCase() ?? null, externalId ?? null, memberId ?? null, ...momentParameters(page)],
  )
  return rows
}

export type ListedScimMember = {
  readonly id: string
  readonly isGroup: boolean
  readonly display: string
  /** null: it is a group. */
  readonly userName: string | null
  readonly active: boolean | null
  /** Who is linked to the user; null: nobody who has signed in. */
  readonly subjectId: string | null
}

/** By id, so that a page costs a page. Undefined: no such group is living. */
export async function listScimGroupMembers(
  db: Db,
  tenant: TenantId,
  group: string,
  page: Page<string>,
): Promise<readonly ListedScimMember[] | undefined> {
  if (!isUuid(group)) return undefined
  const { rows } = await db.query<{ generation: number }>(
    'SELECT generation FROM scim_groups WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL',
    [tenant, group],
  )
  if (rows[0] === undefined) return undefined
  const listed = await db.query<ListedScimMember>(
    `SELECT m.member_id AS id, m.nested_id IS NOT NULL AS "isGroup", ${memberDisplay} AS display, mu.user_name AS "userName", mu.active,
       s.id AS "subjectId"
     FROM scim_group_members m LEFT JOIN scim_users mu ON mu.tenant_id = $1 AND mu.id = m.user_id
     LEFT JOIN scim_groups mg ON mg.tenant_id = $1 AND mg.id = m.nested_id
     LEFT JOIN subjects s ON s.tenant_id = $1 AND s.scim_user_id = m.user_id
     WHERE m.tenant_id = $1 AND m.group_id = $2 AND m.generation = $3 AND ($4::uuid IS NULL OR m.member_id > $4)
     ORDER BY m.member_id LIMIT $5`,
    [tenant, group, rows[0].generation, page.from ?? null, page.limit],
  )
  return listed.rows
}
