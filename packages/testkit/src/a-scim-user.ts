/** A person whom a company's directory knows, as a row: for tests of what is done with people, not of SCIM. */
import { randomUUID } from 'node:crypto'
import type { ConnectionId, ScimUserId } from '@drawbridge/core/tenant/ids'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export async function aScimUser(
  fixture: TestDatabase,
  { tenantId, connectionId }: ATenant,
  userName: string,
  given: {
    readonly externalId?: string
    readonly active?: boolean
    readonly deleted?: boolean
    readonly groups?: readonly string[]
    readonly connectionId?: ConnectionId
  } = {},
): Promise<ScimUserId> {
  const id = randomUUID() as ScimUserId
  const resource = given.groups === undefined ? {} : { groups: given.groups.map((display) => ({ value: randomUUID(), display })) }
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at, deleted_at)
     VALUES ($1, $2, $3, $4, lower($4), $5, $6, $7, now(), now(), CASE WHEN $8 THEN now() END)`,
    [
      ...[tenantId, id, given.connectionId ?? connectionId, userName, given.externalId ?? null],
      ...[given.active ?? true, JSON.stringify(resource), given.deleted ?? false],
    ],
  )
  return id
}
