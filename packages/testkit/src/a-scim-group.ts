/** A group that a company's directory has sent, as rows: for tests of what groups do, not of SCIM. */
import { randomUUID } from 'node:crypto'
import type { ScimGroupId } from '@drawbridge/core/tenant/ids'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export async function aScimGroup(
  fixture: TestDatabase,
  { tenantId, connectionId }: Pick<ATenant, 'tenantId' | 'connectionId'>,
  displayName: string,
  given: { readonly externalId?: string; readonly users?: readonly string[]; readonly groups?: readonly string[] } = {},
): Promise<ScimGroupId> {
  const id = randomUUID() as ScimGroupId
  const { users = [], groups = [], externalId = null } = given
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO scim_groups (tenant_id, id, connection_id, display_name, display_name_key, external_id, resource, member_count, created_at, updated_at)
     VALUES ($1, $2, $3, $4, lower($4), $5, '{}', $6, now(), now())`,
    [tenantId, id, connectionId, displayName, externalId, users.length + groups.length],
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO scim_group_members (tenant_id, group_id, member_id, user_id, nested_id, generation)
     SELECT $1::uuid, $2::uuid, u, u, NULL::uuid, 1 FROM unnest($3::uuid[]) AS u UNION ALL SELECT $1, $2, n, NULL, n, 1 FROM unnest($4::uuid[]) AS n`,
    [tenantId, id, users, groups],
  )
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET groups_since = COALESCE(groups_since, now()) WHERE id = $1', [connectionId])
  return id
}
