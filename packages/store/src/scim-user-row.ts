/** A person of a directory, as her row is read. */
import type { Instant } from '@drawbridge/core/instant'
import type { JsonObject } from '@drawbridge/core/scim/json'
import type { ScimUser } from '@drawbridge/core/scim/user'
import type { ConnectionId, ScimUserId } from '@drawbridge/core/tenant/ids'
import { unnamedSince } from './unnamed-people.js'

export type ScimUserRow = {
  id: ScimUserId
  connection_id: ConnectionId
  user_name: string
  external_id: string | null
  active: boolean
  resource: JsonObject
  version: number
  created_at: Instant
  updated_at: Instant
  unnamed_since: Instant | null
}

/** Of `scim_users AS u`. */
export const scimUserColumns = `id, connection_id, user_name, external_id, active, resource, version, created_at, updated_at, ${unnamedSince} AS unnamed_since`
export const toScimUser = (row: ScimUserRow): ScimUser => ({
  id: row.id,
  connectionId: row.connection_id,
  userName: row.user_name,
  externalId: row.external_id ?? undefined,
  active: row.active,
  attributes: row.resource,
  version: row.version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  unnamedSince: row.unnamed_since ?? undefined,
})
